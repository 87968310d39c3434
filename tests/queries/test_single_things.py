from app.ids import new_id
from app.queries.get_post import GetPost
from app.queries.profiles import GetMe, GetProfile
from app.queries.reader import Reader
from tests.support.read_rows import NOON, ReadRows


async def test_a_post_is_shown_in_full_with_its_version(reader: Reader, rows: ReadRows) -> None:
    ada, bob = await rows.profile("ada"), await rows.profile("bob")
    post = await rows.post(ada, likes=1, content="All the words.")
    await rows.like(post, bob)
    seen = await GetPost(post_id=post, viewer_id=bob).fetch(reader)
    assert seen is not None
    assert seen.version == 3
    assert seen.post == {
        "id": post,
        "title": "A title",
        "excerpt": "Words",
        "author": {"id": ada, "username": "ada"},
        "like_count": 1,
        "liked_by_me": True,
        "created_at": NOON,
        "updated_at": NOON,
        "content": "All the words.",
    }
    anonymous = await GetPost(post_id=post, viewer_id=None).fetch(reader)
    assert anonymous is not None
    assert "liked_by_me" not in anonymous.post
    assert await GetPost(post_id=new_id(), viewer_id=None).fetch(reader) is None


async def test_a_profile_tells_everybody_no_address(reader: Reader, rows: ReadRows) -> None:
    ada = await rows.profile("ada", posts=2, subscribers=3, subscriptions=4)
    public: dict[str, object] = {
        "id": ada,
        "username": "ada",
        "created_at": NOON,
        "post_count": 2,
        "likes_received": 7,
        "subscriber_count": 3,
        "subscription_count": 4,
    }
    own: dict[str, object] = {**public, "email": "ada@example.org", "is_active": True}
    assert await GetProfile(user_id=ada).fetch(reader) == public
    assert await GetMe(user_id=ada).fetch(reader) == own
    assert await GetProfile(user_id=new_id()).fetch(reader) is None
    assert await GetMe(user_id=new_id()).fetch(reader) is None
