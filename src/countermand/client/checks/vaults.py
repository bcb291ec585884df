"""Trigger v2: the challenge, the deposit into a vault's account, and the withdrawal from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from countermand.client.checks.acts import (
    CHALLENGE,
    RENT_LAMPORTS_MAX,
    Budget,
    Checked,
    Close,
    Initialize,
    Lamports,
    MakeAssociated,
    MakeSeeded,
    Memo,
    Sync,
    Tokens,
    judged,
    require,
    require_associated,
    unexpected,
)
from countermand.solana.port import Address
from countermand.solana.tokens import SOL_MINT, TOKEN_PROGRAMS, associated_token_address

_CHALLENGE_CHARS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedDeposit:
    """`input_account` belongs to the vault and is made by the transaction; so is `output_account`, of an OTOCO.

    `keeps_output`: there is one.
    """

    user: Address
    vault: Address
    mint: Address
    amount: int
    output_mint: Address
    input_account: Address | None
    output_account: Address | None = None
    keeps_output: bool = False


def check_challenge_text(text: str, user: Address) -> None:
    """Whether a text is a challenge and nothing else, such as the bytes of a transaction. Raises `Unsafe`."""
    plain = all(each.isprintable() or each == "\n" for each in text)
    require(plain and len(text) <= _CHALLENGE_CHARS_MAX, "the challenge is no plain text")
    require(text.startswith(CHALLENGE), "the challenge does not say that it is one")
    if "owner of " in text:
        require(f"owner of {user}." in text, "the challenge is for another wallet")


def check_challenge(transaction: str, user: Address, fee_lamports_max: int) -> Checked:
    """A memo with the challenge; it is never sent. Raises `Unsafe`."""
    of = judged(transaction, user, fee_lamports_max, signs_in=True)
    memos = [act for act, _ in of.acts if isinstance(act, Memo)]
    for act, words in of.acts:
        if not isinstance(act, Budget | Memo):
            unexpected(words)
    require(len(memos) == 1, f"it has {len(memos)} memos, not one")
    check_challenge_text(memos[0].text.decode(errors="replace"), user)
    return of.checked()


def check_deposit(transaction: str, expected: ExpectedDeposit, fee_lamports_max: int) -> Checked:
    """The amount, all of it and no more, goes to an account that the vault will own. Raises `Unsafe`."""
    of = judged(transaction, expected.user, fee_lamports_max)
    made: dict[Address, Address] = {}
    """The new accounts, and the program that owns each."""
    owned: dict[Address, Address] = {}
    """The token accounts of the vault that it makes, and their mints."""
    moved = 0
    for act, words in of.acts:
        match act:
            case Budget() | Memo():
                pass
            case MakeSeeded():
                _check_new_account(act, expected, made)
            case Initialize():
                require(act.account in made, f"{act.account} is not new")
                require(act.owner == expected.vault, f"{act.owner} would own the order's account, not the vault")
                owned[act.account] = act.mint
            case MakeAssociated():
                require_associated(act, expected.user, (expected.user,), (expected.mint, expected.output_mint))
            case Lamports():
                require(expected.mint == SOL_MINT, "it moves lamports, for an order that sells tokens")
                require(act.source == expected.user, f"{act.source} pays")
                require(owned.get(act.to) == SOL_MINT, f"lamports go to {act.to}, which is not the order's account")
                moved += act.amount
            case Tokens():
                moved += _check_payment(act, expected, owned)
            case Sync():
                require(act.account in owned, f"{act.account} is not the order's account")
            case _:
                unexpected(words)
    require(moved == expected.amount, f"it moves {moved:,} base units, not {expected.amount:,}")
    require(made.keys() == owned.keys(), "it pays for accounts that the vault does not get")
    _check_accounts(expected, owned)
    return of.checked()


def _check_new_account(act: MakeSeeded, expected: ExpectedDeposit, made: dict[Address, Address]) -> None:
    require(act.funder == expected.user, f"{act.funder} pays the rent, not {expected.user}")
    require(act.owner in TOKEN_PROGRAMS, f"{act.account} would belong to {act.owner}, which is no token program")
    require(act.lamports <= RENT_LAMPORTS_MAX, f"a rent of {act.lamports:,} lamports is too much")
    require(act.account not in made, f"{act.account} is made twice")
    made[act.account] = act.owner


def _check_payment(act: Tokens, expected: ExpectedDeposit, owned: Mapping[Address, Address]) -> int:
    own = associated_token_address(expected.user, expected.mint, act.program)
    require(act.mint in (None, expected.mint), f"it moves the token {act.mint}, not {expected.mint}")
    require(act.source == own, f"it takes from {act.source}, which is not the wallet's account of {expected.mint}")
    require(act.authority == expected.user, f"{act.authority} authorizes the payment")
    require(owned.get(act.to) == expected.mint, f"tokens go to {act.to}, which is not the order's account")
    return act.amount


def _check_accounts(expected: ExpectedDeposit, owned: dict[Address, Address]) -> None:
    """The accounts are those that the answer names, each for its token."""
    wanted = [(expected.input_account, expected.mint, "inputTokenAccount")]
    if expected.keeps_output:
        wanted.append((expected.output_account, expected.output_mint, "outputTokenAccount"))
    for account, mint, name in wanted:
        if account is not None:
            require(owned.get(account) == mint, f"{name} {account} is not made for {mint}")
    mints = sorted(mint for _, mint, _ in wanted)
    require(sorted(owned.values()) == mints, "it makes other accounts than those of the order")


def check_withdrawal(
    transaction: str, user: Address, vault: Address, mints: tuple[Address, ...], fee_lamports_max: int
) -> tuple[Checked, dict[Address, int]]:
    """All that moves comes from the vault and goes to the wallet. Raises `Unsafe`.

    Returns how much comes back of each token, in base units. SOL comes by closing its account, which says no amount.
    """
    of = judged(transaction, user, fee_lamports_max)
    own = {associated_token_address(user, mint, program): mint for mint in mints for program in TOKEN_PROGRAMS}
    back: dict[Address, int] = {}
    for act, words in of.acts:
        match act:
            case Budget() | Memo():
                pass
            case MakeAssociated():
                require_associated(act, user, (user,), mints)
            case Tokens():
                require(act.authority == vault, f"{act.authority} authorizes it, not the vault")
                require(act.to in own, f"tokens go to {act.to}, which is not the wallet's")
                require(act.mint in (None, own[act.to]), f"it moves the token {act.mint}")
                back[own[act.to]] = back.get(own[act.to], 0) + act.amount
            case Close():
                require(act.owner == vault, f"{act.owner} closes an account, not the vault")
                require(act.to == user, f"what is in {act.account} goes to {act.to}, not to the wallet")
            case _:
                unexpected(words)
    require(bool(back) or any(isinstance(act, Close) for act, _ in of.acts), "it gives nothing back")
    return of.checked(), back
