"""The committed programs are those that the committed sources make, and the linker lets nothing strange through."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from countermand.solana.programs.artifacts import program_builds, sandbox_program_builds
from programs import build
from programs.link import LinkError, link, murmur3_32
from tests.programs.world import AGGREGATOR, DCA, LIMIT

needs_compiler = pytest.mark.skipif(not build.has_pinned_compiler(), reason=f"needs ziglang=={build.ZIGLANG}")


def recorded() -> Iterator[tuple[str, Path]]:
    for line in build.SUMS.read_text().splitlines():
        digest, name = line.split("  ")
        yield digest, build.ROOT / name


def test_sources_and_builds_are_as_they_were_recorded() -> None:
    wrong = [path.name for digest, path in recorded() if hashlib.sha256(path.read_bytes()).hexdigest() != digest]
    assert not wrong, "run `make programs`"


def test_everything_is_recorded() -> None:
    sources = {path for path in build.HERE.iterdir() if path.suffix in {".c", ".h", ".py"}}
    assert {path for _, path in recorded()} == sources | set(build.BUILT.glob("*.so"))


def test_the_package_brings_the_recorded_builds() -> None:
    builds = {build.BUILT / "limit_order.so": str(LIMIT), build.BUILT / "dca.so": str(DCA)}
    assert program_builds() == {address: path.read_bytes() for path, address in builds.items()}
    swaps = {str(AGGREGATOR): (build.BUILT / "swap.so").read_bytes()}
    assert sandbox_program_builds() == program_builds() | swaps


@needs_compiler
def test_the_sources_make_the_committed_bytes() -> None:
    made = build.build()
    assert made == {name: (build.BUILT / f"{name}.so").read_bytes() for name in build.NAMES}
    assert build.sums(made) == build.SUMS.read_text()


@needs_compiler
@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("extern void memcpy(void); u64 entrypoint(u8 *in) { memcpy(); return in[0]; }", "'memcpy' is neither"),
        ("extern u64 sol_x; u64 entrypoint(u8 *in) { return sol_x + in[0]; }", "'sol_x' is not defined"),
        ("u64 counter = 7; u64 entrypoint(u8 *in) { return counter += in[0]; }", r"\.data"),
        ("static u64 n; u64 entrypoint(u8 *in) { return n += in[0]; }", r"\.bss"),
        ("u64 elsewhere(u8 *in) { return in[0]; }", "one function 'entrypoint', not 0"),
        ('__attribute__((section(".odd"))) u64 entrypoint(u8 *in) { return in[0]; }', r"\.odd"),
    ],
)
def test_the_linker_refuses(tmp_path: Path, source: str, problem: str) -> None:
    with pytest.raises(LinkError, match=problem):
        link(compiled(tmp_path, source))


@needs_compiler
def test_an_object_is_linked(tmp_path: Path) -> None:
    assert link(compiled(tmp_path, "u64 entrypoint(u8 *in) { return in[0]; }"))[:4] == b"\x7fELF"


def compiled(directory: Path, source: str) -> bytes:
    (directory / "source.c").write_text("typedef unsigned char u8; typedef unsigned long long u64;\n" + source)
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "bpfel-freestanding"]
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(directory), "ZIG_LOCAL_CACHE_DIR": str(directory), "PATH": ""}
    subprocess.run([*zig, *build.FLAGS, "-c", "source.c", "-o", "made.o"], cwd=directory, env=caches, check=True)
    return (directory / "made.o").read_bytes()


def test_other_files_are_refused() -> None:
    with pytest.raises(LinkError, match="not an object file"):
        link((build.BUILT / "dca.so").read_bytes())


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"", 0), (b"abort", 0xB6FC1A11), (b"sol_log_", 0x207559BD), (b"sol_memcpy_", 0x717CC4A3)],
)
def test_system_calls_have_known_hashes(text: bytes, expected: int) -> None:
    assert murmur3_32(text) == expected
