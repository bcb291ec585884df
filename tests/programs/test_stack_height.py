"""A borrow through another program: the transaction's instructions show that program in its place, so it is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from programs import build
from programs.link import link
from tests.programs.world import Limit, Recurring, World, reads

PROXY: Final = Pubkey(bytes([0x77]) * 32)
SOURCE: Final = f"""
#include "{build.HERE}/solana.h"
static const Key THIS_PROGRAM = {{{{{", ".join(["0x77"] * 32)}}}}};
u64 entrypoint(u8 *block) {{
  TRY(receive(block));
  int count = (int)IN->count - 1;
  Meta metas[ACCOUNTS_MAX];
  for (int i = 0; i < count; i++) {{
    metas[i].key = ACCOUNT(i)->key;
    metas[i].is_writable = ACCOUNT(i)->is_writable;
    metas[i].is_signer = ACCOUNT(i)->is_signer;
  }}
  call(ACCOUNT(count)->key, metas, (u64)count, IN->data, IN->length, 0);
  return 0;
}}
"""
"""Calls the program that is its last account, with all others and the same data."""


@pytest.fixture
def proxied(world: World, tmp_path: Path) -> World:
    if not build.has_pinned_compiler():
        pytest.skip(f"needs ziglang=={build.ZIGLANG}")
    (tmp_path / "proxy.c").write_text(SOURCE)
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "bpfel-freestanding"]
    caches = {"ZIG_GLOBAL_CACHE_DIR": str(tmp_path), "ZIG_LOCAL_CACHE_DIR": str(tmp_path), "PATH": ""}
    subprocess.run([*zig, *build.FLAGS, "-c", "proxy.c", "-o", "proxy.o"], cwd=tmp_path, env=caches, check=True)
    world.svm.add_program(PROXY, link((tmp_path / "proxy.o").read_bytes()))
    return world


def through_proxy(instruction: Instruction) -> Instruction:
    return Instruction(PROXY, instruction.data, [*instruction.accounts, reads(instruction.program_id)])


def test_the_proxy_passes_on_what_it_is_given(proxied: World) -> None:
    order = Limit()
    proxied.does(order.initialize())
    proxied.does(through_proxy(order.fill(600)))
    assert not proxied.exists(order.key)


def test_a_taker_borrows_at_the_top(proxied: World) -> None:
    order = Limit()
    proxied.does(order.initialize())
    assert proxied.refuses(through_proxy(order.pre_flash(600)), order.flash(600)) == 6012


def test_a_keeper_borrows_at_the_top(proxied: World) -> None:
    order = Recurring()
    proxied.does(order.open_v2())
    assert proxied.refuses(through_proxy(order.initiate()), order.swap(7), order.fulfill(7)) == 6024


def test_a_repayment_through_another_program_is_not_counted(proxied: World) -> None:
    order = Recurring()
    proxied.does(order.open_v2())
    assert proxied.refuses(order.initiate(), order.swap(7), through_proxy(order.fulfill(7))) == 6032
