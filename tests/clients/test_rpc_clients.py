"""The three Solana clients, unmodified, on real sockets: from an airdrop to a transaction that expires."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException, TransactionExpiredBlockheightExceededError
from solana.rpc.models import MemcmpOpts, TokenAccountOpts, TxOpts
from solana.rpc.websocket_api import SolanaWsClient
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.config import RpcTransactionLogsFilterMentions
from solders.rpc.errors import SendTransactionPreflightFailureMessage
from solders.signature import Signature
from solders.sysvar import CLOCK
from solders.transaction import VersionedTransaction
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    get_associated_token_address,
    mint_to,
    transfer_checked,
)
from spl.token.models import MintToParams, TransferCheckedParams

from countermand.solana.embedded import EmbeddedChain
from countermand.solana.tokens import MEMO_PROGRAM, USDC_MINT
from tests.clients.node import run_node
from tests.solana.facade_venue import MINT_AUTHORITY, Node, opened_chain, served

SCRIPTS = Path(__file__).parent
USDC = Pubkey.from_string(USDC_MINT)
LOST = b"lose this"
"""A transaction that says so never reaches the chain, and its blockhash expires."""


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async def send(raw: bytes) -> None:
        if LOST in raw:
            await chain.expire_blockhashes()
        else:
            await chain.send(raw)

    chain: EmbeddedChain
    async with opened_chain() as chain, served(chain, send=send) as running:
        yield running


@pytest.mark.parametrize("client", ["web3", "kit"])
async def test_the_javascript_clients_are_content(node: Node, client: str) -> None:
    await is_content(f"rpc_{client}.mjs", node.url, node.ws_url)


@pytest.mark.parametrize("client", ["web3", "kit"])
@pytest.mark.parametrize("path", ["/rpc/", "/"])
async def test_the_javascript_clients_find_the_paths_of_a_node(node: Node, client: str, path: str) -> None:
    """E7: its WebSocket is at `/` of the next port. They read, get an airdrop, and hear of it."""
    urls = [url.removesuffix("/rpc") + path for url in (node.url, node.ws_url)]
    await is_content(f"rpc_{client}.mjs", *urls, "briefly")


@pytest.mark.parametrize("client", ["web3", "kit"])
async def test_the_javascript_clients_explore(node: Node, client: str) -> None:
    await is_content(f"explorer_{client}.mjs", node.url, node.ws_url)


async def is_content(script: str, *given: str) -> None:
    done = await asyncio.to_thread(run_node, SCRIPTS / script, *given)
    assert done.returncode == 0, done.stderr[-4_000:]
    assert "is content" in done.stdout


class Wallet:
    """What a client does with solana-py: airdrops, tokens, transactions that are confirmed."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self.key = Keypair()
        self.tokens = get_associated_token_address(self.key.pubkey(), USDC)

    async def signed(self, *instructions: Instruction, others: tuple[Keypair, ...] = ()) -> VersionedTransaction:
        blockhash = (await self.client.get_latest_blockhash()).value.blockhash
        message = MessageV0.try_compile(self.key.pubkey(), list(instructions), [], blockhash)
        return VersionedTransaction(message, [self.key, *others])

    async def lands(self, *instructions: Instruction, others: tuple[Keypair, ...] = ()) -> Signature:
        sent = await self.client.send_transaction(await self.signed(*instructions, others=others))
        (status,) = (await self.client.confirm_transaction(sent.value, Finalized, sleep_seconds=0.01)).value
        assert status is not None
        assert status.err is None
        return sent.value

    async def is_funded(self) -> None:
        """2 SOL and 5 USDC."""
        airdrop = await self.client.request_airdrop(self.key.pubkey(), 2 * 10**9, Confirmed)
        await self.client.confirm_transaction(airdrop.value, Processed, sleep_seconds=0.01)
        create = create_idempotent_associated_token_account(self.key.pubkey(), self.key.pubkey(), USDC)
        issue = MintToParams(
            program_id=TOKEN_PROGRAM_ID,
            mint=USDC,
            dest=self.tokens,
            mint_authority=MINT_AUTHORITY.pubkey(),
            amount=5_000_000,
        )
        await self.lands(create, mint_to(issue), others=(MINT_AUTHORITY,))

    def pays(self, amount: int, to: Pubkey) -> Instruction:
        return transfer_checked(
            TransferCheckedParams(
                program_id=TOKEN_PROGRAM_ID,
                source=self.tokens,
                mint=USDC,
                dest=to,
                owner=self.key.pubkey(),
                amount=amount,
                decimals=6,
            )
        )


