"""Signed transactions as clients write them: base64 in any spelling that JavaScript's decoder takes.

Wallets and tools hand over what their platform makes: the URL-safe alphabet, no padding, a newline at the end, lines of
76 characters. `Buffer.from(text, "base64")` reads them all, so clients do not notice. It also skips characters that no
base64 has, and what follows the padding; here such a text is refused, since it was damaged on its way.
"""

import base64
import re
from typing import Final

from countermand.solana.port import PACKET_BYTES_MAX

_TEXT_CHARS_MAX: Final = (PACKET_BYTES_MAX + 2) // 3 * 4
_SPACE: Final = dict.fromkeys(map(ord, " \t\n\v\f\r"))
_URL_SAFE: Final = str.maketrans("-_", "+/")
_DIGITS: Final = re.compile("[A-Za-z0-9+/]*", re.ASCII)


def transaction_bytes(text: str) -> bytes | None:
    """The bytes, at most a packet of them. None: this is no base64, or too long."""
    digits = text.translate(_SPACE).rstrip("=").translate(_URL_SAFE)
    if len(digits) > _TEXT_CHARS_MAX or len(digits) % 4 == 1 or _DIGITS.fullmatch(digits) is None:
        return None
    raw = base64.b64decode(digits + "=" * (-len(digits) % 4))
    return raw if len(raw) <= PACKET_BYTES_MAX else None
