"""A new cluster, kept to be copied by the next start: a copy takes a fifth of what `initdb` takes.

It is in the user's cache directory, for sandboxes that are thrown away. It holds nothing of a venue, and may be deleted
at any time: whatever is wrong with it, `initdb` makes another.
"""

import hashlib
import os
import shutil
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

_PRIVATE: Final = 0o700
_CLUSTER: Final = "cluster"
_CONTENT: Final = "content"
"""What the files of the cluster were: a cleaner of caches may have been at them, or a disk that forgets."""
_DRAFT: Final = "draft-"
_DRAFT_S_MAX: Final = 3_600
"""Nothing takes so long: who made it was killed."""
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108  It is looked at, and nothing is put there.


class NewCluster:
    """One for each thing that `initdb` would make otherwise."""

    def __init__(self, catalog: Path, options: Sequence[str]) -> None:
        """`catalog`: the file that `initdb` reads its catalog from."""
        read = hashlib.sha256(catalog.read_bytes()).hexdigest()
        made_of = (read, *options, os.uname().machine, str(os.access(_SHARED_MEMORY, os.W_OK)))
        self._name = f"postgres-{hashlib.sha256(' '.join(made_of).encode()).hexdigest()[:16]}"

    def copy_to(self, directory: Path) -> bool:
        """False, and an empty directory, if there is none to copy."""
        with suppress(OSError, RuntimeError):
            kept = _cache() / self._name
            if kept.stat().st_uid == os.geteuid():
                if _is_copied(kept, directory):
                    return True
                shutil.rmtree(kept, ignore_errors=True)  # Another cannot take its place otherwise.
        shutil.rmtree(directory)
        directory.mkdir(mode=_PRIVATE)
        return False

    def keep(self, cluster: Path) -> None:
        """For the next start, if it can be kept."""
        with suppress(OSError, RuntimeError):
            cache = _cache()
            cache.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            _sweep(cache)
            draft = Path(mkdtemp(prefix=_DRAFT, dir=cache))
            try:
                (draft / _CONTENT).write_text(_copied(cluster, draft / _CLUSTER))
                _sync(draft)  # A power cut must not leave half of it under its name.
                draft.rename(cache / self._name)
            finally:
                shutil.rmtree(draft, ignore_errors=True)


def _is_copied(kept: Path, directory: Path) -> bool:
    with suppress(OSError, ValueError):
        return _copied(kept / _CLUSTER, directory) == (kept / _CONTENT).read_text()
    return False


def _copied(source: Path, target: Path) -> str:
    """What was copied, in whatever order that was: how many files, and the sum of their checksums."""
    sums = []

    def copy(file: str, to: str) -> None:
        shutil.copyfile(file, to)
        name = os.path.relpath(to, target).encode()
        sums.append(zlib.crc32(Path(to).read_bytes(), zlib.crc32(name)))

    shutil.copytree(source, target, copy_function=copy, dirs_exist_ok=True)
    return f"{len(sums)} {sum(sums):x}"


def _sweep(cache: Path) -> None:
    """Drafts of those who were killed."""
    for draft in cache.glob(f"{_DRAFT}*"):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > _DRAFT_S_MAX:
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
