import os
import stat
from pathlib import Path

import pytest
from solders.keypair import Keypair

from countermand.services.custody import vaults
from countermand.services.custody.vaults import SeedRefused, VaultKeys, load_or_make_seed, load_seed
from countermand.values.identity import Wallet

ALICE, BOB = (
    Wallet("8gs8rXavMQRqoAoMhCfo79r2wndgSn93FLSWErdHp82n"),
    Wallet("5dMXLJ8GYQxcHe2fjpttVkEpRrxcajRXZqJHCiCbWS4H"),
)
SEED = bytes(range(32))


def test_the_first_start_makes_a_seed_that_only_its_owner_may_read(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        seed = load_or_make_seed(tmp_path / "seed")
    finally:
        os.umask(umask)
    assert len(seed) == 32
    assert stat.S_IMODE((tmp_path / "seed").stat().st_mode) == 0o600
    assert (
        (tmp_path / "seed").read_bytes() == seed == load_or_make_seed(tmp_path / "seed") == load_seed(tmp_path / "seed")
    )
    assert [each.name for each in tmp_path.iterdir()] == ["seed"]
    assert load_or_make_seed(tmp_path / "other") != seed


def test_of_two_first_starts_one_makes_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "seed"
    link = os.link

    def beaten(draft: Path, target: Path) -> None:
        assert not target.exists()
        target.write_bytes(SEED)
        target.chmod(0o600)
        link(draft, target)

    monkeypatch.setattr(os, "link", beaten)
    assert load_or_make_seed(path) == SEED
    assert [each.name for each in tmp_path.iterdir()] == ["seed"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o700, 0o4600])
def test_a_looser_mode_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "seed"
    path.write_bytes(SEED)
    path.chmod(mode)
    with pytest.raises(SeedRefused, match=f"has mode {mode:04o}.*chmod 600") as refused:
        load_or_make_seed(path)
    assert "\n" not in str(refused.value)
    path.chmod(0o400)
    assert load_seed(path) == SEED


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_another_size_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "seed"
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(SeedRefused, match=f"has {size} bytes, not 32"):
        load_or_make_seed(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(SeedRefused, match="is not a regular file"):
            load_or_make_seed(path)
    with pytest.raises(SeedRefused, match="cannot be made: No such file or directory"):
        load_or_make_seed(tmp_path / "nowhere" / "seed")
    with pytest.raises(FileNotFoundError):
        load_seed(tmp_path / "seed")


def test_keys_follow_from_the_seed_for_ever() -> None:
    keys = VaultKeys(SEED)
    # A change of these changes where users' funds are.
    assert keys.vault_of(ALICE).address == "FfLhbSVaTcvqPoKQv4bkDNrxtCjeej8qpNosGmPztWa"
    assert keys.tracker.address == "8ffycwnBqVgo415Fraakyv2x2DjsRu2Pb49LnQ6Qq2zu"
    assert keys.gas.address == "BzfjPcHpgez8KKYtQiUBTC5QniqDKp6yTm1V3oPYoggV"
    assert keys.pool.address == "52F336uqskx3fgvGv7BoRSy38gkbd4DtH4DUKXKYnZ3m"
    assert keys.jwt_secret().hex()[:16] == "5c5a1a8da26f1a0d"
    assert keys.vault_id_of(ALICE) == "qkvqq7hxlvqvjz44z8054tbn9"


def test_every_key_is_another() -> None:
    keys, others = VaultKeys(SEED), VaultKeys(bytes(32))
    addresses = [
        each.address
        for of in (keys, others)
        for each in (of.vault_of(ALICE), of.vault_of(BOB), of.tracker, of.gas, of.pool)
    ]
    assert len(dict.fromkeys(addresses)) == 10
    assert len({keys.jwt_secret(), others.jwt_secret()}) == 2
    assert len(keys.jwt_secret()) == 64


def test_vault_ids_look_like_the_published_ones() -> None:
    keys = VaultKeys(SEED)
    ids = {keys.vault_id_of(Wallet(str(Keypair().pubkey()))) for _ in range(200)}
    assert len(ids) == 200
    assert all(len(each) == 25 and each.isascii() and each.isalnum() and each == each.lower() for each in ids)


def test_a_key_signs_for_its_public_half() -> None:
    vault = VaultKeys(SEED).vault_of(ALICE)
    assert vault.sign(b"message").verify(vault.public, b"message")
    assert str(vault.public) == vault.address


def test_no_secret_is_ever_printed() -> None:
    keys = VaultKeys(SEED)
    vault = keys.vault_of(ALICE)
    secret = str(vault._pair)
    assert len(secret) > 80
    for text in (repr(vault), str(vault), repr(keys), f"{vault}", repr([vault])):
        assert secret not in text
        assert "pair" not in text
        assert SEED.hex() not in text


def test_vaults_are_remembered_but_not_without_end() -> None:
    keys = VaultKeys(SEED)
    assert keys.vault_of(ALICE) is keys.vault_of(ALICE)
    assert keys.vault_of.cache_info().maxsize == vaults._VAULTS_CACHED


class Disk:
    """What was made durable, and what was linked, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.did: list[str] = []
        fsync, link = os.fsync, os.link

        def noted_fsync(descriptor: int) -> None:
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            self.did.append("the folder" if path.is_dir() else f"{path.stat().st_size} bytes")
            fsync(descriptor)

        def noted_link(draft: Path, target: Path) -> None:
            self.did.append("the name")
            link(draft, target)

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(os, "link", noted_link)


def test_a_seed_survives_a_power_cut_once_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """B14: its bytes before its name, then the folder that has the name."""
    disk = Disk(monkeypatch)
    load_or_make_seed(tmp_path / "seed")
    assert disk.did == ["32 bytes", "the name", "the folder"]


def test_a_seed_that_another_start_made_is_durable_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other start may have been killed before it got to that."""
    link = os.link

    def beaten(_draft: Path, target: Path) -> None:
        target.write_bytes(SEED)
        target.chmod(0o600)
        link(_draft, target)

    monkeypatch.setattr(os, "link", beaten)
    disk = Disk(monkeypatch)
    assert load_or_make_seed(tmp_path / "seed") == SEED
    assert disk.did == ["32 bytes", "the name", "the folder"]
