"""Orders by the other Solana clients: their keys sign, and the venue's JSON-RPC tells them what they have."""

import asyncio
import json
from pathlib import Path

from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized
from solana.rpc.models import TokenAccountOpts
from solders.pubkey import Pubkey
from solders.signature import Signature
from spl.token.instructions import get_associated_token_address

from tests.clients.node import run_node
from tests.docs.blocks import ROOT, blocks
from tests.end_to_end.trader import Trader, single
from tests.end_to_end.venue import SOL, USDC, Venue

SCRIPTS = Path(__file__).parent
CLIENTS_PAGE = ROOT / "docs" / "how-to" / "clients.md"
SIGNS_BY_IT = """
let token;
const call = async (method, path, body) => {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(process.argv[2] + path, { method, headers, body: body && JSON.stringify(body) });
  if (answer.status !== 200) throw new Error(`${path}: ${await answer.text()}`);
  return answer.json();
};
const [SOL, USDC] = (await call('GET', '/sandbox')).tokens.map((each) => each.mint);
const pair = { inputMint: SOL, outputMint: USDC };
await call('POST', '/sandbox/airdrop', { wallet: wallet.address, mint: 'SOL', amount: '5000000000' });
const asked = { walletPubkey: wallet.address, type: 'message' };
const { challenge } = await call('POST', '/trigger/v2/auth/challenge', asked);
({ token } = await call('POST', '/trigger/v2/auth/verify', { ...asked, signature: await signature(challenge) }));
await call('GET', '/trigger/v2/vault/register');
const craft = { ...pair, userAddress: wallet.address, amount: '1000000000' };
const deposit = await call('POST', '/trigger/v2/deposit/craft', craft);
const order = await call('POST', '/trigger/v2/orders/price', {
  ...pair, orderType: 'single', userPubkey: wallet.address, inputAmount: '1000000000', triggerMint: SOL,
  triggerCondition: 'above', triggerPriceUsd: 1000, expiresAt: (await call('GET', '/sandbox')).now + 3_600_000,
  depositRequestId: deposit.requestId, depositSignedTx: await signed(deposit.transaction),
});
console.log(`deposit confirmed: ${order.depositConfirmed}`);
"""


def test_an_order_by_kit(venue: Venue) -> None:
    done = run_node(SCRIPTS / "order_kit.mjs", venue.url)
    assert done.returncode == 0, done.stderr[-4_000:]
    assert "is content" in done.stdout


def test_the_page_on_clients_signs_with_kit(venue: Venue) -> None:
    (shown,) = (block.code for block in blocks(CLIENTS_PAGE) if "partiallySignTransaction" in block.code)
    done = run_node(f"{shown}\n{SIGNS_BY_IT}", venue.url)
    assert done.returncode == 0, done.stderr[-4_000:]
    assert "deposit confirmed: true" in done.stdout


def test_the_older_transaction_class_of_web3_signs_withdrawals(venue: Venue) -> None:
    alice = Trader(venue)
    alice.has(5 * SOL)
    alice.joins()
    order = alice.places(single(sell=1 * SOL, above=200))
    cancelling = alice.cancels(order)
    key = json.dumps(list(bytes(alice.key)))
    done = run_node(SCRIPTS / "cancel_web3_legacy.mjs", cancelling.transaction, key)
    assert done.returncode == 0, done.stderr[-4_000:]
    assert alice.hands_in(order, done.stdout.strip(), cancelling.request_id).status == 200
    assert alice.state_of(order) == "cancelled"


async def test_an_order_by_solana_py(venue: Venue) -> None:
    alice = Trader(venue)
    wallet, usdc = alice.key.pubkey(), Pubkey.from_string(USDC.mint)
    async with AsyncClient(f"{venue.url}/rpc", commitment=Confirmed) as client:

        async def has_landed(signature: str) -> bool:
            asked = Signature.from_string(signature)
            (status,) = (await client.confirm_transaction(asked, Finalized, sleep_seconds=0.01)).value
            return status is not None and status.err is None

        airdrop = await client.request_airdrop(wallet, 5 * 10**9, Confirmed)
        assert await has_landed(str(airdrop.value))
        assert (await client.get_balance(wallet)).value == 5 * 10**9
        await asyncio.to_thread(alice.joins)

        order = single(sell=1 * SOL, above=200)
        created = alice.creates(alice.body_for(order, alice.crafts(order))).ok()
        assert await has_landed(created["txSignature"])
        row = alice.sees(created["id"])
        wrapped = TokenAccountOpts(mint=Pubkey.from_string(SOL.mint))
        (account,) = (await client.get_token_accounts_by_owner(Pubkey.from_string(alice.vault), wrapped)).value
        assert (await client.get_token_account_balance(account.pubkey)).value.amount == row["initialInputAmount"]

        venue.price(SOL, "200")
        venue.settles()
        got = await client.get_token_account_balance(get_associated_token_address(wallet, usdc))
        assert got.value.amount == alice.sees(created["id"])["outputAmount"] == "199800000"
        assert (await client.get_account_info(account.pubkey)).value is None

        second = alice.places(single(sell=1 * SOL, above=300))
        before = (await client.get_balance(wallet)).value
        confirmed = alice.withdraws(second, alice.cancels(second))
        assert await has_landed(confirmed["txSignature"])
        assert 10**9 < (await client.get_balance(wallet)).value - before < 10**9 + 2_039_280
