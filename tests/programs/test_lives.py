"""Long random lives of orders: after every step each escrow holds exactly what its order says."""

import random
import struct
from typing import Final

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.transaction_metadata import FailedTransactionMetadata

from tests.programs.stage import OWNER_OF, VALID, check, staged
from tests.programs.world import (
    ALICE,
    BOB,
    DCA,
    JUP,
    KEEPER,
    LIMIT,
    NOW,
    PARTNER,
    TOKENS,
    USDC,
    WSOL,
    Limit,
    Recurring,
    World,
)

STEPS: Final = 900
LANDED_MIN: Final = 30
MINTS: Final = (USDC, JUP, WSOL)
KINDS: Final = {bytes(each.data)[:8]: name for name, each in VALID.items()}


class Lives:
    """Two users who do anything they may, at any time, and try what they may not."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        pairs = [(a, b) for a in MINTS for b in MINTS if a != b]
        users = (ALICE, BOB)
        self.limits = [Limit(user, PARTNER, a, b, unique_id=90 + n) for user in users for n, (a, b) in enumerate(pairs)]
        self.dcas = [Recurring(user, PARTNER, a, b, idx=90 + n) for user in users for n, (a, b) in enumerate(pairs)]

    def steps(self, now: int) -> list[Instruction]:
        """One thing that a wallet does: mostly one instruction, and for a borrow those that return it."""
        chance, amount = self._random, self._random.choice((0, 1, 7, 99, 100, 1_000, TOKENS // 2, 2**64 - 1))
        limit, dca = chance.choice(self.limits), chance.choice(self.dcas)
        taker, is_native = chance.choice((BOB, KEEPER)), chance.random() < 0.5
        match chance.randrange(14):
            case 7 | 8:
                given = chance.choice((None, None, amount))
                return [limit.fill(amount, given, taker, lamports=limit.output_mint == WSOL and is_native)]
            case 9:
                lamports = limit.output_mint == WSOL and is_native
                return [limit.pre_flash(amount, taker), limit.flash(2**64 - 1, taker, lamports=lamports)]
            case 10:
                return [limit.cancel_dust(amount)]
            case 11:
                return dca.cycle(chance.choice((1, 99, 1_000)))
            case 12:
                return [dca.transfer(lamports=dca.output_mint == WSOL and is_native)]
            case 13:
                return [dca.end(account=chance.choice(("user_out", "init")))]
        return [self._own(now, amount)]

    def _own(self, now: int, amount: int) -> Instruction:
        chance = self._random
        limit, dca = chance.choice(self.limits), chance.choice(self.dcas)
        match chance.randrange(7):
            case 0:
                expiry = chance.choice((None, now, now + 5, now + 50))
                return Limit(
                    limit.maker, PARTNER, limit.input_mint, limit.output_mint, unique_id=limit.unique_id,
                    making=amount, taking=chance.choice((1, 5, 999)), expired_at=expiry,
                    slippage=chance.choice((b"", struct.pack("<BH", 1, 69))),
                ).initialize()  # fmt: skip
            case 1:
                return limit.cancel(lamports=limit.input_mint == WSOL and chance.random() < 0.5)
            case 2:
                return limit.cancel(chance.choice((ALICE, BOB, PARTNER)))
            case 3:
                return Recurring(
                    dca.user, PARTNER, dca.input_mint, dca.output_mint, dca.idx, amount, chance.choice((1, 100))
                ).open_v2()
            case 4:
                return dca.deposit(amount)
            case 5:
                return dca.withdraw(amount, output=chance.random() < 0.2)
        return dca.close()


@pytest.fixture
def lives(monkeypatch: pytest.MonkeyPatch) -> Lives:
    seed = random.SystemRandom().getrandbits(32)
    print(f"seed {seed}")  # shown if the test fails
    lives = Lives(seed)
    owners = dict(OWNER_OF)
    for limit in lives.limits:
        owners |= {limit.key: limit.maker, limit.reserve: limit.maker}
    for dca in lives.dcas:
        owners |= {dca.key: dca.user, dca.in_ata: dca.user, dca.out_ata: dca.user}
    monkeypatch.setattr("tests.programs.stage.OWNER_OF", owners)
    return lives


def escrows_hold_what_is_owed(world: World, lives: Lives) -> None:
    for limit in lives.limits:
        assert world.exists(limit.reserve) is world.exists(limit.key)
        if world.exists(limit.key):
            (remaining,) = struct.unpack_from("<Q", world.account(limit.key).data, 224)
            assert world.tokens(limit.reserve) == remaining
    for dca in lives.dcas:
        assert world.exists(dca.in_ata) is world.exists(dca.out_ata) is world.exists(dca.key)
        if world.exists(dca.key):
            deposited, withdrawn, paid, used, got = struct.unpack_from("<QQQQQ", world.account(dca.key).data, 120)
            assert world.tokens(dca.in_ata) == deposited - withdrawn - used
            assert world.tokens(dca.out_ata) == got - paid


def test_escrows_hold_what_is_owed(lives: Lives) -> None:
    world, landed, done = staged(), {LIMIT: 0, DCA: 0}, set[bytes]()
    for step in range(STEPS):
        world.at(NOW + step)
        instructions = lives.steps(world.now)
        simulated = world.simulate(*instructions)
        if not isinstance(simulated, FailedTransactionMetadata):
            check(world, instructions, simulated, may_touch=expired(world, lives))
            world.does(*instructions)
            landed[instructions[0].program_id] += 1
            done.add(bytes(instructions[0].data)[:8])
        escrows_hold_what_is_owed(world, lives)
    assert min(landed.values()) > LANDED_MIN, landed
    assert len(done) > len(KINDS) // 2, [KINDS.get(each) for each in done]


def expired(world: World, lives: Lives) -> set[Pubkey]:
    """The orders that any wallet may cancel now."""
    found = set()
    for limit in lives.limits:
        if world.exists(limit.key):
            has_expiry, expiry = struct.unpack_from("<Bq", world.account(limit.key).data, 248)
            if has_expiry and expiry < world.now:
                found.add(limit.key)
    return found
