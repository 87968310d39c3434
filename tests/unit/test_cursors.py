from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.errors import InvalidCursor
from app.queries.cursors import MostLiked, Newest

LIST = Newest.of("posts")
RANKING = MostLiked.of("posts")
MOMENTS = st.datetimes(timezones=st.just(UTC))
COUNTS = st.integers(0, 2**31 - 1)


@given(at=MOMENTS, identifier=st.uuids())
def test_a_cursor_leads_back_to_its_moment(at: datetime, identifier: UUID) -> None:
    assert LIST.position(LIST.encode(at, identifier)) == (at, identifier)


@given(likes=COUNTS, identifier=st.uuids())
def test_a_cursor_leads_back_to_its_count(likes: int, identifier: UUID) -> None:
    assert RANKING.position(RANKING.encode(likes, identifier)) == (likes, identifier)


@given(at=MOMENTS, identifier=st.uuids())
def test_without_a_cursor_every_row_is_below(at: datetime, identifier: UUID) -> None:
    assert (at, identifier) <= LIST.position(None)


@given(at=MOMENTS, identifier=st.uuids())
def test_a_cursor_needs_no_escaping_in_an_address(at: datetime, identifier: UUID) -> None:
    assert LIST.encode(at, identifier).replace("-", "").replace("_", "").isalnum()


@given(text=st.one_of(st.text(), st.text("ABCabc012-_=+/ \x00", min_size=38, max_size=42)))
def test_text_that_no_list_gave_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        LIST.position(text)


@pytest.mark.parametrize(("letter", "other"), [("_", "/"), ("-", "+")])
def test_the_same_place_in_other_letters_is_refused(letter: str, other: str) -> None:
    cursor = RANKING.encode(7, UUID(int=0xFBEF_BEFF_FFFF))
    assert letter in cursor
    with pytest.raises(InvalidCursor):
        RANKING.position(cursor.replace(letter, other))


@given(at=MOMENTS, identifier=st.uuids(), place=st.integers(0, 39), letter=st.characters())
def test_a_changed_letter_is_refused_or_is_another_cursor(
    at: datetime, identifier: UUID, place: int, letter: str
) -> None:
    cursor = LIST.encode(at, identifier)
    forged = cursor[:place] + letter + cursor[place + 1 :]
    assume(forged != cursor)
    try:
        position = LIST.position(forged)
    except InvalidCursor:
        return
    assert LIST.encode(*position) == forged
    assert position != (at, identifier)


@pytest.mark.parametrize("other", [Newest.of("feed"), Newest.of("posts", UUID(int=1)), MostLiked.of("likes")])
def test_a_cursor_of_another_list_is_refused(other: Newest | MostLiked) -> None:
    with pytest.raises(InvalidCursor):
        other.position(LIST.encode(datetime(2026, 3, 1, tzinfo=UTC), UUID(int=7)))


def test_a_count_below_zero_or_beyond_postgresql_is_refused() -> None:
    for number in (-1, 2**31, 2**62):
        with pytest.raises(InvalidCursor):
            RANKING.position(RANKING.encode(number, UUID(int=7)))


def test_a_moment_beyond_the_calendar_is_refused() -> None:
    for number in (2**62, -(2**62)):
        counted = MostLiked(LIST.tag).encode(number, UUID(int=7))
        with pytest.raises(InvalidCursor):
            LIST.position(counted)
