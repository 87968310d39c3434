"""Publishing, editing and deleting: rows and events in one commit, for the author alone."""

import asyncio
from uuid import uuid4

import pytest

from app.commands.likes import LikePost, like_post
from app.commands.posts import DeletePost, EditPost, PublishPost, delete_post, edit_post, publish_post
from app.errors import NotTheAuthor, PostNotFound, PreconditionFailed, Unauthenticated
from tests.support.blog import Blog, happened
from tests.support.projection_spec import dump


async def test_publishing_stores_the_post_with_its_event(blog: Blog) -> None:
    ada = await blog.user("ada")
    committed = await publish_post(blog.store, PublishPost(author_id=ada.id, title="T", content="C"))
    post = committed.value
    row = await blog.sql.fetchrow("SELECT * FROM posts")
    assert row is not None
    assert dict(row) == {
        "id": post.id,
        "title": "T",
        "content": "C",
        "author_id": ada.id,
        "version": 1,
        "created_at": post.created_at,
        "updated_at": post.updated_at,
    }
    assert (await happened(blog.sql))[1:] == [("PostPublished", post.id, ada.id, {})]
    event_tx = await blog.sql.fetchval("SELECT tx::text FROM event WHERE type = 'PostPublished'")
    assert committed.token == event_tx
    assert await blog.sql.fetchval("SELECT xmin::text FROM posts") == event_tx


async def test_publishing_for_nobody_leaves_no_post_and_no_event(blog: Blog) -> None:
    with pytest.raises(Unauthenticated):
        await publish_post(blog.store, PublishPost(author_id=uuid4(), title="T", content="C"))
    assert await blog.sql.fetchval("SELECT count(*) FROM posts") == 0
    assert await happened(blog.sql) == []


async def test_an_edit_changes_what_it_names_and_leaves_the_rest(blog: Blog) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada, "Before", "Old words.")
    edited = await blog.edit(post, title="After")
    assert (edited.title, edited.content, edited.version) == ("After", "Old words.", 2)
    again = await blog.edit(edited, content="New words.")
    assert (again.title, again.content, again.version) == ("After", "New words.", 3)
    assert post.created_at == again.created_at
    assert post.updated_at < edited.updated_at < again.updated_at
    assert [event[0] for event in await happened(blog.sql)][-2:] == ["PostEdited", "PostEdited"]


async def test_an_edit_of_an_older_version_is_refused(blog: Blog) -> None:
    ada = await blog.user("ada")
    post = await blog.edit(await blog.post(ada), title="Second")
    before = await happened(blog.sql)
    with pytest.raises(PreconditionFailed):
        await edit_post(
            blog.store,
            EditPost(post_id=post.id, author_id=ada.id, title="Lost", content=None, expected_versions=frozenset({1})),
        )
    assert await blog.sql.fetchval("SELECT title FROM posts") == "Second"
    assert await happened(blog.sql) == before


async def test_an_edit_of_any_version_that_is_named_goes_through(blog: Blog) -> None:
    ada = await blog.user("ada")
    post = await blog.edit(await blog.post(ada), title="Second")
    named = EditPost(
        post_id=post.id, author_id=ada.id, title="Third", content=None, expected_versions=frozenset({1, 2})
    )
    assert (await edit_post(blog.store, named)).value.version == 3


async def test_of_many_edits_of_one_version_exactly_one_succeeds(blog: Blog) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    edits = [
        EditPost(
            post_id=post.id, author_id=ada.id, title=f"No. {number}", content=None, expected_versions=frozenset({1})
        )
        for number in range(20)
    ]
    results = await asyncio.gather(*(edit_post(blog.store, edit) for edit in edits), return_exceptions=True)
    refused = [result for result in results if isinstance(result, PreconditionFailed)]
    assert len(refused) == 19
    assert await blog.sql.fetchval("SELECT version FROM posts") == 2


async def test_many_edits_without_a_version_all_count(blog: Blog) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    await asyncio.gather(*(blog.edit(post, title=f"No. {number}") for number in range(20)))
    assert await blog.sql.fetchval("SELECT version FROM posts") == 21


