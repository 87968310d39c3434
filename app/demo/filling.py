"""Fills the normalized tables with a made-up blog, inside the caller's transaction.

`run` calls it. Users and posts are made up here and copied in; likes and subscriptions, which are many, in PostgreSQL.
It touches rows of its own making only.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from itertools import accumulate, islice
from math import gcd
from random import Random
from typing import Any, Final, TypeVar

from app.demo.batch import Ids, Size
from app.demo.calendar import BUSY_HOURS, Calendar
from app.demo.progress import Report
from app.demo.prose import Prose
from app.demo.spread import spread, zipf
from app.demo.vocabulary import NAMES
from app.identity.usernames import skeleton
from projections.engine.checkpoint import Connection

T = TypeVar("T")

_COPIED_AT_ONCE: Final = 5_000
_INSERTED_AT_ONCE: Final = 50_000
_NAMES_TOLD: Final = 3
_STRIDES_TRIED: Final = 500

_USER_COLUMNS: Final = ("id", "username", "username_key", "username_skeleton", "email", "hashed_password", "created_at")
_POST_COLUMNS: Final = ("id", "title", "content", "author_id", "created_at", "updated_at")

# Where each user's subscribers and each post's likes come from: a walk on a ring of users, and the ids taken before.
_PLACES: Final = """
CREATE TEMPORARY TABLE demo_user (
    number int, id uuid, created_at timestamptz, subscribers int, first_subscriber int, begins bigint, stride bigint
) ON COMMIT DROP;
CREATE TEMPORARY TABLE demo_post (
    number int, id uuid, created_at timestamptz, likes int, first_like int, begins bigint, stride bigint
) ON COMMIT DROP;
"""

#: The highest number that a user of an earlier run has.
_LAST_NUMBER: Final = r"SELECT coalesce(max(substring(username FROM '^demo-[a-z]+-(\d{6,9})$')::bigint), 0) FROM users"

_MAY_SKIP_CHECKS: Final = "SELECT has_parameter_privilege(current_user, 'session_replication_role', 'SET')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """What one run makes up: how much, under which ids, in which year, and by which randomness."""

    size: Size
    ids: Ids
    calendar: Calendar
    random: Random
    hashed_password: str

    async def fill(self, connection: Connection, report: Report) -> list[str]:
        """Insert everything; return a few usernames, of those who are followed most."""
        await connection.execute(_PLACES)
        await connection.fetchval("SELECT setseed($1)", self.random.uniform(-1, 1))
        first = 1 + await connection.fetchval(_LAST_NUMBER)
        async with _unchecked_keys(connection):
            subscribers = await self._copy_users(connection, report, first)
            likes = await self._copy_posts(connection, report)
            await connection.execute("CREATE INDEX ON demo_post (number); ANALYZE users, posts, demo_user, demo_post")
            await self._insert(connection, report, "subscriptions", subscribers, self.ids.prefix("subscription"))
            await self._insert(connection, report, "likes", likes, self.ids.prefix("like"), list(BUSY_HOURS))
            await connection.execute("ANALYZE subscriptions, likes")
            await self._notify(connection, report)
        return [_username(first + number) for number in range(min(_NAMES_TOLD, self.size.users))]

    async def _copy_users(self, connection: Connection, report: Report, first: int) -> list[int]:
        """Return how many subscribers each is to have."""
        size = self.size
        report.begin("users", size.users)
        ring = _Ring(size.users - 1, self.random)
        subscribers = spread(size.subscriptions, zipf(size.users, exponent=0.9), most=size.users - 1)
        for chunk in _chunks(enumerate(zip(subscribers, accumulate(subscribers, initial=0), strict=False))):
            users, places = [], []
            for number, (followed, before) in chunk:
                user, joined = self.ids.of("user", number), self.calendar.joined_at(number)
                name = _username(first + number)
                alike, address = skeleton(name), f"{name}@example.org"
                users.append((user, name, name, alike, address, self.hashed_password, joined))
                places.append((number, user, joined, followed, before, *ring.walk()))
            await connection.copy_records_to_table("users", columns=_USER_COLUMNS, records=users)
            await connection.copy_records_to_table("demo_user", records=places)
            report.advance(len(users))
        return subscribers

    async def _copy_posts(self, connection: Connection, report: Report) -> list[int]:
        """Return how many likes each is to have."""
        report.begin("posts", self.size.posts)
        prose, ring = Prose(self.random), _Ring(self.size.users, self.random)
        weights = zipf(self.size.posts, exponent=1.05)
        self.random.shuffle(weights)
        likes = spread(self.size.likes, weights, most=self.size.users)
        for chunk in _chunks(enumerate(zip(likes, accumulate(likes, initial=0), strict=False))):
            posts, places = [], []
            for number, (liked, before) in chunk:
                post = self.ids.of("post", number)
                at = self.calendar.published_at((number + self.random.random()) / self.size.posts, self.random)
                author = int(self.calendar.joined_by(at) * self.random.random() ** 2.2)
                posts.append((post, prose.title(), prose.content(), self.ids.of("user", author), at, at))
                places.append((number, post, at, liked, before, *ring.walk()))
            await connection.copy_records_to_table("posts", columns=_POST_COLUMNS, records=posts)
            await connection.copy_records_to_table("demo_post", records=places)
            report.advance(len(posts))
        return likes

    async def _insert(
        self, connection: Connection, report: Report, table: str, counts: Sequence[int], *more: Any
    ) -> None:
        """Run the table's file for as many users or posts at once as have a handy number of rows."""
        report.begin(table, sum(counts))
        for first, end, rows in _ranges(counts):
            await _run(connection, table, first, end, self.size.users, self.calendar.now, *more)
            report.advance(rows)

    async def _notify(self, connection: Connection, report: Report) -> None:
        report.begin("notifications", None)
        ids = (*self.ids.range("post"), self.ids.prefix("notification"))
        report.advance(await _run(connection, "notifications", *ids, self.calendar.now))


