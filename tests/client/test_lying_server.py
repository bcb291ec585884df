"""A server that lies: whatever it wants signed beside what was asked for, the client refuses, and signs nothing."""

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from spl.token.instructions import create_idempotent_associated_token_account

from countermand.client import (
    SOL,
    USDC,
    BadAnswer,
    Client,
    Cycles,
    Limit,
    Otoco,
    Recurring,
    Single,
    TanxClient,
    TanxKeys,
    Unsafe,
    Wallet,
)
from countermand.solana.programs import dca, limit_order
from countermand.solana.tokens import SYSTEM_PROGRAM, TOKEN_PROGRAM, associated_token_address
from tests.client.conftest import POLICY
from tests.client.lies import (
    ANYWHERE,
    MINT,
    THIEF,
    TLS,
    Liar,
    Lie,
    account,
    changes,
    data,
    everywhere,
    told,
    with_lookup,
)
from tests.client.test_lives import a_sale, soon
from tests.end_to_end.venue import Venue

TRANSFER, CLOSE, TRANSFER_CHECKED, INITIALIZE, SYSTEM_TRANSFER, CREATE = (
    b"\x03",
    b"\x09",
    b"\x0c",
    b"\x12",
    b"\x02",
    b"\x03",
)
SYNC = b"\x11"
IMPATIENT = replace(POLICY, lag_s=0.1)
"""An honest history could lag, so the client asks for it a few times before it believes that a withdrawal is wrong."""
A_SALE_OF_TOKENS = Single(sell=USDC, amount=50 * 10**6, buy=SOL, watch=SOL, below=120, expires_at=soon())


class Careful:
    """A wallet that counts what it signs, once it signed in."""

    def __init__(self, venue: Venue) -> None:
        self.venue, self.key = venue, Keypair()
        self.signed = 0
        self.http: list[httpx2.Client] = []

    @property
    def public(self) -> Pubkey:
        return self.key.pubkey()

    def client(self, liar: Liar | None = None) -> Client:
        """That asks a liar, or an honest venue."""
        http = httpx2.Client(transport=liar) if liar is not None else httpx2.Client(verify=TLS)
        self.http.append(http)
        return Client(Wallet(str(self.public), self._sign), self.venue.url, policy=IMPATIENT, http=http)

    def _sign(self, payload: bytes) -> bytes:
        self.signed += 1
        return bytes(self.key.sign_message(payload))


@pytest.fixture
def wallet(venue: Venue) -> Any:
    careful = Careful(venue)
    with careful.client() as client:
        client.sandbox.airdrop("SOL", 20 * 10**9)
        client.sandbox.airdrop("USDC", 2_000 * 10**6)
    yield careful
    for http in careful.http:
        http.close()


def refuses(
    wallet: Careful, liar: Liar, act: Callable[[Client], object], sign_ins: int = 1, match: str = "not signed"
) -> None:
    """Nothing was signed but the challenge, and the server did lie."""
    before = wallet.signed
    with pytest.raises(Unsafe, match=match):
        act(wallet.client(liar))
    assert liar.told
    assert wallet.signed == before + sign_ins


def in_transaction(lie: Lie, signer: Pubkey, payer: Pubkey | None = None) -> Callable[[Any], Any]:
    def change(answer: Any) -> Any:
        if "transactions" in answer:
            many = [told(each, lie, signer, payer) for each in answer["transactions"]]
            return answer | {"transactions": many}
        return answer | {"transaction": told(answer["transaction"], lie, signer, payer)}

    return change


