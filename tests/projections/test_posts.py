"""read_post and read_post_total: the posts, their like counts, and how many there are."""

from app.commands.posts import WrittenPost
from app.commands.users import RegisteredUser
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide, Row, assert_table


def card(post: WrittenPost, author: RegisteredUser, *, likes: int = 0) -> Row:
    return {
        "id": post.id,
        "author_id": author.id,
        "author_username": author.username,
        "title": post.title,
        "excerpt": post.content,
        "content": post.content,
        "version": post.version,
        "like_count": likes,
        "created_at": post.created_at,
        "updated_at": post.updated_at,
    }


async def test_a_published_post_is_there_and_counted(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    first, second = await blog.post(ada, "One"), await blog.post(ada, "Two")
    await read_side.shows("read_post", card(first, ada), card(second, ada))
    await assert_table(blog.sql, "read_post_total", [{"singleton": True, "total": 2}])


async def test_content_up_to_280_characters_is_its_own_excerpt(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada, content="ü" * 280)
    await read_side.shows("read_post", card(post, ada))


async def test_longer_content_is_cut_to_280_characters_with_an_ellipsis(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada, content="ü" * 281)
    await read_side.shows("read_post", {**card(post, ada), "excerpt": "ü" * 279 + "…"})


async def test_an_edit_changes_the_post_and_keeps_its_likes(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada, "Before", "Old words.")
    await blog.like(post, bob)
    await read_side.shows("read_post", card(post, ada, likes=1))
    edited = await blog.edit(post, title="After", content="New words.")
    assert (edited.version, edited.title) == (2, "After")
    await read_side.shows("read_post", card(edited, ada, likes=1))


async def test_a_post_published_edited_and_liked_in_one_step_is_counted_once(blog: Blog, read_side: ReadSide) -> None:
    ada, bob, eve = await blog.users(3)
    post = await blog.post(ada)
    await blog.like(post, bob)
    edited = await blog.edit(post, content="Better words.")
    await blog.like(post, eve)
    await read_side.shows("read_post", card(edited, ada, likes=2))


async def test_likes_are_counted_and_taken_back(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    post, other = await blog.post(ada), await blog.post(bob)
    await blog.like(post, ada)
    await blog.like(post, bob)
    await read_side.shows("read_post", card(post, ada, likes=2), card(other, bob))
    await blog.unlike(post, ada)
    await blog.like(other, ada)
    await read_side.shows("read_post", card(post, ada, likes=1), card(other, bob, likes=1))


async def test_liking_twice_counts_once(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await blog.like(post, ada)
    await blog.like(post, ada)
    await read_side.shows("read_post", card(post, ada, likes=1))


async def test_a_deleted_post_is_gone_and_counted_no_more(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    kept, deleted = await blog.post(ada), await blog.post(ada)
    await blog.like(deleted, bob)
    await read_side.shows("read_post", card(kept, ada), card(deleted, ada, likes=1))
    await blog.delete(deleted)
    await read_side.shows("read_post", card(kept, ada))
    await assert_table(blog.sql, "read_post_total", [{"singleton": True, "total": 1}])


async def test_a_post_published_and_deleted_in_one_step_was_never_there(blog: Blog, read_side: ReadSide) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    await blog.like(post, bob)
    await blog.unlike(post, bob)
    await blog.like(post, ada)
    await blog.edit(post, title="Too late")
    await blog.delete(post)
    await read_side.shows("read_post")
    await assert_table(blog.sql, "read_post_total", [{"singleton": True, "total": 0}])
