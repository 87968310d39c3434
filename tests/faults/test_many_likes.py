"""Likes in great numbers and all at once: as many as there are, for commands and for whoever reads."""

import asyncio
from collections import Counter
from random import Random

from app.command_store import Transaction
from app.commands.likes import LIKE, UNLIKE, LikePost, like_post
from app.commands.posts import WrittenPost
from app.commands.users import RegisteredUser
from app.doorbell import FOLD
from app.ids import new_id
from projections.engine.checkpoint import Connect
from tests.support.blog import Blog, happened
from tests.support.projection_spec import ReadSide, differences
from tests.support.worker_process import worker_process

LIKES = 10_000
WRITERS = 10
AT_ONCE = 10
LOOKS = 3

_COUNTS = "SELECT p.id, count(l.id) AS likes FROM posts p LEFT JOIN likes l ON l.post_id = p.id GROUP BY p.id"


async def test_fault_24_500_likes_of_one_user_at_once_are_one_like(blog: Blog, read_side: ReadSide) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada)
    like = LikePost(post_id=post.id, user_id=ada.id)
    committed = await asyncio.gather(*(like_post(blog.store, like) for _ in range(500)))
    assert all(answer.value is True for answer in committed)
    assert sum(answer.token is not None for answer in committed) == 1
    assert await blog.sql.fetchval("SELECT count(*) FROM likes") == 1
    assert Counter(event[0] for event in await happened(blog.sql))["PostLiked"] == 1
    await read_side.folds(3)
    assert await blog.sql.fetchval("SELECT like_count FROM read_post") == 1
    await read_side.is_exact()


async def test_fault_25_10_000_mixed_likes_leave_no_difference_at_any_moment(
    blog: Blog, read_side: ReadSide, building: Connect
) -> None:
    users = await blog.users(40)
    posts = [await blog.post(user) for user in users[:20]]
    with worker_process():
        writing = [asyncio.create_task(change_minds(blog, users, posts, Random(seed))) for seed in range(WRITERS)]
        for _ in range(LOOKS):
            assert await differences(building) == []
        await asyncio.gather(*writing)
    await read_side.projector.fold()
    shown = {row["id"]: row["like_count"] for row in await blog.sql.fetch("SELECT id, like_count FROM read_post")}
    assert shown == {row["id"]: row["likes"] for row in await blog.sql.fetch(_COUNTS)}
    await read_side.folds_nothing_again()
    await read_side.is_exact()


async def change_minds(blog: Blog, users: list[RegisteredUser], posts: list[WrittenPost], random: Random) -> None:
    """Give and take back likes, several in a transaction, which lock their rows in one order."""

    async def work(transaction: Transaction) -> None:
        pairs = [(random.choice(posts).id, random.choice(users).id) for _ in range(AT_ONCE)]
        for post_id, user_id in sorted(pairs):
            if random.random() < 0.5:
                await transaction.fetch(LIKE, user_id, None, post_id, new_id())
            else:
                await transaction.fetch(UNLIKE, user_id, None, post_id)

    for _ in range(LIKES // WRITERS // AT_ONCE):
        await blog.store.transact(work)
        blog.store._doorbell.ring(FOLD)
