"""What every screen must show, from the oracle: the bodies of the API's answers, as JSON."""

from collections.abc import Iterable
from operator import itemgetter

from tests.soak.oracle import Json, Oracle, Post

_EXCERPT = 280
TOP = 10


def person(oracle: Oracle, user_id: str) -> Json:
    """Return a user as other screens show one."""
    return {"id": user_id, "username": oracle.users[user_id].username}


def card(oracle: Oracle, post: Post, viewer_id: str | None) -> Json:
    """Return a post in a list; `liked_by_me` only for a viewer who is signed in."""
    content = post.content
    shown = {
        "id": post.id,
        "title": post.title,
        "excerpt": content if len(content) <= _EXCERPT else f"{content[: _EXCERPT - 1]}…",
        "author": person(oracle, post.author_id),
        "like_count": like_count(oracle, post.id),
        "created_at": post.created_at,
        "updated_at": post.updated_at,
    }
    if viewer_id is not None:
        shown["liked_by_me"] = (post.id, viewer_id) in oracle.likes
    return shown


def newest(oracle: Oracle, viewer_id: str | None, authors: Iterable[str]) -> list[Json]:
    """Return the posts of these authors, newest first."""
    chosen = set(authors)
    posts = (post for post in oracle.posts.values() if post.author_id in chosen)
    return [card(oracle, post, viewer_id) for post in sorted(posts, key=lambda post: post.age, reverse=True)]


def ranked(oracle: Oracle, viewer_id: str | None, authors: Iterable[str]) -> list[Json]:
    """Return the posts of these authors, most liked first."""
    return sorted(newest(oracle, viewer_id, authors), key=itemgetter("like_count", "id"), reverse=True)


def top(oracle: Oracle) -> list[Json]:
    """Return the ten posts with the most likes."""
    return ranked(oracle, None, oracle.users)[:TOP]


def followed(oracle: Oracle, user_id: str) -> dict[str, int]:
    """Return whom the user follows, since when."""
    return {target: since for (subscriber, target), since in oracle.follows.items() if subscriber == user_id}


def followers(oracle: Oracle, user_id: str) -> dict[str, int]:
    """Return who follows the user, since when."""
    return {subscriber: since for (subscriber, target), since in oracle.follows.items() if target == user_id}


def likers(oracle: Oracle, post_id: str) -> dict[str, int]:
    """Return who likes the post, since when."""
    return {user: since for (post, user), since in oracle.likes.items() if post == post_id}


def profile(oracle: Oracle, user_id: str) -> Json:
    """Return a user's profile."""
    user = oracle.users[user_id]
    own = [post.id for post in oracle.posts.values() if post.author_id == user_id]
    return {
        "id": user.id,
        "username": user.username,
        "created_at": user.created_at,
        "post_count": len(own),
        "likes_received": sum(like_count(oracle, post_id) for post_id in own),
        "subscriber_count": len(followers(oracle, user_id)),
        "subscription_count": len(followed(oracle, user_id)),
    }


def like_count(oracle: Oracle, post_id: str) -> int:
    """Return how many like the post."""
    return len(likers(oracle, post_id))


def liked(oracle: Oracle, post_ids: Iterable[str]) -> list[Json]:
    """Return the ten of these posts with the most likes, as the statistics show them."""
    posts = [oracle.posts[post_id] for post_id in post_ids if like_count(oracle, post_id)]
    shown = [
        {
            "id": post.id,
            "title": post.title,
            "author": person(oracle, post.author_id),
            "likes": like_count(oracle, post.id),
        }
        for post in posts
    ]
    return sorted(shown, key=itemgetter("likes", "id"), reverse=True)[:TOP]


def in_order(what: str, shown: list[Json], moments: dict[str, int], *, stamp: str) -> list[str]:
    """Return what is wrong with a list of users, the latest first; those of one moment may stand in any order."""
    ids = [item["user"]["id"] for item in shown]
    if sorted(ids) != sorted(moments):
        return [f"{what} has {ids}, not {list(moments)}"]
    stamps = [(item[stamp], item["user"]["id"]) for item in shown]
    came = [moments[user_id] for user_id in ids]
    if stamps != sorted(stamps, reverse=True) or came != sorted(came, reverse=True):
        return [f"{what} is not in order: {stamps}, while they came at {came}"]
    return []
