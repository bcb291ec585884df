"""A world in which much can go wrong: two users with orders of every kind, and one valid instruction of each kind.

Carol pays the network's fee and has no part in any order; the partner pays for what is created. Bob takes what Alice
sells, and the keeper does what only a keeper may.
"""

import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.transaction_metadata import SimulatedTransactionInfo

from tests.programs.world import (
    AGGREGATOR,
    ALICE,
    ASSOCIATED,
    BOB,
    CAROL,
    DCA,
    DCA_EVENTS,
    DCA_FEE,
    DCA_KEEPERS,
    FEE_LAMPORTS,
    INSTRUCTIONS,
    JUP,
    KEEPER,
    LIMIT,
    LIMIT_EVENTS,
    LIMIT_FEE,
    LIMIT_KEEPERS,
    NATIVE,
    NOW,
    PARTNER,
    SPARKLE,
    SYSTEM,
    TAXED,
    TOKEN,
    TOKEN_2022,
    TOKENS,
    USDC,
    WSOL,
    Limit,
    Recurring,
    World,
    ata,
    events,
)

HERS: Final = Pubkey(bytes([3]) * 32)
"""A second account of Alice for USDC, which is not the associated one."""
HERS_OF_JUP: Final = Pubkey(bytes([6]) * 32)
STRANGER: Final = Pubkey(bytes([7]) * 32)

NEW: Final = Limit(payer=PARTNER)
NEW_OF_BOB: Final = Limit(unique_id=9, maker=BOB, making=TOKENS - 600, expired_at=NOW + 9)
OPEN: Final = Limit(unique_id=1)
EXPIRED: Final = Limit(unique_id=2, expired_at=NOW)
OF_SOL: Final = Limit(unique_id=3, input_mint=WSOL)
OF_BOB: Final = Limit(unique_id=4, maker=BOB)
OF_2022: Final = Limit(unique_id=5, input_mint=SPARKLE, input_program=TOKEN_2022)
LENIENT: Final = Limit(unique_id=6, making=6_000, taking=3_000, slippage=struct.pack("<BH", 1, 69))
FOR_SOL: Final = Limit(unique_id=7, output_mint=WSOL)
PARTNERED: Final = Limit(unique_id=8, making=6_000, taking=3_000, fee_bps=50, referral=ata(PARTNER, JUP))
NEW_DCA: Final = Recurring(payer=PARTNER)
OPEN_DCA: Final = Recurring(idx=1)
OTHER_DCA: Final = Recurring(idx=2)
SOL_DCA: Final = Recurring(idx=3, input_mint=WSOL)
BOBS_DCA: Final = Recurring(idx=4, user=BOB)
SOLD_DCA: Final = Recurring(idx=5)
DCA_FOR_SOL: Final = Recurring(idx=6, output_mint=WSOL)

LIMITS: Final = (OPEN, EXPIRED, OF_SOL, OF_BOB, OF_2022, LENIENT, FOR_SOL, PARTNERED)
DCAS: Final = (OPEN_DCA, OTHER_DCA, SOL_DCA, BOBS_DCA, SOLD_DCA, DCA_FOR_SOL)

VALID: Final[Mapping[str, Instruction]] = {
    "initialize_order": NEW.initialize(),
    "cancel_order": OPEN.cancel(),
    "cancel_order by anyone": EXPIRED.cancel(BOB),
    "cancel_order to lamports": OF_SOL.cancel(lamports=True),
    "open_dca_v2": NEW_DCA.open_v2(),
    "open_dca": NEW_DCA.open(close_wrapped=True),
    "deposit": OPEN_DCA.deposit(50),
    "withdraw in": OPEN_DCA.withdraw(50),
    "withdraw out": OPEN_DCA.withdraw(15, output=True),
    "close_dca": OPEN_DCA.close(),
    "fill_order": OPEN.fill(200),
    "fill_order to the end": OPEN.fill(600),
    "fill_order below the rate": LENIENT.fill(6_000, 2_980, KEEPER),
    "fill_order for lamports": FOR_SOL.fill(600, lamports=True),
    "fill_order with a partner": PARTNERED.fill(6_000),
    "pre_flash_fill_order": OPEN.pre_flash(200),
    "flash_fill_order": OPEN.flash(TOKENS),
    "cancel_dust_order": OPEN.cancel_dust(TOKENS),
    "initiate_flash_fill": OPEN_DCA.initiate(),
    "fulfill_flash_fill": OPEN_DCA.fulfill(5_000),
    "transfer": OPEN_DCA.transfer(),
    "transfer for lamports": DCA_FOR_SOL.transfer(lamports=True),
    "end_and_close": SOLD_DCA.end(),
}

