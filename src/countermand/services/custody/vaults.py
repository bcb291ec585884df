"""All keys of a venue, derived from one master seed.

key(label) = the first 32 bytes of HMAC-SHA512(master seed, "countermand:" ‖ label), as an ed25519 seed. A lost seed is
lost funds, a copied one stolen funds: it is made once, never written anywhere else, and no key of it is ever printed.
"""

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from countermand.solana.wire import signature_of
from countermand.values.identity import Address, Wallet

MASTER_SEED_FILE: Final = "master-seed"
"""Its name in a data directory."""
SEED_BYTES: Final = 32
VAULT_ID_CHARS: Final = 25
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_VAULTS_CACHED: Final = 65_536


class SeedRefused(ValueError):
    """The file of the master seed cannot be used, and why: one line."""


def load_or_make_seed(path: Path) -> bytes:
    """The seed in the file; the first start makes it. Two starts at once end with the same one."""
    seed = find_seed(path)
    if seed is None:
        write_seed(path, new_seed())
        seed = load_seed(path)
    return seed


def find_seed(path: Path) -> bytes | None:
    """The seed in the file; None if there is no such file."""
    try:
        return load_seed(path)
    except FileNotFoundError:
        return None


def new_seed() -> bytes:
    return secrets.token_bytes(SEED_BYTES)


def load_seed(path: Path) -> bytes:
    """Raises `SeedRefused` unless the file has 32 bytes for its owner alone, `FileNotFoundError` without one."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SeedRefused(f"the master seed {path} cannot be read: {error.strerror}") from error
    try:
        found = os.fstat(descriptor)
        _check_file(path, found)
        seed = os.read(descriptor, SEED_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(seed) != SEED_BYTES:
        raise SeedRefused(f"the master seed {path} has {found.st_size} bytes, not {SEED_BYTES}")
    return seed


def _check_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SeedRefused(f"the master seed {path} is not a regular file")
    mode = stat.S_IMODE(found.st_mode)
    if mode & ~0o600:
        raise SeedRefused(f"the master seed {path} has mode {mode:04o}, not 0600; run: chmod 600 {path}")


def write_seed(path: Path, seed: bytes) -> None:
    """The file appears whole and durable, or not at all; one that is there already stays."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(seed)
                file.flush()
                os.fsync(descriptor)
            # If another start was first, it may not have got to the folder yet: its name is made durable here as well.
            with suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink()
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SeedRefused(f"the master seed {path} cannot be made: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Key:
    """A key of ours. Its public half is kept beside it, since deriving it costs 27 µs."""

    _pair: Keypair = field(repr=False, compare=False)
    public: Pubkey
    address: Address

    def sign(self, message: bytes) -> Signature:
        return signature_of(self._pair, self.public, message)


class VaultKeys:
    """The keys of a venue by what they are for."""

    def __init__(self, seed: bytes) -> None:
        assert len(seed) == SEED_BYTES, f"a master seed has {SEED_BYTES} bytes, not {len(seed)}"
        self._seed = seed
        self.tracker: Final = self._key("tracker")
        """Co-signs every withdrawal, so that a chain's reader can tell them from other transfers."""
        self.gas: Final = self._key("gas")
        """Pays for fills and sweeps."""
        self.pool: Final = self._key("pool")
        """Owns the funds of the sandbox's pool."""
        self.keeper: Final = self._key("keeper")
        """Fills and returns the orders on the sandbox's chain."""
        self.vault_of: Final = lru_cache(_VAULTS_CACHED)(self._vault_of)
        """The key that owns the token accounts of a wallet's orders."""

    def vault_id_of(self, wallet: Wallet) -> str:
        """`privyVaultId`: names the vault and is no secret. 25 letters and digits."""
        number = int.from_bytes(self._derive(f"vault-id:{wallet}"))
        letters = []
        for _ in range(VAULT_ID_CHARS):
            number, letter = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[letter])
        return "".join(letters)

    def fingerprint(self) -> str:
        """Tells one master seed from another, and nothing else of it."""
        return self._derive("fingerprint")[:16].hex()

    def jwt_secret(self) -> bytes:
        return self._derive("jwt")

    def _vault_of(self, wallet: Wallet) -> Key:
        return self._key(f"vault:{wallet}")

    def _key(self, label: str) -> Key:
        pair = Keypair.from_seed(self._derive(label)[:SEED_BYTES])
        public = pair.pubkey()
        return Key(pair, public, Address(str(public)))

    def _derive(self, label: str) -> bytes:
        return hmac.digest(self._seed, b"countermand:" + label.encode(), hashlib.sha512)
