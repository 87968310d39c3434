"""What each route answers to whom: the one table of it. A route without a row here fails the tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

CALLERS: Final = ("anonymous", "stranger", "owner", "deactivated")


@dataclass(frozen=True, slots=True)
class Row:
    """A route, the status that each caller is answered, and a good body with names of things in braces.

    The things are the owner's, who in the last column has been deactivated since the access token was issued.
    """

    method: str
    path: str
    anonymous: int
    stranger: int
    owner: int
    deactivated: int
    body: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def status(self, caller: str) -> int:
        """Return what this caller is to be answered."""
        status: int = getattr(self, caller)
        return status


_ACCOUNT: Final = {"username": "newcomer", "email": "newcomer@example.org", "password": "{password}"}
_LOGIN: Final = {"username": "{owner_name}", "password": "{password}"}
_REFRESH: Final = {"refresh_token": "{refresh_token}"}
_POST: Final = {"title": "Another title", "content": "Other content."}

#: Of a deactivated account, every write is refused at once; reads go on until the access token has run out.
ROWS: Final = (
    #                                                   anonymous  stranger  owner  deactivated
    Row("POST", "/auth/register/", 201, 201, 201, 201, _ACCOUNT),
    Row("POST", "/auth/login/", 200, 200, 200, 401, _LOGIN),
    Row("POST", "/auth/refresh/", 200, 200, 200, 401, _REFRESH),
    Row("POST", "/auth/logout/", 204, 204, 204, 204, _REFRESH),
    Row("POST", "/auth/logout-all/", 401, 204, 204, 401),
    Row("GET", "/auth/me/", 401, 200, 200, 200),
    Row("GET", "/posts/", 200, 200, 200, 200),
    Row("POST", "/posts/", 401, 201, 201, 401, _POST),
    Row("GET", "/posts/top/", 200, 200, 200, 200),
    Row("GET", "/posts/{post_id}/", 200, 200, 200, 200),
    Row("PUT", "/posts/{post_id}/", 401, 403, 200, 401, _POST),
    Row("PATCH", "/posts/{post_id}/", 401, 403, 200, 401, _POST),
    Row("DELETE", "/posts/{post_id}/", 401, 403, 204, 401),
    Row("POST", "/posts/{post_id}/like/", 401, 200, 200, 401),
    Row("PUT", "/posts/{post_id}/like/", 401, 200, 200, 401),
    Row("DELETE", "/posts/{post_id}/like/", 401, 200, 200, 401),
    Row("GET", "/posts/{post_id}/likes/", 200, 200, 200, 200),
    Row("GET", "/users/{user_id}/", 200, 200, 200, 200),
    Row("GET", "/users/{user_id}/posts/", 200, 200, 200, 200),
    Row("GET", "/users/{user_id}/subscribers/", 200, 200, 200, 200),
    Row("POST", "/users/{user_id}/subscribe/", 401, 200, 200, 401),
    Row("PUT", "/users/{user_id}/subscribe/", 401, 200, 200, 401),
    Row("DELETE", "/users/{user_id}/subscribe/", 401, 200, 200, 401),
    Row("GET", "/users/subscriptions/", 401, 200, 200, 200),
    Row("GET", "/feed/", 401, 200, 200, 200),
    Row("GET", "/notifications/", 401, 200, 200, 200),
    Row("POST", "/notifications/{notification_id}/read/", 401, 404, 200, 401),
    Row("POST", "/notifications/read-all/", 401, 200, 200, 401),
    Row("GET", "/analytics/likes/", 200, 200, 200, 200),
    Row("GET", "/problems/", 200, 200, 200, 200),
    Row("GET", "/problems/{slug}/", 200, 200, 200, 200),
    Row("GET", "/health/live", 200, 200, 200, 200),
    Row("GET", "/health/ready", 200, 200, 200, 200),
    Row("GET", "/metrics", 200, 200, 200, 200),
)
