"""Lists walked page by page while rows come, go and change places: whatever stood all along is shown, and once."""

from collections import Counter
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.queries.list_posts import ListPosts, RankPosts
from app.queries.reader import Reader
from tests.support.read_rows import ReadRows, minutes

#: A minute and a number of likes: few of each, so that many posts are of the same.
places = st.tuples(st.integers(0, 2), st.integers(0, 2))
#: Put one in, take one out, or give one another number of likes; the first number says which one.
acts = st.tuples(st.sampled_from(["put", "take", "like"]), st.integers(0, 99), places)
some_database = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class MovingPosts:
    """An author's posts by their places, and those that have not been there all along, where they were."""

    def __init__(self, rows: ReadRows, author_id: UUID) -> None:
        self._rows = rows
        self._author_id = author_id
        self.standing: dict[UUID, tuple[int, int]] = {}
        self.moved: set[UUID] = set()

    async def put(self, place: tuple[int, int]) -> UUID:
        minute, likes = place
        return await self._rows.post(self._author_id, at=minutes(minute), likes=likes)

    async def act(self, what: str, number: int, place: tuple[int, int]) -> None:
        if what == "put":
            await self.put(place)
        elif self.standing:
            post = list(self.standing)[number % len(self.standing)]
            del self.standing[post]
            if what == "take":
                await self._rows.sql.execute("DELETE FROM read_post WHERE id = $1", post)
                await self._rows.sql.execute("DELETE FROM read_post_rank WHERE post_id = $1", post)
            else:
                self.moved.add(post)
                likes = "UPDATE read_post_rank SET like_count = $2 WHERE post_id = $1"
                await self._rows.sql.execute(likes, post, place[1])


@pytest.fixture
async def author_id(rows: ReadRows) -> UUID:
    return await rows.profile("ada")


@some_database
@given(
    begun=st.lists(places, max_size=12),
    between=st.lists(st.lists(acts, max_size=3), max_size=12),
    limit=st.integers(1, 4),
    query=st.sampled_from([ListPosts, RankPosts]),
    own=st.booleans(),
)
async def test_what_stood_all_along_is_shown_once_and_in_its_order(
    rows: ReadRows,
    reader: Reader,
    author_id: UUID,
    *,
    begun: list[tuple[int, int]],
    between: list[list[tuple[str, int, tuple[int, int]]]],
    limit: int,
    query: type[ListPosts | RankPosts],
    own: bool,
) -> None:
    await rows.sql.execute("DELETE FROM read_post")
    await rows.sql.execute("DELETE FROM read_post_rank")
    posts = MovingPosts(rows, author_id)
    posts.standing = {await posts.put(place): place for place in begun}
    ask = partial(query, viewer_id=None, limit=limit, author_id=author_id if own else None)

    shown: list[UUID] = []
    cursor, more = None, iter(between)
    while True:
        page: Any = await ask(cursor=cursor).fetch(reader)
        shown += [item["id"] for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
        for act in next(more, []):
            await posts.act(*act)

    key = 1 if query is RankPosts else 0
    expected = sorted(posts.standing, key=lambda post: (posts.standing[post][key], post), reverse=True)
    assert [post for post in shown if post in posts.standing] == expected
    again = {post for post, times in Counter(shown).items() if times > 1}
    assert again <= (posts.moved if query is RankPosts else set())
