"""A stream of an operator whose key is revoked meanwhile."""

from collections.abc import AsyncGenerator

import pytest
from falcon.asgi import Request, SSEvent
from falcon.testing import create_asgi_req

from countermand.admin import inspection
from countermand.admin.authenticator import AdminAuthenticator
from countermand.admin.inspection import InspectionResource
from countermand.api_keys import ApiKey, Scope
from countermand.kernel.ports import Unavailable


class Keys:
    """One key, which may be revoked, and a database that may be away."""

    def __init__(self) -> None:
        self.there = self.answers = True

    async def find(self, digest: bytes) -> ApiKey | None:
        if not self.answers:
            raise Unavailable("the database is away")
        return ApiKey(digest, (Scope.ADMIN,), "", "*", 0) if self.there else None


async def test_a_revoked_key_ends_its_stream_and_a_silent_database_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "_CHECKED_S", 0)
    keys, ended = Keys(), False

    async def events() -> AsyncGenerator[SSEvent | None, None]:
        nonlocal ended
        try:
            while True:
                yield None
        finally:
            ended = True

    request: Request = create_asgi_req(headers={"x-api-key": "k"})
    resource = InspectionResource(AdminAuthenticator(keys), None)  # type: ignore[arg-type]  # Nothing is shown here.
    told = resource._while_admitted(request, events())
    assert await anext(told) is None
    keys.answers = False
    assert await anext(told) is None
    keys.answers, keys.there = True, False
    assert [each async for each in told] == []
    assert ended
