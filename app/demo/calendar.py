"""When made-up things happen: over a year, mostly by day, less at weekends. The filling uses it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

SPAN: Final = timedelta(days=365)

#: Hours of the day (UTC), each as often as the blog is busy then.
BUSY_HOURS: Final = tuple(
    hour
    for hour, busy in enumerate((3, 2, 1, 1, 1, 2, 4, 7, 9, 9, 8, 8, 9, 8, 7, 7, 8, 9, 10, 11, 12, 11, 8, 5))
    for _ in range(busy)
)
_EARLY_USERS: Final = 0.1  # were there before the first post
_NEWEST_POST: Final = timedelta(minutes=1)
_SATURDAY: Final = 5
_QUIET_WEEKEND: Final = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The year that ends `now`, in which `users` people join one after another."""

    now: datetime
    users: int

    @property
    def began(self) -> datetime:
        """When the first post may appear."""
        return self.now - SPAN

    def joined_at(self, user: int) -> datetime:
        """Return when the user of that number (from 0) registered."""
        return self.began + SPAN * (user / self.users - _EARLY_USERS)

    def joined_by(self, moment: datetime) -> int:
        """Return how many users had certainly registered by then, at least one."""
        share = (moment - self.began) / SPAN + _EARLY_USERS
        return min(max(int(share * self.users), 1), self.users)

    def published_at(self, share: float, random: Random) -> datetime:
        """Return a moment near that share (0 to 1) of the year, in the rhythm of days and weeks."""
        even = min(self.began + SPAN * share, self.now - _NEWEST_POST)
        midnight = even.replace(hour=0, minute=0, second=0, microsecond=0)
        if midnight.weekday() >= _SATURDAY and random.random() < _QUIET_WEEKEND:
            midnight -= timedelta(days=2)
        moment = midnight + timedelta(hours=random.choice(BUSY_HOURS), seconds=random.random() * 3600)
        return moment if self.began < moment < self.now - _NEWEST_POST else even
