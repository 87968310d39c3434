"""Every setting of Inkfold, read once from the environment. Nothing else reads the environment for settings."""

import re
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.dsn import server_of

_SHORTEST_KEY = 32
_RATE: Final = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)", re.ASCII)
#: Scheme, host and a port other than the scheme's own; in lower case, without a path.
_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.ASCII)


class Settings(BaseSettings):
    """The settings by their usual names; `inkfold up` fills the three that have no default."""

    model_config = SettingsConfigDict(frozen=True, env_file=None, extra="ignore")

    database_url: str = Field(description="PostgreSQL, as postgresql://user:password@host:port/database")
    redis_url: str = Field(description="Redis, as redis://host:port/0 or unix:///path?db=0")
    read_database_url: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Streaming replicas for queries, as DATABASE_URL; several separated by commas"
    )
    secret_key: SecretStr = Field(min_length=_SHORTEST_KEY, description="Signs access tokens; 32 characters or more")
    secret_keys_before: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="Keys that signed before SECRET_KEY did and are accepted still; separated by commas"
    )

    host: str = Field("127.0.0.1", description="Address the API listens on")
    port: int = Field(8000, ge=1, le=65535, description="Port the API listens on")
    api_workers: int = Field(1, ge=1, le=256, description="Processes of `inkfold api`, which share the port")
    workers: int = Field(1, ge=1, le=256, description="Workers that `inkfold up` starts")
    data_dir: Path = Field(Path(".data"), description="Where `inkfold up` keeps PostgreSQL's and Redis's data")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged")

    access_token_seconds: int = Field(900, ge=30, description="Life of an access token")
    refresh_token_days: int = Field(30, ge=1, le=3650, description="Life of a refresh token")
    hashing_threads: int = Field(2, ge=1, description="Passwords hashed at once")
    hashing_queue: int = Field(64, ge=1, description="Passwords waiting to be hashed before 503")

    rate_limit_login: str = Field("10/minute", description="Attempts to sign in to one account; empty: any number")
    rate_limit_login_address: str = Field("60/minute", description="Attempts to sign in from one address")
    rate_limit_register: str = Field("60/hour", description="Registrations from one address")
    rate_limit_writes: str = Field("1200/minute", description="Other requests of a user that change something")
    rate_limit_reads: str = Field("6000/minute", description="Reads of a user, or of an address that has not signed in")
    trusted_proxies: str = Field(
        "127.0.0.1,::1", description="Addresses and networks whose X-Forwarded-For is believed, separated by commas"
    )
    connection_limit: int = Field(4_096, ge=16, description="Connections to one API process; beyond them 503")
    keep_alive_seconds: int = Field(5, ge=1, description="A connection is closed when nothing comes for this long")
    request_timeout_seconds: float = Field(30, gt=0, description="A request that takes longer to arrive gets 408")

    command_pool_size: int = Field(10, ge=1, description="Connections of one API process for commands")
    query_pool_size: int = Field(10, ge=1, description="Connections of one API process for queries")
    pool_timeout_seconds: float = Field(5.0, gt=0, description="Wait for a connection before 503")
    statement_timeout_seconds: float = Field(15.0, gt=0, description="PostgreSQL ends a statement after this")
    consistency_wait_seconds: float = Field(5.0, gt=0, description="Wait for a projection before 503")
    replica_wait_seconds: float = Field(0.25, gt=0, description="Wait for a replica before the primary is asked")
    replica_max_lag_seconds: float = Field(1.0, ge=0.1, le=3600, description="A replica further behind is not asked")
    body_limit_bytes: int = Field(1_048_576, ge=1024, description="Largest request body; beyond it 413")

    fold_events_per_step: int = Field(200_000, ge=1, description="Events folded in one transaction, at most about")
    fold_step_seconds: float = Field(0.5, gt=0, description="A step of a backlog takes about this long")
    poison_events: Literal["park", "pause"] = Field("park", description="Set aside what a fold can't take, or stop")
    event_retention_days: float = Field(30, ge=0, description="Folded events are kept for this long")
    idempotency_hours: float = Field(
        24, gt=0, le=8_760, description="An Idempotency-Key is answered as the first time for this long"
    )
    rebuild_sessions: int = Field(2, ge=1, description="Tables that a rebuild fills at once")
    notification_chunk: int = Field(5_000, ge=1, description="Notifications written in one transaction")
    kept_answers_bytes: int = Field(
        4_194_304, ge=0, description="Memory of one API process for answers that still hold"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins whose pages may use the API, as https://example.org; `*` for all; separated by commas"
    )
    docs_enabled: Annotated[bool, Field(description="Serve /docs, /redoc and /openapi.json")] = True

    @field_validator("database_url")
    @classmethod
    def _of_postgresql(cls, url: str) -> str:
        if not url.startswith(("postgresql://", "postgres://")):
            raise ValueError("it must begin with postgresql:// or postgres://")
        return url

    @field_validator("read_database_url", "secret_keys_before", "cors_origins", mode="before")
    @classmethod
    def _separated(cls, given: object) -> object:
        return tuple(each.strip() for each in given.split(",") if each.strip()) if isinstance(given, str) else given

    @field_validator("secret_keys_before")
    @classmethod
    def _long_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key) < _SHORTEST_KEY for key in keys):
            raise ValueError(f"each of them must have at least {_SHORTEST_KEY} characters")
        return keys

    @field_validator("cors_origins")
    @classmethod
    def _of_pages(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in origins):
            raise ValueError(
                "it must be *, or origins as browsers write them: https://example.org, http://localhost:3000"
            )
        return origins

    @field_validator("read_database_url")
    @classmethod
    def _of_replicas(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        servers = [server_of(cls._of_postgresql(url)) for url in urls]
        if len(set(servers)) < len(servers):
            raise ValueError("it must name each server once")
        return urls

    @field_validator(
        "rate_limit_login", "rate_limit_login_address", "rate_limit_register", "rate_limit_writes", "rate_limit_reads"
    )
    @classmethod
    def _of_a_rate(cls, rate: str) -> str:
        if rate and not _RATE.fullmatch(rate):
            raise ValueError(
                "it must be a number and a time, like 600/minute, or empty for no limit; the time is second, minute, "
                "hour or day"
            )
        return rate

    @field_validator("trusted_proxies")
    @classmethod
    def _of_networks(cls, networks: str) -> str:
        try:
            return ",".join(str(ip_network(each.strip())) for each in networks.split(",") if each.strip())
        except ValueError:
            raise ValueError(
                "it must be addresses or networks, separated by commas, like 127.0.0.1,10.0.0.0/8"
            ) from None

    @field_validator("redis_url")
    @classmethod
    def _of_redis(cls, url: str) -> str:
        if not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("it must begin with redis://, rediss:// or unix://")
        return url


@cache
def settings() -> Settings:
    """Return the process's settings; raises pydantic.ValidationError naming what is missing or wrong."""
    return Settings()
