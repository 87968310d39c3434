"""What is there to be asked for that nobody could make up: an author whom a reader follows, news, sessions."""

from collections.abc import Mapping, Sequence
from typing import Final

from tests.support.people import Person
from tests.support.waiting import until

_SESSIONS: Final = 20
_NEWCOMERS: Final = 20


async def known(reader: Person, author: Person) -> Mapping[str, Sequence[str]]:
    """Have the reader told of the author's news by a worker; return what can be asked for, as `Effort.known`.

    The sessions are the author's: whoever sends the reader's requests may sign out everywhere.
    """
    await reader.publish()
    assert (await reader.put(f"/users/{author.id}/subscribe/")).is_success
    await author.publish()

    async def news() -> list[str]:
        return [item["id"] for item in (await reader.get("/notifications/")).json()["items"]]

    return {
        "path.user_id": [str(author.id)],
        "path.slug": ["not-found", "invalid-input"],
        "path.notification_id": await until(news),
        "body.refresh_token": [(await author.sign_in())["refresh_token"] for _ in range(_SESSIONS)],
        "body.email": [f"newcomer{number}@example.org" for number in range(_NEWCOMERS)],
    }
