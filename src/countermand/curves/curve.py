"""Elliptic curves in plain Python: slow, without surprises, and there wherever Python is.

They stand in where the compiled libraries have no wheel, and check them in the tests. Not in constant time: the venue
multiplies no key of its own here, and a client that signs without the libraries should be alone on its machine.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from types import ModuleType
from typing import Final

Point = tuple[int, int]
"""An affine point. The point at infinity is None."""
_Jacobian = tuple[int, int, int]

_INFINITY: Final[_Jacobian] = (1, 1, 0)


def compiled(library: str) -> ModuleType | None:
    """The library of that name, on platforms that it has a wheel for."""
    try:
        return import_module(library)
    except ImportError:
        return None


@dataclass(frozen=True, slots=True)
class Curve:
    """y² = x³ + ax + b over the integers modulo the prime p. Its points are the multiples of the generator."""

    p: int
    a: int
    b: int
    order: int
    generator: Point

    def has_x(self, x: int) -> bool:
        """Whether x is the coordinate of a point."""
        return 0 <= x < self.p and pow(self._y_squared(x), (self.p - 1) // 2, self.p) == 1

    def lift(self, x: int) -> Point | None:
        """A point with this x, one of two; None if there is none."""
        return (x, self._root(self._y_squared(x))) if self.has_x(x) else None

    def combine(self, *terms: tuple[int, Point]) -> Point | None:
        """The sum of multiples of points; factors are not negative."""
        result = _INFINITY
        for bit in reversed(range(max(factor.bit_length() for factor, _ in terms))):
            result = self._double(result)
            for factor, point in terms:
                if factor >> bit & 1:
                    result = self._add(result, point)
        x, y, z = result
        if z == 0:
            return None
        inverse = pow(z, -1, self.p)
        return x * inverse**2 % self.p, y * inverse**3 % self.p

    def nonce_of(self, private_key: int, message: int, attempt: int = 0) -> tuple[int, int, int]:
        """A secret number for the signature of a message, and its multiple of the generator: the same for the same."""
        seed = hmac.digest(private_key.to_bytes(32), message.to_bytes(32) + bytes([attempt]), sha256)
        nonce = int.from_bytes(seed) % self.order or 1
        point = self.combine((nonce, self.generator))
        assert point is not None, "the order is prime"
        return nonce, *point

    def _y_squared(self, x: int) -> int:
        return (x**3 + self.a * x + self.b) % self.p

    def _root(self, square: int) -> int:
        """By Cipolla: (c + √(c² − square)) to the (p + 1) / 2 is a root of the square, if that √ is imaginary."""
        p = self.p
        c = next(c for c in range(p) if pow(c * c - square, (p - 1) // 2, p) == p - 1)
        imaginary_squared = (c * c - square) % p
        real, imaginary = 1, 0
        for bit in f"{(p + 1) // 2:b}":
            real, imaginary = (real * real + imaginary * imaginary * imaginary_squared) % p, 2 * real * imaginary % p
            if bit == "1":
                real, imaginary = (real * c + imaginary * imaginary_squared) % p, (real + imaginary * c) % p
        return real

    def _double(self, point: _Jacobian) -> _Jacobian:
        x, y, z = point
        p = self.p
        y_squared = y * y % p
        s = 4 * x * y_squared % p
        m = (3 * x * x + self.a * pow(z, 4, p)) % p
        doubled_x = (m * m - 2 * s) % p
        return doubled_x, (m * (s - doubled_x) - 8 * y_squared * y_squared) % p, 2 * y * z % p

    def _add(self, point: _Jacobian, other: Point) -> _Jacobian:
        x, y, z = point
        if z == 0:
            return (*other, 1)
        p = self.p
        z_squared = z * z % p
        h = (other[0] * z_squared - x) % p
        r = (other[1] * z_squared * z - y) % p
        if h == 0:
            return self._double(point) if r == 0 else _INFINITY
        h_squared = h * h % p
        h_cubed = h_squared * h % p
        v = x * h_squared % p
        sum_x = (r * r - h_cubed - 2 * v) % p
        return sum_x, (r * (v - sum_x) - y * h_cubed) % p, h * z % p
