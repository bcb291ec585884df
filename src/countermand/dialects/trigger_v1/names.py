"""Request ids that name the same message.

A cancel that is asked for twice within a blockhash has the same bytes both times, and perhaps other ones beside it. The
first id is stored with it; the others are kept here for as long as a client may take to sign.
"""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from countermand.domain.identity import RequestId
from countermand.engine.onchain import Build

_KEPT_MAX: Final = 16_384


class RequestNames:
    def __init__(self) -> None:
        self._given: OrderedDict[tuple[RequestId, bytes], None] = OrderedDict()

    def give(self, request_id: RequestId, messages: Sequence[bytes]) -> None:
        for message in messages:
            self._given[request_id, sha256(message).digest()] = None
        while len(self._given) > _KEPT_MAX:
            self._given.popitem(last=False)

    def belongs(self, request_id: RequestId | None, build: Build) -> bool:
        """No id belongs to all."""
        return request_id in (None, build.request_id) or (request_id, sha256(build.message).digest()) in self._given
