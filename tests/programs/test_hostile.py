"""What is done to the programs by an attacker: another account in every place, missing flags, and noise.

`COUNTERMAND_FUZZ_CASES` sets the number of random cases, `COUNTERMAND_FUZZ_SEED` repeats a run.
"""

import os
import random
import struct
from collections.abc import Iterator, Mapping
from typing import Final

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.transaction_metadata import FailedTransactionMetadata, SimulatedTransactionInfo

from tests.programs.stage import (
    AROUND,
    EXPIRED,
    HERS,
    NAMES,
    NEW,
    NEW_DCA,
    NEW_OF_BOB,
    OF_BOB,
    OF_SOL,
    OPEN,
    OPEN_DCA,
    SOL_DCA,
    STRANGER,
    VALID,
    check,
    staged,
    surrounded,
)
from tests.programs.world import (
    ALICE,
    BOB,
    CAROL,
    DCA,
    KEEPER,
    LIMIT,
    NOW,
    PARTNER,
    TOKENS,
    USDC,
    World,
    ata,
    error_of,
    reads,
    token_transfer,
    with_key,
    with_meta,
)

CASES: Final = int(os.environ.get("COUNTERMAND_FUZZ_CASES", "10000"))
SEED: Final = int(os.environ.get("COUNTERMAND_FUZZ_SEED", random.SystemRandom().getrandbits(32)))

CRASHES: Final = (
    "ProgramFailedToComplete",
    "ComputationalBudgetExceeded",
    "ProgramEnvironmentSetupFailure",
    "UnbalancedInstruction",
)


@pytest.fixture(scope="module")
def stage() -> World:
    return staged()


def outcome(world: World, *instructions: Instruction) -> int | str | None:
    """The error of a simulation, or None; a success must leave everything where it belongs."""
    simulated = world.simulate(*instructions)
    if isinstance(simulated, FailedTransactionMetadata):
        error = error_of(simulated)
        assert error not in CRASHES, (error, simulated.meta().logs(), instructions)
        return error
    check(world, list(instructions), simulated)
    return None


WALLETS: Final = {ALICE, BOB, PARTNER, STRANGER, KEEPER}
"""All that can sign."""

ANYTHING: Final = set(NAMES)
NEVER_WRITABLE: Final = {"system", "sysvar", "program"}
"""The runtime takes the flag from sysvars, its own programs and those that are called."""

HARMLESS: Final[Mapping[str, Mapping[int, set[str]]]] = {
    # The signer of the payer's place pays. A partner's account is one for the output. Another output is another order.
    "initialize_order": {
        0: {"alice", "bob", "keeper"},
        4: {"alice's other usdc"},
        6: {name for name in NAMES if name.endswith(" jup")} | {"dca out", "other out", "bob's out", "sold out"},
        8: {"wsol"},
    },
    # The maker names any account of its own.
    "cancel_order": {4: {"alice's other usdc"}},
    # After the expiry any wallet may be the signer.
    "cancel_order by anyone": {0: {"alice", "partner", "stranger", "keeper"}},
    "cancel_order to lamports": {},
    "open_dca_v2": {2: {"alice", "bob", "keeper"}, 5: {"alice's other usdc"}},
    "open_dca": {4: {"alice's other usdc"}},
    "deposit": {3: {"alice's other usdc"}},
    # Of the two accounts of the user only one is used, the other may be anything.
    "withdraw in": {5: {"alice's other usdc"}, 6: set(NAMES)},
    "withdraw out": {5: set(NAMES), 6: {"alice's other jup"}},
    "close_dca": {6: {"alice's other usdc"}, 7: {"alice's other jup"}},
    # Who gives the rate needs no keepers.
    "fill_order": {16: ANYTHING},
    "fill_order to the end": {16: ANYTHING},
    # And who gives lamports, no tokens.
    "fill_order for lamports": {4: ANYTHING - NEVER_WRITABLE, 16: ANYTHING},
    # A taker that does not name the program's fee rates pays the whole fee to the partner.
    "fill_order with a partner": {16: ANYTHING, 17: ANYTHING},
    # Of the places for the user's output only one is used.
    "transfer": {6: ANYTHING},
    "end_and_close": {8: ANYTHING, 9: ANYTHING},
}


