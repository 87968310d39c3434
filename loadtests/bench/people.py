"""Who signs in for the benchmark: likers of the demo, readers who follow many, one author whom many follow.

They come as normalized rows; `inkfold projections rebuild` then derives their read rows from the definitions.
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.security.access_tokens import AccessTokens, Principal
from loadtests.bench.figures import LineFailedError
from loadtests.bench.program import ROOT
from loadtests.bench.sizes import BenchSize
from loadtests.bench.system import TOKEN_SECONDS, System
from projections.engine.checkpoint import Connection

STAR: Final = "bench-star"
#: As many as there are connections of a load, so that hardly two ask for the same at once.
_READERS: Final = 64
#: A prime: tokens and paths, each taken in turn, come together in every combination before one repeats.
_LIKERS: Final = 997

_ADD_PEOPLE: Final = """
INSERT INTO users (id, username, username_key, email, hashed_password)
SELECT uuidv7(), name, name, name || '@example.org', 'none'
FROM (
    SELECT 'bench-star'
    UNION ALL
    SELECT 'bench-fan-' || n FROM generate_series(1, $1::int) n
    UNION ALL
    SELECT 'bench-reader-' || n FROM generate_series(1, $2::int) n
) person (name)
"""

# Readers follow those who write most; fans follow the star.
_FOLLOW: Final = """
INSERT INTO subscriptions (id, subscriber_id, target_user_id)
SELECT uuidv7(), r.id, a.author_id
FROM users r
CROSS JOIN (SELECT author_id FROM posts GROUP BY author_id ORDER BY count(*) DESC, author_id LIMIT $1::int) a
WHERE r.username LIKE 'bench-reader-%'
UNION ALL
SELECT uuidv7(), f.id, s.id
FROM users f
JOIN users s ON s.username = 'bench-star'
WHERE f.username LIKE 'bench-fan-%'
"""

_NOTIFY: Final = """
INSERT INTO notifications (id, user_id, post_id, message, created_at)
SELECT uuidv7(), r.id, p.id, left(a.username || ' published “' || p.title || '”', 300), p.created_at
FROM users r
CROSS JOIN (SELECT * FROM posts ORDER BY created_at DESC, id DESC LIMIT $1::int) p
JOIN users a ON a.id = p.author_id
WHERE r.username LIKE 'bench-reader-%'
"""

_REBUILT: Final = ("profiles", "subscriptions", "notifications")
_SOME: Final = "SELECT id, username FROM users WHERE username LIKE $1 ORDER BY id LIMIT $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone, and what they sign their requests with."""

    id: UUID
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Those who sign in."""

    readers: list[Person]
    star: Person
    likers: list[Person]


async def add_people(connection: Connection, size: BenchSize) -> None:
    """Add the readers, the star and the fans, and have their read rows derived."""
    await connection.execute("SET session_replication_role = replica")  # they refer to one another rightly
    async with connection.transaction():
        await connection.execute(_ADD_PEOPLE, size.fans, _READERS)
        await connection.execute(_FOLLOW, size.followed)
        await connection.execute(_NOTIFY, size.notified)
    await connection.execute("RESET session_replication_role")
    await inkfold("projections", "rebuild", *_REBUILT)


async def sign_in(connection: Connection, system: System) -> People:
    """Sign tokens for everybody with the system's own key: passwords are not what is measured."""
    tokens = AccessTokens(system.config.secret_key.get_secret_value(), seconds=TOKEN_SECONDS)

    def person(row: tuple[UUID, str]) -> Person:
        principal = Principal(id=UUID(str(row[0])), username=row[1])
        return Person(id=principal.id, token=tokens.issue(principal))

    async def some(names: str, limit: int) -> list[Person]:
        found = [person((row["id"], row["username"])) for row in await connection.fetch(_SOME, names, limit)]
        if not found:
            raise LineFailedError(f"There is no user {names}: this data folder was not filled by the benchmark.")
        return found

    (star,) = await some(STAR, 1)
    return People(readers=await some("bench-reader-%", _READERS), star=star, likers=await some("demo-%", _LIKERS))


async def inkfold(*command: str) -> None:
    """Run a command of `inkfold` beside the system; raises LineFailedError with what it said when it fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "app.cli", *command),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise LineFailedError(f"inkfold {' '.join(command)}: {output.decode(errors='replace').strip()}")
