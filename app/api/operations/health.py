"""Whether the process lives, and whether it can serve: for supervisors, containers and load balancers."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Annotated, Any, Final, Literal

import asyncpg
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.responses import Response

from app.api.answers import json_answer
from app.api.dependencies import ReadPool, Sources
from app.errors import InkfoldError
from app.queries.reader import Reader
from app.replicas.routing import Replicas
from app.replicas.watch import Reason
from projections.registry import PROJECTIONS

log = logging.getLogger(__name__)

router = APIRouter(prefix="/health", tags=["operations"])

_UNSTORED: Final = {"Cache-Control": "no-store"}

_REDIS_SECONDS: Final = 0.5

# A checkpoint that a dump brought from another cluster means nothing here: its projection has not begun.
_STANDING: Final = """
SELECT
    c.projection,
    c.status,
    c.updated_at,
    l.behind,
    l.parked,
    coalesce(extract(epoch FROM clock_timestamp() - l.oldest), 0)::float8 AS seconds_behind
FROM checkpoint c
JOIN read_lag l ON l.projection = c.projection
WHERE c.system_identifier = (SELECT system_identifier FROM pg_control_system())
ORDER BY c.projection
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far a projection has come. `behind`: something is committed that its tables don't reflect yet.

    `seconds_behind`: how long ago the oldest of it happened. `parked`: events that were set aside, since its fold could
    not take them.
    """

    name: str
    status: str
    behind: bool
    seconds_behind: float
    parked: int
    updated_at: datetime


class Alive(BaseModel):
    """The process answers."""

    status: Annotated[Literal["alive"], Field(examples=["alive"])]


class ProjectionStanding(BaseModel):
    """How far a projection has come."""

    name: Annotated[str, Field(examples=["posts"])]
    status: Annotated[Literal["running", "paused", "failing"], Field(examples=["running"])]
    behind: Annotated[bool, Field(description="Something is committed that it doesn't reflect yet", examples=[False])]
    seconds_behind: Annotated[
        float, Field(description="How long ago the oldest of it happened; 0 when not behind", examples=[0.0])
    ]
    parked: Annotated[
        int, Field(description="Events set aside, since its fold could not take them; it goes on", examples=[0])
    ]
    updated_at: Annotated[datetime, Field(description="When it last moved", examples=["2026-03-01T09:30:00.123456Z"])]


class ReplicaStanding(BaseModel):
    """Whether a replica answers queries; without it, the others and the primary do."""

    number: Annotated[int, Field(description="Its place in READ_DATABASE_URL, from 1", examples=[1])]
    answers: Annotated[bool, Field(description="Whether queries are sent there", examples=[True])]
    seconds_behind: Annotated[
        float | None, Field(description="How old what it shows may be; null if nobody knows", examples=[0.1])
    ]
    reason: Annotated[Reason | None, Field(description="Why no queries are sent there", examples=[None])]


class Readiness(BaseModel):
    """Whether requests can be served, and what of the surroundings is missing."""

    status: Annotated[Literal["ready", "not ready"], Field(examples=["ready"])]
    database: Annotated[Literal["ok", "unreachable", "not migrated"], Field(examples=["ok"])]
    redis: Annotated[
        Literal["ok", "unreachable"], Field(description="Without it: slower, never wrong", examples=["ok"])
    ]
    projections: list[ProjectionStanding]
    missing: Annotated[list[str], Field(description="Projections that no worker has begun yet", examples=[[]])]
    replicas: list[ReplicaStanding]


async def standings(reader: Reader) -> list[Standing]:
    """Return how far each projection has come; raises what Reader raises, and asyncpg's errors without migrations."""
    return [
        Standing(
            name=row["projection"],
            status=row["status"],
            behind=row["behind"],
            seconds_behind=row["seconds_behind"],
            parked=row["parked"],
            updated_at=row["updated_at"],
        )
        for row in await reader.fetch(_STANDING)
    ]


@router.get("/live", summary="Liveness", response_model=Alive)
async def get_liveness() -> Response:
    """Say that the process answers, whatever PostgreSQL and Redis do."""
    return json_answer({"status": "alive"}, headers=_UNSTORED)


@router.get(
    "/ready",
    summary="Readiness",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Not ready; the body says why"}},
)
async def get_readiness(request: Request, reader: ReadPool, sources: Sources) -> Response:
    """Say whether requests can be served: PostgreSQL answers, is migrated, and every projection has begun.

    What is behind, paused or failing, or has parked events, is shown and does not count.
    """
    database, found = await _look_at_database(reader)
    missing = sorted({projection.name for projection in PROJECTIONS} - {standing.name for standing in found})
    fit = database == "ok" and not missing
    answer: dict[str, Any] = {
        "status": "ready" if fit else "not ready",
        "database": database,
        "redis": await _look_at_redis(request.app.state.redis),
        "projections": found,
        "missing": missing,
        "replicas": _replicas(sources),
    }
    return json_answer(answer, status=200 if fit else 503, headers=_UNSTORED)


async def _look_at_database(reader: Reader) -> tuple[str, list[Standing]]:
    try:
        return "ok", await standings(reader)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError):
        return "not migrated", []
    except (InkfoldError, asyncpg.PostgresError, OSError) as error:
        log.warning("Not ready: %s", error)
        return "unreachable", []


def _replicas(sources: Replicas) -> list[dict[str, Any]]:
    return [
        {
            "number": standing.number,
            "answers": standing.reason is None,
            "seconds_behind": standing.seconds_behind if isfinite(standing.seconds_behind) else None,
            "reason": standing.reason,
        }
        for standing in sources.standings()
    ]


async def _look_at_redis(redis: Redis) -> str:
    try:
        async with asyncio.timeout(_REDIS_SECONDS):
            await redis.ping()
    except (RedisError, OSError, TimeoutError):
        return "unreachable"
    return "ok"
