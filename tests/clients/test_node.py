"""The helper that runs JavaScript finds Node, and the packages, wherever the script lives."""

from pathlib import Path

import pytest

from tests.clients.node import run_node

EACH_CLIENT = """
import { PublicKey } from "@solana/web3.js";
import { address } from "@solana/kit";
import { TOKEN_PROGRAM_ID } from "@solana/spl-token";
import { TOKEN_PROGRAM_ADDRESS } from "@solana-program/token";
import { SYSTEM_PROGRAM_ADDRESS } from "@solana-program/system";
console.log(new PublicKey(0).toBase58() === address(SYSTEM_PROGRAM_ADDRESS));
console.log(TOKEN_PROGRAM_ID.toBase58() === TOKEN_PROGRAM_ADDRESS);
"""


@pytest.mark.parametrize("is_file", [False, True])
def test_a_script_from_anywhere_imports_the_clients(tmp_path: Path, is_file: bool) -> None:
    script: Path | str = EACH_CLIENT
    if is_file:
        script = tmp_path / "example.mjs"
        script.write_text(EACH_CLIENT)
    ended = run_node(script)
    assert (ended.returncode, ended.stdout) == (0, "true\ntrue\n"), ended.stderr


def test_a_script_gets_its_arguments_and_its_environment() -> None:
    ended = run_node("console.log(process.argv[2], process.env.VENUE); process.exit(3)", "first", env={"VENUE": "here"})
    assert (ended.returncode, ended.stdout) == (3, "first here\n")
