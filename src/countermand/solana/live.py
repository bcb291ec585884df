"""One loaded ledger, and the work of its machine: whether a transaction may run, what it does, what it would do."""

import json

from msgspec import Struct
from solders.account import Account
from solders.hash import Hash
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature as SignatureKey

from countermand.solana.clockwork import BLOCKHASH_SLOTS, Blockhashes, SlotClock
from countermand.solana.durable_nonce import nonce_use, permits, value_at
from countermand.solana.errors import ALREADY_PROCESSED, BLOCKHASH_NOT_FOUND, SIGNATURE_FAILURE
from countermand.solana.group_commit import ExecutedTransaction, GroupCommit, OpenBatch
from countermand.solana.ledger import Submitted
from countermand.solana.ledger_store import LedgerSecrets
from countermand.solana.machine import Machine, MachineSimulation, Rejected
from countermand.solana.port import AccountInfo, Address, JsonError, LatestBlockhash
from countermand.solana.recent import RecentStatus, RecentTransactions
from countermand.solana.wire import WireTransaction


class LiveChain(Struct, frozen=True):
    machine: Machine
    commits: GroupCommit
    slots: SlotClock
    hashes: Blockhashes
    recent: RecentTransactions
    secrets: LedgerSecrets

    def latest_blockhash(self, slot: int) -> LatestBlockhash:
        return LatestBlockhash(str(Hash(self.hashes.at(slot))), slot + BLOCKHASH_SLOTS)

    def execute(self, transaction: WireTransaction) -> Submitted:
        """Runs a transaction, and queues what it did."""
        slot = self.slots.now()
        signature = transaction.signature
        shown = str(SignatureKey.from_bytes(signature))
        nonce = self.nonce_of(transaction.message, slot)
        problem = self._problem_of_age(transaction, slot)
        if problem is None and not transaction.signatures_are_valid():
            problem = SIGNATURE_FAILURE
        if problem is not None:
            return Submitted(shown, slot, None, dropped=problem)
        block_time = self.slots.block_time_now()
        self.machine.set_time(slot, block_time, self.hashes.at)
        next_nonce = value_at(self.commits.position + 1, self.hashes.at(slot))
        done = self.machine.execute(transaction, next_nonce, nonce)
        if isinstance(done, Rejected):
            return Submitted(shown, slot, None, dropped=done.error)
        error = None if done.error is None else json.dumps(done.error)
        landed = ExecutedTransaction(
            signature=signature,
            message_hash=transaction.message_hash,
            position=self.commits.position + 1,
            slot=slot,
            block_time=block_time,
            raw=transaction.raw,
            error=error,
            keys=done.keys,
            changed=tuple(done.changed),
            meta=done.meta,
        )
        self.commits.land(landed, done.changed)
        self.recent.add(signature, transaction.message_hash, RecentStatus(slot, error, landed.position))
        return Submitted(shown, slot, done.error, dropped=None)

    def simulate(
        self, transaction: WireTransaction, slot: int, *, verify_signatures: bool, any_blockhash: bool
    ) -> MachineSimulation | JsonError:
        """What would happen, or the error for which the machine is not even asked."""
        if verify_signatures and not transaction.signatures_are_valid():
            return SIGNATURE_FAILURE
        if not any_blockhash and (problem := self._problem_of_age(transaction, slot)) is not None:
            return problem
        self.see_time()
        return self.machine.simulate(transaction)

    def see_time(self) -> int:
        """The sysvars show the present. Returns its slot."""
        slot = self.slots.now()
        self.machine.set_time(slot, self.slots.block_time_now(), self.hashes.at)
        return slot

    def is_in_time(self, message: Message | MessageV0, slot: int) -> bool:
        """Whether it has a blockhash that is valid at this slot, or the value of its nonce account in that place."""
        return self._has_recent_blockhash(message, slot) or self.nonce_of(message, slot) is not None

    def nonce_of(self, message: Message | MessageV0, slot: int) -> Pubkey | None:
        """The nonce account that keeps this message alive; None where a recent blockhash does, or nothing."""
        if self._has_recent_blockhash(message, slot):
            return None
        use = nonce_use(message)
        if use is None or not permits(use, self.machine.get(use.account), bytes(message.recent_blockhash)):
            return None
        return use.account

    def _has_recent_blockhash(self, message: Message | MessageV0, slot: int) -> bool:
        return self.hashes.slot_of(bytes(message.recent_blockhash), slot) is not None

    def put(self, accounts: dict[Address, AccountInfo]) -> OpenBatch:
        """Sets accounts, whatever the programs would say."""
        changed: dict[Pubkey, Account | None] = {}
        for address, info in accounts.items():
            account = Account(info.lamports, info.data, Pubkey.from_string(info.owner), info.executable)
            changed[Pubkey.from_string(address)] = account
        for key, new in changed.items():
            self.machine.put(key, new)
        return self.commits.put(changed)

    async def settled(self) -> None:
        """Returns when everything that the machine has done is committed; at once if it is."""
        await self.commits.up_to(self.commits.position)

    def _problem_of_age(self, transaction: WireTransaction, slot: int) -> str | None:
        self.recent.forget_before(slot)
        if not self.is_in_time(transaction.message, slot):
            return BLOCKHASH_NOT_FOUND
        if self.recent.knows(transaction.signature, transaction.message_hash):
            return ALREADY_PROCESSED
        return None
