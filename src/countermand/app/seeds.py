"""The master seed of a venue: the one that its database began with, or a new one for an empty database."""

from pathlib import Path

from countermand.services.custody.vaults import (
    MASTER_SEED_FILE,
    SeedRefused,
    VaultKeys,
    find_seed,
    new_seed,
    write_seed,
)
from countermand.settings import Settings, StartRefused
from countermand.store.fingerprints import keep_fingerprint


def seed_of(settings: Settings) -> bytes | None:
    """The seed that is there, before anything starts. Raises `StartRefused` for a file that cannot be used."""
    if settings.master_seed is None:
        _check_directory(settings.data)
    try:
        return find_seed(_path(settings))
    except (SeedRefused, OSError) as refused:
        raise StartRefused(str(refused)) from refused


async def keys_of(settings: Settings, seed: bytes | None, dsn: str) -> VaultKeys:
    """The keys of the venue in this database. Without a seed a new one is made, but only for an empty database."""
    if seed is None:
        new = new_seed()
        kept = await keep_fingerprint(dsn, VaultKeys(new).fingerprint(), lambda: _write(settings, new))
        # Another start may have been first, with the same file.
        seed = new if kept == VaultKeys(new).fingerprint() else seed_of(settings)
        if seed is None:
            raise StartRefused(
                f"there is no master seed at {_path(settings)}, and the vaults in this database have one; "
                "give --master-seed the file that it began with"
            )
    keys = VaultKeys(seed)
    if await keep_fingerprint(dsn, keys.fingerprint()) != keys.fingerprint():
        raise StartRefused(
            "the vaults in this database belong to another master seed; give --master-seed the file that it began with"
        )
    return keys


def _check_directory(data: Path) -> None:
    for path in (data, *data.parents):
        if path.exists():
            if not path.is_dir():
                raise StartRefused(f"the data directory {data} cannot be used: {path} is no directory")
            return


def _write(settings: Settings, seed: bytes) -> None:
    path = _path(settings)
    try:
        if settings.master_seed is None:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        write_seed(path, seed)
    except (SeedRefused, OSError) as refused:
        raise StartRefused(str(refused)) from refused
    if find_seed(path) != seed:
        raise StartRefused(f"another start has just made the master seed {path}; start again")


def _path(settings: Settings) -> Path:
    return settings.master_seed or settings.data / MASTER_SEED_FILE
