"""How the sandbox's requests name tokens: by their mint, or by their symbol as it is written."""

from collections.abc import Iterable

from msgspec import Struct

from countermand.inspection.queries import nearest, shown
from countermand.sandbox.reading import SandboxRefused
from countermand.services.tokens import Token, TokenRegistry
from countermand.values.identity import Mint


class TokenNames(Struct, frozen=True):
    tokens: TokenRegistry

    def token(self, name: str, field: str | None = None, form: str | None = None) -> Token:
        """`field`: where the name was given, if it is not a field of its own. Raises `SandboxRefused`.

        `form`: what the body should look like, for who named something that is like no token.
        """
        by_mint = self.tokens.get(Mint(name))
        if by_mint is not None:
            return by_mint
        path = shown(name) if field is None else f"{field}: {shown(name)!r}"
        named = [token for token in self.tokens.all() if token.symbol == name]
        if not named:
            raise SandboxRefused(
                f"{path}{':' if field is None else ' is'} no token of this venue; {self._remedy(name, form)}"
            )
        if len(named) > 1:
            mints = " or ".join(token.mint for token in named)
            raise SandboxRefused(f"{path}: {len(named)} tokens have this symbol; name one by its mint: {mints}")
        return named[0]

    def each(self, names: Iterable[str], form: str) -> dict[Mint, str]:
        """The mints that the fields of one body name, each with its name. Raises `SandboxRefused`."""
        found: dict[Mint, str] = {}
        for name in names:
            mint = self.token(name, form=form).mint
            if mint in found:
                raise SandboxRefused(f"{found[mint]} and {name}: both name one token; name it once")
            found[mint] = name
        return found

    def _remedy(self, name: str, form: str | None) -> str:
        like = nearest(name, (token.symbol for token in self.tokens.all()))
        if like is not None:
            return f"did you mean {like}?"
        listed = "GET /sandbox lists the mints and symbols, POST /sandbox/tokens adds one"
        return listed if form is None else f"send {form}; {listed}"
