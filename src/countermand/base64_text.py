"""One rule for bytes that clients write in base64: any spelling that JavaScript's decoder takes.

Wallets and tools hand over what their platform makes: the URL-safe alphabet, no padding, a newline at the end, lines of
76 characters. `Buffer.from(text, "base64")` reads them all, so clients do not notice. It also skips characters that no
base64 has, and what follows the padding; here such a text is refused, since it was damaged on its way.
"""

import base64
import re
from typing import Final

_SPACE: Final = dict.fromkeys(map(ord, " \t\n\v\f\r"))
_URL_SAFE: Final = str.maketrans("-_", "+/")
_DIGITS: Final = re.compile("[A-Za-z0-9+/]*", re.ASCII)


def bytes_of(text: str, bytes_max: int) -> bytes | None:
    """None: this is no base64, or of more bytes."""
    digits = text.translate(_SPACE).rstrip("=").translate(_URL_SAFE)
    if len(digits) * 3 // 4 > bytes_max or len(digits) % 4 == 1 or _DIGITS.fullmatch(digits) is None:
        return None
    return base64.b64decode(digits + "=" * (-len(digits) % 4))