DEPOSITS: Mapping[str, Lie] = {
    "more than asked for": changes(TOKEN_PROGRAM, TRANSFER_CHECKED, data(1, (51 * 10**6).to_bytes(8, "little"))),
    "less than asked for": changes(TOKEN_PROGRAM, TRANSFER_CHECKED, data(1, (49 * 10**6).to_bytes(8, "little"))),
    "to another account": changes(TOKEN_PROGRAM, TRANSFER_CHECKED, account(2)),
    "another mint": changes(TOKEN_PROGRAM, TRANSFER_CHECKED, account(1)),
    "from another account": changes(TOKEN_PROGRAM, TRANSFER_CHECKED, account(0)),
    "owned by a thief": changes(TOKEN_PROGRAM, INITIALIZE, data(1, bytes(THIEF))),
    "an account of another program": changes(SYSTEM_PROGRAM, CREATE, data(4 + 32 + 8 + 32 + 16, bytes(THIEF))),
    "a rent of ten SOL": changes(SYSTEM_PROGRAM, CREATE, data(4 + 32 + 8 + 32, (10**10).to_bytes(8, "little"))),
    "twice": lambda instructions, _: [*instructions, instructions[-1]],
    "nothing": lambda instructions, _: instructions[:-1],
    "without making its account": lambda instructions, _: [*instructions[:2], *instructions[3:]],
    "an account that another pays for": changes(SYSTEM_PROGRAM, CREATE, account(0)),
    "an account more": lambda instructions, _: [*instructions, _other_account(instructions[2])],
    "an account more that the vault gets": lambda instructions, _: [*instructions, *_second_account(instructions)],
    "an account of the vault's that no order needs": lambda instructions, signer: [
        *instructions,
        create_idempotent_associated_token_account(signer, Pubkey(instructions[3].data[1:33]), MINT),
    ],
    "authorized by another": changes(TOKEN_PROGRAM, TRANSFER_CHECKED, account(3)),
    "another account throughout": everywhere(lambda instructions: instructions[2].accounts[1].pubkey),
}


@pytest.mark.parametrize("name", [*DEPOSITS, *ANYWHERE])
def test_a_deposit_that_is_another(wallet: Careful, name: str) -> None:
    lie = DEPOSITS[name] if name in DEPOSITS else ANYWHERE[name]
    liar = Liar("/deposit/craft", in_transaction(lie, wallet.public))
    refuses(wallet, liar, lambda client: client.trigger.place(A_SALE_OF_TOKENS))


def _second_account(instructions: list[Instruction]) -> list[Instruction]:
    create = _other_account(instructions[2])
    return [create, account(0, create.accounts[1].pubkey)(instructions[3])]


def _other_account(create: Instruction) -> Instruction:
    """Another account under the same vault."""
    return account(1, Pubkey.new_unique())(create)


SOL_DEPOSITS: Mapping[str, Lie] = {
    "more lamports": changes(SYSTEM_PROGRAM, SYSTEM_TRANSFER + bytes(3), data(4, (2 * 10**9).to_bytes(8, "little"))),
    "lamports to a thief": changes(SYSTEM_PROGRAM, SYSTEM_TRANSFER + bytes(3), account(1)),
    "more lamports beside": ANYWHERE["lamports to a thief"],
    "lamports of another": changes(SYSTEM_PROGRAM, SYSTEM_TRANSFER + bytes(3), account(0)),
    "a sync of another account": changes(TOKEN_PROGRAM, SYNC, account(0)),
}


@pytest.mark.parametrize("name", SOL_DEPOSITS)
def test_a_deposit_of_sol_that_is_another(wallet: Careful, name: str) -> None:
    liar = Liar("/deposit/craft", in_transaction(SOL_DEPOSITS[name], wallet.public))
    refuses(wallet, liar, lambda client: client.trigger.place(a_sale()))


def test_a_deposit_that_another_pays_for(wallet: Careful) -> None:
    liar = Liar("/deposit/craft", in_transaction(lambda all_, _: all_, wallet.public, payer=THIEF))
    refuses(wallet, liar, lambda client: client.trigger.place(a_sale()), match="pays the fee")


