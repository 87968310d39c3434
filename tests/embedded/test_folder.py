"""A server's folder: made, claimed by one, and given a short path for the sockets."""

import os
from pathlib import Path

import pytest

from app.embedded.environment import secret_key
from app.embedded.errors import StartError
from app.embedded.folder import ServerFolder, make_folder


def test_a_long_or_odd_path_gets_a_private_socket_folder_that_is_found_again(tmp_path: Path) -> None:
    for name in ("a" * 120, "with space", "with,comma"):
        folder = ServerFolder(tmp_path / name)
        folder.lock()
        assert len(os.fsencode(folder.sockets)) < 90
        assert folder.sockets.stat().st_mode & 0o777 == 0o700
        assert ServerFolder(tmp_path / name).sockets == folder.sockets
        folder.unlock()
        assert not folder.sockets.exists()


def test_a_socket_folder_that_someone_put_there_is_refused(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path / "with space")
    folder.sockets.symlink_to(tmp_path)
    try:
        with pytest.raises(StartError, match="belongs to someone else"):
            folder.lock()
    finally:
        folder.sockets.unlink()


def test_a_file_in_the_place_of_the_folder_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"file is not a folder\. Choose another with DATA_DIR\."):
        make_folder(tmp_path / "file" / "below")


def test_the_secret_key_is_made_once_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    key = secret_key(tmp_path)
    assert len(key) >= 32
    assert secret_key(tmp_path) == key
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("SECRET_KEY", "given")
    assert secret_key(tmp_path) == "given"


def test_a_damaged_secret_key_is_told_and_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    (tmp_path / "secret_key").write_text("short")
    with pytest.raises(StartError, match="too short a key"):
        secret_key(tmp_path)
