"""A new cluster, kept to be copied by the next start: a copy takes a fifth of what `initdb` takes.

It is in the user's cache directory, for sandboxes that are thrown away. It holds nothing of a venue, and may be deleted
at any time: whatever is wrong with it, `initdb` makes another.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

_PRIVATE: Final = 0o700
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  It is looked at, and nothing is put there.


class NewCluster:
    """One for each thing that `initdb` would make otherwise."""

    def __init__(self, catalog: Path, options: Sequence[str]) -> None:
        """`catalog`: the file that `initdb` reads its catalog from."""
        made_by = (catalog.read_bytes(), repr(options), os.uname().machine, str(os.access(_SHARED_MEMORY, os.W_OK)))
        digest = hashlib.sha256(b"\0".join(each if isinstance(each, bytes) else each.encode() for each in made_by))
        self._name = f"postgres-{digest.hexdigest()[:16]}"

    def copy_to(self, directory: Path) -> bool:
        """False, and an empty directory, if there is none to copy."""
        try:
            kept = _cache() / self._name
            if kept.stat().st_uid != os.geteuid():
                return False
            shutil.copytree(kept, directory, copy_function=shutil.copyfile, dirs_exist_ok=True)
        except (OSError, RuntimeError):
            shutil.rmtree(directory)
            directory.mkdir(mode=_PRIVATE)
            return False
        return True

    def keep(self, cluster: Path) -> None:
        """For the next start, if it can be kept."""
        with suppress(OSError, RuntimeError):
            cache = _cache()
            cache.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            draft = Path(mkdtemp(dir=cache))
            try:
                shutil.copytree(cluster, draft, copy_function=shutil.copyfile, dirs_exist_ok=True)
                _sync(draft)  # A power cut must not leave half of it under its name.
                draft.rename(cache / self._name)
            finally:
                shutil.rmtree(draft, ignore_errors=True)


def _sync(directory: Path) -> None:
    for folder, _, files in os.walk(directory):
        for path in (*(Path(folder, file) for file in files), Path(folder)):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _cache() -> Path:
    """As the XDG specification has it. Raises `RuntimeError` if there is no home."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "countermand"
