"""Publishing, editing and deleting a post. Only its author may do the latter two."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from tortoise.queryset import QuerySet

from app.command_store import CommandStore, Committed, Transaction
from app.commands.callers import admission, admit
from app.errors import NotTheAuthor, PostNotFound, PreconditionFailed
from app.events import PostDeleted, PostEdited, PostPublished
from app.idempotency import IdempotencyKey, once
from app.models import Post

_ANNOUNCE = """
INSERT INTO announcements (post_id, author_id, message, created_at)
SELECT p.id, p.author_id, left(u.username || ' published “' || p.title || '”', 300), p.created_at
FROM posts p
JOIN users u ON u.id = p.author_id
WHERE p.id = $1
  AND EXISTS (SELECT FROM subscriptions s WHERE s.target_user_id = p.author_id)
"""

_EDIT = """
UPDATE posts
SET title = coalesce($2, title),
    content = coalesce($3, content),
    version = version + 1,
    updated_at = greatest(clock_timestamp(), updated_at)
WHERE id = $1 AND author_id = $4
RETURNING title, content, version, created_at, updated_at
"""

_DELETE_LIKES = "WITH gone AS (DELETE FROM likes WHERE post_id = $1 RETURNING 1) SELECT count(*) AS likes FROM gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishPost:
    """A new post; its subscribers will be notified."""

    author_id: UUID
    title: str
    content: str
    token_issued_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPost:
    """A change of a post; None leaves a field as it is. `expected_versions` refuses to overwrite another edit."""

    post_id: UUID
    author_id: UUID
    title: str | None
    content: str | None
    expected_versions: frozenset[int] | None = None
    token_issued_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePost:
    """The end of a post, its likes and its notifications."""

    post_id: UUID
    author_id: UUID
    expected_versions: frozenset[int] | None = None
    token_issued_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPost:
    """A post as it was just written."""

    id: UUID
    author_id: UUID
    title: str
    content: str
    version: int
    created_at: datetime
    updated_at: datetime


async def publish_post(
    store: CommandStore, command: PublishPost, *, key: IdempotencyKey | None = None
) -> Committed[WrittenPost]:
    """Store the post and leave word that its subscribers are to be notified; raises AccessEnded."""

    async def work(transaction: Transaction) -> WrittenPost:
        await admit(transaction, command.author_id, command.token_issued_at)
        post = await Post.create(
            using_db=transaction.connection,
            title=command.title,
            content=command.content,
            author_id=command.author_id,
        )
        await transaction.fetch(_ANNOUNCE, post.id)
        transaction.record(PostPublished(subject_id=post.id, actor_id=command.author_id))
        return WrittenPost(
            id=post.id,
            author_id=command.author_id,
            title=post.title,
            content=post.content,
            version=post.version,
            created_at=post.created_at,
            updated_at=post.updated_at,
        )

    admitted = admission(command.author_id, command.token_issued_at)
    keyed = once(key, command, by=command.author_id, answers=WrittenPost, admit=admitted)
    return await store.transact(work, once=keyed)


async def edit_post(store: CommandStore, command: EditPost) -> Committed[WrittenPost]:
    """Change the post; raises PostNotFound, NotTheAuthor, PreconditionFailed or AccessEnded."""

    async def work(transaction: Transaction) -> WrittenPost:
        await _lock_own_post(transaction, command)
        own = (command.post_id, command.title, command.content, command.author_id)
        row = (await transaction.fetch(_EDIT, *own))[0]
        transaction.record(PostEdited(subject_id=command.post_id, actor_id=command.author_id))
        return WrittenPost(id=command.post_id, author_id=command.author_id, **row)

    return await store.transact(work)


async def delete_post(store: CommandStore, command: DeletePost) -> Committed[None]:
    """Delete the post and what hangs on it; raises PostNotFound, NotTheAuthor, PreconditionFailed or AccessEnded."""

    async def work(transaction: Transaction) -> None:
        await _lock_own_post(transaction, command)
        # Locked, the post takes no new like: what is counted here is what goes.
        likes = (await transaction.fetch(_DELETE_LIKES, command.post_id))[0]["likes"]
        await _own(command).using_db(transaction.connection).delete()
        transaction.record(PostDeleted(subject_id=command.post_id, actor_id=command.author_id, likes=likes))

    return await store.transact(work)


async def _lock_own_post(transaction: Transaction, command: EditPost | DeletePost) -> None:
    """Lock the post if it is the author's; nobody else's request locks it or waits for who has."""
    await admit(transaction, command.author_id, command.token_issued_at)
    post = (
        await _own(command)
        .using_db(transaction.connection)
        .select_for_update(no_key=isinstance(command, EditPost))  # an edit leaves room for likes meanwhile
        .only("id", "version")
        .first()
    )
    if post is None:
        others = await Post.filter(id=command.post_id).using_db(transaction.connection).exists()
        raise NotTheAuthor if others else PostNotFound
    if command.expected_versions is not None and post.version not in command.expected_versions:
        raise PreconditionFailed


def _own(command: EditPost | DeletePost) -> QuerySet[Post]:
    return Post.filter(id=command.post_id, author_id=command.author_id)
