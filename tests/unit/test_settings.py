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


@pytest.mark.parametrize("given", ["", "{0}", " {0} , {1},"])
def test_keys_of_before_are_separated_by_commas_and_shown_nowhere(environment: pytest.MonkeyPatch, given: str) -> None:
    keys = ("a" * 32, "b" * 40)
    environment.setenv("SECRET_KEYS_BEFORE", given.format(*keys))
    read = Settings()
    assert [key.get_secret_value() for key in read.secret_keys_before] == [
        key for key in keys if key in given.format(*keys)
    ]
    assert not any(key in repr(read) for key in keys)


def test_key_of_before_that_is_too_short_is_refused(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SECRET_KEYS_BEFORE", f"{'a' * 32},{'b' * 31}")
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert [error["msg"] for error in refused.value.errors()] == [
        "Value error, each of them must have at least 32 characters"
    ]


@pytest.mark.parametrize("rate", ["", "1/second", "600/minute", "60/hour", "999999999/day"])
def test_rates_are_a_number_and_a_time(environment: pytest.MonkeyPatch, rate: str) -> None:
    environment.setenv("RATE_LIMIT_WRITES", rate)
    assert Settings().rate_limit_writes == rate


@pytest.mark.parametrize("rate", ["600", "0/minute", "-1/minute", "600/week", "600 per minute", "600/minute;1/second"])
def test_what_is_no_rate_is_refused(environment: pytest.MonkeyPatch, rate: str) -> None:
    environment.setenv("RATE_LIMIT_LOGIN", rate)
    with pytest.raises(ValidationError) as refused:
        Settings()
    [error] = refused.value.errors()
    assert error["loc"] == ("rate_limit_login",)
    assert error["msg"].startswith("Value error, it must be a number and a time, like 600/minute")


@pytest.mark.parametrize(
    ("given", "networks"), [("", ""), ("127.0.0.1", "127.0.0.1/32"), (" ::1 , 10.0.0.0/8,", "::1/128,10.0.0.0/8")]
)
def test_trusted_proxies_are_addresses_and_networks(environment: pytest.MonkeyPatch, given: str, networks: str) -> None:
    environment.setenv("TRUSTED_PROXIES", given)
    assert Settings().trusted_proxies == networks


@pytest.mark.parametrize("given", ["*", "proxy.example.org", "10.0.0.1/8", "10.0.0.0/8;::1"])
def test_what_is_no_network_is_trusted_by_nobody(environment: pytest.MonkeyPatch, given: str) -> None:
    environment.setenv("TRUSTED_PROXIES", given)
    with pytest.raises(ValidationError, match="it must be addresses or networks"):
        Settings()


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


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ("", ()),
        ("*", ("*",)),
        ("https://blog.example.org", ("https://blog.example.org",)),
        (" http://localhost:3000 , https://[::1]:8443,", ("http://localhost:3000", "https://[::1]:8443")),
    ],
)
def test_origins_are_separated_by_commas(environment: pytest.MonkeyPatch, given: str, origins: tuple[str, ...]) -> None:
    environment.setenv("CORS_ORIGINS", given)
    assert Settings().cors_origins == origins


@pytest.mark.parametrize(
    "given",
    ["blog.example.org", "https://blog.example.org/", "https://Blog.example.org", "https://*.org", "null", "ftp://x"],
)
def test_what_no_browser_sends_as_an_origin_is_refused(environment: pytest.MonkeyPatch, given: str) -> None:
    environment.setenv("CORS_ORIGINS", given)
    with pytest.raises(ValidationError) as refused:
        Settings()
    (error,) = refused.value.errors()
    assert error["msg"].startswith("Value error, it must be *, or origins as browsers write them")
