"""read_post_rank: the like count of each post, small and indexed."""

from app.commands.posts import WrittenPost
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, Row


def rank(post: WrittenPost, likes: int) -> Row:
    return {"post_id": post.id, "author_id": post.author_id, "like_count": likes}


async def test_a_published_post_ranks_with_no_likes(blog: Blog, read_side: ReadSide) -> None:
    post = await blog.post(await blog.user("ada"))
    await read_side.shows("read_post_rank", rank(post, 0))


async def test_likes_given_and_taken_back_move_the_rank(blog: Blog, read_side: ReadSide) -> None:
    ada, bob, eve = await blog.users(3)
    first, second = await blog.post(ada), await blog.post(bob)
    for user in (ada, bob, eve):
        await blog.like(first, user)
    await blog.like(second, eve)
    await read_side.shows("read_post_rank", rank(first, 3), rank(second, 1))
    await blog.unlike(first, ada)
    await blog.unlike(first, bob)
    await blog.like(second, ada)
    await read_side.shows("read_post_rank", rank(first, 1), rank(second, 2))


async def test_an_edit_leaves_the_rank_alone(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await blog.like(post, ada)
    await read_side.projector.fold()
    await blog.edit(post, title="Another title")
    await read_side.shows("read_post_rank", rank(post, 1))


async def test_a_deleted_post_ranks_no_more(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    kept, deleted = await blog.post(ada), await blog.post(ada)
    await blog.like(deleted, ada)
    await read_side.shows("read_post_rank", rank(kept, 0), rank(deleted, 1))
    await blog.delete(deleted)
    await read_side.shows("read_post_rank", rank(kept, 0))


async def test_like_unlike_and_delete_in_one_step_leave_nothing(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    await blog.like(post, ada)
    await read_side.shows("read_post_rank", rank(post, 1))
    await blog.like(post, bob)
    await blog.unlike(post, ada)
    await blog.delete(post)
    await read_side.shows("read_post_rank")
