"""What price orders and recurring orders of Trigger v2 have in common: the login, the vault, deposits, withdrawals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from countermand.client import words
from countermand.client.checks import (
    Checked,
    check_challenge,
    check_challenge_text,
    check_deposit,
    check_withdrawal,
)
from countermand.client.checks.vaults import ExpectedDeposit
from countermand.client.effects import Flow, Pause
from countermand.client.errors import BadAnswer, ClientError, OutcomeUnknown, Refused, Unsafe
from countermand.client.exchange import (
    Answered,
    changing_nothing,
    exchange,
    leaving_unknown,
    pause_after,
    request,
    with_header,
)
from countermand.client.session import Policy, Session, one_at_a_time
from countermand.client.shapes.trigger import (
    CancellingAnswer,
    ChallengeAnswer,
    CraftAnswer,
    PlacedAnswer,
    TokenAnswer,
    Vault,
    WithdrawnAnswer,
)
from countermand.client.signing import sign, sign_transaction
from countermand.solana.tokens import SOL_MINT

ROOT: Final = "/trigger/v2"
_CHALLENGES_MAX: Final = 3
_CRAFTS_MAX: Final = 3
_CANCELS_MAX: Final = 5

Shape = TypeVar("Shape")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Shown:
    """An order as a history shows it, with the state of its deposit: `success`, `failed` or `pending`."""

    id: str
    deposit: str


Found = Callable[[str], Flow[Shown | None]]
"""The order whose deposit has this signature, if a history shows it."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """A crafted deposit that was checked. `vault` and the accounts are where the funds will be."""

    request_id: str
    vault: str
    input_account: str | None
    output_account: str | None
    checked: Checked = field(repr=False)


@dataclass(frozen=True, slots=True)
class Placed:
    """An order whose deposit has landed."""

    id: str
    tx_signature: str
    found: bool = False
    """Its create was not answered, and it was found again."""


@dataclass(frozen=True, slots=True)
class Cancelling:
    """An order that trades no more, and the withdrawal that was checked. `back`: base units by mint, but for SOL."""

    id: str
    request_id: str
    back: Mapping[str, int]
    checked: Checked = field(repr=False)
    rounds_remaining: int | None = None
    """Of a recurring order: how many are not filled."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The transaction that brought the funds back."""

    id: str
    tx_signature: str


# --- asking with a token


def sign_in(session: Session, by: Literal["message", "transaction"] = "message") -> Flow[None]:
    """Takes a challenge, checks that it is one, signs it, and keeps the token.

    A challenge serves once. If the answer to its signature is lost, or it ended meanwhile, another is taken.
    """
    for attempt in range(_CHALLENGES_MAX):
        with changing_nothing():
            answered = yield from _verify(session, by)
        if answered.ok:
            session.token = answered.into(TokenAnswer).token
            return
        may_pass = answered.lost or words.says(answered.refusal().words, words.NO_CHALLENGE)
        if not may_pass or attempt + 1 == _CHALLENGES_MAX:
            raise answered.refusal()


def _verify(session: Session, by: Literal["message", "transaction"]) -> Flow[Answered]:
    wallet = session.owner()
    asked = {"walletPubkey": wallet.address, "type": by}
    challenge = (yield from _ask(session, "POST", "/auth/challenge", asked)).into(ChallengeAnswer)
    proof: dict[str, str] = {}
    if by == "transaction":
        if challenge.transaction is None:
            raise BadAnswer("the challenge has no transaction")
        checked = check_challenge(challenge.transaction, wallet.address, session.policy.fee_lamports_max)
        proof["signedTransaction"] = (yield from sign_transaction(wallet, checked))[0]
    else:
        if challenge.challenge is None:
            raise BadAnswer("the challenge has no text")
        check_challenge_text(challenge.challenge, wallet.address)
        proof["signature"] = str((yield from sign(wallet, challenge.challenge.encode())))
    return (yield from _ask(session, "POST", "/auth/verify", asked | proof))