def test_a_deposit_with_a_lookup_table(wallet: Careful) -> None:
    liar = Liar(
        "/deposit/craft", lambda answer: answer | {"transaction": with_lookup(answer["transaction"], wallet.public)}
    )
    refuses(wallet, liar, lambda client: client.trigger.place(a_sale()), match="lookup table")


@pytest.mark.parametrize(
    "lie",
    [
        {"receiverAddress": str(THIEF)},
        {"inputTokenAccount": str(THIEF)},
        {"transaction": "AAAA"},
        {"transaction": "not base64!"},
    ],
)
def test_an_answer_that_does_not_agree_with_its_deposit(wallet: Careful, lie: dict[str, str]) -> None:
    refuses(wallet, Liar("/deposit/craft", lambda answer: answer | lie), lambda client: client.trigger.place(a_sale()))


def test_a_deposit_of_an_otoco_whose_output_is_a_thiefs(wallet: Careful) -> None:
    order = Otoco(
        sell=USDC, amount=50 * 10**6, buy=SOL, watch=SOL, below=140, take_profit=200, stop_loss=100, expires_at=soon()
    )

    def second(instructions: list[Instruction], _: Pubkey) -> list[Instruction]:
        return [*instructions[:-1], data(1, bytes(THIEF))(instructions[-1])]

    refuses(wallet, Liar("/deposit/craft", in_transaction(second, wallet.public)), lambda c: c.trigger.place(order))
    without = Liar("/deposit/craft", in_transaction(lambda all_, _: all_[:-2], wallet.public))
    refuses(wallet, without, lambda client: client.trigger.place(order), match="outputTokenAccount")


def test_a_deposit_of_a_recurring_order_that_is_another(wallet: Careful) -> None:
    order = Recurring(sell=USDC, amount=50 * 10**6, buy=SOL, rounds=2, interval_s=60)
    liar = Liar("/deposit/craft", in_transaction(DEPOSITS["owned by a thief"], wallet.public))
    refuses(wallet, liar, lambda client: client.dca.place(order), match="would own the order's account")


WITHDRAWALS: Mapping[str, Lie] = {
    "to another account": changes(TOKEN_PROGRAM, TRANSFER, account(1)),
    "less than there is": changes(TOKEN_PROGRAM, TRANSFER, data(1, (49 * 10**6).to_bytes(8, "little"))),
    "authorized by another": changes(TOKEN_PROGRAM, TRANSFER, account(2)),
    "closed by another": changes(TOKEN_PROGRAM, CLOSE, account(2)),
    "nothing": lambda instructions, _: instructions[:2],
    "a close for a thief": changes(TOKEN_PROGRAM, CLOSE, account(1)),
    "a close without a transfer": lambda instructions, _: [each for each in instructions if len(each.data) != 9],
}


@pytest.mark.parametrize("name", [*WITHDRAWALS, *ANYWHERE])
def test_a_withdrawal_that_is_another(wallet: Careful, name: str) -> None:
    placed = wallet.client().trigger.place(A_SALE_OF_TOKENS)
    lie = WITHDRAWALS[name] if name in WITHDRAWALS else ANYWHERE[name]
    liar = Liar("/orders/price/cancel/", in_transaction(lie, wallet.public))
    refuses(wallet, liar, lambda client: client.trigger.withdraw(placed.id))
    wallet.client().trigger.withdraw(placed.id)


def test_a_withdrawal_of_another_order(wallet: Careful) -> None:
    honest = wallet.client()
    ours, other = honest.trigger.place(a_sale()), honest.trigger.place(A_SALE_OF_TOKENS)
    theirs = honest.trigger.cancel(other.id)
    raw = base64.b64encode(theirs.checked.wire.raw).decode()
    liar = Liar("/orders/price/cancel/", lambda answer: answer | {"transaction": raw})
    refuses(wallet, liar, lambda client: client.trigger.withdraw(ours.id), match="not the wallet's")
    honest.trigger.withdraw(other.id)


