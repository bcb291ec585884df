"""The note of what was sent, over kills and restarts."""

from pathlib import Path

import pytest

from countermand.rescue.sent import Busy, Sent, look, opened

HERE, ELSEWHERE = "this-chain", "another-chain"


def sent(signature: str, cluster: str = HERE) -> Sent:
    return Sent(signature=signature, wire=b"\0signed\n", orders=["order"], last_valid_height=7, cluster=cluster)


def test_what_is_not_over_is_remembered_in_order_for_its_chain_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "note"
    assert look(file, HERE).unresolved == {}
    with opened(file, HERE) as note:
        for signature in ("a", "b", "c"):
            note.add(sent(signature))
        note.add(sent("d", ELSEWHERE))
        note.resolve("b")
        assert list(note.unresolved) == ["a", "c", "d"]
    assert list(look(file, HERE).unresolved) == ["a", "c"]
    assert list(look(file, ELSEWHERE).unresolved) == ["d"]
    assert look(file, HERE).unresolved["a"] == sent("a")
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("torn", [b'{"signature":"x","wi', b"\xff\xfe\n", b"[]\n", b'{"over":7}\n', b"null\n", b"7"])
def test_a_line_that_was_torn_is_no_line_and_spoils_no_other(tmp_path: Path, torn: bytes) -> None:
    file = tmp_path / "note"
    with opened(file, HERE) as note:
        note.add(sent("a"))
    with file.open("ab") as appended:
        appended.write(torn)
    with opened(file, HERE) as note:
        assert list(note.unresolved) == ["a"]
        note.add(sent("b"))
    assert list(look(file, HERE).unresolved) == ["a", "b"]


def test_only_one_run_has_it_open(tmp_path: Path) -> None:
    file = tmp_path / "note"
    with opened(file, HERE):
        with pytest.raises(Busy), opened(file, HERE):
            raise AssertionError
        assert look(file, HERE).unresolved == {}
    with opened(file, HERE):
        pass
