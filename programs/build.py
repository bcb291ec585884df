"""Compiles and links the programs, and writes down what they were built from.

`python -m programs.build` builds them anew; with `--check` it writes nothing, and fails if a build would differ.
The compiler is clang as the package `ziglang` of a pinned version brings it, so that everybody gets the same bytes.
`--compiler clang-19` takes that clang instead, whose bytes differ: it is for looking around, and needs `--out`.
"""

import argparse
import hashlib
import importlib.metadata
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from programs.link import link

ZIGLANG: Final = "0.17.0"
ROOT: Final = Path(__file__).resolve().parents[1]
HERE: Final = ROOT / "programs"
BUILT: Final = ROOT / "src" / "countermand" / "solana" / "programs" / "built"
SUMS: Final = HERE / "SHA256SUMS"
NAMES: Final = ("limit_order", "dca", "swap")
SOURCES: Final = ("build.py", "dca.c", "limit_order.c", "link.py", "solana.h", "swap.c")

FLAGS: Final = (
    "-mcpu=v3",
    "-mllvm",
    "-bpf-stack-size=4096",
    "-std=c17",
    "-Oz",
    "-ffreestanding",
    "-fno-builtin",
    "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables",
    "-fno-addrsig",
    "-fno-ident",
    "-fno-jump-tables",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unused-function",
)
"""The machine has frames of 4 KiB; tables for unwinding, for jumps and of names have no place in a program."""


class CompilerMissing(Exception):
    """The pinned compiler is not installed."""


def build(compiler: str | None = None) -> dict[str, bytes]:
    """The ELF files by name, made by the pinned compiler or by a clang with the given name."""
    with tempfile.TemporaryDirectory() as directory:
        return {name: link(_compile(name, Path(directory), compiler)) for name in NAMES}


def has_pinned_compiler() -> bool:
    try:
        return importlib.metadata.version("ziglang") == ZIGLANG
    except importlib.metadata.PackageNotFoundError:
        return False


def sums(programs: Mapping[str, bytes]) -> str:
    """The SHA-256 of every source and of these builds, as `sha256sum --check` reads them in the project's root."""
    files = {HERE / name: (HERE / name).read_bytes() for name in SOURCES}
    files |= {BUILT / f"{name}.so": elf for name, elf in programs.items()}
    lines = [f"{hashlib.sha256(data).hexdigest()}  {path.relative_to(ROOT)}\n" for path, data in files.items()]
    return "".join(lines)


def _compile(name: str, directory: Path, compiler: str | None) -> bytes:
    if compiler is None and not has_pinned_compiler():
        raise CompilerMissing(f"install ziglang=={ZIGLANG}, or give --compiler")
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "bpfel-freestanding"]
    command = zig if compiler is None else [compiler, "-target", "bpfel"]
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(directory), "ZIG_LOCAL_CACHE_DIR": str(directory)}
    made = directory / f"{name}.o"
    subprocess.run(
        [*command, *FLAGS, "-c", f"{name}.c", "-o", str(made)], cwd=HERE, env=os.environ | caches, check=True
    )
    return made.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare, and fail if anything differs")
    parser.add_argument("--compiler", help="a clang to use instead of the pinned one; needs --out")
    parser.add_argument("--out", type=Path, help="write the programs there, and nothing else")
    options = parser.parse_args()
    if options.compiler and not options.out:
        parser.error("--compiler makes other bytes than the pinned compiler: it needs --out")
    programs = build(options.compiler)
    if options.check:
        differing = [name for name, elf in programs.items() if (BUILT / f"{name}.so").read_bytes() != elf]
        if differing or SUMS.read_text() != sums(programs):
            sys.exit(f"not built from these sources: {', '.join(differing) or SUMS.name}")
        return
    target = options.out or BUILT
    target.mkdir(parents=True, exist_ok=True)
    for name, elf in programs.items():
        (target / f"{name}.so").write_bytes(elf)
        print(f"{target / name}.so: {len(elf):,} bytes")
    if not options.out:
        SUMS.write_text(sums(programs))


if __name__ == "__main__":
    main()