def ask(
    session: Session, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None
) -> Flow[Answered]:
    """With the wallet's token: it signs in first, and once more if the token has ended."""
    fresh = session.token is None
    if fresh:
        yield from _take_token(session, ended=None)
    token = session.token
    answered = yield from _ask(session, method, path, body, query, token=token)
    if answered.response.status == 401 and not fresh and words.says(answered.refusal().words, words.UNAUTHORIZED):
        with leaving_unknown(when=answered.lost):
            yield from _take_token(session, ended=token)
            again = yield from _ask(session, method, path, body, query, token=session.token)
        return Answered(again.response, answered.lost or again.lost)
    return answered


def _take_token(session: Session, ended: str | None) -> Flow[None]:
    return one_at_a_time(session, lambda: session.token == ended, sign_in(session))


def _ask(
    session: Session,
    method: str,
    path: str,
    body: object = None,
    query: Mapping[str, str] | None = None,
    *,
    token: str | None = None,
) -> Flow[Answered]:
    sent = request(method, ROOT + path, body, query, {} if session.api_key is None else {"x-api-key": session.api_key})
    if token is not None:
        sent = with_header(sent, "authorization", f"Bearer {token}")
    return (yield from exchange(session.policy, sent))


def vault_of(session: Session) -> Flow[str]:
    """Registers it where that was not done yet. A vault never changes, so it is asked for once."""
    if session.vault is None:
        answered = yield from ask(session, "GET", "/vault")
        if answered.response.status == 404:
            answered = yield from ask(session, "GET", "/vault/register")
        session.vault = _vault_in(answered).vault_pubkey
    return session.vault


def _vault_in(answered: Answered) -> Vault:
    """Two registrations at once: the second is told of the first."""
    if answered.response.status != 409:
        return answered.into(Vault)
    details = answered.refusal().details
    if not isinstance(details.get("vaultPubkey"), str):
        raise answered.refusal()
    return Vault(user_pubkey=str(details.get("userPubkey")), vault_pubkey=details["vaultPubkey"])


# --- deposits


def craft(session: Session, terms: Mapping[str, Any], kind: Mapping[str, str], *, keeps_output: bool) -> Flow[Deposit]:
    """`kind`: the fields that say which family. Raises `Unsafe` for a deposit that is another than asked for."""
    wallet, vault = session.owner(), (yield from vault_of(session))
    asked = {
        "inputMint": terms["inputMint"],
        "outputMint": terms["outputMint"],
        "userAddress": wallet.address,
        "amount": terms["inputAmount"],
        **kind,
    }
    with changing_nothing():
        answered = yield from ask(session, "POST", "/deposit/craft", asked)
        if not answered.ok and words.says(answered.refusal().words, words.NO_VAULT):
            session.vault = None  # The venue was emptied since.
            vault = yield from vault_of(session)
            answered = yield from ask(session, "POST", "/deposit/craft", asked)
    crafted = answered.into(CraftAnswer)
    if crafted.receiver_address != vault:
        raise Unsafe(f"not signed: the deposit is for {crafted.receiver_address}, not for the wallet's vault {vault}")
    expected = ExpectedDeposit(
        user=wallet.address,
        vault=vault,
        mint=terms["inputMint"],
        amount=int(terms["inputAmount"]),
        output_mint=terms["outputMint"],
        input_account=crafted.input_token_account,
        output_account=crafted.output_token_account,
        keeps_output=keeps_output,
    )
    checked = check_deposit(crafted.transaction, expected, session.policy.fee_lamports_max)
    return Deposit(crafted.request_id, vault, crafted.input_token_account, crafted.output_token_account, checked)


