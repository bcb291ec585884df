"""The endpoints of tanX that this venue does not have yet. They say so, with status 501, in tanX's own shape."""

from typing import Final

from falcon.asgi import Request

from countermand.answering import Answer
from countermand.dialects.tanx.envelope import RESPONDER, problem

_ABSENT: Final = (
    (
        "Profit and loss are not reckoned by this venue yet",
        ("/sapi/v1/user/pnl",),
    ),
    (
        "This venue has no deposits yet: in a sandbox, POST /sandbox/tanx/credit credits a balance",
        (
            "/main/user/create_vault",
            "/sapi/v1/payment/stark/start",
            "/sapi/v1/deposits",
            "/sapi/v1/deposits/all",
            "/sapi/v1/deposits/crosschain/create",
            "/sapi/v1/payment/layer-swap/deposit",
            "/sapi/v1/payment/layer-swap/deposit/fee",
            "/sapi/v1/payment/layer-swap/deposit/save",
        ),
    ),
    (
        "This venue has no withdrawals yet",
        (
            "/sapi/v1/payment/withdrawals",
            "/sapi/v1/payment/withdrawals/v1/initiate",
            "/sapi/v1/payment/withdrawals/v1/validate",
            "/sapi/v1/payment/fast-withdrawals",
            "/sapi/v1/payment/fast-withdrawals/v2/initiate",
            "/sapi/v1/payment/fast-withdrawals/v2/process",
        ),
    ),
    (
        "This venue has no internal transfers yet",
        (
            "/sapi/v1/internal_transfers/v2",
            "/sapi/v1/internal_transfers/v2/initiate",
            "/sapi/v1/internal_transfers/v2/process",
            "/sapi/v1/internal_transfers/v2/check_user_exists",
            "/sapi/v1/internal_transfers/v2/{client_reference_id}",
        ),
    ),
)


class AbsentResource:
    def __init__(self, sentence: str) -> None:
        self._answer = problem(501, sentence)

    @RESPONDER.answers
    async def on_get(self, _req: Request, /, **_path: str) -> Answer:
        return self._answer

    @RESPONDER.answers
    async def on_post(self, _req: Request, /, **_path: str) -> Answer:
        return self._answer


def resources() -> list[tuple[str, object]]:
    """What to mount, by path."""
    return [(path, AbsentResource(sentence)) for sentence, paths in _ABSENT for path in paths]
