"""Signs committed messages, and only such as it could have made itself for that order.

Before a key is used the message is parsed and compared with what this kind of transaction must do for this order: who
signs, which funds move, how many and to whom. The engine commits nothing else; if it ever did, no vault would sign it.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from solders.instruction import Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature

from countermand.orders.trigger.model.order import OrderGroup
from countermand.services.custody.deposits import deposit_instructions
from countermand.services.custody.fills import fill_instructions
from countermand.services.custody.instructions import always_rejected, create_associated, key
from countermand.services.custody.parties import OrderAccounts
from countermand.services.custody.routing import Router, Swap
from countermand.services.custody.sweeps import sweep_instructions
from countermand.services.custody.vaults import VaultKeys
from countermand.services.custody.withdrawals import withdrawal_instructions
from countermand.solana.tokens import COMPUTE_BUDGET_PROGRAM
from countermand.values.identity import Mint, Wallet
from countermand.values.transactions import Attempt, AttemptKind

_Deed: TypeAlias = tuple[Pubkey, tuple[Pubkey, ...], bytes]
"""What an instruction does: its program, its accounts, its data."""

_CACHED: Final = 4_096
_BUDGET_PROGRAM: Final = key(COMPUTE_BUDGET_PROGRAM)
_SEED: Final = slice(44, 76)
"""Where CreateAccountWithSeed has its seed: after the instruction's number (4 bytes), the base (32), the length (8)."""


class Signer:
    def __init__(self, keys: VaultKeys, router: Router, parties_of: Callable[[Wallet, Mint], OrderAccounts]) -> None:
        self._keys = keys
        self._router = router
        self._parties_of = parties_of
        self._signed: dict[tuple[bytes, str | None], bytes] = {}

    def transaction(self, group: OrderGroup, attempt: Attempt) -> bytes:
        """The signed transaction: the same bytes whenever it is asked for."""
        known = attempt.craft.message, attempt.user_signature
        signed = self._signed.get(known)
        if signed is None:
            signed = self._sign(group, attempt)
            if len(self._signed) >= _CACHED:
                del self._signed[next(iter(self._signed))]
            self._signed[known] = signed
        return signed

    def _sign(self, group: OrderGroup, attempt: Attempt) -> bytes:
        committed = attempt.craft.message
        message = Message.from_bytes(committed)
        assert bytes(message) == committed, f"attempt {attempt.number} of order {group.id} is not a canonical message"
        self._recognise(group, attempt, message)
        vault = self._keys.vault_of(group.terms.wallet)
        ours = {each.public: each for each in (vault, self._keys.tracker, self._keys.gas, self._keys.pool)}
        slots = []
        for signer in _signers(message):
            if signer in ours:
                slots.append(ours[signer].sign(committed))
            else:
                assert attempt.user_signature is not None, f"order {group.id}: the user has not signed"
                slots.append(Signature.from_string(attempt.user_signature))
        return bytes([len(slots)]) + b"".join(map(bytes, slots)) + committed

    def _recognise(self, group: OrderGroup, attempt: Attempt, message: Message) -> None:
        payer, *cosigners = _signers(message)
        expected_payer, expected_cosigners = self._expected_signers(group, attempt.kind)
        what = f"the {attempt.kind.value} {attempt.number} of order {group.id}"
        assert payer == expected_payer, f"{what} is paid by {payer}"
        assert sorted(map(str, cosigners)) == sorted(map(str, expected_cosigners)), f"{what} has other signers"
        found = [deed for deed in _deeds(message) if deed[0] != _BUDGET_PROGRAM]
        optional = [_deed(each) for each in self._optional(group, attempt.kind)]
        expected = [_deed(each) for each in self._expected(group, attempt, found)]
        assert expected == [deed for deed in found if deed not in optional], f"{what} does something else"

    def _expected_signers(self, group: OrderGroup, kind: AttemptKind) -> tuple[Pubkey, list[Pubkey]]:
        """Who pays, and who else signs."""
        vault = self._keys.vault_of(group.terms.wallet).public
        match kind:
            case AttemptKind.DEPOSIT:
                return key(group.terms.wallet), [vault]
            case AttemptKind.WITHDRAWAL:
                return key(group.terms.wallet), [vault, self._keys.tracker.public]
            case AttemptKind.FILL:
                return self._keys.gas.public, [vault, key(self._router.authority)]
            case AttemptKind.SWEEP:
                return self._keys.gas.public, [vault]

    def _optional(self, group: OrderGroup, kind: AttemptKind) -> Iterator[Instruction]:
        """What such a transaction may do beside, or not."""
        parties = self._parties_of(group.terms.wallet, group.terms.input_mint)
        if kind is AttemptKind.WITHDRAWAL and not parties.native:
            yield create_associated(parties.user, parties.own, parties.user, parties.mint, parties.program)
        if kind is AttemptKind.FILL:
            yield always_rejected(parties.program)

    def _expected(self, group: OrderGroup, attempt: Attempt, found: list[_Deed]) -> Iterator[Instruction]:
        terms, craft = group.terms, attempt.craft
        parties = self._parties_of(terms.wallet, terms.input_mint)
        account, gas = key(terms.input_account), self._keys.gas.public
        match attempt.kind:
            case AttemptKind.DEPOSIT:
                # The seed is in nobody's memory but the message's; the address that it gives must be the order's.
                seed = found[0][2][_SEED].decode("ascii", "replace") if found else ""
                assert _created(found) == account, f"the deposit of order {group.id} creates another account"
                yield from deposit_instructions(parties, seed, craft.moves.units)
            case AttemptKind.WITHDRAWAL:
                amount = (craft.moves + craft.gift).units
                yield from withdrawal_instructions(
                    parties, self._keys.tracker.public, account, amount, closes=craft.closes
                )
            case AttemptKind.FILL:
                output = self._parties_of(terms.wallet, terms.output_mint)
                swap = Swap(parties, output, account, craft.moves)
                dust = craft.gift.units
                yield from fill_instructions(self._router, swap, craft.receives, gas, dust, closes=craft.closes)
            case AttemptKind.SWEEP:
                yield from sweep_instructions(parties, gas, account, craft.gift.units)


def _created(found: list[_Deed]) -> Pubkey | None:
    """The account that the first instruction creates."""
    return found[0][1][1] if found and len(found[0][1]) > 1 else None


def _signers(message: Message) -> list[Pubkey]:
    return message.account_keys[: message.header.num_required_signatures]


def _deed(instruction: Instruction) -> _Deed:
    return instruction.program_id, tuple(meta.pubkey for meta in instruction.accounts), instruction.data


def _deeds(message: Message) -> Iterator[_Deed]:
    keys = message.account_keys
    for instruction in message.instructions:
        accounts = tuple(keys[index] for index in instruction.accounts)
        yield keys[instruction.program_id_index], accounts, bytes(instruction.data)
