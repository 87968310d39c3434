"""What can be refused or go wrong, as exceptions with a status, a slug and a sentence; app.api answers them.

InkfoldError
├── Refused (4xx): InvalidInput, Unauthenticated, Forbidden, NotFound…, Conflict, PreconditionFailed, IdempotencyKey…,
│   MalformedRequest, RequestTimeout, HeadersTooLarge, RateLimited
└── Unavailable (503): Overloaded, StorageFull, ProjectionLagging, OutcomeUnknown

The docstring of each class is public: it is what an answer says when nothing more is known.
"""

from typing import ClassVar


class InkfoldError(Exception):
    """Something went wrong here. Try again; if it stays, report the request id."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"
    retry_after_seconds: int | None = None

    def __init__(self, detail: str | None = None, *, field: str | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.field = field
        super().__init__(self.detail)


class InvalidInput(InkfoldError):
    """The request does not fit."""

    status, slug, title = 422, "invalid-input", "Invalid input"


class InvalidCursor(InvalidInput):
    """This cursor was not made for this list. Begin again without a cursor."""

    slug, title = "invalid-cursor", "Invalid cursor"


class SelfSubscription(InvalidInput):
    """Nobody can subscribe to oneself."""

    slug, title = "self-subscription", "Self-subscription"


class Unauthenticated(InkfoldError):
    """Sign in and send the access token as `Authorization: Bearer …`."""

    status, slug, title = 401, "unauthenticated", "Not signed in"


class InvalidCredentials(Unauthenticated):
    """The username, e-mail address or password is wrong."""

    slug, title = "invalid-credentials", "Invalid credentials"


class InvalidRefreshToken(Unauthenticated):
    """The refresh token is unknown, expired or already used. Sign in again."""

    slug, title = "invalid-refresh-token", "Invalid refresh token"


class AccessEnded(Unauthenticated):
    """This access token counts no longer: its user signed out everywhere, was deactivated or is gone. Sign in again."""

    slug, title = "access-ended", "Access ended"


class NotTheAuthor(InkfoldError):
    """Only its author may change a post."""

    status, slug, title = 403, "not-the-author", "Not the author"


class NotFound(InkfoldError):
    """There is no such thing here."""

    status, slug, title = 404, "not-found", "Not found"


class PostNotFound(NotFound):
    """There is no such post."""

    slug, title = "post-not-found", "Post not found"


class UserNotFound(NotFound):
    """There is no such user."""

    slug, title = "user-not-found", "User not found"


class NotificationNotFound(NotFound):
    """There is no such notification among yours."""

    slug, title = "notification-not-found", "Notification not found"


class UsernameTaken(InkfoldError):
    """This username is taken, perhaps in other letter case, or by one that looks like it."""

    status, slug, title = 409, "username-taken", "Username taken"


class EmailTaken(InkfoldError):
    """This e-mail address is registered already."""

    status, slug, title = 409, "email-taken", "E-mail address taken"


class PreconditionFailed(InkfoldError):
    """The post was changed meanwhile. Read it again and send its new ETag."""

    status, slug, title = 412, "precondition-failed", "Precondition failed"


class IdempotencyKeyInUse(InkfoldError):
    """A request with this Idempotency-Key is still being carried out. Send yours again in a moment."""

    status, slug, title = 409, "idempotency-key-in-use", "Idempotency key in use"


class IdempotencyKeyReused(InkfoldError):
    """This Idempotency-Key was sent with another request. Nothing was changed; take a new key for each new request."""

    status, slug, title = 422, "idempotency-key-reused", "Idempotency key reused"


class MalformedRequest(InkfoldError):
    """This is no HTTP/1.1 request that can be read: its first line, a header field or the form of its body is wrong."""

    status, slug, title = 400, "malformed-request", "Malformed request"


class RequestTimeout(InkfoldError):
    """The request did not arrive in time. Send it again."""

    status, slug, title = 408, "request-timeout", "Request timeout"


class HeadersTooLarge(InkfoldError):
    """The header fields are larger, or more, than this service takes. Send fewer or shorter ones."""

    status, slug, title = 431, "headers-too-large", "Header fields too large"


class RateLimited(InkfoldError):
    """Too many requests came from you. Wait for as many seconds as Retry-After says."""

    status, slug, title = 429, "rate-limited", "Too many requests"

    def __init__(self, detail: str | None = None, *, retry_after_seconds: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(InkfoldError):
    """Part of the service can't be reached. Try again."""

    status, slug, title = 503, "unavailable", "Temporarily unavailable"
    retry_after_seconds = 1


class Overloaded(Unavailable):
    """Too much is waiting already. Try again."""

    slug, title = "overloaded", "Overloaded"


class StorageFull(Unavailable):
    """The database has no room left for this. Nothing was changed; try again later."""

    slug, title = "storage-full", "Storage full"
    retry_after_seconds = 30


class ProjectionLagging(Unavailable):
    """What you wrote is stored but not readable yet. Try again, or send `Prefer: stale` for what there is."""

    slug, title = "projection-lagging", "Projection lagging"


class OutcomeUnknown(Unavailable):
    """The connection to the database broke while the change was being stored. Look before you repeat it."""

    slug, title = "outcome-unknown", "Outcome unknown"