@pytest.mark.parametrize("name", VALID)
def test_another_account_in_any_place_is_refused_or_harmless(stage: World, name: str) -> None:
    valid = VALID[name]
    assert outcome(stage, *surrounded(name, valid)) is None
    for position, meta in enumerate(valid.accounts):
        others = {
            label: key for label, key in NAMES.items() if key != meta.pubkey and (key in WALLETS or not meta.is_signer)
        }
        cases = {label: surrounded(name, with_key(valid, position, key)) for label, key in others.items()}
        taken = {label for label, case in cases.items() if outcome(stage, *case) is None}
        harmless = HARMLESS.get(name, {}).get(position, set())
        assert taken == harmless & set(others), f"in place {position}"


IN_ITS_PLACE: Final[Mapping[str, Mapping[int, tuple[str, int | str]]]] = {
    "initialize_order": {
        1: ("bob", 2015),
        2: ("open", 2006),
        3: ("open reserve", "InvalidSeeds"),
        4: ("bob's usdc", 2015),
        5: ("other program", 2006),
        6: ("alice's usdc", 2014),
        7: ("sparkle", 3007),
        8: ("usdc", 6006),
        9: ("system", 3008),
        10: ("associated", 3008),
        11: ("token", 3008),
        12: ("system", 3008),
        13: ("dca events", 2006),
        14: ("other program", 3008),
    },
    "cancel_order": {
        0: ("bob", 6008),
        1: ("bob", 2001),
        2: ("of bob", 2001),
        3: ("expired reserve", 2001),
        4: ("bob's usdc", 2015),
        5: ("jup", 2001),
        6: ("token 2022", 2001),
        7: ("dca events", 2006),
        8: ("other program", 3008),
    },
    "open_dca_v2": {
        0: ("dca", 2006),
        1: ("bob", 2015),
        3: ("sparkle", 3007),
        4: ("usdc", 6002),
        5: ("bob's usdc", 2015),
        6: ("dca in", "InvalidSeeds"),
        7: ("dca out", "InvalidSeeds"),
        8: ("token", 3008),
        9: ("token 2022", 3008),
        10: ("system", 3008),
        11: ("events", 2006),
        12: ("program", 3008),
    },
    "open_dca": {
        0: ("dca", 2006),
        1: ("bob", 2015),
        2: ("sparkle", 3007),
        3: ("usdc", 6002),
        4: ("bob's usdc", 2015),
        5: ("dca in", "InvalidSeeds"),
        6: ("dca out", "InvalidSeeds"),
        7: ("token", 3008),
        8: ("token 2022", 3008),
        9: ("system", 3008),
        10: ("events", 2006),
        11: ("program", 3008),
    },
    "deposit": {
        0: ("bob", 6007),
        1: ("other dca", 2009),
        2: ("other in", 2009),
        3: ("bob's usdc", 2015),
        4: ("token 2022", 3008),
        5: ("events", 2006),
        6: ("program", 3008),
    },
    "withdraw in": {
        0: ("bob", 6007),
        1: ("other dca", 2009),
        2: ("jup", 2001),
        3: ("usdc", 2001),
        4: ("other in", 2009),
        5: ("bob's usdc", 2015),
        7: ("token", 3008),
        8: ("token 2022", 3008),
        9: ("system", 3008),
        10: ("events", 2006),
        11: ("program", 3008),
    },
    "fill_order": {
        1: ("bob", 2001),
        2: ("lenient", 2001),
        3: ("alice's usdc", 2015),
        4: ("alice's jup", 2015),
        5: ("alice's other jup", 2009),
        6: ("bob's jup", 2001),
        7: ("lenient reserve", 2001),
        8: ("jup", 2001),
        9: ("token 2022", 2001),
        10: ("usdc", 2001),
        11: ("token 2022", 2001),
        12: ("program", 2012),
        13: ("token", 3008),
        14: ("dca events", 2006),
        15: ("other program", 3008),
    },
    "fill_order below the rate": {16: ("dca keepers", 6010)},
    "cancel_dust_order": {
        0: ("bob", 6010),
        1: ("bob", 2001),
        2: ("of bob", 2001),
        3: ("lenient reserve", 2001),
        4: ("alice's other usdc", 2009),
        5: ("jup", 2001),
        6: ("token 2022", 2001),
        7: ("token", 3008),
        8: ("token", 3008),
        9: ("dca events", 2006),
        10: ("other program", 3008),
        11: ("dca keepers", 6010),
    },
    "initiate_flash_fill": {
        0: ("bob", 6015),
        1: ("other dca", 2009),
        2: ("jup", 2001),
        3: ("bob's usdc", 2015),
        4: ("other in", 2009),
        5: ("other out", 2009),
        6: ("stranger", 2012),
        7: ("token", 3008),
        8: ("token 2022", 3008),
        9: ("system", 3008),
        10: ("keepers", 6015),
    },
    "withdraw out": {2: ("jup", 2001), 3: ("usdc", 2001), 4: ("other out", 2009), 6: ("bob's jup", 2015)},
    "close_dca": {
        0: ("bob", 6007),
        1: ("other dca", 2009),
        2: ("jup", 2001),
        3: ("usdc", 2001),
        4: ("other in", 2009),
        5: ("other out", 2009),
        6: ("bob's usdc", 2015),
        7: ("stranger", 2009),
        8: ("token", 3008),
        9: ("token 2022", 3008),
        10: ("system", 3008),
        11: ("events", 2006),
        12: ("program", 3008),
    },
}