_SWAP: Final = OPEN_DCA.swap(5_000)
AROUND: Final[Mapping[str, tuple[list[Instruction], list[Instruction]]]] = {
    "pre_flash_fill_order": ([], [VALID["flash_fill_order"]]),
    "flash_fill_order": ([VALID["pre_flash_fill_order"]], []),
    "initiate_flash_fill": ([], [_SWAP, VALID["fulfill_flash_fill"]]),
    "fulfill_flash_fill": ([VALID["initiate_flash_fill"], _SWAP], []),
}
"""What must stand before and after those that are valid only with others."""


def surrounded(name: str, instruction: Instruction) -> list[Instruction]:
    before, after = AROUND.get(name, ([], []))
    return [*before, instruction, *after]


NAMES: Final[Mapping[str, Pubkey]] = {
    "alice": ALICE,
    "bob": BOB,
    "partner": PARTNER,
    "stranger": STRANGER,
    "keeper": KEEPER,
    "program": LIMIT,
    "other program": DCA,
    "system": SYSTEM,
    "token": TOKEN,
    "token 2022": TOKEN_2022,
    "associated": ASSOCIATED,
    "keepers": LIMIT_KEEPERS,
    "dca keepers": DCA_KEEPERS,
    "sysvar": INSTRUCTIONS,
    "aggregator": AGGREGATOR,
    "fee": LIMIT_FEE,
    "fee's jup": ata(LIMIT_FEE, JUP),
    "fee's wsol": ata(LIMIT_FEE, WSOL),
    "dca fee": DCA_FEE,
    "dca fee's jup": ata(DCA_FEE, JUP),
    "events": LIMIT_EVENTS,
    "dca events": DCA_EVENTS,
    "usdc": USDC,
    "jup": JUP,
    "wsol": WSOL,
    "native": NATIVE,
    "sparkle": SPARKLE,
    "taxed": TAXED,
    "alice's usdc": ata(ALICE, USDC),
    "alice's other usdc": HERS,
    "alice's jup": ata(ALICE, JUP),
    "alice's other jup": HERS_OF_JUP,
    "alice's wsol": ata(ALICE, WSOL),
    "alice's sparkle": ata(ALICE, SPARKLE, TOKEN_2022),
    "bob's usdc": ata(BOB, USDC),
    "bob's jup": ata(BOB, JUP),
    "bob's wsol": ata(BOB, WSOL),
    "keeper's usdc": ata(KEEPER, USDC),
    "keeper's jup": ata(KEEPER, JUP),
    "new": NEW.key,
    "new reserve": NEW.reserve,
    "open": OPEN.key,
    "open reserve": OPEN.reserve,
    "expired": EXPIRED.key,
    "expired reserve": EXPIRED.reserve,
    "of sol": OF_SOL.key,
    "sol reserve": OF_SOL.reserve,
    "of bob": OF_BOB.key,
    "bob's reserve": OF_BOB.reserve,
    "of 2022": OF_2022.key,
    "2022 reserve": OF_2022.reserve,
    "lenient": LENIENT.key,
    "lenient reserve": LENIENT.reserve,
    "for sol": FOR_SOL.key,
    "partnered": PARTNERED.key,
    "partnered reserve": PARTNERED.reserve,
    "partner's jup": ata(PARTNER, JUP),
    "for sol reserve": FOR_SOL.reserve,
    "sold dca": SOLD_DCA.key,
    "sold in": SOLD_DCA.in_ata,
    "sold out": SOLD_DCA.out_ata,
    "dca for sol": DCA_FOR_SOL.key,
    "dca for sol out": DCA_FOR_SOL.out_ata,
    "intermediate": DCA_FOR_SOL.intermediate,
    "new dca": NEW_DCA.key,
    "new in": NEW_DCA.in_ata,
    "new out": NEW_DCA.out_ata,
    "dca": OPEN_DCA.key,
    "dca in": OPEN_DCA.in_ata,
    "dca out": OPEN_DCA.out_ata,
    "other dca": OTHER_DCA.key,
    "other in": OTHER_DCA.in_ata,
    "other out": OTHER_DCA.out_ata,
    "sol dca": SOL_DCA.key,
    "sol in": SOL_DCA.in_ata,
    "bob's dca": BOBS_DCA.key,
    "bob's in": BOBS_DCA.in_ata,
    "bob's out": BOBS_DCA.out_ata,
}
"""Every account that an attacker could plausibly put in the place of another."""


