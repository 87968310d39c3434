"""What is said of servers out of reach: which one, why, and never a piece of the password."""

import pytest

from app.reachability import UnreachableError, require_postgres, require_redis


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://me:hidden@127.0.0.1:1/x", "at 127.0.0.1:1: connection refused"),
        ("postgresql:///x?host=/nowhere&password=hidden", "at /nowhere: no such file or directory"),
        ("postgresql://me:hid/den@127.0.0.1/x", "where DATABASE_URL says: the URL can't be read"),
        ("postgresql://me:hidden@no..such/x", "at no..such: the URL can't be read"),
    ],
)
def test_postgresql_out_of_reach_is_named_without_its_password(url: str, sentence: str) -> None:
    with pytest.raises(UnreachableError) as found:
        require_postgres(url)
    assert str(found.value) == f"Can't reach PostgreSQL {sentence}. Check DATABASE_URL."


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis://:hidden@127.0.0.1:1/0", "at 127.0.0.1:1: connection refused"),
        ("unix:///nowhere.sock?password=hidden", "at /nowhere.sock: no such file or directory"),
        ("redis://:hid/den@127.0.0.1", "where REDIS_URL says: the URL can't be read"),
    ],
)
def test_redis_out_of_reach_is_named_without_its_password(url: str, sentence: str) -> None:
    with pytest.raises(UnreachableError) as found:
        require_redis(url)
    assert str(found.value) == f"Can't reach Redis {sentence}. Check REDIS_URL."
