"""The folder of one embedded server: its data, log, socket and lock. One running Inkfold owns it at a time.

Made by root inside someone's folder, it belongs to that someone, who can then start Inkfold without root.
"""

import errno
import fcntl
import hashlib
import os
import pwd
import re
import stat
import tempfile
from pathlib import Path

from app.embedded.errors import StartError

POSTGRES_SOCKET = ".s.PGSQL.5432"
REDIS_SOCKET = "redis.sock"

#: What the path of a unix socket may be on every system (macOS: 103 bytes), less the longest name put there.
_SOCKET_FOLDER_BYTES = 103 - len(f"/{POSTGRES_SOCKET}")
_PLAIN = re.compile(r"[\w./-]+", re.ASCII)  # what needs no quoting in a URL, nor in a setting of PostgreSQL


class ServerFolder:
    """Where one server keeps everything; `lock` before use, `unlock` after."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.data = self.path / "data"
        self.log = self.path / "server.log"
        self.sockets = self._sockets()
        self._lock: int | None = None

    def lock(self) -> None:
        """Make the folder and claim it; raises StartError if it is not writable or another Inkfold has it."""
        make_folder(self.path)
        make_folder(self.sockets)
        self._check_private(self.sockets)
        file = self.path / "lock"
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            for path in (file, self.log):
                path.touch(0o600)
                belong_as_folder(path)
        except OSError as error:
            raise unusable(self.path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise StartError(
                f"{self.path} is in use by another running Inkfold (process {holder}). "
                "Stop that one, or choose another folder with DATA_DIR."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor

    def unlock(self) -> None:
        """Give the folder back, and remove the socket folder if it stands outside."""
        if self._lock is not None:
            if self.sockets.parent != self.path and not any(self.sockets.iterdir()):
                self.sockets.rmdir()
            os.close(self._lock)
            self._lock = None

    def _sockets(self) -> Path:
        inside = self.path / "run"
        if len(os.fsencode(inside)) <= _SOCKET_FOLDER_BYTES and _PLAIN.fullmatch(str(inside)):
            return inside
        name = f"inkfold-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]}"
        for parent in (Path(tempfile.gettempdir()), Path("/tmp")):  # noqa: S108  # private, and looked at below
            outside = parent.resolve() / name
            if len(os.fsencode(outside)) <= _SOCKET_FOLDER_BYTES and _PLAIN.fullmatch(str(outside)):
                break
        return outside

    def _check_private(self, folder: Path) -> None:
        state = folder.lstat()
        if not stat.S_ISDIR(state.st_mode) or state.st_uid not in {os.geteuid(), self.path.stat().st_uid}:
            raise StartError(f"{folder} belongs to someone else; remove it, or set TMPDIR to another folder.")
        if stat.S_IMODE(state.st_mode) != 0o700:  # noqa: PLR2004  # read, write and enter, for the owner only
            folder.chmod(0o700)


def postgres_url(sockets: Path, database: str = "inkfold") -> str:
    """Return the URL of a database of the PostgreSQL whose socket is in that folder."""
    return f"postgresql://postgres@/{database}?host={sockets}"


def redis_url(sockets: Path) -> str:
    """Return the URL of database 0 of the Redis whose socket is in that folder."""
    return f"unix://{sockets / REDIS_SOCKET}?db=0"


def make_folder(path: Path, *, mode: int = 0o700) -> None:
    """Make a folder and the folders above it; raises StartError if that or writing into it is not possible."""
    try:
        for folder in (*reversed(path.parents), path):
            if not folder.exists():
                folder.mkdir(mode if folder == path else 0o755, exist_ok=True)
                belong_as_folder(folder)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(13, os.strerror(13))
        next(path.iterdir(), None)
    except OSError as error:
        raise unusable(path, error) from error


def belong_as_folder(path: Path) -> None:
    """Give what root has made to the owner of the folder around it, if that is an account of this system."""
    owner = path.parent.stat()
    if os.geteuid() == 0 and path.lstat().st_uid != owner.st_uid:
        try:
            pwd.getpwuid(owner.st_uid)
        except KeyError:
            return
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def unusable(path: Path, error: OSError) -> StartError:
    """Return what to say of a folder that cannot be used."""
    if isinstance(error, NotADirectoryError):
        standing = next(each for each in (path, *path.parents) if each.exists())
        return StartError(f"{standing} is not a folder. Choose another with DATA_DIR.")
    return StartError(
        f"{path} cannot be used by {_me()}: {(error.strerror or str(error)).lower()}. "
        "Mend its rights, or choose another folder with DATA_DIR."
    )


def _me() -> str:
    try:
        return f"the account {pwd.getpwuid(os.geteuid()).pw_name!r}"
    except KeyError:
        return f"the account number {os.geteuid()}"