def submit(session: Session, path: str, terms: Mapping[str, Any], deposit: Deposit, found: Found) -> Flow[Placed]:
    """Signs the deposit and creates its order; the request is repeated as it is, so there is one order at most."""
    wallet = session.owner()
    signed, signature = yield from sign_transaction(wallet, deposit.checked)
    body = {
        **terms,
        "depositRequestId": deposit.request_id,
        "depositSignedTx": signed,
        "userPubkey": wallet.address,
    }
    lost = False
    for attempt in range(session.policy.attempts):
        try:
            answered = yield from ask(session, "POST", path, body)
        except ClientError as problem:
            if not lost and not isinstance(problem, OutcomeUnknown):
                raise
            return (yield from _found_again(session, deposit, signature, found, problem))
        lost = lost or answered.lost
        if answered.ok:
            try:
                placed = answered.into(PlacedAnswer)
            except BadAnswer as unreadable:
                return (yield from _found_again(session, deposit, signature, found, unreadable))
            return Placed(placed.id, placed.tx_signature, found=lost)
        refusal = answered.refusal()
        if words.says(refusal.words, words.DUPLICATE_DEPOSIT):
            if refusal.order_id is not None:
                return Placed(refusal.order_id, signature, found=True)
            return (yield from _found_again(session, deposit, signature, found, refusal))
        if not words.says(refusal.words, words.NOT_LANDED):
            # A request before this one may have placed it, unless the server says that the deposit is dead.
            if lost and not words.says(refusal.words, words.DEPOSIT_DEAD):
                return (yield from _found_again(session, deposit, signature, found, refusal))
            raise refusal
        # The deposit may land yet: only this very request may be made again.
        lost = True
        yield Pause(pause_after(attempt, session.policy))
    return (yield from _found_again(session, deposit, signature, found, refusal))


def place(
    session: Session,
    path: str,
    terms: Mapping[str, Any],
    kind: Mapping[str, str],
    found: Found,
    *,
    keeps_output: bool = False,
) -> Flow[Placed]:
    """Crafts, checks, signs, creates. It crafts anew only if the server says that it knows nothing of the deposit."""
    crafts = 0
    while True:
        deposit = yield from craft(session, terms, kind, keeps_output=keeps_output)
        crafts += 1
        try:
            return (yield from submit(session, path, terms, deposit, found))
        except Refused as refusal:
            nothing_taken = words.says(refusal.words, words.DEPOSIT_FORGOTTEN, words.DEPOSIT_DEAD)
            if not nothing_taken or crafts >= _CRAFTS_MAX:
                raise


def _found_again(session: Session, deposit: Deposit, signature: str, found: Found, reason: Exception) -> Flow[Placed]:
    """Histories lag, and deposits take time, so it looks again and again, for so long as the policy says.

    Raises `OutcomeUnknown`, or `Refused` if the history shows that the deposit failed.
    """
    pause, waited = session.policy.pause_s, 0.0
    while True:
        with leaving_unknown(deposit_request_id=deposit.request_id, signature=signature):
            shown = yield from found(signature)
        if shown is not None and shown.deposit == "failed":
            raise Refused(400, f"{words.DEPOSIT_DEAD}.")
        if shown is not None and shown.deposit == "success":
            return Placed(shown.id, signature, found=True)
        if waited >= session.policy.find_s:
            break
        yield Pause(pause)
        waited, pause = waited + pause, min(pause * 2, session.policy.pause_max_s)
    raise OutcomeUnknown(
        f"the order was not found in {session.policy.find_s} s: {reason}",
        deposit_request_id=deposit.request_id,
        signature=signature,
    )


# --- withdrawals


@dataclass(frozen=True, slots=True)
class Owed:
    """What a history says that a cancelled order holds: the mints that may come back, and what remains of the first."""

    mints: tuple[str, ...]
    remaining: int | None


def cancel(session: Session, path: str, order_id: str, owed: Callable[[], Flow[Owed]]) -> Flow[Cancelling]:
    """From the answer on nothing of the order trades. The withdrawal is checked before it is given.

    The cancel goes first, since every moment counts; what must come back is read after it, when it can change no more.
    """
    answer = (yield from ask(session, "POST", f"{path}/cancel/{order_id}")).into(CancellingAnswer)
    if answer.id != order_id:
        raise BadAnswer(f"it answers for the order {answer.id}, not for {order_id}")
    wallet, vault = session.owner(), (yield from vault_of(session))
    pause, waited = session.policy.pause_s, 0.0
    while True:
        try:
            row = yield from owed()
            checked, back = check_withdrawal(
                answer.transaction, wallet.address, vault, row.mints, session.policy.fee_lamports_max
            )
            _require_all(row, back)
        except (Refused, Unsafe):
            # A history may lag behind a fill, or not show the order yet.
            if waited >= session.policy.lag_s:
                raise
            yield Pause(pause)
            waited, pause = waited + pause, min(pause * 2, session.policy.pause_max_s)
        else:
            return Cancelling(order_id, answer.request_id, back, checked, answer.rounds_remaining)


