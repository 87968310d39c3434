"""Likes and subscriptions of the same pairs, changed from all sides at once: events and rows agree to the last one."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from random import Random
from types import NoneType
from uuid import UUID

import pytest

from app.command_store import CommandStore, Committed
from app.commands.likes import LikePost, ToggleLike, UnlikePost, like_post, toggle_like, unlike_post
from app.commands.subscriptions import (
    Subscribe,
    ToggleSubscription,
    Unsubscribe,
    subscribe,
    toggle_subscription,
    unsubscribe,
)
from app.errors import PostNotFound
from tests.commands.conftest import MakeStore
from tests.support.blog import Blog

Pair = tuple[UUID, UUID]

_TURNS = "SELECT actor_id, subject_id, type, tx::text FROM event WHERE type = ANY ($1::text[]) ORDER BY position"


async def turns(blog: Blog, *, on: str, off: str) -> dict[Pair, list[bool]]:
    """Return to what each pair's events turned it, in the order in which they were appended."""
    turned: dict[Pair, list[bool]] = defaultdict(list)
    for row in await blog.sql.fetch(_TURNS, [on, off]):
        turned[row["actor_id"], row["subject_id"]].append(row["type"] == on)
    return turned


def alternate(states: Iterable[bool]) -> bool:
    """Say whether they go on, off, on…"""
    return all(state is (number % 2 == 0) for number, state in enumerate(states))


@pytest.fixture
async def stores(make_store: MakeStore) -> list[CommandStore]:
    """As of two API processes."""
    return [await make_store(pool_size=8) for _ in range(2)]


async def test_likes_of_one_pair_alternate_whatever_comes_at_once(blog: Blog, stores: list[CommandStore]) -> None:
    fans, random = await blog.users(3), Random(4)
    posts = [await blog.post(fan) for fan in fans[:2]]
    answers = await asyncio.gather(
        *(
            random.choice(
                (
                    lambda store, post, fan: like_post(store, LikePost(post_id=post.id, user_id=fan.id)),
                    lambda store, post, fan: unlike_post(store, UnlikePost(post_id=post.id, user_id=fan.id)),
                    lambda store, post, fan: toggle_like(store, ToggleLike(post_id=post.id, user_id=fan.id)),
                )
            )(random.choice(stores), random.choice(posts), random.choice(fans))
            for _ in range(600)
        )
    )
    turned = await turns(blog, on="PostLiked", off="PostUnliked")
    assert all(map(alternate, turned.values()))
    standing = {tuple(row) for row in await blog.sql.fetch("SELECT user_id, post_id FROM likes")}
    assert standing == {pair for pair, states in turned.items() if states[-1]}
    tokens = [answer.token for answer in answers if answer.token is not None]
    assert sorted(tokens) == sorted(row["tx"] for row in await blog.sql.fetch(_TURNS, ["PostLiked", "PostUnliked"]))


async def test_subscriptions_of_one_pair_alternate_whatever_comes_at_once(
    blog: Blog, stores: list[CommandStore]
) -> None:
    people, random = await blog.users(3), Random(5)
    pairs = [(a.id, b.id) for a in people for b in people if a is not b]
    await asyncio.gather(
        *(
            random.choice(
                (
                    lambda store, one, other: subscribe(store, Subscribe(subscriber_id=one, target_user_id=other)),
                    lambda store, one, other: unsubscribe(store, Unsubscribe(subscriber_id=one, target_user_id=other)),
                    lambda store, one, other: toggle_subscription(
                        store, ToggleSubscription(subscriber_id=one, target_user_id=other)
                    ),
                )
            )(random.choice(stores), *random.choice(pairs))
            for _ in range(600)
        )
    )
    turned = await turns(blog, on="UserSubscribed", off="UserUnsubscribed")
    assert all(map(alternate, turned.values()))
    standing = {tuple(row) for row in await blog.sql.fetch("SELECT subscriber_id, target_user_id FROM subscriptions")}
    assert standing == {pair for pair, states in turned.items() if states[-1]}


async def test_of_toggles_at_once_each_turns_it_over_once(blog: Blog, stores: list[CommandStore]) -> None:
    ada = await blog.user()
    post = await blog.post(ada)
    toggle = ToggleLike(post_id=post.id, user_id=ada.id)
    answers = await asyncio.gather(*(toggle_like(stores[number % 2], toggle) for number in range(151)))
    assert sum(answer.value for answer in answers) == 76
    assert len({answer.token for answer in answers}) == 151
    assert alternate((await turns(blog, on="PostLiked", off="PostUnliked"))[ada.id, post.id])


async def test_likes_go_on_while_their_post_is_edited_and_then_deleted(blog: Blog, stores: list[CommandStore]) -> None:
    fans = await blog.users(4)
    post = await blog.post(fans[0])
    edits = [blog.edit(post, title=f"Edit {number}") for number in range(40)]
    toggles = [
        toggle_like(stores[number % 2], ToggleLike(post_id=post.id, user_id=fans[number % 4].id))
        for number in range(160)
    ]
    await asyncio.gather(*edits, *toggles)
    turned = await turns(blog, on="PostLiked", off="PostUnliked")
    assert [len(states) for states in turned.values()] == [40] * 4
    late = [
        like_post(stores[number % 2], LikePost(post_id=post.id, user_id=fans[number % 4].id)) for number in range(8)
    ]
    ends = await asyncio.gather(*late[:4], blog.delete(post), *late[4:], return_exceptions=True)
    assert {type(end) for end in ends} <= {Committed, PostNotFound, NoneType}
    assert await blog.sql.fetchval("SELECT count(*) FROM likes") == 0
    counted = await turns(blog, on="PostLiked", off="PostUnliked")
    given = sum(2 * sum(states) - len(states) for states in counted.values())
    assert await blog.sql.fetchval("SELECT (payload ->> 'likes')::int FROM event WHERE type = 'PostDeleted'") == given