@pytest.mark.parametrize("name", IN_ITS_PLACE)
def test_a_wrong_account_gets_a_refusal_of_its_own(stage: World, name: str) -> None:
    """Not the one that another program gives later: the check is ours."""
    for position, (label, refusal) in IN_ITS_PLACE[name].items():
        wrong = surrounded(name, with_key(VALID[name], position, NAMES[label]))
        assert outcome(stage, *wrong) == refusal, f"{label} in place {position}"


DISTINCT: Final = {
    # In these no account is there twice, so that a flag can be taken from one place.
    "initialize_order": NEW.initialize(),
    "cancel_order by anyone": EXPIRED.cancel(BOB),
    "open_dca_v2": NEW_DCA.open_v2(),
    **{name: VALID[name] for name in ("open_dca", "deposit", "withdraw in", "withdraw out", "close_dca")},
    **{name: VALID[name] for name in ("fill_order", "fill_order below the rate", "cancel_dust_order")},
    "fill_order with a partner": VALID["fill_order with a partner"],
    **{name: VALID[name] for name in (*AROUND, "transfer", "end_and_close")},
}


PAYS_SOMETIMES: Final = {("cancel_dust_order", 0)}
"""Only if it must make an account."""


@pytest.mark.parametrize("name", DISTINCT)
def test_every_flag_is_needed(stage: World, name: str) -> None:
    valid = DISTINCT[name]
    assert outcome(stage, *surrounded(name, valid)) is None
    for position, meta in enumerate(valid.accounts):
        if meta.is_signer:
            unsigned = AccountMeta(meta.pubkey, is_signer=False, is_writable=meta.is_writable)
            assert outcome(stage, with_meta(valid, position, unsigned)) == 3010, f"place {position}"
        if meta.is_writable and (name, position) not in PAYS_SOMETIMES:
            readonly = with_meta(valid, position, AccountMeta(meta.pubkey, meta.is_signer, is_writable=False))
            refusals = {outcome(stage, readonly), outcome(stage, *surrounded(name, readonly))}
            assert 2000 in refusals, f"place {position}"


def test_a_refund_account_is_writable(stage: World) -> None:
    assert outcome(stage, with_meta(OPEN.cancel(), 4, reads(OPEN.maker_input))) == 2000


@pytest.mark.parametrize("name", VALID)
def test_two_accounts_in_one_place(stage: World, name: str) -> None:
    """Any account of the instruction in the place of any other, with both orders of flags."""
    valid = VALID[name]
    known = {key: label for label, key in NAMES.items()}
    for position, meta in enumerate(valid.accounts):
        for twin in valid.accounts:
            if twin.pubkey == meta.pubkey or known.get(twin.pubkey, "") in HARMLESS.get(name, {}).get(position, set()):
                continue
            for flags in (meta, twin):
                if flags.is_signer and twin.pubkey not in WALLETS:
                    continue
                doubled = AccountMeta(twin.pubkey, flags.is_signer, flags.is_writable)
                case = surrounded(name, with_meta(valid, position, doubled))
                assert outcome(stage, *case) is not None, f"{twin} in place {position}"


