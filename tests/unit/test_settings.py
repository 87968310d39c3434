"""What the settings take and refuse where that is more than a number's range."""

import pytest
from pydantic import ValidationError

from app.settings import Settings

ONE, OTHER = "postgresql://reader:secret@db1/inkfold", "postgresql://reader:secret@db2:6432/inkfold"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {"DATABASE_URL": "postgresql://h/x", "REDIS_URL": "redis://h", "SECRET_KEY": "k" * 32}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize(
    ("given", "urls"),
    [("", ()), (ONE, (ONE,)), (f"{ONE},{OTHER}", (ONE, OTHER)), (f" {ONE} , {OTHER},", (ONE, OTHER))],
)
def test_replicas_are_separated_by_commas(environment: pytest.MonkeyPatch, given: str, urls: tuple[str, ...]) -> None:
    environment.setenv("READ_DATABASE_URL", given)
    assert Settings().read_database_url == urls


def test_without_replicas_there_are_none(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("READ_DATABASE_URL", raising=False)
    assert Settings().read_database_url == ()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("mysql://h/x", "it must begin with postgresql:// or postgres://"),
        ("postgresql://db1:5432,db2:5432/x", "it must begin with postgresql:// or postgres://"),
        (f"{ONE},{ONE}?sslmode=require", "it must name each server once"),
        ("postgresql://me:hid/den@127.0.0.1/x", "it can't be read as a URL"),
    ],
)
def test_what_names_no_replica_is_refused(environment: pytest.MonkeyPatch, given: str, sentence: str) -> None:
    environment.setenv("READ_DATABASE_URL", given)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert [error["msg"] for error in refused.value.errors()] == [f"Value error, {sentence}"]
