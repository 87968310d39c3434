"""What is made up without a database: ids, moments and words."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from app.demo.batch import Ids
from app.demo.calendar import SPAN, Calendar
from app.demo.prose import Prose, password
from app.demo.vocabulary import NAMES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_ids_are_of_version_7_and_count_up_within_their_range() -> None:
    ids = Ids()
    made = [ids.of("post", number) for number in (0, 1, 255, 1_000_000)]
    first, last = ids.range("post")
    assert {id_.version for id_ in made} == {7}
    assert made == sorted(made)
    assert first == made[0]
    assert made[-1] < last < ids.range("like")[0]
    assert str(ids.of("post", 0xABCDEF)) == ids.prefix("post") + "00abcdef"


def test_two_batches_have_no_id_in_common() -> None:
    assert Ids().range("user") != Ids().range("user")


@pytest.mark.parametrize("users", [1, 2, 7, 1_000])
def test_whoever_may_write_by_then_has_joined(users: int) -> None:
    calendar = Calendar(now=NOW, users=users)
    for day in range(366):
        moment = calendar.began + timedelta(days=day)
        joined = calendar.joined_by(moment)
        assert 1 <= joined <= users
        assert calendar.joined_at(joined - 1) <= moment


def test_posts_appear_within_the_year() -> None:
    random = Random(5)
    calendar = Calendar(now=NOW, users=10)
    moments = [calendar.published_at(random.random(), random) for _ in range(3_000)]
    assert min(moments) >= NOW - SPAN
    assert max(moments) < NOW
    assert sum(3 <= moment.hour < 6 for moment in moments) < sum(19 <= moment.hour < 22 for moment in moments) / 3
    assert sum(moment.weekday() >= 5 for moment in moments) < 3_000 * 2 / 7 * 0.8


def test_names_and_words_fit_the_rules_of_the_api() -> None:
    prose = Prose(Random(1))
    assert all(name.isascii() and name.islower() and len(f"demo-{name}-1000000000") <= 32 for name in NAMES)
    assert all(1 <= len(prose.title()) <= 200 for _ in range(500))
    assert all(1 <= len(prose.content()) <= 50_000 for _ in range(500))
    assert len(password(Random(1))) >= 8
