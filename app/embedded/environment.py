"""What `inkfold up` reads from the environment, and the secret key that it keeps for its programs."""

import os
import secrets
import socket
from pathlib import Path

from pydantic import SecretStr

from app.embedded.errors import StartError
from app.embedded.folder import (
    POSTGRES_SOCKET,
    REDIS_SOCKET,
    ServerFolder,
    belong_as_folder,
    postgres_url,
    redis_url,
    unusable,
)
from app.settings import Settings

_SECRET_BYTES = 48
_SECRET_CHARACTERS = 32  # the least that the settings accept


def given(name: str) -> str | None:
    """Return an environment variable; an empty one counts as not given."""
    return os.environ.get(name) or None


def settings_for_up() -> Settings:
    """Return the settings, with stand-ins for those that `up` provides; raises pydantic.ValidationError."""
    provided: dict[str, object] = {}
    if not given("DATABASE_URL"):
        provided["database_url"] = "postgresql://embedded"
    if not given("REDIS_URL"):
        provided["redis_url"] = "redis://embedded"
    if not given("SECRET_KEY"):
        provided["secret_key"] = SecretStr("-" * _SECRET_CHARACTERS)
    return Settings(**provided)  # type: ignore[arg-type]  # the rest comes from the environment


def join_running_up() -> None:
    """Let this process use the servers of an `inkfold up` that runs on this data folder, if none are given."""
    data_dir = Path(given("DATA_DIR") or Settings.model_fields["data_dir"].default)
    postgres, redis = (ServerFolder(data_dir / name).sockets for name in ("postgres", "redis"))
    if not given("DATABASE_URL") and _listens(postgres / POSTGRES_SOCKET):
        os.environ["DATABASE_URL"] = postgres_url(postgres)
        os.environ["SECRET_KEY"] = secret_key(data_dir)
    if not given("REDIS_URL") and _listens(redis / REDIS_SOCKET):
        os.environ["REDIS_URL"] = redis_url(redis)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as trial:
        try:
            trial.connect(str(path))
        except OSError:
            return False
        return True


def secret_key(data_dir: Path) -> str:
    """Return the secret key of the environment, else the one kept in the data folder, made on first use."""
    if key := given("SECRET_KEY"):
        return key
    file = data_dir / "secret_key"
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_urlsafe(_SECRET_BYTES))
        belong_as_folder(file)
    except FileExistsError:
        pass
    except OSError as error:
        raise unusable(data_dir, error) from error
    try:
        key = file.read_text("ascii").strip()
    except OSError as error:
        raise unusable(file, error) from error
    if len(key) < _SECRET_CHARACTERS:
        raise StartError(f"{file} holds too short a key. Remove it: a new one is made, and everyone signs in again.")
    return key
