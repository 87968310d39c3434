"""Prefer and If-Match, as clients may write them."""

import pytest

from app.api.dependencies import prefers_stale
from app.api.frame.preconditions import expected_versions
from app.errors import PreconditionFailed


@pytest.mark.parametrize(
    "header", ["stale", "STALE", " stale ", "respond-async, stale", "wait=5,stale;x=1", "stale; a"]
)
def test_preference_for_stale_is_seen(header: str) -> None:
    assert prefers_stale(header)


@pytest.mark.parametrize(
    "header", ["", "fresh", "stale=no", "stale2", "x; stale", "x=stale", '"stale"', ",,", "stale x"]
)
def test_other_preferences_are_none_for_stale(header: str) -> None:
    assert not prefers_stale(header)


@pytest.mark.parametrize(
    ("headers", "versions"),
    [
        (None, None),
        (["*"], None),
        (['"7.abc"'], {7}),
        ([' "12." '], {12}),
        (['"7.abc", "8.abc"'], {7, 8}),
        (['"7.abc"', '"8.abc"'], {7, 8}),
        (['W/"7.abc", "8.abc"'], {8}),
        ([', "7.a,b" ,, "of-another-server"'], {7}),
    ],
)
def test_versions_are_read_from_our_strong_etags(headers: list[str] | None, versions: set[int] | None) -> None:
    assert expected_versions(headers) == versions


@pytest.mark.parametrize(
    "header",
    ["", "7", '"7"', 'W/"7.abc"', '"7.abc" "8.abc"', '"7.abc", *', '"7.abc", 8.abc', '"0.a"', '"1234567890.a"'],
)
def test_what_is_no_etag_of_ours_matches_nothing(header: str) -> None:
    with pytest.raises(PreconditionFailed):
        expected_versions([header])
