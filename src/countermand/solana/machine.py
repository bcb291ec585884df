"""The virtual machine: LiteSVM, of which we use the execution and nothing else.

Its blockhash check, replay check and airdrops are made for unit tests and would be wrong here: the chain does all three
itself. Signatures too are verified before a transaction comes here.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, cast

from solders.account import Account
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature

# `solders.litesvm` wraps this class in Python: a call more for each call, and the stubs are those of this one.
from solders.solders import LiteSVM
from solders.transaction_metadata import FailedTransactionMetadata, SimulatedTransactionInfo, TransactionMetadata

from countermand import own_solders
from countermand.solana.durable_nonce import nonce_value, with_value
from countermand.solana.errors import INVALID_PROGRAM, PROGRAM_NOT_FOUND, json_error
from countermand.solana.fields import FieldIndex
from countermand.solana.ledger import InnerCall, Meta, TokenField
from countermand.solana.ledger_store import StoredAccount
from countermand.solana.loaded_size import loaded_bytes
from countermand.solana.port import JsonError, Memcmp
from countermand.solana.sysvars import SlotHash, Sysvars
from countermand.solana.tokens import (
    SYSTEM_PROGRAM,
    SYSVAR_OWNER,
    TOKEN_2022_PROGRAM,
    UPGRADEABLE_LOADER,
    decimals_of_mint,
    is_token_account,
)
from countermand.solana.wire import WireTransaction
from countermand.stored_rows import unreadable
from countermand.values.structs import Struct

_NO_SIGNATURE: Final = Signature.default()
_SYSTEM: Final = Pubkey.from_string(SYSTEM_PROGRAM)
_SYSVAR: Final = Pubkey.from_string(SYSVAR_OWNER)
_LOADER: Final = Pubkey.from_string(UPGRADEABLE_LOADER)
_TOKEN_2022: Final = Pubkey.from_string(TOKEN_2022_PROGRAM)
_GONE: Final = Account(0, b"", _SYSTEM, executable=False)
_LOOKUP_TABLE_HEADER_BYTES: Final = 56

_check_solders = cache(own_solders.check)


class Rejected(Struct, frozen=True):
    """The transaction was not included: nothing changed and no fee was paid."""

    error: JsonError


class Execution(Struct, frozen=True):
    """The transaction was included, with or without success. `changed` has None for accounts that are gone."""

    error: JsonError | None
    changed: dict[Pubkey, Account | None]
    keys: list[Pubkey]
    meta: Meta


class Balances(Struct, frozen=True):
    """Of all keys, and of the token accounts among them, before and after."""

    pre: list[int]
    post: list[int]
    pre_tokens: list[TokenField]
    post_tokens: list[TokenField]


class MachineSimulation(Struct, frozen=True):
    """`fee` and `balances` are None where it would not be included."""

    error: JsonError | None
    logs: list[str]
    units_consumed: int
    accounts: list[tuple[Pubkey, Account]]
    inner: list[tuple[int, list[InnerCall]]]
    return_data: tuple[bytes, bytes] | None
    loaded_writable: list[Pubkey]
    loaded_readonly: list[Pubkey]
    fee: int | None
    balances: Balances | None


class _Keys(Struct, frozen=True):
    """All keys of a transaction in the order of its indices, and which of them it may write."""

    keys: list[Pubkey]
    writable: list[int]
    loaded_writable: list[Pubkey]
    loaded_readonly: list[Pubkey]


class Machine:
    """`indexed` names the offsets in the accounts of a program by whose 32 bytes they are found without a scan."""

    def __init__(
        self,
        accounts: Sequence[StoredAccount],
        programs: Mapping[Pubkey, bytes],
        indexed: Mapping[Pubkey, Sequence[int]],
    ) -> None:
        _check_solders()
        self._svm = LiteSVM()
        self._svm.set_transaction_history(0)
        self._svm.set_blockhash_check(check=False)
        self._svm.set_sigverify(sigverify=False)
        for own, _ in self._svm.get_program_accounts(_SYSTEM):
            self._svm.set_account(own, _GONE)  # It pays airdrops of its own, from another key in each process.
        self._inert: dict[Pubkey, None] = {}
        self._tokens_of: dict[bytes, dict[bytes, None]] = {}
        self._fields = FieldIndex(indexed)
        self._sysvars = Sysvars(self._svm)
        # The machine loads an executable when it is set, and then wants to see its program data.
        for stored in sorted(accounts, key=lambda account: account.executable):
            key = Pubkey(stored.address)
            try:
                self.put(key, Account(stored.lamports, stored.data, Pubkey(stored.owner), stored.executable))
            except Exception as problem:  # The class of what the machine raises has no public name.
                raise unreadable("chain_accounts", key, problem) from problem
        for address, elf in programs.items():
            self._svm.add_program(address, elf)

    def get(self, key: Pubkey) -> Account | None:
        return self._svm.get_account(key)

    def put(self, key: Pubkey, account: Account | None) -> None:
        before = self.get(key)
        self._svm.set_account(key, account or _GONE)
        self._index(key, _token_owner(before), _token_owner(account))
        self._fields.change(key, before, account)

    def rent_lamports(self, data_bytes: int) -> int:
        return self._svm.minimum_balance_for_rent_exemption(data_bytes)

    def accounts_of_program(self, program: Pubkey, memcmp: Sequence[Memcmp]) -> list[tuple[Pubkey, Account]]:
        """At least those that pass these comparisons, and all without an index that helps; in no order."""
        keys = self._fields.find(program, memcmp)
        if keys is None:
            return self._svm.get_program_accounts(program)
        return [(key, self._known(key)) for key in keys]

    def _known(self, key: Pubkey) -> Account:
        account = self.get(key)
        assert account is not None, f"an index knows {key}, the machine does not"
        return account

    def token_accounts_of(self, owner: Pubkey) -> list[tuple[Pubkey, Account]]:
        """In the order of their keys."""
        return [(key, self._known(key)) for key in map(Pubkey, sorted(self._tokens_of.get(bytes(owner), {})))]

    def set_time(self, slot: int, unix_time: int, slot_hash: SlotHash) -> None:
        """Programs see this slot, this time, and the hashes of the slots until now."""
        self._sysvars.set(slot, unix_time, slot_hash)

    def execute(
        self, transaction: WireTransaction, next_nonce: bytes, uses_nonce: Pubkey | None = None
    ) -> Execution | Rejected:
        """`next_nonce` becomes the value of all nonce accounts that it advances.

        `uses_nonce` is the account whose value stands in the place of its blockhash: it is advanced in any case.
        """
        get = self._svm.get_account
        keys = self._keys_of(transaction)
        writable = [keys.keys[i] for i in keys.writable]
        before = [get(key) for key in writable]
        pre_balances, readonly_tokens = self._readonly(keys)
        # Now, since it may also make and close mints.
        old_tokens = [
            None if old is None else self._token_field(i, old) for i, old in zip(keys.writable, before, strict=True)
        ]
        post_balances = pre_balances.copy()
        result = self._svm.send_transaction(transaction.versioned)
        error = None
        if isinstance(result, FailedTransactionMetadata):
            error = self._error_of(result, transaction)
            result = result.meta()
            if result.signature() == _NO_SIGNATURE:
                return Rejected(error)
        changed: dict[Pubkey, Account | None] = {}
        written = frozenset(map(bytes, writable))
        pre_tokens, post_tokens = readonly_tokens, [self._after(token, written) for token in readonly_tokens]
        for i, key, old, old_token in zip(keys.writable, writable, before, old_tokens, strict=True):
            new = self._renewed(key, old, get(key), next_nonce, in_any_case=key == uses_nonce)
            if old is not None:
                pre_balances[i] = old.lamports
                if old_token is not None:
                    pre_tokens.append(old_token)
            if old == new:
                post_balances[i] = pre_balances[i]
                if old_token is not None:
                    post_tokens.append(self._after(old_token, written))
                continue
            changed[key] = new
            new_token = None
            if new is not None:
                post_balances[i] = new.lamports
                known = None if old_token is None or old_token.head[:32] in written else old_token
                if (new_token := self._token_field(i, new, known)) is not None:
                    post_tokens.append(new_token)
            self._index(key, _owner_of(old_token), _owner_of(new_token))
            self._fields.change(key, old, new)
            if new is None and old is not None and old.owner == _LOADER:
                self._forget_programs(writable)
        meta = Meta(
            fee=result.fee(),
            units_consumed=result.compute_units_consumed(),
            logs=result.logs(),
            pre_balances=pre_balances,
            post_balances=post_balances,
            pre_tokens=pre_tokens,
            post_tokens=post_tokens,
            inner=_inner(result),
            return_data=_return_data(result),
            loaded_writable=[bytes(key) for key in keys.loaded_writable],
            loaded_readonly=[bytes(key) for key in keys.loaded_readonly],
        )
        return Execution(error, changed, keys.keys, meta)

    def _forget_programs(self, keys: Sequence[Pubkey]) -> None:
        """The machine would go on running a program whose code was closed."""
        for key in keys:
            account = self.get(key)
            if account is not None and account.executable:
                self._svm.set_account(key, account)

    def _renewed(
        self, key: Pubkey, old: Account | None, new: Account | None, next_nonce: bytes, *, in_any_case: bool
    ) -> Account | None:
        """The account after the transaction: one that it advanced, as a nonce, gets a value of ours.

        The machine's own come from a blockhash that never changes, and it advances nothing when a transaction fails.
        """
        if new is None or (value := nonce_value(new)) is None:
            return new
        if old is not None and nonce_value(old) == value and not in_any_case:
            return new
        renewed = with_value(new, next_nonce)
        self._svm.set_account(key, renewed)
        return renewed

    def simulate(self, transaction: WireTransaction) -> MachineSimulation:
        keys = self._keys_of(transaction)
        result = self._svm.simulate_transaction(transaction.versioned)
        meta = result.meta()
        failed = isinstance(result, FailedTransactionMetadata)
        accounts = [] if failed else cast(SimulatedTransactionInfo, result).post_accounts()
        included = not failed or meta.signature() != _NO_SIGNATURE
        return MachineSimulation(
            error=self._error_of(result, transaction) if isinstance(result, FailedTransactionMetadata) else None,
            logs=meta.logs(),
            units_consumed=meta.compute_units_consumed(),
            accounts=accounts,
            inner=_inner(meta),
            return_data=_return_data(meta),
            loaded_writable=keys.loaded_writable,
            loaded_readonly=keys.loaded_readonly,
            fee=meta.fee() if included else None,
            balances=self._balances(keys, dict(accounts), meta.fee() if failed else 0) if included else None,
        )

    def loaded_bytes(self, transaction: WireTransaction) -> int:
        """What the runtime would load for it."""
        message = transaction.message
        tables = 0 if isinstance(message, Message) else len(message.address_table_lookups)
        return loaded_bytes(self._keys_of(transaction).keys, tables, self.get)

    def _error_of(self, failed: FailedTransactionMetadata, transaction: WireTransaction) -> JsonError:
        """The machine does not tell a program that is missing from an account that is none; a node does."""
        error = json_error(failed.err())
        if error != INVALID_PROGRAM:
            return error
        called = (transaction.static_keys[each.program_id_index] for each in transaction.message.instructions)
        programs = (self.get(key) for key in called)
        first = next((program for program in programs if program is None or not program.executable), _GONE)
        return PROGRAM_NOT_FOUND if first is None else error

    def _balances(self, keys: _Keys, after: Mapping[Pubkey, Account], lost: int) -> Balances:
        """Of a simulation. `lost`: what its payer pays for nothing."""
        pre, pre_tokens = self._readonly(keys)
        post, post_tokens = pre.copy(), pre_tokens.copy()
        for i in keys.writable:
            old = self.get(keys.keys[i])
            self._note(i, old, pre, pre_tokens)
            self._note(i, after.get(keys.keys[i], old), post, post_tokens)
        post[0] -= lost
        return Balances(pre, post, pre_tokens, [_seen_after(token, after) for token in post_tokens])

    def _note(self, index: int, account: Account | None, lamports: list[int], tokens: list[TokenField]) -> None:
        if account is None:
            return
        lamports[index] = account.lamports
        if (token := self._token_field(index, account)) is not None:
            tokens.append(token)

    def _after(self, token: TokenField, written: frozenset[bytes]) -> TokenField:
        """One that a transaction did not change, though it may have changed the mint."""
        mint = token.head[:32]
        return _with_decimals(token, self._decimals(mint)) if mint in written else token

    def _keys_of(self, transaction: WireTransaction) -> _Keys:
        message, keys = transaction.message, transaction.static_keys
        header, size = message.header, len(keys)
        signers = header.num_required_signatures
        writable = [*range(signers - header.num_readonly_signed_accounts)]
        writable += range(signers, size - header.num_readonly_unsigned_accounts)
        if isinstance(message, Message):
            return _Keys(keys, writable, [], [])
        lookups = message.address_table_lookups
        if not lookups:
            return _Keys(keys, writable, [], [])
        loaded_writable, loaded_readonly = self._loaded(message)
        writable += range(size, size + len(loaded_writable))
        return _Keys([*keys, *loaded_writable, *loaded_readonly], writable, loaded_writable, loaded_readonly)

    def _loaded(self, message: MessageV0) -> tuple[list[Pubkey], list[Pubkey]]:
        """What the lookup tables add. An index past a table's end adds nothing: the machine rejects the transaction."""
        writable: list[Pubkey] = []
        readonly: list[Pubkey] = []
        for lookup in message.address_table_lookups:
            table = self._svm.get_account(lookup.account_key)
            data = b"" if table is None else table.data
            for indexes, keys in ((lookup.writable_indexes, writable), (lookup.readonly_indexes, readonly)):
                for index in bytes(indexes):
                    start = _LOOKUP_TABLE_HEADER_BYTES + 32 * index
                    if start + 32 <= len(data):
                        keys.append(Pubkey(data[start : start + 32]))
        return writable, readonly

    def _readonly(self, keys: _Keys) -> tuple[list[int], list[TokenField]]:
        """Balances of all keys, those of writable ones still zero, and the token accounts that are only read."""
        get, balance, inert = self._svm.get_account, self._svm.get_balance, self._inert
        balances = [0] * len(keys.keys)
        tokens: list[TokenField] = []
        writable = iter([*keys.writable, -1])
        next_writable = next(writable)
        for i, key in enumerate(keys.keys):
            if i == next_writable:
                next_writable = next(writable)
            elif key in inert:
                balances[i] = balance(key) or 0
            elif (account := get(key)) is not None:
                balances[i] = account.lamports
                if (token := self._token_field(i, account)) is not None:
                    tokens.append(token)
                # Programs and sysvars are large and never token accounts: do not copy their data again.
                if account.executable or account.owner == _SYSVAR:
                    inert[key] = None
        return balances, tokens

    def _token_field(self, index: int, account: Account, before: TokenField | None = None) -> TokenField | None:
        owner = account.owner
        if owner == _SYSTEM:
            return None
        data = account.data
        if not is_token_account(owner, data):
            return None
        head = data[:72]
        if before is not None and before.head[:32] == head[:32]:
            decimals = before.decimals
        else:
            decimals = self._decimals(head[:32])
        return TokenField(index, head, owner == _TOKEN_2022, decimals)

    def _decimals(self, mint: bytes) -> int:
        return _decimals_of(self._svm.get_account(Pubkey(mint)))

    def _index(self, key: Pubkey, old: bytes | None, new: bytes | None) -> None:
        """Keeps the token accounts of each owner: one that belonged to `old` belongs to `new`."""
        if old == new:
            return
        if old is not None:
            tokens = self._tokens_of[old]
            del tokens[bytes(key)]
            if not tokens:
                del self._tokens_of[old]
        if new is not None:
            self._tokens_of.setdefault(new, {})[bytes(key)] = None