@pytest.mark.parametrize(
    "challenge",
    [
        "Send all your money",
        "\x01\x00\x05Sign this message to authenticate with Jupiter",
        f"Sign this message to authenticate with Jupiter that you are the owner of {THIEF}.",
        "Sign this message to authenticate with Jupiter\x00",
        "Sign this message to authenticate with Jupiter" + "x" * 1_000,
    ],
)
def test_a_challenge_that_is_something_else(wallet: Careful, challenge: str) -> None:
    liar = Liar("/auth/challenge", lambda answer: answer | {"challenge": challenge})
    refuses(wallet, liar, lambda client: client.trigger.sign_in(), sign_ins=0)


MEMOS: Mapping[str, Lie] = {
    "two memos": lambda instructions, _: [*instructions, instructions[-1]],
    "no memo": lambda instructions, _: instructions[:-1],
}


@pytest.mark.parametrize("name", [*MEMOS, *ANYWHERE])
def test_a_challenge_that_is_a_transaction_of_money(wallet: Careful, name: str) -> None:
    lie = MEMOS[name] if name in MEMOS else ANYWHERE[name]
    liar = Liar("/auth/challenge", in_transaction(lie, wallet.public))
    refuses(wallet, liar, lambda client: client.trigger.sign_in("transaction"), sign_ins=0)


