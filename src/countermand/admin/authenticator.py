"""Which API key a request carries, and whether it may do this. What has no key, gets in nowhere."""

from typing import Final

from falcon.asgi import Request

from countermand.admin.envelope import error
from countermand.answering import Declined
from countermand.api_keys import KEY_CHARS_MAX, ApiKey, KeyStore, Scope, digest_of

_HEADER: Final = "x-api-key"
_REMEDY: Final = "Make one with: countermand keys add --scopes admin"
_NO_KEY: Final = error(401, "unauthorized", f"Send an API key as {_HEADER}. {_REMEDY}")
_UNKNOWN_KEY: Final = error(401, "unauthorized", f"This API key is unknown or was revoked. {_REMEDY}")


class AdminAuthenticator:
    """Asks the store for each request, so that a key works, and stops working, at once."""

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys

    async def require(self, req: Request, scope: Scope) -> ApiKey:
        """Raises `Declined` with 401 or 403."""
        given = req.get_header(_HEADER)
        if not given:
            raise Declined(_NO_KEY)
        key = await self._keys.find(digest_of(given)) if len(given) <= KEY_CHARS_MAX else None
        if key is None:
            raise Declined(_UNKNOWN_KEY)
        if scope not in key.scopes:
            raise Declined(error(403, "forbidden", f"This needs an API key with the scope {scope.value}"))
        return key
