"""The errors of JSON-RPC: the codes of the specification and those of a Solana node."""

from enum import IntEnum
from typing import Any, Final

from countermand.solana.error_sentences import describe
from countermand.solana.port import JsonError, Signature


class Code(IntEnum):
    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    PREFLIGHT_FAILURE = -32002
    SIGNATURE_FAILURE = -32003
    BLOCK_NOT_AVAILABLE = -32004
    NODE_UNHEALTHY = -32005
    NO_SNAPSHOT = -32008
    SCAN_ABORTED = -32012
    UNSUPPORTED_VERSION = -32015
    SLOT_NOT_REACHED = -32016
    BOUND_NOT_FOUND = -32020


_SHOWN_CHARACTERS_MAX: Final = 64


class RpcError(Exception):
    """An answer instead of a result."""

    def __init__(self, code: Code, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code: Final = code
        self.message: Final = message
        self.data: Final = data

    def wire(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": int(self.code), "message": self.message}
        return error if self.data is None else {**error, "data": self.data}


def shown(value: object) -> str:
    """A value from outside as an error message may show it: quoted, and never long."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS_MAX else f"{text[:_SHOWN_CHARACTERS_MAX]}…"


def invalid_request(message: str) -> RpcError:
    return RpcError(Code.INVALID_REQUEST, f"Invalid request: {message}")


def invalid_params(message: str) -> RpcError:
    return RpcError(Code.INVALID_PARAMS, message)


def no_faucet() -> RpcError:
    """As Agave answers when it was started without a faucet's address."""
    return RpcError(Code.INVALID_REQUEST, "Invalid request")


def method_not_found() -> RpcError:
    return RpcError(Code.METHOD_NOT_FOUND, "Method not found")


def preflight_failure(error: JsonError, logs: tuple[str, ...], details: dict[str, Any]) -> RpcError:
    """A transaction that the preflight stopped. Clients decode `data`, people read the message."""
    data = {
        "accounts": None,
        "err": error,
        "innerInstructions": None,
        "logs": list(logs),
        **details,
    }
    return RpcError(Code.PREFLIGHT_FAILURE, f"Transaction simulation failed: {describe(error)}", data)


def invalid_transaction(error: JsonError) -> RpcError:
    """One that a node does not even simulate."""
    return invalid_params(f"invalid transaction: {describe(error)}")


def signature_failure() -> RpcError:
    return RpcError(Code.SIGNATURE_FAILURE, "Transaction signature verification failure")


def below_confirmed() -> RpcError:
    return invalid_params("Method does not support commitment below `confirmed`")


def block_not_available(slot: int) -> RpcError:
    return RpcError(Code.BLOCK_NOT_AVAILABLE, f"Block not available for slot {slot}")


def no_snapshot() -> RpcError:
    return RpcError(Code.NO_SNAPSHOT, "No snapshot")


def unsupported_version(version: int) -> RpcError:
    return RpcError(
        Code.UNSUPPORTED_VERSION,
        f"Transaction version ({version}) is not supported by the requesting client. Please try the request again with "
        f'the following configuration parameter: "maxSupportedTransactionVersion": {version}',
    )


def slot_not_reached(slot: int) -> RpcError:
    return RpcError(Code.SLOT_NOT_REACHED, "Minimum context slot has not been reached", {"contextSlot": slot})


def bound_not_found(signature: Signature) -> RpcError:
    """Of a history that shall begin or end at a transaction that never landed."""
    return RpcError(Code.BOUND_NOT_FOUND, f"Transaction {signature} not found")


def answer_too_large(bytes_max: int) -> RpcError:
    """A node that limits its scans says it so."""
    message = (
        f"scan aborted: The accumulated scan results exceeded the limit ({bytes_max} bytes); "
        "ask for less, with filters, dataSlice or fewer accounts"
    )
    return RpcError(Code.SCAN_ABORTED, message)


def batch_exhausted(reason: str) -> RpcError:
    """For a request of a batch whose share is used up: not run, unless it is the one whose answer was too much."""
    return RpcError(Code.SCAN_ABORTED, f"batch aborted: {reason}; repeat this request in a batch of its own")


def unhealthy() -> RpcError:
    return RpcError(Code.NODE_UNHEALTHY, "Node is unhealthy: the chain does not answer now, ask again")
