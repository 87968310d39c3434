"""read_subscription: who follows whom, since when, with both names."""

from datetime import datetime

from app.commands.users import RegisteredUser
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, Row


def subscription(subscriber: RegisteredUser, target: RegisteredUser, since: datetime) -> Row:
    return {
        "subscriber_id": subscriber.id,
        "target_id": target.id,
        "subscriber_username": subscriber.username,
        "target_username": target.username,
        "since": since,
    }


async def test_a_subscription_has_a_direction(blog: Blog, read_side: ReadSide) -> None:
    ada, bob, eve = await blog.users(3)
    first = await blog.subscribe(bob, ada)
    second = await blog.subscribe(ada, bob)
    third = await blog.subscribe(eve, ada)
    await read_side.shows(
        "read_subscription",
        subscription(bob, ada, first),
        subscription(ada, bob, second),
        subscription(eve, ada, third),
    )


async def test_an_ended_subscription_is_gone_and_its_reverse_stays(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    await blog.subscribe(bob, ada)
    since = await blog.subscribe(ada, bob)
    await read_side.projector.fold()
    await blog.unsubscribe(bob, ada)
    await read_side.shows("read_subscription", subscription(ada, bob, since))


async def test_a_subscription_begun_and_ended_in_one_step_was_never_there(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    await blog.subscribe(bob, ada)
    await blog.unsubscribe(bob, ada)
    await read_side.shows("read_subscription")


async def test_a_subscription_begun_anew_in_one_step_has_the_new_moment(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    first = await blog.subscribe(bob, ada)
    await read_side.shows("read_subscription", subscription(bob, ada, first))
    await blog.unsubscribe(bob, ada)
    again = await blog.subscribe(bob, ada)
    assert again > first
    await read_side.shows("read_subscription", subscription(bob, ada, again))