def test_orders_of_two_users_do_not_mix(stage: World) -> None:
    assert outcome(stage, OF_BOB.cancel(ALICE)) == 6008
    assert outcome(stage, with_key(with_key(OF_BOB.cancel(ALICE), 1, ALICE), 4, ata(ALICE, USDC))) == 2001
    assert outcome(stage, with_key(OPEN.cancel(), 3, OF_BOB.reserve)) == 2001
    assert outcome(stage, with_key(OPEN.cancel(), 3, EXPIRED.reserve)) == 2001
    assert outcome(stage, with_key(with_key(EXPIRED.cancel(BOB), 2, OPEN.key), 3, OPEN.reserve)) == 6008


def test_what_is_opened_and_cancelled_in_one_transaction_leaves_nothing(stage: World) -> None:
    assert outcome(stage, NEW.initialize(), NEW.cancel()) is None
    assert outcome(stage, NEW_DCA.open_v2(), NEW_DCA.close()) is None
    assert outcome(stage, NEW.initialize(), NEW.initialize()) == 0
    assert outcome(stage, NEW_DCA.open_v2(), NEW_DCA.open()) == 0
    assert outcome(stage, OF_SOL.cancel(), OF_SOL.cancel(lamports=True)) == 3012


# Noise


class Noise:
    """Valid instructions with some things changed. An attack has none of Alice's signatures."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._keys = list(NAMES.values())
        self._valid = [*VALID.values(), *self._more()]

    @staticmethod
    def _more() -> Iterator[Instruction]:
        yield SOL_DCA.close()
        yield SOL_DCA.withdraw(7)
        yield OF_SOL.cancel()
        yield OF_BOB.cancel()
        yield NEW_OF_BOB.initialize()
        yield OPEN_DCA.swap(5_000)

    def case(self) -> list[Instruction]:
        count = self._random.choice((1, 1, 1, 2, 3))
        if self._random.random() < 0.3:
            name = self._random.choice(list(VALID))
            case = surrounded(name, self._mutated(VALID[name]))
        else:
            case = [self._mutated(self._random.choice(self._valid)) for _ in range(count)]
        if self._random.random() < 0.5:
            attacker = self._random.choice((BOB, STRANGER, PARTNER))
            case = [self._unsigned(instruction, attacker) for instruction in case]
        return case

    def _unsigned(self, instruction: Instruction, attacker: Pubkey) -> Instruction:
        """Alice does not sign: the attacker signs in her place, or the signature is missing."""
        metas = list(instruction.accounts)
        for at, meta in enumerate(metas):
            if meta.pubkey == ALICE and meta.is_signer:
                signs = self._random.random() < 0.7
                metas[at] = AccountMeta(attacker if signs else ALICE, is_signer=signs, is_writable=meta.is_writable)
        return Instruction(instruction.program_id, instruction.data, metas)

    def _mutated(self, valid: Instruction) -> Instruction:
        metas, data, program = list(valid.accounts), bytes(valid.data), valid.program_id
        for _ in range(self._random.choice((0, 1, 1, 2, 3))):
            if self._random.random() < 0.6:
                self._change_accounts(metas)
            elif self._random.random() < 0.95:
                data = self._changed_data(data)
            else:
                program = self._random.choice((LIMIT, DCA))
        return Instruction(program, data, metas)

    def _change_accounts(self, metas: list[AccountMeta]) -> None:
        if not metas:
            return
        at, other = self._random.randrange(len(metas)), self._random.randrange(len(metas))
        match self._random.randrange(8):
            case 0 | 1 | 2:
                metas[at] = self._with_flags(self._random.choice(self._keys), metas[at])
            case 3:
                metas[at], metas[other] = metas[other], metas[at]
            case 4:
                metas[at] = metas[other]
            case 5:
                del metas[at:]
            case 6:
                metas.insert(at, metas[other])
            case 7:
                meta = metas[at]
                writable = self._random.random() < 0.5
                metas[at] = self._with_flags(meta.pubkey, AccountMeta(meta.pubkey, not meta.is_signer, writable))

    @staticmethod
    def _with_flags(key: Pubkey, flags: AccountMeta) -> AccountMeta:
        """Only wallets can sign."""
        return AccountMeta(key, flags.is_signer and key in WALLETS, flags.is_writable)

    def _changed_data(self, data: bytes) -> bytes:
        at = self._random.randrange(len(data) + 1)
        match self._random.randrange(6):
            case 0:
                return data[:at]
            case 1:
                return data[:at] + self._random.randbytes(self._random.randrange(20)) + data[at:]
            case 2 | 3:
                flipped = bytearray(data or b"\0")
                flipped[self._random.randrange(len(flipped))] ^= 1 << self._random.randrange(8)
                return bytes(flipped)
            case 4:
                number = self._random.choice((0, 1, 5, TOKENS, NOW, 2**32, 2**63, 2**64 - 1))
                at = 8 + 8 * self._random.randrange(4)
                return data[:at] + struct.pack("<Q", number) + data[at + 8 :]
        return bytes(self._random.choice(self._valid).data)[:8] + data[8:]


def test_noise(stage: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Each case is judged on the same world, so that a seed and a number name it."""
    noise, taken = Noise(SEED), 0
    try:
        for _ in range(CASES):
            taken += outcome(stage, *noise.case()) is None
    finally:
        with capsys.disabled():
            print(f"\n{CASES:,} cases with COUNTERMAND_FUZZ_SEED={SEED}: {taken:,} went through")
    assert 0 < taken < CASES


