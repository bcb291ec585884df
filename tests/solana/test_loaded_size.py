"""How much a transaction loads. The sizes are those of SIMD-0186."""

from solders.account import Account
from solders.pubkey import Pubkey

from countermand.solana.loaded_size import loaded_bytes
from countermand.solana.tokens import SYSTEM_PROGRAM, UPGRADEABLE_LOADER

LOADER = Pubkey.from_string(UPGRADEABLE_LOADER)
WALLET, PROGRAM, TWIN, CODE, BUFFER, GONE = (Pubkey([n] * 32) for n in range(1, 7))
INSTRUCTIONS = Pubkey.from_string("Sysvar1nstructions1111111111111111111111111")


def owned(owner: Pubkey, data: bytes, lamports: int = 1) -> Account:
    return Account(lamports, data, owner, executable=False)


ACCOUNTS = {
    WALLET: owned(Pubkey.from_string(SYSTEM_PROGRAM), b""),
    PROGRAM: owned(LOADER, b"\2\0\0\0" + bytes(CODE)),
    TWIN: owned(LOADER, b"\2\0\0\0" + bytes(CODE)),
    CODE: owned(LOADER, b"\3\0\0\0" + bytes(996)),
    BUFFER: owned(LOADER, b"\1\0\0\0" + bytes(32)),
    GONE: owned(WALLET, bytes(10), lamports=0),
    INSTRUCTIONS: owned(WALLET, bytes(10)),
}


def loads(*keys: Pubkey, tables: int = 0) -> int:
    return loaded_bytes(keys, tables, ACCOUNTS.get)


def test_each_account_counts_with_its_data() -> None:
    assert loads(WALLET) == 64
    assert loads(WALLET, BUFFER) == 64 + 64 + 36


def test_what_is_not_there_counts_nothing() -> None:
    assert loads(WALLET, GONE, Pubkey([9] * 32)) == 64


def test_the_list_of_instructions_counts_nothing() -> None:
    assert loads(INSTRUCTIONS) == 0


def test_programs_bring_their_code_once() -> None:
    program, code = 64 + 36, 64 + 1_000
    assert loads(PROGRAM) == program + code
    assert loads(PROGRAM, TWIN) == 2 * program + code
    assert loads(PROGRAM, CODE) == program + code


def test_tables_count_as_the_largest_do() -> None:
    assert loads(WALLET, tables=2) == 64 + 2 * 8_248
