"""The screens that the lane answers: which query a request means, and how its answer is represented.

Each is declared in FastAPI's routes too, for OpenAPI and for every request that is unusual; both make their answers of
the same query by the same functions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from app.api.answers import json_bytes
from app.api.frame.entity_tags import post_etag
from app.api.frame.representations import RawHeaders, Representation
from app.api.frame.security_headers import RAW_HEADERS
from app.api.pagination import PERSONAL, next_page, page_body
from app.api.posts import LISTS
from app.queries.get_post import GetPost, PostDetail
from app.queries.home_feed import HomeFeed
from app.queries.list_notifications import ListNotifications, NotificationPage, Status
from app.queries.list_posts import RankPosts
from app.queries.page import Page
from app.queries.query import Query
from app.queries.top_posts import TopPosts

_JSON: Final = (b"content-type", b"application/json")
_SHARED_HEADERS: Final[RawHeaders] = [_JSON, *RAW_HEADERS]
_PERSONAL_HEADERS: Final[RawHeaders] = [
    _JSON,
    *((name.lower().encode(), value.encode()) for name, value in PERSONAL.items()),
    *RAW_HEADERS,
]

Sent = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Screen:
    """A read: its route, its query by the parameters sent, and the representation of what the query finds.

    `query` raises ValueError or KeyError for parameters that it does not take.
    """

    route: str
    #: The projections that its query reads.
    reads: tuple[str, ...]
    query: Callable[[Sent, UUID | None], Query[Any]]
    represent: Callable[[Any, str], Representation]
    #: Whether one must be signed in.
    personal: bool = False


def sent_parameters(query_string: bytes) -> dict[str, str]:
    """Return the parameters of a query string; raises ValueError where one stands twice or is not well-formed."""
    if not query_string:
        return {}
    pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    sent = dict(pairs)
    if len(sent) < len(pairs):
        raise ValueError("a parameter stands twice")
    return sent


def _paging(sent: Sent, *others: str) -> dict[str, Any]:
    """Return limit and cursor; raises ValueError for what pagination does not take, or any but `others` beside."""
    if not sent.keys() <= {"limit", "cursor", *others}:
        raise ValueError("an unknown parameter")
    limit = sent.get("limit", "20")
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= 3 and 1 <= int(limit) <= 100):  # noqa: PLR2004
        raise ValueError("a limit that FastAPI refuses")
    return {"limit": int(limit), "cursor": sent.get("cursor")}


def _posts(sent: Sent, viewer_id: UUID | None) -> Query[Any]:
    paging = _paging(sent, "sort", "author_id")
    author = sent.get("author_id")
    author_id = None if author is None else UUID(author)
    if author is not None and author != str(author_id):
        raise ValueError("an id in an unusual form")
    return LISTS[sent.get("sort", "new")](viewer_id=viewer_id, author_id=author_id, **paging)


def _post(sent: Sent, viewer_id: UUID | None) -> Query[Any]:
    return GetPost(post_id=UUID(sent["post_id"]), viewer_id=viewer_id)


def _top(sent: Sent, _: UUID | None) -> Query[Any]:
    if sent:
        raise ValueError("an unknown parameter")
    return TopPosts()


def _feed(sent: Sent, viewer_id: UUID | None) -> Query[Any]:
    assert viewer_id is not None
    return HomeFeed(viewer_id=viewer_id, **_paging(sent))


def _notifications(sent: Sent, viewer_id: UUID | None) -> Query[Any]:
    assert viewer_id is not None
    status = Status(sent.get("status", Status.UNREAD))
    return ListNotifications(viewer_id=viewer_id, status=status, **_paging(sent, "status"))


def _represent_page(route: str) -> Callable[[Page[Any], str], Representation]:
    def represent(page: Page[Any], query_string: str) -> Representation:
        also = {"unread_count": page.unread_count} if isinstance(page, NotificationPage) else None
        headers = _PERSONAL_HEADERS
        if page.next_cursor is not None:
            link = f'<{next_page(route, query_string, page.next_cursor)}>; rel="next"'
            headers = [*headers, (b"link", link.encode())]
        return Representation(page_body(page, also=also), headers)

    return represent


def _represent_post(found: PostDetail, _: str) -> Representation:
    body = json_bytes(found.post)
    return Representation(body, _PERSONAL_HEADERS, etag=post_etag(found.version, body).encode())


def _represent_top(body: bytes, _: str) -> Representation:
    return Representation(body, [*_SHARED_HEADERS, (b"x-cache", b"hit")])


POST: Final = Screen("/posts/{post_id}/", GetPost.reads, _post, _represent_post)
TOP: Final = Screen("/posts/top/", TopPosts.reads, _top, _represent_top)
#: All whose path is fixed.
SCREENS: Final = (
    Screen("/posts/", RankPosts.reads, _posts, _represent_page("/posts/")),
    TOP,
    Screen("/feed/", HomeFeed.reads, _feed, _represent_page("/feed/"), personal=True),
    Screen(
        "/notifications/", ListNotifications.reads, _notifications, _represent_page("/notifications/"), personal=True
    ),
)
