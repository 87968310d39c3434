"""read_profile: each user with the counters of what they wrote, received and follow."""

from app.commands.activation import DeactivateUser, ReactivateUser, deactivate_user, reactivate_user
from app.commands.users import RegisteredUser
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, Row


def profile(
    user: RegisteredUser, *, posts: int = 0, likes: int = 0, subscribers: int = 0, subscriptions: int = 0
) -> Row:
    return {
        "user_id": user.id,
        "username": user.username,
        "email": user.email,
        "is_active": user.is_active,
        "created_at": user.created_at,
        "post_count": posts,
        "likes_received": likes,
        "subscriber_count": subscribers,
        "subscription_count": subscriptions,
    }


async def test_a_registered_user_has_a_profile_of_zeros(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    await read_side.shows("read_profile", profile(ada))


async def test_a_user_who_registers_and_acts_in_one_step_is_counted_once(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    await blog.like(post, bob)
    await blog.subscribe(bob, ada)
    await read_side.shows("read_profile", profile(ada, posts=1, likes=1, subscribers=1), profile(bob, subscriptions=1))


async def test_publishing_and_deleting_move_the_post_count(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    post, _ = await blog.post(ada), await blog.post(ada)
    await read_side.shows("read_profile", profile(ada, posts=2))
    await blog.delete(post)
    await read_side.shows("read_profile", profile(ada, posts=1))


async def test_likes_count_for_the_author_and_not_for_who_gives_them(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    first, second = await blog.post(ada), await blog.post(ada)
    for post in (first, second):
        await blog.like(post, bob)
    await blog.like(first, ada)
    await read_side.shows("read_profile", profile(ada, posts=2, likes=3), profile(bob))
    await blog.unlike(first, bob)
    await read_side.shows("read_profile", profile(ada, posts=2, likes=2), profile(bob))


async def test_a_deleted_post_takes_its_likes_along(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    kept, deleted = await blog.post(ada), await blog.post(ada)
    await blog.like(kept, bob)
    await blog.like(deleted, bob)
    await blog.like(deleted, ada)
    await read_side.shows("read_profile", profile(ada, posts=2, likes=3), profile(bob))
    await blog.delete(deleted)
    await read_side.shows("read_profile", profile(ada, posts=1, likes=1), profile(bob))


async def test_like_unlike_and_delete_in_one_step_leave_no_likes(blog: Blog, read_side: ReadSide) -> None:
    ada, bob, eve = await blog.users(3)
    post = await blog.post(ada)
    await blog.like(post, bob)
    await read_side.projector.fold()
    await blog.like(post, eve)
    await blog.unlike(post, bob)
    await blog.delete(post)
    await read_side.shows("read_profile", profile(ada), profile(bob), profile(eve))


async def test_an_account_that_is_shut_and_opened_shows_it(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.user("ada"), await blog.user("bob")
    await read_side.projector.fold()
    await deactivate_user(blog.store, DeactivateUser(login="ada"))
    await read_side.shows("read_profile", {**profile(ada), "is_active": False}, profile(bob))
    await reactivate_user(blog.store, ReactivateUser(login="ada"))
    await read_side.shows("read_profile", profile(ada), profile(bob))


async def test_an_account_registered_shut_and_opened_in_one_step_shows_where_it_ended(
    blog: Blog, read_side: ReadSide
) -> None:
    ada, bob = await blog.user("ada"), await blog.user("bob")
    for login in ("ada", "bob"):
        await deactivate_user(blog.store, DeactivateUser(login=login))
    await reactivate_user(blog.store, ReactivateUser(login="bob"))
    await read_side.shows("read_profile", {**profile(ada), "is_active": False}, profile(bob))


async def test_subscriptions_count_on_both_sides(blog: Blog, read_side: ReadSide) -> None:
    ada, bob, eve = await blog.users(3)
    await blog.subscribe(bob, ada)
    await blog.subscribe(eve, ada)
    await blog.subscribe(ada, eve)
    await read_side.shows(
        "read_profile",
        profile(ada, subscribers=2, subscriptions=1),
        profile(bob, subscriptions=1),
        profile(eve, subscribers=1, subscriptions=1),
    )
    await blog.unsubscribe(eve, ada)
    await read_side.shows(
        "read_profile",
        profile(ada, subscribers=1, subscriptions=1),
        profile(bob, subscriptions=1),
        profile(eve, subscribers=1),
    )
