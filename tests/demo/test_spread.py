"""Sharing out a total: nothing is lost, nobody gets more than there is room for."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.demo.spread import spread, zipf


@given(some.data())
def test_shares_add_up_and_stay_within_the_limit(data: some.DataObject) -> None:
    weights = zipf(data.draw(some.integers(1, 40)), exponent=data.draw(some.floats(0, 2)))
    most = data.draw(some.integers(0, 30))
    total = data.draw(some.integers(0, most * len(weights)))

    shares = spread(total, data.draw(some.permutations(weights)), most=most)

    assert sum(shares) == total
    assert all(0 <= share <= most for share in shares)


def test_the_heaviest_get_the_most() -> None:
    shares = spread(10_000, zipf(100, exponent=1), most=10_000)
    assert shares == sorted(shares, reverse=True)
    assert sum(shares[:10]) > 10_000 / 3


def test_nobody_shares_nothing() -> None:
    assert spread(0, [], most=0) == []


def test_more_than_fits_is_refused() -> None:
    with pytest.raises(ValueError, match="31 do not fit into 3 times 10"):
        spread(31, [1, 1, 1], most=10)
