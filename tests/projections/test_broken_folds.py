"""Folds broken on purpose: every one of them is needed, and whatever goes wrong in one does not stay unnoticed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from app.commands.activation import DeactivateUser, ReactivateUser, deactivate_user, reactivate_user
from app.commands.notifications import (
    ReadAllNotifications,
    ReadNotification,
    read_all_notifications,
    read_notification,
)
from app.commands.posts import WrittenPost
from app.commands.users import RegisteredUser
from projections.engine.checkpoint import Connect as Building
from projections.engine.checkpoint import Connection
from projections.engine.projection import Fold, Projection
from projections.engine.step import step
from projections.engine.step_result import OnFailure, StepFailedError
from projections.projector import Projector
from projections.registry import PROJECTIONS
from tests.support.blog import Blog
from tests.support.projection_spec import differences

FOLDS = [(projection, fold) for projection in PROJECTIONS for fold in projection.folds]
COUNTING = "WHEN 'PostLiked' THEN 1 ELSE -1"
SpoiltBy = Callable[[Sequence[Projection], Sequence[Projection]], Awaitable[set[str]]]

#: A post that is deleted while it is announced makes the other of its events needed; see test_notifications.py.
NEEDS_ONE_EVENT = {"remove_finished_announcements"}
SAY_WHICH = [f"{projection.name}.{fold.name}" for projection, fold in FOLDS]


async def first_half(blog: Blog) -> tuple[list[RegisteredUser], list[WrittenPost]]:
    """Let there be something to change, read and remove."""
    users = await blog.users(4)
    for subscriber in users[1:]:
        await blog.subscribe(subscriber, users[0])
    posts = [await blog.post(users[0]) for _ in range(3)]
    for user in users:
        for post in posts:
            await blog.like(post, user)
    while await blog.announce(chunk=2):
        pass
    posts.append(await blog.post(users[0], "Still to be announced"))
    await deactivate_user(blog.store, DeactivateUser(login=users[2].username))
    return users, posts


async def second_half(blog: Blog, users: list[RegisteredUser], posts: list[WrittenPost]) -> None:
    """Let everything happen that can: each event at least once."""
    await reactivate_user(blog.store, ReactivateUser(login=users[2].username))
    await blog.unsubscribe(users[1], users[0])
    await blog.edit(posts[0], title="Edited")
    await blog.unlike(posts[0], users[1])
    await blog.unlike(posts[0], users[2])
    await blog.delete(posts[1])
    first = await blog.notification_of(users[1], posts[0])
    await read_notification(blog.store, ReadNotification(notification_id=first, user_id=users[1].id))
    await read_all_notifications(blog.store, ReadAllNotifications(user_id=users[2].id))
    while await blog.announce(chunk=2):
        pass
    await deactivate_user(blog.store, DeactivateUser(login=users[1].username))
    late = await blog.user()
    await blog.subscribe(late, users[3])
    await blog.post(late)
    await blog.like(await blog.post(users[3]), late)


def with_fold(projection: Projection, old: Fold, *new: Fold) -> list[Projection]:
    """Return all projections, one of them with a fold replaced."""
    folds = tuple(kept for fold in projection.folds for kept in (new if fold is old else (fold,)))
    return [replace(p, folds=folds) if p is projection else p for p in PROJECTIONS]


@pytest.fixture
def tables_spoilt_by(
    blog: Blog, projector: Projector, stepping: Connection, building: Building, cluster: int
) -> SpoiltBy:
    """Tells which tables of some projections differ after such folds, or which projection PostgreSQL stopped."""

    async def tables_spoilt_by(projections: Sequence[Projection], among: Sequence[Projection]) -> set[str]:
        users, posts = await first_half(blog)
        await projector.fold()
        await second_half(blog, users, posts)
        try:
            await step(stepping, projections, system_identifier=cluster, limit=1_000)
        except StepFailedError:
            alone = OnFailure(isolate=True)
            return set(
                (await step(stepping, projections, system_identifier=cluster, limit=1_000, on_failure=alone)).failed
            )
        return {difference.table for difference in await differences(building, among)}

    return tables_spoilt_by


async def test_unbroken_folds_spoil_nothing(tables_spoilt_by: SpoiltBy) -> None:
    assert await tables_spoilt_by(PROJECTIONS, PROJECTIONS) == set()


@pytest.mark.parametrize(("projection", "fold"), FOLDS, ids=SAY_WHICH)
async def test_a_fold_left_out_is_noticed(tables_spoilt_by: SpoiltBy, projection: Projection, fold: Fold) -> None:
    spoilt = await tables_spoilt_by(with_fold(projection, fold), PROJECTIONS)
    assert spoilt
    assert spoilt <= {table.name for table in projection.tables}


@pytest.mark.parametrize(
    ("projection", "fold", "event"),
    [
        pytest.param(projection, fold, event, id=f"{projection.name}.{fold.name}-{event}")
        for projection, fold in FOLDS
        for event in sorted(fold.events)
        if len(fold.events) > 1 and fold.name not in NEEDS_ONE_EVENT
    ],
)
async def test_an_event_that_a_fold_overlooks_is_noticed(
    tables_spoilt_by: SpoiltBy, projection: Projection, fold: Fold, event: str
) -> None:
    overlooking = replace(fold, sql=fold.sql.replace(f"'{event}'", "'NeverHappens'"))
    assert overlooking != fold
    assert await tables_spoilt_by(with_fold(projection, fold, overlooking), [projection])


def _wrong_sign(sql: str) -> str:
    return sql.replace(COUNTING, "WHEN 'PostLiked' THEN -1 ELSE 1")


def _doubled(sql: str) -> str:
    return sql.replace(COUNTING, "WHEN 'PostLiked' THEN 2 ELSE -2")


@pytest.mark.parametrize("spoil", [_wrong_sign, _doubled])
@pytest.mark.parametrize(
    ("projection", "fold"),
    [pytest.param(p, f, id=f"{p.name}.{f.name}") for p, f in FOLDS if COUNTING in f.sql],
)
async def test_likes_counted_wrongly_are_noticed(
    tables_spoilt_by: SpoiltBy, projection: Projection, fold: Fold, spoil: Callable[[str], str]
) -> None:
    counting_wrongly = replace(fold, sql=spoil(fold.sql))
    assert await tables_spoilt_by(with_fold(projection, fold, counting_wrongly), [projection])
