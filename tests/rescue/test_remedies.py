"""Why a cancel is refused, and what to do about it."""

import pytest

from countermand.rescue.cancels import cancel_of
from countermand.rescue.remedies import words
from countermand.solana.port import JsonError
from countermand.solana.program_errors import TOKEN_ERRORS, error_name
from countermand.solana.programs import dca, limit_order
from countermand.solana.tokens import SYSTEM_PROGRAM, TOKEN_2022_PROGRAM, TOKEN_PROGRAM
from tests.rescue.test_orders import accounts_of, read_limit


def custom(code: int) -> JsonError:
    return {"InstructionError": [2, {"Custom": code}]}


@pytest.mark.parametrize(
    ("error", "name", "remedy"),
    [
        (custom(17), "17, AccountFrozen", "thawed by the token's freeze authority"),
        (custom(36), "36, NoMemo", "spl-token disable-required-transfer-memos {to}"),
        (custom(67), "67, MintPaused", "when they go on"),
        (custom(2015), "2015, ConstraintTokenOwner", "{to} is not the wallet's account for this token any more"),
        (custom(3012), "3012, AccountNotInitialized", "one of {own} and {to} is missing"),
        (custom(6015), "6015, InvalidOrder", "run it again"),
        (custom(99_999), "99999", "run it again"),
        ({"InstructionError": [2, "ProgramFailedToComplete"]}, "Program failed to complete", "run it again"),
        ("AccountNotFound", "no record of a prior credit", "run it again"),
    ],
)
def test_a_refusal_has_a_name_and_a_remedy(error: JsonError, name: str, remedy: str) -> None:
    order = read_limit()
    said = words(error, [cancel_of(order, accounts_of(order, 1))])
    assert said.startswith("the cancel is refused: ")
    assert name in said
    (reserve,) = order.escrows
    assert remedy.format(own=reserve.account, to=reserve.to) in said
    assert "\n" not in said


def test_the_logs_tell_which_program_refused() -> None:
    def logs(program: str, code: int) -> list[str]:
        return [
            f"Program {limit_order.PROGRAM} invoke [1]",
            f"Program {program} failed: custom program error: {code:#x}",
        ]

    assert error_name(limit_order.PROGRAM, 1) == "InsufficientFunds"
    assert error_name(limit_order.PROGRAM, 1, logs(TOKEN_2022_PROGRAM, 1)) == "InsufficientFunds"
    assert error_name(limit_order.PROGRAM, 1, logs(SYSTEM_PROGRAM, 1)) is None, "it has numbers of its own"
    assert error_name(limit_order.PROGRAM, 6000) == "InvalidMakingAmount"
    assert error_name(dca.PROGRAM, 6000) == "InvalidAmount"
    assert error_name(TOKEN_PROGRAM, 4) == "OwnerMismatch"


def test_the_numbers_of_token_errors_are_those_of_the_programs() -> None:
    """Some of each five, as `solana-program/token-2022` numbers them in comments."""
    known = {0: "NotRentExempt", 5: "FixedSupply", 10: "NativeNotSupported", 15: "AuthorityTypeNotSupported"}
    known |= {20: "ExtensionTypeMismatch", 35: "AccountHasWithheldTransferFees", 40: "MaximumDepositAmountExceeded"}
    assert {code: TOKEN_ERRORS[code] for code in known} == known
    assert len(TOKEN_ERRORS) == 69
