"""A world in which much can go wrong: two users with orders of every kind, and one valid instruction of each kind.

Carol pays the network's fee and has no part in any order; the partner pays for what is created.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.transaction_metadata import SimulatedTransactionInfo

from tests.programs.world import (
    ALICE,
    ASSOCIATED,
    BOB,
    CAROL,
    DCA,
    DCA_EVENTS,
    FEE_LAMPORTS,
    JUP,
    LIMIT,
    LIMIT_EVENTS,
    LIMIT_FEE,
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
)

HERS: Final = Pubkey(bytes([3]) * 32)
"""A second account of Alice for USDC, which is not the associated one."""
HERS_OF_JUP: Final = Pubkey(bytes([6]) * 32)
NOBODY: Final = Pubkey(bytes([7]) * 32)

NEW: Final = Limit(payer=PARTNER)
NEW_OF_BOB: Final = Limit(unique_id=9, maker=BOB, making=TOKENS - 600, expired_at=NOW + 9)
OPEN: Final = Limit(unique_id=1)
EXPIRED: Final = Limit(unique_id=2, expired_at=NOW)
OF_SOL: Final = Limit(unique_id=3, input_mint=WSOL)
OF_BOB: Final = Limit(unique_id=4, maker=BOB)
OF_2022: Final = Limit(unique_id=5, input_mint=SPARKLE, input_program=TOKEN_2022)
NEW_DCA: Final = Recurring(payer=PARTNER)
OPEN_DCA: Final = Recurring(idx=1)
OTHER_DCA: Final = Recurring(idx=2)
SOL_DCA: Final = Recurring(idx=3, input_mint=WSOL)
BOBS_DCA: Final = Recurring(idx=4, user=BOB)

LIMITS: Final = (OPEN, EXPIRED, OF_SOL, OF_BOB, OF_2022)
DCAS: Final = (OPEN_DCA, OTHER_DCA, SOL_DCA, BOBS_DCA)

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
}

NAMES: Final[Mapping[str, Pubkey]] = {
    "alice": ALICE,
    "bob": BOB,
    "partner": PARTNER,
    "nobody": NOBODY,
    "program": LIMIT,
    "other program": DCA,
    "system": SYSTEM,
    "token": TOKEN,
    "token 2022": TOKEN_2022,
    "associated": ASSOCIATED,
    "fee": LIMIT_FEE,
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
"""Every account that somebody could plausibly put in the place of another."""


def staged() -> World:
    world = World()
    world.fund(ALICE, USDC, TOKENS, at=HERS)
    world.fund(ALICE, JUP, TOKENS, at=HERS_OF_JUP)
    for limit in LIMITS:
        world.does(limit.initialize())
    for dca in DCAS:
        world.does(dca.open_v2())
    for dca in (OPEN_DCA, OTHER_DCA, BOBS_DCA):
        # As if keepers had filled a part of it.
        world.fund(dca.key, dca.input_mint, dca.in_amount - 100)
        world.fund(dca.key, dca.output_mint, 40)
        world.patch(dca.key, 144, (100).to_bytes(8, "little") + (40).to_bytes(8, "little"))
    world.at(NOW + 1)
    return world


OWNER_OF: Final[Mapping[Pubkey, Pubkey]] = {
    **{order.key: order.maker for order in (NEW, NEW_OF_BOB, *LIMITS)},
    **{order.key: order.user for order in (NEW_DCA, *DCAS)},
    **{order.reserve: order.maker for order in (NEW, NEW_OF_BOB, *LIMITS)},
    **{account: order.user for order in (NEW_DCA, *DCAS) for account in (order.in_ata, order.out_ata)},
}
"""To whom what lies in an order belongs, also before it exists and after it is gone."""

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


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transaction that succeeded changed: wealth by owner and asset, and the orders that it touched."""

    wealth: Wealth
    orders: dict[Pubkey, Pubkey]

    @classmethod
    def between(cls, world: World, simulated: SimulatedTransactionInfo) -> "Moved":
        after: dict[Pubkey, Account | None] = dict(simulated.post_accounts())
        before = {key: world.svm.get_account(key) for key in after}
        had, has = wealth(before), wealth(after)
        keys = dict.fromkeys([*had, *has])
        difference = {key: has.get(key, 0) - had.get(key, 0) for key in keys}
        touched = {key: owner for key in after if (owner := _owner_of_order(before[key], after[key])) is not None}
        return cls({key: amount for key, amount in difference.items() if amount}, touched)


def _owner_of_order(before: Account | None, after: Account | None) -> Pubkey | None:
    for account in (before, after):
        if account is not None and account.owner in {LIMIT, DCA} and before != after:
            return Pubkey(account.data[8:40])
    return None


def check(
    world: World,
    instructions: list[Instruction],
    simulated: SimulatedTransactionInfo,
    may_touch: Collection[Pubkey] = (EXPIRED.key,),
) -> None:
    """Nobody lost or gained anything that the signers did not give, and only owners touched what has not expired."""
    moved = Moved.between(world, simulated)
    signers = {meta.pubkey for each in instructions for meta in each.accounts if meta.is_signer}
    fee = FEE_LAMPORTS * len(signers | {CAROL})
    assert all(asset == "lamports" for _, asset in moved.wealth), f"tokens moved: {moved.wealth}"
    assert sum(moved.wealth.values()) == -fee, f"lamports are out of place: {moved.wealth}"
    for (owner, _), amount in moved.wealth.items():
        assert amount > 0 or owner in signers or owner == CAROL, f"{owner} lost {-amount} lamports"
    for order, owner in moved.orders.items():
        assert owner in signers or order in may_touch, f"somebody touched the order {order}"
