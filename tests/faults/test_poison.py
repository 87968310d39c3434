"""An event that a fold can't take is set aside, and folded once when that is mended; everything else goes on."""

from app.commands.posts import WrittenPost
from projections.engine.checkpoint import Connection
from tests.projections.cli.conftest import Inkfold
from tests.support.blog import Blog
from tests.support.projection_spec import ReadSide
from tests.support.waiting import until
from tests.support.worker_process import worker_process

_SPOIL = """
UPDATE event SET payload = payload || '{"liked_at": "once upon a time"}' WHERE type = 'PostLiked' AND actor_id = $1
"""
_MEND = """
UPDATE parked_event k
SET payload = k.payload || jsonb_build_object('liked_at', l.created_at)
FROM likes l
WHERE l.post_id = k.subject_id AND l.user_id = k.actor_id
"""


async def likes_counted(sql: Connection, post: WrittenPost) -> tuple[int, int]:
    """Return the post's likes as it shows them, and as they stand in its statistics."""
    shown = await sql.fetchval("SELECT like_count FROM read_post WHERE id = $1", post.id)
    dated = await sql.fetchval("SELECT sum(likes) FROM read_likes_daily WHERE scope_id = $1", post.id)
    return shown or 0, dated or 0


async def test_fault_21_a_poison_event_is_parked_the_others_flow_and_its_replay_counts_it_once(
    blog: Blog, read_side: ReadSide, inkfold: Inkfold
) -> None:
    ada, bob, eve, late = await blog.users(4)
    post = await blog.post(ada)
    await blog.like(post, ada)
    await blog.like(post, bob)
    await blog.like(post, eve)
    await blog.sql.execute(_SPOIL, bob.id)
    with worker_process():
        await until(lambda: blog.sql.fetchval("SELECT EXISTS (SELECT FROM parked_event)"))
        assert await likes_counted(blog.sql, post) == (3, 2)
        await blog.like(post, late)

        async def flowed() -> bool:
            return await likes_counted(blog.sql, post) == (4, 3)

        await until(flowed)
        (parked,) = (await inkfold("parked", "list", "--json")).json["parked"]
        assert (parked["projection"], parked["type"], parked["actor_id"]) == (
            "like_statistics",
            "PostLiked",
            str(bob.id),
        )
        assert "once upon a time" in parked["error"]
        await blog.sql.execute(_MEND)
        replayed = await inkfold("parked", "replay", "like_statistics", "--json")
        assert (replayed.code, replayed.json["folded"], replayed.json["still_parked"]) == (0, 1, 0)
        assert await likes_counted(blog.sql, post) == (4, 4)
        assert (await inkfold("parked", "list", "--json")).json == {"parked": []}
    await read_side.folds_nothing_again()
    await read_side.is_exact()
