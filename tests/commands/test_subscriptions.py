"""Subscriptions: at most one of each pair, never to oneself, and an event for each change."""

import asyncio
from collections import Counter
from uuid import uuid4

import pytest

from app.commands.subscriptions import (
    Subscribe,
    ToggleSubscription,
    Unsubscribe,
    subscribe,
    toggle_subscription,
    unsubscribe,
)
from app.errors import SelfSubscription, Unauthenticated, UserNotFound
from tests.support.blog import Blog, happened

COMMANDS = [(subscribe, Subscribe), (unsubscribe, Unsubscribe), (toggle_subscription, ToggleSubscription)]


async def test_a_subscription_is_stored_with_its_event(blog: Blog) -> None:
    ada, bob = await blog.users(2)
    committed = await subscribe(blog.store, Subscribe(subscriber_id=bob.id, target_user_id=ada.id))
    assert committed.value is True
    rows = await blog.sql.fetch("SELECT subscriber_id, target_user_id, xmin::text AS tx FROM subscriptions")
    assert [tuple(row) for row in rows] == [(bob.id, ada.id, committed.token)]
    assert (await happened(blog.sql))[-1] == ("UserSubscribed", ada.id, bob.id, {})


async def test_what_changes_nothing_has_no_event_and_no_token(blog: Blog) -> None:
    ada, bob = await blog.users(2)
    ended = await unsubscribe(blog.store, Unsubscribe(subscriber_id=bob.id, target_user_id=ada.id))
    assert (ended.value, ended.token) == (False, None)
    await blog.subscribe(bob, ada)
    again = await subscribe(blog.store, Subscribe(subscriber_id=bob.id, target_user_id=ada.id))
    assert (again.value, again.token) == (True, None)
    assert [event[0] for event in await happened(blog.sql)].count("UserSubscribed") == 1


async def test_a_toggle_turns_a_subscription_on_and_off(blog: Blog) -> None:
    ada, bob = await blog.users(2)
    toggle = ToggleSubscription(subscriber_id=bob.id, target_user_id=ada.id)
    assert [(await toggle_subscription(blog.store, toggle)).value for _ in range(3)] == [True, False, True]


@pytest.mark.parametrize(("command", "kind"), COMMANDS)
async def test_nobody_follows_oneself(blog: Blog, command: object, kind: type) -> None:
    ada = await blog.user("ada")
    with pytest.raises(SelfSubscription):
        await command(blog.store, kind(subscriber_id=ada.id, target_user_id=ada.id))  # type: ignore[operator]


@pytest.mark.parametrize(("command", "kind"), COMMANDS)
async def test_nobody_is_followed_who_is_not_there(blog: Blog, command: object, kind: type) -> None:
    ada = await blog.user("ada")
    with pytest.raises(UserNotFound):
        await command(blog.store, kind(subscriber_id=ada.id, target_user_id=uuid4()))  # type: ignore[operator]


async def test_who_is_not_there_follows_nobody(blog: Blog) -> None:
    ada = await blog.user("ada")
    with pytest.raises(Unauthenticated):
        await subscribe(blog.store, Subscribe(subscriber_id=uuid4(), target_user_id=ada.id))
    assert [event[0] for event in await happened(blog.sql)] == ["UserRegistered"]


async def test_101_toggles_at_once_end_where_their_number_says(blog: Blog) -> None:
    ada, bob = await blog.users(2)
    toggle = ToggleSubscription(subscriber_id=bob.id, target_user_id=ada.id)
    committed = await asyncio.gather(*(toggle_subscription(blog.store, toggle) for _ in range(101)))
    assert Counter(answer.value for answer in committed) == {True: 51, False: 50}
    assert await blog.sql.fetchval("SELECT count(*) FROM subscriptions") == 1
    counted = Counter(event[0] for event in await happened(blog.sql))
    assert (counted["UserSubscribed"], counted["UserUnsubscribed"]) == (51, 50)