@pytest.mark.parametrize("program", [LIMIT, DCA])
def test_pure_noise(stage: World, program: Pubkey) -> None:
    """Known names, and then anything."""
    chance = random.Random(SEED)
    names = list(dict.fromkeys(bytes(valid.data)[:8] for valid in VALID.values()))
    keys = list(NAMES.values())
    for _ in range(CASES // 20):
        metas = [
            AccountMeta(chance.choice(keys), is_signer=False, is_writable=chance.random() < 0.5)
            for _ in range(chance.randrange(24))
        ]
        metas += [AccountMeta(CAROL, is_signer=True, is_writable=True)]
        chance.shuffle(metas)
        data = chance.choice(names) + chance.randbytes(chance.randrange(60))
        assert outcome(stage, Instruction(program, data, metas)) is not None, f"COUNTERMAND_FUZZ_SEED={SEED}"


def test_the_checks_see_a_theft() -> None:
    """The judge is worth something: that Bob, as a delegate, takes what is Alice's is noticed."""
    world = staged()
    world.patch(HERS, 72, struct.pack("<I", 1) + bytes(BOB))
    world.patch(HERS, 121, struct.pack("<Q", TOKENS))
    with pytest.raises(AssertionError, match="lost"):
        outcome(world, token_transfer(HERS, ata(BOB, USDC), BOB, 5))


def test_the_checks_see_an_order_that_a_stranger_ends() -> None:
    """And so is that an order of another is refunded before its time, or filled after it."""
    world = staged()
    simulated = world.simulate(EXPIRED.cancel(BOB))
    assert isinstance(simulated, SimulatedTransactionInfo)
    with pytest.raises(AssertionError, match="another touched"):
        check(world, [EXPIRED.cancel(BOB)], simulated, may_touch=())
    world.at(NOW)
    with pytest.raises(AssertionError, match="after the expiry"):
        outcome(world, EXPIRED.fill(600))


def test_the_checks_see_a_fill_below_the_rate() -> None:
    world = staged()
    for offset, amount in ((208, 300), (216, 10)):
        simulated = world.simulate(OPEN.fill(200))
        assert isinstance(simulated, SimulatedTransactionInfo)
        elsewhere = staged()
        elsewhere.patch(OPEN.key, offset, struct.pack("<Q", amount))
        with pytest.raises(AssertionError, match="below its rate"):
            check(elsewhere, [OPEN.fill(200)], simulated)