async def test_only_the_author_edits_or_deletes(blog: Blog) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    before = await happened(blog.sql)
    with pytest.raises(NotTheAuthor):
        await edit_post(blog.store, EditPost(post_id=post.id, author_id=bob.id, title="Mine", content=None))
    with pytest.raises(NotTheAuthor):
        await delete_post(blog.store, DeletePost(post_id=post.id, author_id=bob.id))
    assert await blog.sql.fetchval("SELECT title FROM posts") == post.title
    assert await happened(blog.sql) == before


async def test_a_strangers_request_waits_for_no_lock_on_the_post(blog: Blog) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada)
    async with blog.sql.transaction():
        await blog.sql.execute("SELECT FROM posts WHERE id = $1 FOR UPDATE", post.id)
        with pytest.raises(NotTheAuthor):
            await edit_post(blog.store, EditPost(post_id=post.id, author_id=bob.id, title="Mine", content=None))
        with pytest.raises(NotTheAuthor):
            await delete_post(blog.store, DeletePost(post_id=post.id, author_id=bob.id))


async def test_a_deleted_post_takes_everything_along_and_says_how_many_likes(blog: Blog) -> None:
    ada, bob = await blog.users(2)
    await blog.subscribe(bob, ada)
    post = await blog.post(ada)
    await blog.announce()
    await blog.like(post, ada)
    await blog.like(post, bob)
    await blog.delete(post)
    for table in ("posts", "likes", "notifications", "announcements"):
        assert await blog.sql.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert (await happened(blog.sql))[-1] == ("PostDeleted", post.id, ada.id, {"likes": 2})


async def test_a_delete_of_an_older_version_is_refused(blog: Blog) -> None:
    ada = await blog.user("ada")
    post = await blog.edit(await blog.post(ada), title="Second")
    with pytest.raises(PreconditionFailed):
        await delete_post(blog.store, DeletePost(post_id=post.id, author_id=ada.id, expected_versions=frozenset({1})))
    await delete_post(blog.store, DeletePost(post_id=post.id, author_id=ada.id, expected_versions=frozenset({2})))


async def test_what_is_not_there_is_neither_edited_nor_deleted(blog: Blog) -> None:
    ada = await blog.user("ada")
    with pytest.raises(PostNotFound):
        await edit_post(blog.store, EditPost(post_id=uuid4(), author_id=ada.id, title="T", content=None))
    with pytest.raises(PostNotFound):
        await delete_post(blog.store, DeletePost(post_id=uuid4(), author_id=ada.id))


async def test_of_many_deletions_exactly_one_succeeds(blog: Blog) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    results = await asyncio.gather(*(blog.delete(post) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(result, PostNotFound) for result in results) == 9
    assert [event[0] for event in await happened(blog.sql)].count("PostDeleted") == 1


async def test_likes_that_race_with_a_deletion_are_counted_or_refused(blog: Blog) -> None:
    fans = await blog.users(20)
    post = await blog.post(fans[0])
    likes = [like_post(blog.store, LikePost(post_id=post.id, user_id=fan.id)) for fan in fans]
    results = await asyncio.gather(*likes[:12], blog.delete(post), *likes[12:], return_exceptions=True)
    refused = [result for result in results if isinstance(result, BaseException)]
    assert all(isinstance(result, PostNotFound) for result in refused)
    events = await happened(blog.sql)
    (deleted,) = [event for event in events if event[0] == "PostDeleted"]
    assert deleted[3]["likes"] == sum(event[0] == "PostLiked" for event in events)
    assert await blog.sql.fetchval("SELECT count(*) FROM likes") == 0


async def test_commands_leave_the_read_tables_alone(blog: Blog) -> None:
    before = await dump(blog.sql, with_row_versions=True)
    ada, bob = await blog.users(2)
    await blog.subscribe(bob, ada)
    post = await blog.post(ada)
    await blog.like(post, bob)
    await blog.edit(post, title="Another")
    await blog.announce()
    await blog.unlike(post, bob)
    await blog.delete(post)
    await blog.unsubscribe(bob, ada)
    assert await dump(blog.sql, with_row_versions=True) == before
