"""A quiet moment: everything is up, folded and announced. Verify must find nothing, and every screen be exact."""

import asyncio
from contextlib import suppress
from time import monotonic

from projections.registry import PROJECTIONS
from tests.soak import screens
from tests.soak.inbox import compare_inbox
from tests.soak.oracle import Oracle
from tests.soak.reading import Asks, Get, differ, walk
from tests.soak.stack import Stack

_AT_REST = """
SELECT
    (SELECT count(*) FROM checkpoint WHERE status = 'running') = $1::int
    AND NOT EXISTS (SELECT FROM read_lag WHERE behind OR parked > 0)
    AND NOT EXISTS (SELECT FROM announcements)
    AND NOT EXISTS (SELECT FROM read_announcement) AS at_rest
"""
#: What is shown when that takes too long.
_UNREST = """
SELECT jsonb_agg(l)::text AS rows FROM read_lag l WHERE l.behind OR l.status <> 'running' OR l.parked > 0
UNION ALL
SELECT jsonb_agg(c.projection)::text FROM checkpoint c
UNION ALL
SELECT jsonb_agg(a)::text FROM announcements a
UNION ALL
SELECT concat_ws(' ', a.pid, a.application_name, a.state, a.wait_event, clock_timestamp() - a.state_change, a.query)
FROM pg_stat_activity a
WHERE a.backend_type = 'client backend' AND a.application_name <> 'inkfold-queries'
UNION ALL
SELECT concat_ws(' ', 'advisory lock', k.pid, k.objid, k.granted) FROM pg_locks k WHERE k.locktype = 'advisory'
"""
_ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns")
_PERIODS = ("day", "week", "month")
#: Short, so that the lists of a small blog have several pages.
_LIMIT = 4
#: How long Redis may still hold the top posts of before.
_TOP_SECONDS = 10


def come_to_rest(stack: Stack) -> None:
    """Wait until everything committed is folded and announced; raises Difference if that takes too long."""
    began = monotonic()
    stack.wait_until("at rest", lambda: stack.sql(_AT_REST, len(PROJECTIONS))[0]["at_rest"], _UNREST)
    stack.tally.longest_unrest_seconds = max(stack.tally.longest_unrest_seconds, monotonic() - began)


async def compare(oracle: Oracle, get: Asks, *, closely_as: str) -> list[str]:
    """Return where the screens differ from the oracle: as everybody sees them, and every post as one of the users."""
    looks = [_statistics(oracle, get), _top(oracle, get), _posts(oracle, get, None)]
    looks += [_post(oracle, get, post_id, closely_as) for post_id in oracle.authors]
    looks += [_user(oracle, get, user_id) for user_id in oracle.users]
    looks += [_own(oracle, _as(get, user_id), user_id) for user_id in oracle.users]
    faults = [fault for found in await asyncio.gather(*looks) for fault in found]
    oracle.settle()
    return faults


def _as(asks: Asks, user_id: str) -> Get:
    return lambda path: asks(path, user_id)


async def _top(oracle: Oracle, get: Get) -> list[str]:
    """Redis gets the list a moment after the tables."""
    path, shown = "/posts/top/", None
    expected = screens.top(oracle)
    with suppress(TimeoutError):
        async with asyncio.timeout(_TOP_SECONDS):
            while shown != expected:
                shown = (await get(path)).json()["items"]
    return differ(path, shown, expected)


async def _posts(oracle: Oracle, get: Get, viewer_id: str | None) -> list[str]:
    faults = await _list(get, "/posts/", screens.newest(oracle, viewer_id, oracle.users))
    return faults + await _list(get, "/posts/", screens.ranked(oracle, viewer_id, oracle.users), sort="top")


async def _post(oracle: Oracle, get: Asks, post_id: str, viewer_id: str) -> list[str]:
    path = f"/posts/{post_id}/"
    answer = await get(path, viewer_id)
    post = oracle.posts.get(post_id)
    if post is None:
        return differ(f"The status of deleted {path}", answer.status_code, 404)
    expected = {**screens.card(oracle, post, viewer_id), "content": post.content}
    shown, faults = await walk(get, f"{path}likes/", limit=_LIMIT)
    faults += screens.in_order(f"{path}likes/", shown, screens.likers(oracle, post_id), stamp="liked_at")
    return faults + differ(path, answer.json(), expected)


async def _user(oracle: Oracle, get: Get, user_id: str) -> list[str]:
    path = f"/users/{user_id}/"
    faults = differ(path, (await get(path)).json(), screens.profile(oracle, user_id))
    shown, more = await walk(get, f"{path}subscribers/", limit=_LIMIT)
    faults += more + screens.in_order(f"{path}subscribers/", shown, screens.followers(oracle, user_id), stamp="since")
    faults += await _list(get, f"{path}posts/", screens.newest(oracle, None, [user_id]))
    return faults + await _list(get, "/posts/", screens.ranked(oracle, None, [user_id]), sort="top", author_id=user_id)


async def _own(oracle: Oracle, get: Get, user_id: str) -> list[str]:
    user, follows = oracle.users[user_id], screens.followed(oracle, user_id)
    account = {**screens.profile(oracle, user_id), "email": user.email, "is_active": True}
    faults = differ("/auth/me/", (await get("/auth/me/")).json(), account)
    faults += await _list(get, "/posts/", screens.newest(oracle, user_id, oracle.users))
    faults += await _list(get, "/feed/", screens.newest(oracle, user_id, follows))
    shown, more = await walk(get, "/users/subscriptions/", limit=_LIMIT)
    faults += more + screens.in_order("/users/subscriptions/", shown, follows, stamp="since")
    faults += await _inbox(oracle, get, user_id)
    return [f"As {user_id}: {fault}" for fault in faults]


async def _inbox(oracle: Oracle, get: Get, user_id: str) -> list[str]:
    shown, faults = await walk(get, "/notifications/", limit=_LIMIT, status="all")
    faults += compare_inbox(oracle, user_id, shown, complete=True)
    unread, more = await walk(get, "/notifications/", limit=_LIMIT)
    faults += more + differ("/notifications/", unread, [item for item in shown if not item["is_read"]])
    counted = (await get("/notifications/")).json()["unread_count"]
    return faults + differ("unread_count", counted, len(unread))


async def _list(get: Get, path: str, expected: list[dict[str, object]], **parameters: str) -> list[str]:
    shown, faults = await walk(get, path, limit=_LIMIT, **parameters)
    return faults + differ(f"{path} {parameters}", shown, expected)


async def _statistics(oracle: Oracle, get: Get) -> list[str]:
    scopes = [("", list(oracle.posts))]
    scopes += [(f"&post_id={post_id}", [post_id]) for post_id in list(oracle.posts)[-3:]]
    scopes += [
        (f"&author_id={user_id}", [post.id for post in oracle.posts.values() if post.author_id == user_id])
        for user_id in oracle.users
    ]
    faults = []
    for number, (scope, post_ids) in enumerate(scopes):
        asked = f"granularity={_PERIODS[number % len(_PERIODS)]}&tz={_ZONES[number % len(_ZONES)]}"
        path = f"/analytics/likes/?{asked}{scope}"
        shown = (await get(path)).json()
        likes = sum(screens.like_count(oracle, post_id) for post_id in post_ids)
        sums = (shown["total"], sum(point["likes"] for point in shown["series"]))
        faults += differ(path, sums, (likes, likes))
        faults += differ(f"top_posts of {path}", shown["top_posts"], screens.liked(oracle, post_ids))
    return faults
