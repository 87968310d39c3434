"""Usernames: which are the same, and which look the same."""

import pytest

from app.identity.usernames import PATTERN, key, skeleton


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ian", "lan"),
        ("ian", "1an"),
        ("paul", "pau1"),
        ("bob", "B0B"),
        ("oscar", "0scar"),
        ("arnold", "amold"),
        ("will", "vvill"),
        ("I1l-0O", "lll-oo"),
    ],
)
def test_names_that_look_alike_in_some_letter_case_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)
    assert key(one) != key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("ann", "anne"), ("ada.l", "ada-l"), ("ada_l", "ada-l"), ("anna", "hanna"), ("user2", "user5")]
)
def test_names_that_can_be_told_apart_have_their_own(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


def test_numbers_have_as_many_skeletons_as_there_are_numbers() -> None:
    assert len({skeleton(f"user{number}") for number in range(2_000)}) == 2_000


@pytest.mark.parametrize("name", ["Kevin", "x-0", "rnrn", "vvvvv", "1" * 32])
def test_skeleton_is_no_longer_than_the_name_and_has_no_other_skeleton(name: str) -> None:
    assert len(skeleton(name)) <= len(name)
    assert skeleton(skeleton(name)) == skeleton(name)
    assert skeleton(name.upper()) == skeleton(name.lower())


def test_pattern_has_ascii_only() -> None:
    assert PATTERN.isascii()
    assert "\\w" not in PATTERN
