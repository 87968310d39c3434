"""The embedded Redis: what it keeps, and what it does with what it cannot read."""

from pathlib import Path

import psutil
import pytest
from redis import Redis

from app.embedded import redis as embedded_redis
from app.embedded.errors import StartError
from app.embedded.redis import EmbeddedRedis


def test_what_it_was_told_survives_a_restart(redis_server: EmbeddedRedis) -> None:
    with Redis.from_url(redis_server.url) as connection:
        connection.set("kept", "7")
    before = redis_server.pid
    redis_server.restart()
    assert redis_server.pid != before
    with Redis.from_url(redis_server.url) as connection:
        assert connection.get("kept") == b"7"


def test_it_has_started_only_when_it_has_loaded_what_it_holds(redis_server: EmbeddedRedis) -> None:
    with Redis.from_url(redis_server.url) as connection:
        connection.eval("for key = 1, 300000 do redis.call('SET', key, key) end", 0)
    redis_server.restart()
    with Redis.from_url(redis_server.url) as connection:
        assert connection.get("300000") == b"300000"
        connection.flushall()


def test_it_evicts_nothing_and_opens_no_network_port(redis_server: EmbeddedRedis) -> None:
    with Redis.from_url(redis_server.url) as connection:
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert not psutil.Process(redis_server.pid).net_connections(kind="inet")


def test_data_that_it_cannot_read_is_set_aside(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "appendonly.aof").write_text("this is no append-only file\n")
    with EmbeddedRedis(tmp_path) as server:
        assert server.alive
    assert (tmp_path / "unreadable-0" / "appendonly.aof").exists()


def test_a_server_that_a_killed_inkfold_left_is_ended_first(redis_server: EmbeddedRedis) -> None:
    left = psutil.Process(redis_server.pid)
    redis_server.folder.unlock()
    with EmbeddedRedis(redis_server.folder.path) as other:
        assert other.alive
        assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE


def test_one_that_cannot_start_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="Redis did not start"):
        EmbeddedRedis(tmp_path, settings={"no-such-setting": "1"}).start()


def test_without_one_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(embedded_redis, "find_spec", lambda _name: None)
    with pytest.raises(StartError, match=r"apt install redis-server.* set REDIS_URL"):
        EmbeddedRedis(tmp_path).start()
