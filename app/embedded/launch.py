"""Becomes another program that ends with its parent, and that is not root where the program refuses root.

Run by app.embedded.process in a fresh interpreter: after a fork, a process with threads may not do this.
It keeps the process id, uses the standard library only, and must never import the rest of Inkfold.
"""

import argparse
import ctypes
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

#: The exit code that says: the account may not enter a folder on the way; its path is on standard output.
CLOSED = 77
#: The exit code that says: this system does not let us take that account.
DENIED = 78

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522
_CLONE_NEWUSER = 0x10000000


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def enter_namespace(uid: int, gid: int) -> None:
    """Be `uid` in a user namespace of our own and stay who we are outside; raises OSError where denied."""
    outside_uid, outside_gid = os.geteuid(), os.getegid()
    _checked(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER))
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {outside_uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{gid} {outside_gid} 1", encoding="ascii")


def switch_account(uid: int, gid: int, *, keep_access: bool) -> None:
    """Be `uid` for good; `keep_access` keeps root's right to enter closed folders, and no other right."""
    libc = ctypes.CDLL(None, use_errno=True)
    if keep_access:
        _checked(libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if keep_access:
        mask = 1 << _CAP_DAC_OVERRIDE
        header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
        _checked(libc.capset(header, struct.pack("6I", mask, mask, mask, 0, 0, 0)))
        _checked(libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0))


def closed_folder(path: Path) -> Path | None:
    """Return the first folder on the way to `path` that this process may not enter."""
    for folder in reversed(path.parents):
        try:
            (folder / path.relative_to(folder).parts[0]).stat()
        except PermissionError:
            return folder
        except FileNotFoundError:
            break
    return None


def end_with_parent(parent: int, signal_number: int) -> None:
    """Have the kernel send the signal when the parent ends (Linux); exit now if it has ended already."""
    if sys.platform == "linux":
        _checked(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0))
    if os.getppid() != parent:
        sys.exit(1)


def main(arguments: Sequence[str]) -> None:
    """Take the account, look whether the needed paths are open to it, and become the command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--namespace", nargs=2, type=int)
    parser.add_argument("--account", nargs=2, type=int)
    parser.add_argument("--keep-access", action="store_true")
    parser.add_argument("--needs", action="append", type=Path, default=[])
    parser.add_argument("--end-with", nargs=2, type=int)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    try:
        if options.namespace:
            enter_namespace(*options.namespace)
        if options.account:
            switch_account(*options.account, keep_access=options.keep_access)
    except OSError:
        sys.exit(DENIED)
    for path in options.needs:
        if closed := closed_folder(path):
            sys.stdout.write(str(closed))
            sys.stdout.flush()
            sys.exit(CLOSED)
    os.umask(0o077)
    if options.end_with:  # last: a change of account clears it
        end_with_parent(*options.end_with)
    try:
        os.execv(options.command[0], options.command)  # noqa: S606  # becoming it is the purpose
    except OSError as error:
        sys.exit(f"{options.command[0]} cannot be run: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
