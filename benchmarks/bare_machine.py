"""The peer of whole lives: a bare LiteSVM that verifies, simulates and executes the same transactions.

They are read from the venue's own chain: the deposit and the withdrawal of each life, as they landed.
"""

import base64
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from solders.account import Account
from solders.pubkey import Pubkey
from solders.solders import LiteSVM
from solders.system_program import ID as SYSTEM_PROGRAM
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from benchmarks.loader import Owner
from benchmarks.venue import Venue

SECONDS: Final = 1.0
LIVES: Final = 200
_OF_ONE_OWNER: Final = 20
_DEPOSIT_SIGNERS: Final = 2
_WITHDRAWAL_SIGNERS: Final = 3
_LAMPORTS: Final = 10**15
_AS_BYTES: Final = {"encoding": "base64", "maxSupportedTransactionVersion": 0}

Life = tuple[VersionedTransaction, VersionedTransaction]
"""A deposit, and the withdrawal that closes the account that it opened."""


def lives_per_second(venue: Venue, owners: Sequence[Owner]) -> float:
    """By the processor's time of one thread."""
    lives = list(islice(_landed(venue, owners), LIVES))
    assert lives, "no order was withdrawn"
    machine = LiteSVM()
    machine.set_transaction_history(0)  # Each may be executed again and again: its account is gone after each life.
    machine.set_blockhash_check(check=False)
    machine.set_sigverify(sigverify=False)  # They are verified once, before they are simulated.
    for owner in owners:
        key = Pubkey.from_string(str(owner.wallet))
        machine.set_account(key, Account(_LAMPORTS, b"", SYSTEM_PROGRAM, executable=False))
    done, began = 0, time.process_time()
    while time.process_time() < began + SECONDS:
        for life in lives:
            for transaction in life:
                _lands(machine, transaction)
        done += len(lives)
    return done / (time.process_time() - began)


def _lands(machine: LiteSVM, transaction: VersionedTransaction) -> None:
    assert all(transaction.verify_with_results())
    for result in (machine.simulate_transaction(transaction), machine.send_transaction(transaction)):
        assert not isinstance(result, FailedTransactionMetadata), result


def _landed(venue: Venue, owners: Sequence[Owner]) -> Iterator[Life]:
    for owner in owners:
        opened: dict[Pubkey, VersionedTransaction] = {}
        newest = _rpc(venue, "getSignaturesForAddress", str(owner.wallet), {"limit": _OF_ONE_OWNER})
        for landed in reversed(newest):
            found = _rpc(venue, "getTransaction", landed["signature"], _AS_BYTES)
            transaction = VersionedTransaction.from_bytes(base64.b64decode(found["transaction"][0]))
            keys, signers = transaction.message.account_keys, len(transaction.signatures)
            if signers == _DEPOSIT_SIGNERS:
                opened[keys[signers]] = transaction  # After the signers comes what is written: the new account.
            elif signers == _WITHDRAWAL_SIGNERS:
                yield from ((opened[key], transaction) for key in keys if key in opened)


def _rpc(venue: Venue, method: str, *parameters: object) -> Any:
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    answer = venue.ask("POST", "/rpc", asked)
    assert "result" in answer, answer
    return answer["result"]
