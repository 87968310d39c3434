"""A small volume of its own for a program under test, in memory, seen by that program alone; gone when it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_MOUNT = 'mount -t tmpfs -o "size=$1m,mode=755" inkfold "$2" && shift 2 && exec "$@"'
_BLOCK = bytes(65_536)


def on_small_volume(path: Path, *, megabytes: int) -> tuple[str, ...]:
    """Return the command that becomes the one that follows it, with a volume of that size at `path`.

    Root may mount; anyone else may in a user namespace. Skips the test where neither is so.
    """
    if sys.platform != "linux":
        pytest.skip("A small volume needs the namespaces of Linux.")
    namespaces = ("--mount",) if os.geteuid() == 0 else ("--mount", "--user", "--map-root-user")
    within = ("unshare", *namespaces, "--", "sh", "-c", _MOUNT, "sh", str(megabytes), str(path))
    trial = subprocess.run([*within, "true"], capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        pytest.skip(f"This system lets nobody mount a small volume: {trial.stderr.strip()}")
    return within


def seen_by(pid: int, path: Path) -> Path:
    """Return what is at `path` for that process, as a path of this one."""
    return Path(f"/proc/{pid}/root{path}")


def fill(volume: Path) -> Path:
    """Fill a volume; return the file to be removed again."""
    ballast = volume / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(_BLOCK)
        except OSError:
            return ballast
