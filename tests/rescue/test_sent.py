"""The note of what was sent, over kills and restarts."""

import os
from pathlib import Path

import pytest

from countermand.rescue.lock import Busy
from countermand.rescue.sent import BYTES_MAX, NoteRefused, Sent, look, opened
from tests.solana.chain_support import address, payment, signature_of, wallet

HERE, ELSEWHERE = "this-chain", "another-chain"
OWNER, STRANGER = address(wallet(1)), address(wallet(2))


def sent(number: int, cluster: str = HERE, owner: str = OWNER) -> Sent:
    wire = payment(wallet(1), STRANGER, number, "1" * 32)
    return Sent(
        signature=signature_of(wire), wire=wire, owner=owner, orders=["order"], last_valid_height=7, cluster=cluster
    )


def noted(file: Path, cluster: str = HERE, owner: str = OWNER) -> list[Sent]:
    return list(look(file, owner, cluster).unresolved.values())


def test_what_is_not_over_is_remembered_in_order_for_its_wallet_and_chain_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "note"
    assert noted(file) == []
    with opened(file, OWNER, HERE) as note:
        for number in (1, 2, 3):
            note.add(sent(number))
        note.add(sent(4, ELSEWHERE))
        note.add(sent(5, owner=STRANGER))
        note.resolve(sent(2).signature)
        assert list(note.unresolved.values()) == [sent(1), sent(3), sent(4, ELSEWHERE), sent(5, owner=STRANGER)]
    assert noted(file) == [sent(1), sent(3)]
    assert noted(file, ELSEWHERE) == [sent(4, ELSEWHERE)]
    assert noted(file, owner=STRANGER) == [sent(5, owner=STRANGER)]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("torn", [b'{"signature":"x","wi', b"\xff\xfe\n", b"[]\n", b'{"over":7}\n', b"null\n", b"7"])
def test_a_line_that_was_torn_is_no_line_and_spoils_no_other(tmp_path: Path, torn: bytes) -> None:
    file = tmp_path / "note"
    with opened(file, OWNER, HERE) as note:
        note.add(sent(1))
    with file.open("ab") as appended:
        appended.write(torn)
    with opened(file, OWNER, HERE) as note:
        assert list(note.unresolved.values()) == [sent(1)]
        note.add(sent(2))
    assert noted(file) == [sent(1), sent(2)]


def test_what_is_no_transaction_of_its_signature_is_not_sent_again(tmp_path: Path) -> None:
    file = tmp_path / "note"
    with opened(file, OWNER, HERE) as note:
        for wire in (b"", b"\0signed\n", sent(2).wire):
            note.add(
                Sent(
                    signature=sent(1).signature,
                    wire=wire,
                    owner=OWNER,
                    orders=["order"],
                    last_valid_height=7,
                    cluster=HERE,
                )
            )
    assert noted(file) == []


def test_only_one_run_has_it_open(tmp_path: Path) -> None:
    file = tmp_path / "note"
    with opened(file, OWNER, HERE):
        with pytest.raises(Busy, match=r"--note .*/note is in use by another rescue"), opened(file, OWNER, HERE):
            raise AssertionError
        assert noted(file) == []
    with opened(file, OWNER, HERE):
        pass


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", ["/dev/zero", "/dev/full", "directory", "pipe", "huge", "key", "under a file"])
def test_what_is_no_note_is_neither_read_nor_written(tmp_path: Path, make: str) -> None:
    """Some have no end, and some belong to something else."""
    file = tmp_path / "it"
    match make:
        case "directory":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
        case "huge":
            file.write_bytes(b"\n")
            os.truncate(file, BYTES_MAX + 1)
        case "key":
            file.write_text("[1, 2, 3]\n")
        case "under a file":
            file.write_bytes(b"\n")
            file = file / "note"
        case _:
            file = Path(make)
    for use in (look, opens):
        with pytest.raises(NoteRefused, match=rf"^--note {file} .*; (give|move)") as refused:
            use(file, OWNER, HERE)
        assert "\n" not in str(refused.value)
    if make == "key":
        assert file.read_text() == "[1, 2, 3]\n"


def opens(file: Path, owner: str, cluster: str) -> None:
    with opened(file, owner, cluster) as note:
        note.add(sent(1))


def test_a_full_disk_stops_what_is_to_be_sent_but_not_the_report_of_what_was(tmp_path: Path) -> None:
    file = tmp_path / "note"
    with opened(file, OWNER, HERE) as note:
        note.add(sent(1))
        note._descriptor = os.open("/dev/full", os.O_WRONLY)
        with pytest.raises(NoteRefused, match=r"cannot be written: No space left on device; .* nothing is sent"):
            note.add(sent(2))
        note.resolve(sent(1).signature)
        assert note.unresolved == {}
        os.close(note._descriptor)
        note._descriptor = None
