"""Transaction errors of the virtual machine, in the JSON form of a real node."""

import json

from solders.transaction_status import (
    TransactionErrorDuplicateInstruction,
    TransactionErrorFieldless,
    TransactionErrorInstructionError,
    TransactionErrorInsufficientFundsForRent,
    TransactionErrorProgramExecutionTemporarilyRestricted,
    TransactionErrorType,
)

from countermand.solana.port import JsonError

BLOCKHASH_NOT_FOUND = "BlockhashNotFound"
ALREADY_PROCESSED = "AlreadyProcessed"
INVALID_PROGRAM = "InvalidProgramForExecution"
PROGRAM_NOT_FOUND = "ProgramAccountNotFound"
SANITIZE_FAILURE = "SanitizeFailure"
SIGNATURE_FAILURE = "SignatureFailure"
LOOKUP_FAILURES = (
    "AddressLookupTableNotFound",
    "InvalidAddressLookupTableOwner",
    "InvalidAddressLookupTableData",
    "InvalidAddressLookupTableIndex",
)
"""Of a lookup table, and of what a transaction wants of it."""


def json_error(error: TransactionErrorType) -> JsonError:
    """`{"InstructionError": [1, {"Custom": 1}]}`, `"AccountNotFound"`, …"""
    if isinstance(error, TransactionErrorInstructionError):
        index, cause = json.loads(error.to_json())
        return {"InstructionError": [index, {"Custom": cause} if isinstance(cause, int) else cause]}
    if isinstance(error, TransactionErrorDuplicateInstruction):
        return {"DuplicateInstruction": error.index}
    if isinstance(error, TransactionErrorInsufficientFundsForRent):
        return {"InsufficientFundsForRent": {"account_index": error.account_index}}
    if isinstance(error, TransactionErrorProgramExecutionTemporarilyRestricted):
        return {"ProgramExecutionTemporarilyRestricted": {"account_index": error.account_index}}
    assert isinstance(error, TransactionErrorFieldless)
    return str(error).rpartition(".")[2]