def staged() -> World:
    world = World()
    world.fund(ALICE, USDC, TOKENS, at=HERS)
    world.fund(ALICE, JUP, TOKENS, at=HERS_OF_JUP)
    world.fund(PARTNER, JUP, 0)
    for limit in LIMITS:
        world.does(limit.initialize())
    for dca in DCAS:
        world.does(dca.open_v2())
    for dca, used in ((OPEN_DCA, 100), (OTHER_DCA, 100), (BOBS_DCA, 100), (DCA_FOR_SOL, 100), (SOLD_DCA, 1000)):
        # As if keepers had filled a part of it.
        world.fund(dca.key, dca.input_mint, dca.in_amount - used)
        world.fund(dca.key, dca.output_mint, 40)
        world.patch(dca.key, 144, struct.pack("<QQ", used, 40))
    world.fund(DCA_FEE, JUP, 0)
    world.at(NOW + 1)
    return world


OWNER_OF: Final[Mapping[Pubkey, Pubkey]] = {
    **{order.key: order.maker for order in (NEW, NEW_OF_BOB, *LIMITS)},
    **{order.key: order.user for order in (NEW_DCA, *DCAS)},
    **{order.reserve: order.maker for order in (NEW, NEW_OF_BOB, *LIMITS)},
    **{account: order.user for order in (NEW_DCA, *DCAS) for account in (order.in_ata, order.out_ata)},
}
"""The owner of what lies in an order, also before it exists and after it is gone."""

Wealth = dict[tuple[Pubkey, str], int]


def wealth(accounts: Mapping[Pubkey, Account | None]) -> Wealth:
    """Lamports and tokens by owner: what lies in an order is its maker's. Wrapped SOL counts as the lamports it is."""
    found: Wealth = {}

    def add(owner: Pubkey, asset: str, amount: int) -> None:
        owner = OWNER_OF.get(owner, owner)
        found[owner, asset] = found.get((owner, asset), 0) + amount

    for key, account in accounts.items():
        if account is None:
            continue
        data = account.data
        if account.owner in {TOKEN, TOKEN_2022} and len(data) >= 165 and len(data) != 355 and data[108]:
            owner = Pubkey(data[32:64])
            add(owner, "lamports", account.lamports)
            if (mint := Pubkey(data[:32])) != WSOL:
                add(owner, str(mint), int.from_bytes(data[64:72], "little"))
        else:
            add(key, "lamports", account.lamports)
    return found


def asset(mint: Pubkey) -> str:
    return "lamports" if mint == WSOL else str(mint)


@dataclass(frozen=True, slots=True)
class Trade:
    """What an event of a fill tells, and what the order's account said before: both sides of it."""

    order: Pubkey
    owner: Pubkey
    taker: Pubkey
    gives: str
    wants: str
    gave: int
    got: int
    """After the fee."""
    is_fair: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transaction that succeeded changed: wealth by owner and asset, and the orders that it touched."""

    wealth: Wealth
    orders: dict[Pubkey, Pubkey]
    trades: list[Trade]

    @classmethod
    def between(cls, world: World, simulated: SimulatedTransactionInfo) -> "Moved":
        after: dict[Pubkey, Account | None] = dict(simulated.post_accounts())
        before = {key: world.svm.get_account(key) for key in after}
        had, has = wealth(before), wealth(after)
        keys = dict.fromkeys([*had, *has])
        difference = {key: has.get(key, 0) - had.get(key, 0) for key in keys}
        touched = {key: owner for key in after if (owner := _owner_of_order(before[key], after[key])) is not None}
        changed = {key: amount for key, amount in difference.items() if amount}
        return cls(changed, touched, list(_trades(simulated, before)))


def _owner_of_order(before: Account | None, after: Account | None) -> Pubkey | None:
    for account in (before, after):
        if account is not None and account.owner in {LIMIT, DCA} and before != after:
            return Pubkey(account.data[8:40])
    return None


def _trades(simulated: SimulatedTransactionInfo, before: Mapping[Pubkey, Account | None]) -> Iterator[Trade]:
    """Of orders that were there before: what is opened in the same transaction has its owner's signature."""
    for event in events(simulated.meta()):
        if event.startswith(bytes.fromhex("bddb7fd34ee661ee")):
            order, taker = Pubkey(event[8:40]), Pubkey(event[40:72])
            account = before.get(order)
            if account is not None and account.owner == LIMIT:
                yield _limit_trade(order, taker, account.data, struct.unpack_from("<QQQQ", event, 72))
        elif event.startswith(bytes.fromhex("8604113fdd2db1ad")):
            owner, order, sells, buys = (Pubkey(event[at : at + 32]) for at in (8, 40, 72, 104))
            used, received = struct.unpack_from("<QQ", event, 136)
            account = before.get(order)
            if account is not None and account.owner == DCA:
                yield Trade(order, owner, KEEPER, asset(sells), asset(buys), used, received, is_fair=received > 0)


