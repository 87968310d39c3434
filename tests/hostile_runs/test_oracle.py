"""The oracle finds what is lost, doubled or made up, and accuses nobody of what no client learned of."""

from loadtests.hostile.oracle import Oracle, Told
from projections.engine.checkpoint import Connection
from tests.support.blog import Blog

_AGAIN = "INSERT INTO event (type, subject_id, actor_id) SELECT type, subject_id, actor_id FROM event WHERE type = $1"


async def test_what_is_as_everyone_was_told_is_neither_lost_nor_doubled(blog: Blog, sql: Connection) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada, "Of ada", "First.")
    await blog.edit(post, content="Second.")
    await blog.like(post, ada)
    await blog.unlike(post, ada)
    await blog.like(post, ada)

    oracle = Oracle(
        posts={"Of ada": Told({"Second."}), "Never stored": Told({None, "Words."})},
        likes={(str(ada.id), str(post.id)): Told({True})},
        people={"ada": Told({True}), "bob": Told({False})},
    )
    losses = await oracle.compare(sql)

    assert (losses.lost, losses.doubled, losses.things) == ([], [], 5)


async def test_what_was_acknowledged_and_is_not_there_is_lost(blog: Blog, sql: Connection) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada, "Of ada", "First.")

    oracle = Oracle(
        posts={"Of ada": Told({"Second."}), "Another": Told({"Words."})},
        likes={(str(bob.id), str(post.id)): Told({True})},
        subscriptions={(str(bob.id), str(ada.id)): Told({True})},
        people={ada.username: Told({True}), bob.username: Told({True}), "eve": Told({True})},
    )
    losses = await oracle.compare(sql)

    assert losses.lost == [
        "post Of ada is 'First.', and must be 'Second.'",
        "post Another is None, and must be 'Words.'",
        f"like {(str(bob.id), str(post.id))} is False, and must be True",
        f"subscription {(str(bob.id), str(ada.id))} is False, and must be True",
        "account eve is False, and must be True",
    ]
    assert losses.doubled == []


async def test_what_is_there_twice_or_unasked_is_doubled(blog: Blog, sql: Connection) -> None:
    ada = await blog.user("ada")
    post = await blog.post(ada, "Of ada", "First.")
    await blog.post(ada, "Of ada", "First.")
    await blog.like(post, ada)

    oracle = Oracle(posts={"Of ada": Told({"First."})}, people={"ada": Told({True})})
    losses = await oracle.compare(sql)

    assert losses.lost == []
    assert losses.doubled == [
        "2 posts are called “Of ada”",
        f"like {(str(ada.id), str(post.id))} is there, and nobody asked for it",
    ]


async def test_an_event_that_happened_twice_is_doubled(blog: Blog, sql: Connection) -> None:
    ada, bob = await blog.users(2)
    post = await blog.post(ada, "Of ada", "First.")
    await blog.like(post, bob)
    await blog.subscribe(bob, ada)
    for event in ("PostPublished", "PostLiked", "UserSubscribed"):
        await sql.execute(_AGAIN, event)

    oracle = Oracle(
        posts={"Of ada": Told({"First."})},
        likes={(str(bob.id), str(post.id)): Told({True})},
        subscriptions={(str(bob.id), str(ada.id)): Told({True})},
        people={ada.username: Told({True}), bob.username: Told({True})},
    )
    losses = await oracle.compare(sql)

    assert losses.lost == []
    assert sorted(losses.doubled) == [
        f"PostPublished happened twice for {post.id}",
        "events too many: 1 PostLiked",
        "events too many: 1 UserSubscribed",
    ]