class _Ring:
    """Users in a ring, to be walked in strides that meet each of them once."""

    def __init__(self, users: int, random: Random) -> None:
        self._users, self._random = max(users, 1), random
        tried = random.sample(range(1, self._users + 1), min(self._users, _STRIDES_TRIED))
        self._strides = [1, *(stride for stride in tried if gcd(stride, self._users) == 1)]

    def walk(self) -> tuple[int, int]:
        """Return where to begin, and the stride."""
        return int(self._random.random() * self._users), self._random.choice(self._strides)


@asynccontextmanager
async def _unchecked_keys(connection: Connection) -> AsyncIterator[None]:
    """Spare PostgreSQL looking up the foreign keys one by one, where we may: that takes most of the time.

    They hold by construction: ids come from rows that this very transaction has inserted, which nobody can delete
    before it commits.
    """
    if not await connection.fetchval(_MAY_SKIP_CHECKS):
        yield
        return
    await connection.execute("SET LOCAL session_replication_role = replica")
    yield
    await connection.execute("SET LOCAL session_replication_role = origin")


async def _run(connection: Connection, file: str, *values: Any) -> int:
    sql = files(__package__).joinpath(f"{file}.sql").read_text(encoding="utf-8")
    return int((await connection.execute(sql, *values)).rpartition(" ")[2])


def _chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    rows = iter(rows)
    while chunk := list(islice(rows, _COPIED_AT_ONCE)):
        yield chunk


def _ranges(counts: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Cut the numbers of users or posts into ranges; yield first, end and how many rows they are to have."""
    first = rows = 0
    for end, count in enumerate(counts, start=1):
        rows += count
        if rows >= _INSERTED_AT_ONCE or end == len(counts):
            yield first, end, rows
            first, rows = end, 0


def _username(number: int) -> str:
    return f"demo-{NAMES[(number - 1) % len(NAMES)]}-{number:06d}"