def _limit_trade(order: Pubkey, taker: Pubkey, data: bytes, told: tuple[int, int, int, int]) -> Trade:
    _, _, gave, given = told
    making, taking = struct.unpack_from("<QQ", data, 208)
    at = 257 if data[248] else 249
    fee_bps, slippage_bps = struct.unpack_from("<H", data, at)[0], struct.unpack_from("<H", data, at + 51)[0]
    allowed = 10_000 - (slippage_bps if taker == KEEPER else 0)
    owner, sells, buys = (Pubkey(data[at : at + 32]) for at in (8, 40, 72))
    is_fair = given * making * 10_000 >= taking * gave * allowed
    got = given - given * fee_bps // 10_000
    return Trade(order, owner, taker, asset(sells), asset(buys), gave, got, is_fair)


def check(
    world: World,
    instructions: list[Instruction],
    simulated: SimulatedTransactionInfo,
    may_touch: Collection[Pubkey] = (EXPIRED.key,),
) -> None:
    """Nothing comes from nothing. All lose no more than what their orders sell, and get their price for it; but takers
    and keepers give tokens, and who signs may spend lamports.

    Orders of others are touched by fills, by keepers, and after their expiry; none is filled then.
    """
    moved = Moved.between(world, simulated)
    signers = {meta.pubkey for each in instructions for meta in each.accounts if meta.is_signer}
    total: dict[str, int] = {}
    for (_, what), amount in moved.wealth.items():
        total[what] = total.get(what, 0) + amount
    assert total.pop("lamports") == -FEE_LAMPORTS * len(signers | {CAROL}), f"lamports are out of place: {moved.wealth}"
    assert not any(total.values()), f"tokens are out of place: {moved.wealth}"
    _check_trades(world, moved, may_touch)
    expected: Wealth = {}
    for trade in moved.trades:
        for what, amount in ((trade.gives, -trade.gave), (trade.wants, trade.got)):
            expected[trade.owner, what] = expected.get((trade.owner, what), 0) + amount
    givers = {KEEPER, *(trade.taker for trade in moved.trades), *_signers_of_transfers(instructions)}
    for owner, what in {**moved.wealth, **expected}:
        is_whole = moved.wealth.get((owner, what), 0) >= expected.get((owner, what), 0)
        may_spend = owner == CAROL or owner in signers if what == "lamports" else owner in givers & signers
        assert is_whole or may_spend, f"{owner} lost {what}: {moved}"
    _check_touched(moved, signers, may_touch)


def _signers_of_transfers(instructions: Collection[Instruction]) -> Iterator[Pubkey]:
    for each in instructions:
        if each.program_id == TOKEN:
            yield from (meta.pubkey for meta in each.accounts if meta.is_signer)


def _check_trades(world: World, moved: Moved, may_touch: Collection[Pubkey]) -> None:
    for trade in moved.trades:
        assert trade.is_fair, f"{trade} is below its rate"
        assert trade.order not in may_touch, f"{trade} came after the expiry at {world.now}"


def _check_touched(moved: Moved, signers: Collection[Pubkey], may_touch: Collection[Pubkey]) -> None:
    traded = {trade.order for trade in moved.trades}
    for order, owner in moved.orders.items():
        may = owner in signers or order in may_touch or order in traded or KEEPER in signers
        assert may, f"another touched the order {order}"