@pytest.fixture
async def alice(node: Node) -> AsyncIterator[Wallet]:
    async with AsyncClient(node.url, commitment=Confirmed) as client:
        wallet = Wallet(client)
        await wallet.is_funded()
        yield wallet


async def test_solana_py_pays_and_reads(alice: Wallet) -> None:
    client, bob = alice.client, Keypair().pubkey()
    to = get_associated_token_address(bob, USDC)
    create = create_idempotent_associated_token_account(alice.key.pubkey(), bob, USDC)
    signature = await alice.lands(create, alice.pays(1_500_000, to))
    assert (await client.get_token_account_balance(to)).value.ui_amount_string == "1.5"
    assert (await client.get_balance(bob)).value == 0
    account = (await client.get_account_info(to)).value
    assert account is not None
    assert account.owner == TOKEN_PROGRAM_ID
    parsed: Any = (await client.get_account_info_json_parsed(to)).value
    assert parsed.data.parsed["info"]["owner"] == str(bob)
    among = TokenAccountOpts(mint=USDC)
    assert [entry.pubkey for entry in (await client.get_token_accounts_by_owner(bob, among)).value] == [to]
    assert len((await client.get_token_accounts_by_owner_json_parsed(bob, among)).value) == 1
    assert (await client.get_multiple_accounts([to, bob])).value[1] is None
    filters: list[int | MemcmpOpts] = [165, MemcmpOpts(offset=32, bytes=str(bob))]
    owned = await client.get_program_accounts(TOKEN_PROGRAM_ID, encoding="base64", filters=filters)
    assert [entry.pubkey for entry in owned.value] == [to]
    for encoding in ("json", "jsonParsed", "base64", "base58"):
        shown = (await client.get_transaction(signature, encoding, max_supported_transaction_version=0)).value
        assert shown is not None
        assert shown.transaction.meta is not None
        assert len(shown.transaction.meta.post_token_balances or []) == 2
    assert (await client.get_signatures_for_address(to, limit=None)).value[0].signature == signature


async def test_solana_py_asks_about_the_node(alice: Wallet, node: Node) -> None:
    client, genesis_hash = alice.client, node.chain.genesis_hash
    slot = (await client.get_slot()).value
    assert await client.is_connected()
    assert (await client.get_block_height()).value >= slot
    assert (await client.get_epoch_info()).value.absolute_slot >= slot
    assert (await client.get_version()).value.solana_core
    assert str((await client.get_genesis_hash()).value) == genesis_hash
    assert (await client.get_block_time(slot)).value
    assert (await client.get_minimum_balance_for_rent_exemption(165)).value == 2_039_280
    assert (await client.get_recent_prioritization_fees([USDC])).value[0].prioritization_fee == 0
    assert (await client.get_epoch_schedule()).value.slots_per_epoch == 432_000
    assert (await client.get_first_available_block()).value == 0
    assert (await client.get_minimum_ledger_slot()).value == 0
    identity = (await client.get_identity()).value.identity
    assert [each.pubkey for each in (await client.get_cluster_nodes()).value] == [identity]
    assert (await client.get_slot_leader()).value == identity
    assert (await client.get_slot_leaders(slot, 2)).value == [identity] * 2
    assert len((await client.get_leader_schedule()).value or {}) == 1
    votes = (await client.get_vote_accounts()).value
    assert (votes.current, votes.delinquent) == ([], [])
    assert (await client.get_inflation_rate()).value.total == 0
    assert (await client.get_inflation_governor()).value.initial == 0
    assert (await client.get_token_supply(USDC)).value.amount == "5000000"
    message = (await alice.signed(alice.pays(1, alice.tokens))).message
    assert isinstance(message, MessageV0)
    assert (await client.get_fee_for_message(message)).value == 5_000


