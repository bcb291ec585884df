"""Become another program that ends when its parent ends, and that is not root.

Run as a script, since a child must do this between fork and exec, where a process that may have threads should run no
Python. It imports so little that it takes 13 ms; `signal`, `pathlib` and `typing` would double that. The process keeps
its id through exec: the caller stays its parent.
"""

import ctypes
import os
import sys

REFUSED = 71
"""Our exit status when the identity cannot be had, or has no access; the reason is one line on standard error."""

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
SIGINT = 2


def _become(parent: int, directory: str, mapped_to: str, user: str, program: list[str]) -> None:
    if mapped_to:
        _enter_user_namespace(*_numbers(mapped_to))
    if user:
        user_id, group_id = _numbers(user)
        os.setgroups([])
        os.setresgid(group_id, group_id, group_id)
        os.setresuid(user_id, user_id, user_id)
    # Only now: a change of user would clear it. The same signal stops a PostgreSQL fast that is run by hand.
    if sys.platform == "linux":
        _libc_call("prctl", PR_SET_PDEATHSIG, SIGINT)
    if os.getppid() != parent:
        sys.exit("the parent ended first")
    os.chdir(directory)
    os.execv(program[0], program)


def _enter_user_namespace(user: int, group: int) -> None:
    ours, our_group = os.geteuid(), os.getegid()
    _libc_call("unshare", CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {ours} 1")
    _write("/proc/self/gid_map", f"{group} {our_group} 1")


def _libc_call(name: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _numbers(pair: str) -> tuple[int, int]:
    first, second = pair.split(":")
    return int(first), int(second)


if __name__ == "__main__":
    try:
        _become(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
    except (OSError, AttributeError) as error:
        print(error, file=sys.stderr)
        sys.exit(REFUSED)
