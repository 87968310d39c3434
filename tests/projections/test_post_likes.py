"""read_post_like: who likes a post, since when."""

from datetime import datetime

from app.commands.posts import WrittenPost
from app.commands.users import RegisteredUser
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, Row


def like(post: WrittenPost, user: RegisteredUser, moment: datetime) -> Row:
    return {"post_id": post.id, "user_id": user.id, "username": user.username, "liked_at": moment}


async def test_a_like_names_who_gave_it_and_when(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    by_bob, by_ada = await blog.like(post, bob), await blog.like(post, ada)
    await read_side.shows("read_post_like", like(post, bob, by_bob), like(post, ada, by_ada))


async def test_a_like_taken_back_is_gone(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    by_ada = await blog.like(post, ada)
    await blog.like(post, bob)
    await read_side.projector.fold()
    await blog.unlike(post, bob)
    await read_side.shows("read_post_like", like(post, ada, by_ada))


async def test_a_like_given_and_taken_back_in_one_step_was_never_there(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await blog.like(post, ada)
    await blog.unlike(post, ada)
    await read_side.shows("read_post_like")


async def test_a_like_taken_back_and_given_anew_in_one_step_has_the_new_moment(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    first = await blog.like(post, ada)
    await read_side.shows("read_post_like", like(post, ada, first))
    await blog.unlike(post, ada)
    again = await blog.like(post, ada)
    assert again > first
    await read_side.shows("read_post_like", like(post, ada, again))


async def test_the_end_of_a_liked_post_leaves_no_likes(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    post, other = await blog.post(ada), await blog.post(ada)
    await blog.like(post, ada)
    kept = await blog.like(other, bob)
    await read_side.projector.fold()
    await blog.like(post, bob)
    await blog.delete(post)
    await read_side.shows("read_post_like", like(other, bob, kept))