def _decimals_of(mint: Account | None) -> int:
    return 0 if mint is None else decimals_of_mint(mint.owner, mint.data)


def _seen_after(token: TokenField, after: Mapping[Pubkey, Account]) -> TokenField:
    """With the decimals of a mint that a simulation may have made, or closed."""
    mint = after.get(Pubkey(token.head[:32]))
    return token if mint is None else _with_decimals(token, _decimals_of(mint))


def _with_decimals(token: TokenField, decimals: int) -> TokenField:
    return TokenField(token.index, token.head, token.token_2022, decimals)


def _owner_of(token: TokenField | None) -> bytes | None:
    return None if token is None else token.head[32:64]


def _token_owner(account: Account | None) -> bytes | None:
    if account is None or not is_token_account(account.owner, account.data):
        return None
    return account.data[32:64]


def _inner(meta: TransactionMetadata) -> list[tuple[int, list[InnerCall]]]:
    found: list[tuple[int, list[InnerCall]]] = []
    for index, calls in enumerate(meta.inner_instructions()):
        if calls:
            told = []
            for call in calls:
                called = call.instruction()
                height = call.stack_height() or 0
                told.append(InnerCall(called.program_id_index, bytes(called.accounts), bytes(called.data), height))
            found.append((index, told))
    return found


def _return_data(meta: TransactionMetadata) -> tuple[bytes, bytes] | None:
    returned = meta.return_data()
    data = bytes(returned.data)
    return (bytes(returned.program_id), data) if data else None
