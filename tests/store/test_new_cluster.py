"""What `initdb` made is kept and copied, and whatever is wrong with it costs no more than another `initdb`."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from countermand.store import embedded
from countermand.store.embedded import EmbeddedPostgres, PostgresUnavailable
from countermand.store.launch import ProcessIdentity
from countermand.store.new_cluster import NewCluster


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "countermand"


@pytest.fixture
def new(tmp_path: Path) -> NewCluster:
    return of_catalog(tmp_path, "catalog")


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    cluster = tmp_path / "cluster"
    (cluster / "base").mkdir(parents=True, mode=0o700)
    (cluster / "base" / "1").write_text("rows")
    cluster.chmod(0o700)
    return cluster


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a start wants its cluster."""
    directory = tmp_path / "new"
    directory.mkdir(mode=0o700)
    return directory


def of_catalog(folder: Path, content: str, options: Sequence[str] = ()) -> NewCluster:
    file = folder / "postgres.bki"
    file.write_text(content)
    return NewCluster(file, options)


def test_what_is_kept_is_copied(new: NewCluster, cluster: Path, directory: Path) -> None:
    new.keep(cluster)
    assert new.copy_to(directory)
    assert (directory / "base" / "1").read_text() == "rows"
    assert stat.S_IMODE(directory.stat().st_mode) == stat.S_IMODE((directory / "base").stat().st_mode) == 0o700


def test_two_that_keep_at_once_do_not_mix(new: NewCluster, cluster: Path, directory: Path, cache: Path) -> None:
    new.keep(cluster)
    (cluster / "base" / "2").touch()
    new.keep(cluster)
    assert new.copy_to(directory)
    assert [each.name for each in (directory / "base").iterdir()] == ["1"]
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize(("catalog", "options"), [("another catalog", ()), ("catalog", ("--locale=de",))])
def test_what_something_else_made_is_not_copied(
    new: NewCluster, cluster: Path, directory: Path, tmp_path: Path, catalog: str, options: Sequence[str]
) -> None:
    new.keep(cluster)
    assert not of_catalog(tmp_path, catalog, options).copy_to(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_another_user_is_not_copied(
    new: NewCluster, cluster: Path, directory: Path, cache: Path
) -> None:
    new.keep(cluster)
    (kept,) = cache.iterdir()
    os.chown(kept, 65_534, 65_534)
    assert not new.copy_to(directory)


def test_half_a_copy_is_removed(new: NewCluster, cluster: Path, directory: Path, cache: Path) -> None:
    new.keep(cluster)
    (kept,) = cache.iterdir()
    (kept / "cluster" / "base" / "2").symlink_to("nowhere")
    assert not new.copy_to(directory)
    assert list(directory.iterdir()) == []
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_what_lacks_a_file_is_not_copied(new: NewCluster, cluster: Path, directory: Path, cache: Path) -> None:
    (cluster / "global").mkdir()
    (cluster / "global" / "pg_control").touch()
    new.keep(cluster)
    (kept,) = cache.iterdir()
    (kept / "cluster" / "global" / "pg_control").unlink()
    assert not new.copy_to(directory)
    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("content", ["rowt", "", "rows and more"])
def test_what_is_damaged_is_not_copied_and_another_takes_its_place(
    new: NewCluster, cluster: Path, directory: Path, cache: Path, content: str
) -> None:
    """It was copied, so that no start came up until it was deleted by hand."""
    new.keep(cluster)
    (kept,) = cache.iterdir()
    (kept / "cluster" / "base" / "1").write_text(content)
    assert not new.copy_to(directory)
    assert list(directory.iterdir()) == []
    new.keep(cluster)
    assert new.copy_to(directory)


def test_files_that_changed_places_are_not_copied(new: NewCluster, cluster: Path, directory: Path, cache: Path) -> None:
    (cluster / "base" / "2").write_text("others")
    new.keep(cluster)
    base = next(cache.iterdir()) / "cluster" / "base"
    (base / "1").write_text("others")
    (base / "2").write_text("rows")
    assert not new.copy_to(directory)


def test_the_draft_of_one_that_was_killed_is_swept_away(new: NewCluster, cluster: Path, cache: Path) -> None:
    (cache / "draft-old").mkdir(parents=True)
    (cache / "draft-new").mkdir()
    os.utime(cache / "draft-old", (0, 0))
    new.keep(cluster)
    assert ((cache / "draft-old").exists(), (cache / "draft-new").exists()) == (False, True)


def test_where_nothing_can_be_kept_nothing_is(new: NewCluster, cluster: Path, directory: Path, cache: Path) -> None:
    cache.parent.write_text("a file")
    new.keep(cluster)
    assert not new.copy_to(directory)


def test_without_a_home_nothing_is_kept(
    new: NewCluster, cluster: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setattr(Path, "home", home)
    new.keep(cluster)
    assert not new.copy_to(directory)


async def test_the_second_start_needs_no_initdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with EmbeddedPostgres(tmp_path / "first", copied=True) as first:
        await executed(first, "CREATE TABLE only_in_the_first (n int)")
    run = embedded._run

    async def without_initdb(identity: ProcessIdentity, directory: Path, program: list[str]) -> None:
        if program[0].endswith("initdb"):
            raise PostgresUnavailable("initdb was run")
        await run(identity, directory, program)

    monkeypatch.setattr(embedded, "_run", without_initdb)
    async with EmbeddedPostgres(tmp_path / "second", copied=True) as second:
        await executed(second, "CREATE TABLE only_in_the_first (n int)")
    with pytest.raises(PostgresUnavailable, match="initdb was run"):
        await EmbeddedPostgres(tmp_path / "third").start()


async def test_one_that_is_to_last_is_neither_copied_nor_kept(tmp_path: Path, cache: Path) -> None:
    async with EmbeddedPostgres(tmp_path / "data"):
        assert not cache.exists()


async def executed(postgres: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
