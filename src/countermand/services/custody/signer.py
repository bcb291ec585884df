"""Signs committed messages, and only such as do what their plan says.

Before a key is used the message is parsed and compared with the plan: who pays and signs, which funds move, how many
and to which account, and what is closed. The engine commits nothing else; if it ever did, no vault would sign it.
"""

from collections.abc import Callable, Sequence
from typing import Final

from solders.instruction import AccountMeta, Instruction
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature as RawSignature

from countermand.services.custody.accounts import OrderAccounts
from countermand.services.custody.deposits import deposit_instructions, open_instructions
from countermand.services.custody.instructions import always_rejected, is_same, key
from countermand.services.custody.moves import close_instructions, own_account, return_instructions
from countermand.services.custody.plans import Close, Fund, Move, Open, Return, Signatory, SigningPlan, Swap
from countermand.services.custody.vaults import VaultKeys
from countermand.services.liquidity.routing import RoutedSwap, Router
from countermand.solana.tokens import COMPUTE_BUDGET_PROGRAM
from countermand.values.identity import Mint, Signature, Wallet

_CACHED: Final = 4_096
_BUDGET_PROGRAM: Final = key(COMPUTE_BUDGET_PROGRAM)
_SEED: Final = slice(44, 76)
"""Where CreateAccountWithSeed has its seed: after the instruction's number (4 bytes), the base (32), the length (8)."""


class Signer:
    def __init__(self, keys: VaultKeys, router: Router, accounts_of: Callable[[Wallet, Mint], OrderAccounts]) -> None:
        self._keys = keys
        self._router = router
        self._accounts_of = accounts_of
        self._signed: dict[tuple[bytes, Signature | None], bytes] = {}

    def transaction(self, plan: SigningPlan, message: bytes, user_signature: Signature | None) -> bytes:
        """The signed transaction: the same bytes whenever it is asked for."""
        known = message, user_signature
        signed = self._signed.get(known)
        if signed is None:
            signed = self._sign(plan, message, user_signature)
            if len(self._signed) >= _CACHED:
                del self._signed[next(iter(self._signed))]
            self._signed[known] = signed
        return signed

    def _sign(self, plan: SigningPlan, committed: bytes, user_signature: Signature | None) -> bytes:
        message = Message.from_bytes(committed)
        assert bytes(message) == committed, f"{plan.of} is not a canonical message"
        self._check(plan, message)
        vault = self._keys.vault_of(plan.wallet)
        ours = {each.public: each for each in (vault, self._keys.tracker, self._keys.gas, self._keys.pool)}
        slots = []
        for signer in _signers(message):
            if signer in ours:
                slots.append(ours[signer].sign(committed))
            else:
                assert user_signature is not None, f"{plan.of}: the user has not signed"
                slots.append(RawSignature.from_string(user_signature))
        return bytes([len(slots)]) + b"".join(map(bytes, slots)) + committed

    def _check(self, plan: SigningPlan, message: Message) -> None:
        payer, *cosigners = _signers(message)
        assert payer == self._key_of(plan, plan.payer), f"{plan.of} is paid by {payer}"
        expected = [self._key_of(plan, signer) for signer in plan.signers]
        assert sorted(map(str, cosigners)) == sorted(map(str, expected)), f"{plan.of} has other signers"
        optional = self._optional(plan, payer)
        left = [each for each in _instructions(message) if each.program_id != _BUDGET_PROGRAM]
        left = [each for each in left if not any(is_same(each, other) for other in optional)]
        for move in plan.moves:
            left = left[self._length(plan, move, left) :]
        assert not left, f"{plan.of} does something else"

    def _key_of(self, plan: SigningPlan, signatory: Signatory) -> Pubkey:
        match signatory:
            case Signatory.USER:
                return key(plan.wallet)
            case Signatory.VAULT:
                return self._keys.vault_of(plan.wallet).public
            case Signatory.TRACKER:
                return self._keys.tracker.public
            case Signatory.GAS:
                return self._keys.gas.public
            case Signatory.ROUTER:
                return key(self._router.authority)

    def _optional(self, plan: SigningPlan, payer: Pubkey) -> Sequence[Instruction]:
        """What such a message may do beside, or not: it moves only what the payer owns."""
        swap, mints = plan.swap, dict.fromkeys(move.mint for move in plan.moves)
        if swap is not None:
            mints[swap.output_mint] = None
        own = [own_account(self._accounts_of(plan.wallet, mint), payer) for mint in mints]
        return own if swap is None else [*own, always_rejected(self._accounts_of(plan.wallet, plan.mint).program)]

    def _length(self, plan: SigningPlan, move: Move, found: Sequence[Instruction]) -> int:
        """So many of the first instructions do the move."""
        accounts, account = self._accounts_of(plan.wallet, move.mint), key(move.account)
        cosigners = [self._keys.tracker.public] if Signatory.TRACKER in plan.signers else []
        match move:
            case Swap():
                output = self._accounts_of(plan.wallet, move.output_mint)
                to = None if move.to is None else key(move.to)
                request = RoutedSwap(accounts, output, account, move.amount, to)
                settled = self._router.settled_by(found, request, move.minimum)
                assert settled, f"{plan.of} does not swap as it should"
                return settled
            case Open():
                expected = list(open_instructions(accounts, _seed_of(found)))
                assert _created(found) == account, f"{plan.of} creates another account"
            case Fund():
                # The seed is remembered in the message alone; the address that it gives must be the order's.
                assert _created(found) == account, f"{plan.of} creates another account"
                expected = list(deposit_instructions(accounts, _seed_of(found), move.amount.units))
            case Return():
                expected = list(return_instructions(accounts, account, move.amount.units, cosigners))
            case Close():
                expected = list(close_instructions(accounts, account, cosigners))
        same = len(expected) <= len(found) and all(map(is_same, found, expected))
        assert same, f"{plan.of} does something else"
        return len(expected)


def _seed_of(found: Sequence[Instruction]) -> str:
    return found[0].data[_SEED].decode("ascii", "replace") if found else ""


def _created(found: Sequence[Instruction]) -> Pubkey | None:
    """The account that the first instruction creates."""
    return found[0].accounts[1].pubkey if found and len(found[0].accounts) > 1 else None


def _signers(message: Message) -> list[Pubkey]:
    return message.account_keys[: message.header.num_required_signatures]


def _instructions(message: Message) -> Sequence[Instruction]:
    keys = message.account_keys
    return [
        Instruction(keys[each.program_id_index], bytes(each.data), [_named(keys[index]) for index in each.accounts])
        for each in message.instructions
    ]


def _named(account: Pubkey) -> AccountMeta:
    return AccountMeta(account, is_signer=False, is_writable=False)