async def test_solana_py_explores(alice: Wallet) -> None:
    """E2, E4, E6: what `solders` reads is what Rust's client reads."""
    client, key = alice.client, alice.key.pubkey()
    memo = Instruction(Pubkey.from_string(MEMO_PROGRAM), b"hello world", [])
    signature = await alice.lands(memo, alice.pays(1, alice.tokens))
    (newest, *_) = (await client.get_signatures_for_address(key, limit=5)).value
    assert (newest.signature, newest.memo) == (signature, "[11] hello world")
    for encoding in ("json", "jsonParsed", "base64"):
        block = (await client.get_block(newest.slot, encoding, max_supported_transaction_version=0)).value
        assert block is not None
        assert block.block_height == newest.slot
        assert len(block.transactions or []) > 0
    assert (await client.get_blocks(newest.slot - 1, newest.slot)).value == [newest.slot - 1, newest.slot]
    compressed = (await client.get_account_info(alice.tokens, encoding="base64+zstd")).value
    assert compressed == (await client.get_account_info(alice.tokens, encoding="base64")).value
    largest = (await client.get_token_largest_accounts(USDC)).value
    assert alice.tokens in [each.address for each in largest]
    assert (await client.get_token_accounts_by_delegate(key, TokenAccountOpts(mint=USDC))).value == []
    supply = (await client.get_supply()).value
    assert supply.total == supply.circulating + supply.non_circulating
    assert key in [each.address for each in (await client.get_largest_accounts()).value]
    assert (await client.get_transaction_count()).value >= 3
    assert len((await client.get_recent_performance_samples(2)).value) == 2
    clock: Any = (await client.get_account_info_json_parsed(CLOCK)).value
    assert clock.data.parsed["type"] == "clock"


async def test_solana_py_fails_as_it_should(alice: Wallet) -> None:
    client = alice.client
    too_much = await alice.signed(alice.pays(10**15, alice.tokens))
    simulated = (await client.simulate_transaction(too_much, sig_verify=True)).value
    assert simulated.err is not None
    assert simulated.logs
    with pytest.raises(RPCException) as refused:
        await client.send_transaction(too_much)
    assert isinstance(refused.value.args[0], SendTransactionPreflightFailureMessage)
    assert refused.value.args[0].data.err == simulated.err
    good = await alice.signed(alice.pays(5, alice.tokens))
    await client.send_transaction(good)
    with pytest.raises(RPCException, match="already been processed"):
        await client.send_transaction(good)
    unsigned = VersionedTransaction.populate(good.message, [Signature.default()])
    with pytest.raises(RPCException, match="SignatureVerificationFailure"):
        await client.send_transaction(unsigned)
    skipped = await client.send_transaction(too_much, TxOpts(skip_preflight=True))
    (status,) = (await client.get_signature_statuses([skipped.value])).value
    assert status is not None
    assert status.err == simulated.err


async def test_a_transaction_of_solana_py_expires(alice: Wallet) -> None:
    client = alice.client
    latest = (await client.get_latest_blockhash()).value
    lost = await alice.signed(Instruction(Pubkey.from_string(MEMO_PROGRAM), LOST, []))
    sent = await client.send_transaction(lost)
    with pytest.raises(TransactionExpiredBlockheightExceededError):
        await client.confirm_transaction(
            sent.value, sleep_seconds=0.01, last_valid_block_height=latest.last_valid_block_height
        )
    with pytest.raises(RPCException, match="Blockhash not found"):
        await client.send_transaction(lost)


async def test_solana_py_listens(alice: Wallet, node: Node) -> None:
    bob = Keypair().pubkey()
    create = create_idempotent_associated_token_account(alice.key.pubkey(), bob, USDC)
    payment = await alice.signed(create, alice.pays(5, get_associated_token_address(bob, USDC)))
    async with SolanaWsClient(node.ws_url) as listener:
        await listener.signature_subscribe(signature=payment.signatures[0], commitment=Confirmed)
        await listener.account_subscribe(pubkey=alice.key.pubkey(), encoding="base64")
        await listener.logs_subscribe(filter_=RpcTransactionLogsFilterMentions(alice.tokens))
        await listener.program_subscribe(program_id=TOKEN_PROGRAM_ID, encoding="jsonParsed", filters=[165])
        slots = await listener.slot_subscribe()
        await alice.client.send_transaction(payment)
        awaited = {f"{topic}Notification" for topic in ("Signature", "Account", "Logs", "Slot")}
        awaited.add("ProgramNotificationJsonParsed")
        async with asyncio.timeout(30):
            while awaited:
                awaited.discard(type(await listener.recv()).__name__)
        await listener.unsubscribe(slots)
