"""The numbers with which programs refuse, by name: Token, Token-2022, Anchor's own, and the two order programs'.

Token programs: `TokenError` of spl-token and spl-token-2022, which has the same first twenty.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from countermand.solana.port import Address
from countermand.solana.programs import dca, limit_order
from countermand.solana.tokens import TOKEN_2022_PROGRAM, TOKEN_PROGRAM

_NAMES: Final = """
    NotRentExempt InsufficientFunds InvalidMint MintMismatch OwnerMismatch FixedSupply AlreadyInUse
    InvalidNumberOfProvidedSigners InvalidNumberOfRequiredSigners UninitializedState NativeNotSupported
    NonNativeHasBalance InvalidInstruction InvalidState Overflow AuthorityTypeNotSupported MintCannotFreeze
    AccountFrozen MintDecimalsMismatch NonNativeNotSupported
    ExtensionTypeMismatch ExtensionBaseMismatch ExtensionAlreadyInitialized ConfidentialTransferAccountHasBalance
    ConfidentialTransferAccountNotApproved ConfidentialTransferDepositsAndTransfersDisabled
    ConfidentialTransferElGamalPubkeyMismatch ConfidentialTransferBalanceMismatch MintHasSupply NoAuthorityExists
    TransferFeeExceedsMaximum MintRequiredForTransfer FeeMismatch FeeParametersMismatch ImmutableOwner
    AccountHasWithheldTransferFees NoMemo NonTransferable NonTransferableNeedsImmutableOwnership
    MaximumPendingBalanceCreditCounterExceeded MaximumDepositAmountExceeded CpiGuardSettingsLocked
    CpiGuardTransferBlocked CpiGuardBurnBlocked CpiGuardCloseAccountBlocked CpiGuardApproveBlocked
    CpiGuardSetAuthorityBlocked CpiGuardOwnerChangeBlocked ExtensionNotFound NonConfidentialTransfersDisabled
    ConfidentialTransferFeeAccountHasWithheldFee InvalidExtensionCombination InvalidLengthForAlloc AccountDecryption
    ProofGeneration InvalidProofInstructionOffset HarvestToMintDisabled SplitProofContextStateAccountsNotSupported
    NotEnoughProofContextStateAccounts MalformedCiphertext CiphertextArithmeticFailed PedersenCommitmentMismatch
    RangeProofLengthMismatch IllegalBitLength FeeCalculation IllegalMintBurnConversion InvalidScale MintPaused
    PendingBalanceNonZero
"""
TOKEN_ERRORS: Final[Mapping[int, str]] = MappingProxyType(dict(enumerate(_NAMES.split())))
_ANCHORS_FIRST: Final = 100
_FAILED: Final = re.compile(r"Program (\S{32,44}) failed: custom program error: 0x([0-9a-f]{1,8})")
_OF: Final = MappingProxyType({limit_order.PROGRAM: limit_order.error_name, dca.PROGRAM: dca.error_name})


def error_name(program: Address, code: int, logs: Sequence[str] = ()) -> str | None:
    """`program`: of the instruction that failed. `logs`, where they are known, tell which one inside of it refused."""
    program = _refusing(code, logs) or program
    if program in (TOKEN_PROGRAM, TOKEN_2022_PROGRAM):
        return TOKEN_ERRORS.get(code)
    if program not in _OF:
        return None
    # An order program passes on the number with which a token program refused, and has none so small itself.
    return TOKEN_ERRORS.get(code) if code < _ANCHORS_FIRST else _OF[program](code)


def _refusing(code: int, logs: Sequence[str]) -> Address | None:
    for line in logs:
        found = _FAILED.fullmatch(line)
        if found is not None and int(found[2], 16) == code:
            return found[1]
    return None
