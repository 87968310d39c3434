"""Decides as whom an embedded server runs, since PostgreSQL refuses root; called by postgres.py and redis.py.

Files keep the owner that they have: an account is chosen to fit them, and only root's own are given away.
"""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.embedded import launch
from app.embedded.errors import StartError

#: Becomes another program; `-I -S` keeps its start at a few milliseconds.
LAUNCHER = (sys.executable, "-I", "-S", launch.__file__)
_PATIENCE_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Account:
    """Whom a program runs as: who owns its files (seen from here), and what the launcher must do for it."""

    name: str
    uid: int
    gid: int
    arguments: tuple[str, ...] = ()


def choose_account(folder: Path, program: Path, *, root_allowed: bool) -> Account:
    """Return an account that may run `program` on what `folder` holds; raises StartError if there is none."""
    closed: dict[str, str] = {}
    needs = (f"--needs={folder}", f"--needs={program}")
    for account in _candidates(folder, root_allowed=root_allowed):
        if not account.arguments:
            return account
        trial = subprocess.run(  # noqa: S603  # our own launcher
            [*LAUNCHER, *account.arguments, *needs, "--", str(program), "--version"],
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
            start_new_session=True,
        )
        if trial.returncode == 0:
            return account
        if trial.returncode == launch.CLOSED:
            closed[account.name] = os.fsdecode(trial.stdout)
    raise StartError(_refusal(os.geteuid(), closed))


def give(folder: Path, account: Account) -> None:
    """Give a folder and all that it holds to the account, if it is not its own already (only root can)."""
    if os.geteuid() == 0 and folder.stat().st_uid != account.uid:
        for path in (*folder.rglob("*"), folder):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _candidates(folder: Path, *, root_allowed: bool) -> Iterator[Account]:
    me, owner = os.geteuid(), folder.stat()
    if me != 0:
        known = _entry(me)
        if known or root_allowed:
            yield Account(name=known.pw_name if known else str(me), uid=me, gid=os.getegid())
        else:
            yield from _namespace(me, os.getegid())  # initdb wants a name for its account
    elif owner.st_uid != 0:
        yield from _switches(owner.st_uid, owner.st_gid)
    elif root_allowed:
        yield Account(name="root", uid=0, gid=0)
    else:
        yield from _namespace(0, 0)
        service = _named("postgres") or _named("nobody")
        if service:
            yield from _switches(service.pw_uid, service.pw_gid)


def _namespace(uid: int, gid: int) -> Iterator[Account]:
    inside = _named("nobody") or next((entry for entry in pwd.getpwall() if entry.pw_uid != 0), None)
    if sys.platform == "linux" and inside:
        arguments = ("--namespace", str(inside.pw_uid), str(inside.pw_gid))
        yield Account(name=inside.pw_name, uid=uid, gid=gid, arguments=arguments)


def _switches(uid: int, gid: int) -> Iterator[Account]:
    entry = _entry(uid)
    name = entry.pw_name if entry else str(uid)
    arguments = ("--account", str(uid), str(gid))
    yield Account(name=name, uid=uid, gid=gid, arguments=arguments)
    if sys.platform == "linux":
        yield Account(name=name, uid=uid, gid=gid, arguments=(*arguments, "--keep-access"))


def _entry(uid: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        return None


def _named(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _refusal(uid: int, closed: dict[str, str]) -> str:
    if uid != 0:
        return (
            f"PostgreSQL needs an account with a name, and number {uid} has none in /etc/passwd. "
            "Start Inkfold as another user, or set DATABASE_URL to use a PostgreSQL of your own."
        )
    for name, folder in closed.items():
        return (
            f"PostgreSQL does not run as root, and the account {name!r} may not enter {folder}. "
            f"Let it in (chmod o+x {folder}), choose another folder with DATA_DIR, "
            "or set DATABASE_URL to use a PostgreSQL of your own."
        )
    return (
        "PostgreSQL does not run as root, and this system offers no other account to run it as. "
        "Start Inkfold as an ordinary user, or set DATABASE_URL to use a PostgreSQL of your own."
    )