def _require_all(row: Owed, back: Mapping[str, int]) -> None:
    """SOL comes by closing its account, with all that is in it."""
    mint = row.mints[0]
    if row.remaining and mint != SOL_MINT and back.get(mint, 0) < row.remaining:
        raise Unsafe(f"not signed: {back.get(mint, 0):,} base units of {mint} come back, not {row.remaining:,}")


def confirm(session: Session, path: str, cancelling: Cancelling) -> Flow[Withdrawn]:
    """Repeats the same confirmation while it is not landed. Raises `OutcomeUnknown` where it may land yet."""
    signed, signature = yield from sign_transaction(session.owner(), cancelling.checked)
    body = {"signedTransaction": signed, "cancelRequestId": cancelling.request_id}
    reference = {"order": cancelling.id, "cancel_request_id": cancelling.request_id, "signature": signature}
    sent = False
    for attempt in range(session.policy.attempts):
        try:
            answered = yield from ask(session, "POST", f"{path}/confirm-cancel/{cancelling.id}", body)
        except ClientError as problem:
            if not sent and not isinstance(problem, OutcomeUnknown):
                raise
            raise OutcomeUnknown(str(problem), **reference) from problem
        sent = sent or answered.lost
        if answered.ok:
            with leaving_unknown(when=True, **reference):
                withdrawn = answered.into(WithdrawnAnswer)
            return Withdrawn(withdrawn.id, withdrawn.tx_signature)
        refusal = answered.refusal()
        if not words.says(refusal.words, words.NOT_LANDED):
            # One before this may have sent it, unless the server says that it can land no more.
            forgotten = words.says(refusal.words, words.WITHDRAWAL_FORGOTTEN)
            if sent and (forgotten or not words.says(refusal.words, *words.CANCEL_AGAIN)):
                raise OutcomeUnknown(f"it may have been sent; then: {refusal}", **reference) from refusal
            raise refusal
        sent = True
        yield Pause(pause_after(attempt, session.policy))
    raise OutcomeUnknown(f"not landed after {session.policy.attempts} attempts", **reference)


def withdraw(
    session: Session,
    cancelled: Callable[[], Flow[Cancelling]],
    confirmed: Callable[[Cancelling], Flow[Withdrawn]],
    withdrawn: Callable[[], Flow[Withdrawn | None]],
) -> Flow[Withdrawn]:
    """Both steps, and again from the first where the server forgot the withdrawal or it can land no more.

    `withdrawn`: what the order's history says, if the order is cancelled.
    """
    cancels, waited, pause = 0, 0.0, session.policy.pause_s
    while True:
        try:
            cancelling = yield from cancelled()
            cancels += 1
            return (yield from confirmed(cancelling))
        except (Refused, OutcomeUnknown) as problem:
            with leaving_unknown(when=isinstance(problem, OutcomeUnknown)):
                done = yield from withdrawn()
            if done is not None:
                return done
            # Of one that may have been sent and was forgotten, the next cancel tells.
            refusal = problem.__cause__ if isinstance(problem, OutcomeUnknown) else problem
            if not isinstance(refusal, Refused) or cancels >= _CANCELS_MAX:
                raise
            if waited >= _patience(refusal, session.policy):
                raise
        yield Pause(pause)
        waited, pause = waited + pause, min(pause * 2, session.policy.pause_max_s)


def _patience(refusal: Refused, policy: Policy) -> float:
    """How long another try may help: seconds, 0 for never.

    The history may not tell of the withdrawal yet; or a fill is under way, and ends the order or leaves it open.
    """
    if words.says(refusal.words, words.IS_CANCELLED):
        return policy.lag_s
    return policy.find_s if words.says(refusal.words, *words.CANCEL_AGAIN, *words.EXECUTING) else 0


def withdrawal_in(events: Sequence[Any], order_id: str) -> Withdrawn | None:
    for event in events:
        if event.type == "withdrawal" and event.state in (None, "success") and event.tx_signature:
            return Withdrawn(order_id, event.tx_signature)
    return None


def deposit_in(events: Sequence[Any], signature: str) -> str | None:
    """The state of the deposit with this signature, if it is there."""
    for event in events:
        if event.type == "deposit" and event.tx_signature == signature:
            return event.state or "success"
    return None