A_LIMIT = Limit(sell=USDC, making=50 * 10**6, buy=SOL, taking=10**9, expires_at_s=soon() // 1000, slippage_bps=20)
OPEN = limit_order.INITIALIZE_ORDER


def _with_fee(given: Instruction) -> Instruction:
    """After the expiry, of 9 bytes, stands what the integrator takes."""
    old = bytes(given.data)
    return Instruction(given.program_id, old[:41] + b"\x01\x0a\x00" + old[42:], given.accounts)


LIMITS: Mapping[str, Lie] = {
    "more sold": changes(limit_order.PROGRAM, OPEN, data(16, (51 * 10**6).to_bytes(8, "little"))),
    "less asked for": changes(limit_order.PROGRAM, OPEN, data(24, (10**8).to_bytes(8, "little"))),
    "another expiry": changes(limit_order.PROGRAM, OPEN, data(33, bytes(8))),
    "more slippage": changes(limit_order.PROGRAM, OPEN, data(43, (9_999).to_bytes(2, "little"))),
    "another order": changes(limit_order.PROGRAM, OPEN, account(2)),
    "another reserve": changes(limit_order.PROGRAM, OPEN, account(3)),
    "a referral": changes(limit_order.PROGRAM, OPEN, account(6)),
    "another input": changes(limit_order.PROGRAM, OPEN, account(7)),
    "another output": changes(limit_order.PROGRAM, OPEN, account(8)),
    "another maker": changes(limit_order.PROGRAM, OPEN, account(1)),
    "from another account": changes(limit_order.PROGRAM, OPEN, account(4)),
    "a fee": changes(limit_order.PROGRAM, OPEN, _with_fee),
    "two orders": lambda instructions, _: [*instructions, instructions[-1]],
    "none": lambda instructions, _: instructions[:-1],
}


@pytest.mark.parametrize("name", [*LIMITS, *ANYWHERE])
def test_an_order_on_the_chain_that_is_another(wallet: Careful, name: str) -> None:
    lie = LIMITS[name] if name in LIMITS else ANYWHERE[name]
    liar = Liar("/createOrder", in_transaction(lie, wallet.public))
    refuses(wallet, liar, lambda client: client.limit.place(A_LIMIT), sign_ins=0)


WRAPPED: Mapping[str, Lie] = {
    "more lamports": changes(SYSTEM_PROGRAM, SYSTEM_TRANSFER + bytes(3), data(4, (2 * 10**9).to_bytes(8, "little"))),
    "lamports elsewhere": changes(SYSTEM_PROGRAM, SYSTEM_TRANSFER + bytes(3), account(1)),
    "lamports of another": changes(SYSTEM_PROGRAM, SYSTEM_TRANSFER + bytes(3), account(0)),
    "wrapped twice": lambda instructions, _: [*instructions, instructions[3]],
    "a sync of another account": changes(TOKEN_PROGRAM, SYNC, account(0)),
    "a close for a thief": changes(TOKEN_PROGRAM, CLOSE, account(1)),
    "a close of another account": changes(TOKEN_PROGRAM, CLOSE, account(0)),
}
"""Where SOL is wrapped for an order on the chain, in the fourth instruction."""


def test_an_answer_about_another_order_on_the_chain(wallet: Careful) -> None:
    liar = Liar("/createOrder", lambda answer: answer | {"order": str(THIEF)})
    refuses(wallet, liar, lambda client: client.limit.place(A_LIMIT), sign_ins=0, match="it opens")


def test_an_order_of_sol_on_the_chain_that_is_another(wallet: Careful) -> None:
    order = Limit(sell=SOL, making=10**9, buy=USDC, taking=300 * 10**6)
    for lie in WRAPPED.values():
        liar = Liar("/createOrder", in_transaction(lie, wallet.public))
        refuses(wallet, liar, lambda client: client.limit.place(order), sign_ins=0)


LIMIT_CANCELS: Mapping[str, Lie] = {
    "another order": changes(limit_order.PROGRAM, limit_order.CANCEL_ORDER, account(2)),
    "for a thief": changes(limit_order.PROGRAM, limit_order.CANCEL_ORDER, account(4)),
    "another maker": changes(limit_order.PROGRAM, limit_order.CANCEL_ORDER, account(1)),
    "nothing": lambda instructions, _: instructions[:2],
}


def test_a_cancel_on_the_chain_that_is_another(wallet: Careful) -> None:
    honest = wallet.client()
    order, other = honest.limit.place(A_LIMIT).order, honest.limit.place(A_LIMIT).order
    for lie in (*LIMIT_CANCELS.values(), *ANYWHERE.values()):
        liar = Liar("/cancelOrders", in_transaction(lie, wallet.public))
        refuses(wallet, liar, lambda client: client.limit.cancel(order), sign_ins=0)
    honest.limit.cancel(order, other)


def test_a_cancel_on_the_chain_goes_on_without_an_order_that_went_meanwhile(wallet: Careful) -> None:
    honest = wallet.client()
    orders = [honest.limit.place(A_LIMIT).order for _ in range(7)]

    def late(answer: Any) -> Any:
        """The first batch holds an order that is gone when the transaction comes."""
        if slow.told == 1:
            honest.limit.cancel(orders[1])
        return answer

    slow = Liar("/cancelOrders", late)
    landed = wallet.client(slow).limit.cancel(*orders)
    assert sorted(order for each in landed for order in each.orders) == sorted({*orders} - {orders[1]})
    assert slow.told == 2
    assert honest.limit.open_orders() == []


def test_a_cancel_on_the_chain_that_is_to_be_paid_for_twice(wallet: Careful) -> None:
    honest = wallet.client()
    order = honest.limit.place(A_LIMIT).order
    again = Liar("/cancelOrders", lambda answer: answer | {"transactions": answer["transactions"] * 2})
    twice = Liar("/cancelOrders", in_transaction(lambda all_, _: [*all_, all_[-1]], wallet.public))
    for liar in (again, twice):
        refuses(wallet, liar, lambda client: client.limit.cancel(order), sign_ins=0, match="cancelled twice")
        refuses(wallet, liar, lambda client: client.limit.cancel_all(), sign_ins=0, match="cancelled twice")
    honest.limit.cancel(order)


CYCLES = Cycles(sell=USDC, amount=100 * 10**6, buy=SOL, cycles=2, interval_s=60)
DCAS: Mapping[str, Lie] = {
    "more sold": changes(dca.PROGRAM, dca.OPEN_DCA_V2, data(16, (101 * 10**6).to_bytes(8, "little"))),
    "all in one cycle": changes(dca.PROGRAM, dca.OPEN_DCA_V2, data(24, (100 * 10**6).to_bytes(8, "little"))),
    "another interval": changes(dca.PROGRAM, dca.OPEN_DCA_V2, data(32, (30).to_bytes(8, "little"))),
    "another account": changes(dca.PROGRAM, dca.OPEN_DCA_V2, account(0)),
    "another holder": changes(dca.PROGRAM, dca.OPEN_DCA_V2, account(6)),
    "another output": changes(dca.PROGRAM, dca.OPEN_DCA_V2, account(4)),
    "another idx": changes(dca.PROGRAM, dca.OPEN_DCA_V2, data(8, bytes(8))),
    "another user": changes(dca.PROGRAM, dca.OPEN_DCA_V2, account(1)),
    "another payer": changes(dca.PROGRAM, dca.OPEN_DCA_V2, account(2)),
    "from another account": changes(dca.PROGRAM, dca.OPEN_DCA_V2, account(5)),
    "a bound": changes(dca.PROGRAM, dca.OPEN_DCA_V2, lambda given: _with_option(given, 0)),
    "another bound": changes(dca.PROGRAM, dca.OPEN_DCA_V2, lambda given: _with_option(given, 1)),
    "a start": changes(dca.PROGRAM, dca.OPEN_DCA_V2, lambda given: _with_option(given, 2)),
}


WITHIN = replace(CYCLES, max_price=100, decimals=(6, 9))
BOUNDS: Mapping[str, Lie] = {
    "a lower bound": changes(dca.PROGRAM, dca.OPEN_DCA_V2, lambda given: _with_least(given, 499_999_498)),
    "a higher bound": changes(dca.PROGRAM, dca.OPEN_DCA_V2, lambda given: _with_least(given, 500_000_502)),
    "a second bound": changes(dca.PROGRAM, dca.OPEN_DCA_V2, lambda given: _with_option(given, 0)),
}


def _with_least(given: Instruction, least: int) -> Instruction:
    """The bound from below is there, and becomes another: 50 USDC at no more than 100 are 5 × 10⁸ lamports at least."""
    old, before = bytes(given.data), (500_000_000).to_bytes(8, "little")
    assert old.count(before) == 1
    return Instruction(given.program_id, old.replace(before, least.to_bytes(8, "little")), given.accounts)


@pytest.mark.parametrize("name", BOUNDS)
def test_a_recurring_order_within_other_prices(wallet: Careful, name: str) -> None:
    liar = Liar("/createOrder", in_transaction(BOUNDS[name], wallet.public))
    refuses(wallet, liar, lambda client: client.recurring.place(WITHIN), sign_ins=0)


def _with_option(given: Instruction, number: int) -> Instruction:
    """The last three bytes are options that are not there."""
    old, at = bytes(given.data), len(bytes(given.data)) - 3 + number
    return Instruction(given.program_id, old[:at] + b"\x01" + (9).to_bytes(8, "little") + old[at + 1 :], given.accounts)


def test_a_recurring_order_of_sol_that_is_another(wallet: Careful) -> None:
    order = Cycles(sell=SOL, amount=10**9, buy=USDC, cycles=2, interval_s=60)
    for lie in WRAPPED.values():
        liar = Liar("/createOrder", in_transaction(lie, wallet.public))
        refuses(wallet, liar, lambda client: client.recurring.place(order), sign_ins=0)


@pytest.mark.parametrize("name", [*DCAS, *ANYWHERE])
def test_a_recurring_order_on_the_chain_that_is_another(wallet: Careful, name: str) -> None:
    lie = DCAS[name] if name in DCAS else ANYWHERE[name]
    liar = Liar("/createOrder", in_transaction(lie, wallet.public))
    refuses(wallet, liar, lambda client: client.recurring.place(CYCLES), sign_ins=0)


DCA_CLOSES: Mapping[str, Lie] = {
    "another order": changes(dca.PROGRAM, dca.CLOSE_DCA, account(1)),
    "another user": changes(dca.PROGRAM, dca.CLOSE_DCA, account(0)),
    "input for a thief": changes(dca.PROGRAM, dca.CLOSE_DCA, account(6)),
    "output for a thief": changes(dca.PROGRAM, dca.CLOSE_DCA, account(7)),
}


def test_a_close_of_a_recurring_order_that_is_another(wallet: Careful) -> None:
    honest = wallet.client()
    order = honest.recurring.place(CYCLES).order
    for lie in (*DCA_CLOSES.values(), *ANYWHERE.values()):
        liar = Liar("/cancelOrder", in_transaction(lie, wallet.public))
        refuses(wallet, liar, lambda client: client.recurring.cancel(order), sign_ins=0)
    honest.recurring.cancel(order)


@pytest.mark.parametrize(
    ("path", "lie"),
    [
        ("/auth/v2/nonce", "Send me your money"),
        ("/auth/v2/nonce", "You're now signing into tanX (Login-code:a)\nand giving it all away"),
        ("/orders/nonce", {"nonce": 1, "msg_hash": "0x0"}),
        ("/orders/nonce", {"nonce": 1, "msg_hash": hex(2**251)}),
        ("/orders/nonce", {"nonce": 1, "msg_hash": "1234"}),
    ],
)
def test_what_tanx_wants_signed_and_is_no_order(venue: Venue, path: str, lie: object) -> None:
    keys, hashes = TanxKeys.of(secrets.randbits(250) + 1), list[int]()

    def signs(message: int) -> tuple[int, int]:
        hashes.append(message)
        return 1, 1

    counting = TanxKeys(keys.address, keys.sign_text, signs, keys.stark_key)
    liar = Liar(path, lambda answer: answer | {"payload": lie})
    with httpx2.Client(transport=liar) as http, pytest.raises(Unsafe):
        TanxClient(counting, venue.url, policy=POLICY, http=http).place("btcusdc", "buy", "0.01", 40_000)
    assert hashes == []


@pytest.mark.parametrize(
    ("lie", "noticed"),
    [
        ({"price": "1.0"}, "price"),
        ({"price": None}, "price"),
        ({"stop_price": "1.0"}, "stop_price"),
        ({"stop_price": None}, "stop_price"),
        ({"origin_volume": "0.1"}, "volume"),
    ],
)
def test_an_order_of_the_books_that_is_another_is_noticed(venue: Venue, lie: dict[str, Any], noticed: str) -> None:
    keys = TanxKeys.of(secrets.randbits(250) + 1)
    liar = Liar("/orders/create", lambda answer: answer | {"payload": answer["payload"] | lie})
    with httpx2.Client(transport=liar) as http, TanxClient(keys, venue.url, policy=POLICY, http=http) as client:
        client.register_stark_key()
        client.sandbox.credit(keys.address, "usdc", 1000)
        with pytest.raises(BadAnswer, match=f"another than was asked for: {noticed}"):
            client.place("btcusdc", "buy", "0.01", 40_000, kind="stop_limit", stop_price=39_000)
        client.cancel_all("btcusdc")


def test_what_an_honest_server_builds_is_signed(wallet: Careful) -> None:
    """So the lies above are refused for what they change."""
    liar = Liar("/", lambda answer: answer)
    client = wallet.client(liar)
    client.trigger.withdraw(client.trigger.place(A_SALE_OF_TOKENS).id)
    client.limit.cancel(client.limit.place(A_LIMIT).order)
    client.recurring.cancel(client.recurring.place(CYCLES).order)
    own = associated_token_address(str(wallet.public), USDC)
    assert wallet.venue.units_in(own) == 2_000 * 10**6
