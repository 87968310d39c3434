"""Likes: at most one of each user and post, whatever happens at once, and an event for each change."""

import asyncio
from collections import Counter
from uuid import uuid4

import orjson
import pytest

from app.commands.likes import LikePost, ToggleLike, UnlikePost, like_post, toggle_like, unlike_post
from app.errors import PostNotFound, Unauthenticated
from app.events import PostLiked
from tests.support.blog import Blog, happened


async def events(blog: Blog) -> Counter[str]:
    return Counter(event[0] for event in await happened(blog.sql))


async def test_a_like_is_stored_with_its_event(blog: Blog) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    committed = await like_post(blog.store, LikePost(post_id=post.id, user_id=bob.id))
    assert committed.value is True
    row = await blog.sql.fetchrow("SELECT user_id, post_id, created_at, xmin::text AS tx FROM likes")
    assert row is not None
    assert (row["user_id"], row["post_id"], row["tx"]) == (bob.id, post.id, committed.token)
    event = await blog.sql.fetchrow("SELECT *, payload ->> 'liked_at' AS liked_at FROM event WHERE type = 'PostLiked'")
    assert event is not None
    assert (event["subject_id"], event["actor_id"]) == (post.id, bob.id)
    assert event["type"] == PostLiked.__name__
    described = PostLiked(subject_id=post.id, actor_id=bob.id, author_id=ada.id, liked_at=row["created_at"]).payload
    assert orjson.loads(event["payload"]).keys() == described.keys()
    assert orjson.loads(event["payload"])["author_id"] == str(ada.id)
    liked_at = await blog.sql.fetchval("SELECT $1::text::timestamptz", event["liked_at"])
    assert liked_at == row["created_at"]


async def test_a_like_taken_back_is_gone_and_its_event_says_when_it_was_given(blog: Blog) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await blog.like(post, ada)
    taken_back = await unlike_post(blog.store, UnlikePost(post_id=post.id, user_id=ada.id))
    assert taken_back.value is False
    assert taken_back.token is not None
    assert await blog.sql.fetchval("SELECT count(*) FROM likes") == 0
    given, taken = (await happened(blog.sql))[-2:]
    assert (given[0], taken[0]) == ("PostLiked", "PostUnliked")
    assert given[3] == taken[3]


async def test_what_changes_nothing_has_no_event_and_no_token(blog: Blog) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    unliked = await unlike_post(blog.store, UnlikePost(post_id=post.id, user_id=ada.id))
    assert (unliked.value, unliked.token) == (False, None)
    await blog.like(post, ada)
    liked = await like_post(blog.store, LikePost(post_id=post.id, user_id=ada.id))
    assert (liked.value, liked.token) == (True, None)
    assert (await events(blog))["PostLiked"] == 1


async def test_a_toggle_turns_a_like_on_and_off(blog: Blog) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    toggle = ToggleLike(post_id=post.id, user_id=ada.id)
    assert [(await toggle_like(blog.store, toggle)).value for _ in range(3)] == [True, False, True]


@pytest.mark.parametrize(
    ("command", "kind"), [(like_post, LikePost), (unlike_post, UnlikePost), (toggle_like, ToggleLike)]
)
async def test_a_post_that_is_not_there_is_not_found(blog: Blog, command: object, kind: type) -> None:
    ada = await blog.user("ada")
    with pytest.raises(PostNotFound):
        await command(blog.store, kind(post_id=uuid4(), user_id=ada.id))  # type: ignore[operator]


async def test_nobody_likes_nothing(blog: Blog) -> None:
    post = await blog.post(await blog.user("ada"))
    with pytest.raises(Unauthenticated):
        await like_post(blog.store, LikePost(post_id=post.id, user_id=uuid4()))
    assert (await events(blog))["PostLiked"] == 0


async def test_100_toggles_at_once_end_where_their_number_says(blog: Blog) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    toggle = ToggleLike(post_id=post.id, user_id=ada.id)
    committed = await asyncio.gather(*(toggle_like(blog.store, toggle) for _ in range(101)))
    assert Counter(answer.value for answer in committed) == {True: 51, False: 50}
    assert await blog.sql.fetchval("SELECT count(*) FROM likes") == 1
    counted = await events(blog)
    assert (counted["PostLiked"], counted["PostUnliked"]) == (51, 50)


async def test_likes_and_unlikes_at_once_leave_as_many_as_their_events_say(blog: Blog) -> None:
    fans = await blog.users(5)
    post = await blog.post(fans[0])
    commands = []
    for fan in fans * 12:
        commands.append(like_post(blog.store, LikePost(post_id=post.id, user_id=fan.id)))
        commands.append(unlike_post(blog.store, UnlikePost(post_id=post.id, user_id=fan.id)))
        commands.append(toggle_like(blog.store, ToggleLike(post_id=post.id, user_id=fan.id)))
    await asyncio.gather(*commands)
    counted = await events(blog)
    left = await blog.sql.fetchval("SELECT count(*) FROM likes")
    assert left == counted["PostLiked"] - counted["PostUnliked"]
