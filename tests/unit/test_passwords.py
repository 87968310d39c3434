"""Passwords: argon2id with OWASP's parameters, in a bounded pool."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event

import pytest
from passlib.hash import argon2

from app.errors import Overloaded
from app.security.passwords import SCHEME, PasswordHasher

PASSWORD = "correct horse battery"


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher(threads=1, queue=1)
    yield hasher
    hasher.close()


async def test_only_the_right_password_verifies(hasher: PasswordHasher) -> None:
    async with hasher.turn() as turn:
        hashed = await turn.hash(PASSWORD)

        assert await turn.verify(PASSWORD, hashed)
        assert not await turn.verify(PASSWORD + " ", hashed)


@pytest.mark.parametrize(
    ("typed_at_first", "typed_later"),
    [
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE} noir", "cafe\N{COMBINING ACUTE ACCENT} noir"),
        ("caf\N{LATIN SMALL LETTER E WITH ACUTE} noir", "caf\N{LATIN SMALL LETTER E WITH ACUTE}\N{NO-BREAK SPACE}noir"),
    ],
    ids=["composed and not", "another space"],
)
async def test_password_is_the_same_on_every_keyboard(
    hasher: PasswordHasher, typed_at_first: str, typed_later: str
) -> None:
    async with hasher.turn() as turn:
        assert await turn.verify(typed_later, await turn.hash(typed_at_first))
        assert await turn.verify(typed_at_first, await turn.hash(typed_later))


async def test_password_hashed_as_it_was_typed_still_verifies(hasher: PasswordHasher) -> None:
    typed = "cafe\N{COMBINING ACUTE ACCENT}\N{NO-BREAK SPACE}noir"
    async with hasher.turn() as turn:
        assert await turn.verify(typed, SCHEME.hash(typed))


async def test_letters_that_only_look_alike_are_another_password(hasher: PasswordHasher) -> None:
    async with hasher.turn() as turn:
        assert not await turn.verify("\N{FULLWIDTH LATIN SMALL LETTER A}" * 8, await turn.hash("a" * 8))
        assert not await turn.verify("a" * 8, await turn.hash("A" * 8))


async def test_hash_is_argon2id_of_the_recommended_cost_and_salted(hasher: PasswordHasher) -> None:
    async with hasher.turn() as turn:
        first, second = [await turn.hash(PASSWORD) for _ in range(2)]

    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second


async def test_nobody_has_a_password_not_even_the_one_compared_with(hasher: PasswordHasher) -> None:
    await hasher.warm()

    async with hasher.turn() as turn:
        assert not await turn.verify(PASSWORD, None)
        assert not await turn.verify("nobody has this password", None)


async def test_hash_of_other_parameters_needs_another_one(hasher: PasswordHasher) -> None:
    weak = argon2.using(type="ID", memory_cost=1024, time_cost=1, parallelism=1).hash(PASSWORD)

    assert hasher.needs_rehash(weak)
    async with hasher.turn() as turn:
        assert await turn.verify(PASSWORD, weak)
        assert not hasher.needs_rehash(await turn.hash(PASSWORD))


def test_more_than_have_a_turn_or_wait_are_refused_and_then_taken_again(hasher: PasswordHasher) -> None:
    with ExitStack() as places:
        for _ in range(2):
            places.enter_context(hasher.place())
        with pytest.raises(Overloaded), hasher.place():
            pass

    with hasher.place(), hasher.place():
        pass


async def test_turns_come_in_the_order_of_asking(hasher: PasswordHasher) -> None:
    came = list[int]()

    async def ask(number: int) -> None:
        async with hasher.turn() as turn:
            came.append(number)
            await turn.hash(PASSWORD)

    await asyncio.gather(*map(ask, range(4)))

    assert came == [0, 1, 2, 3]


async def test_caller_who_gives_up_keeps_the_turn_until_the_thread_is_free(hasher: PasswordHasher) -> None:
    may_end, begun = Event(), Event()

    def work() -> bool:
        begun.set()
        return may_end.wait()

    async def take_a_turn() -> None:
        async with hasher.turn() as turn:
            await turn.run(work)

    busy = asyncio.create_task(take_a_turn())
    await asyncio.to_thread(begun.wait)
    next_one = asyncio.create_task(take_a_turn())
    busy.cancel()
    await asyncio.sleep(0)
    begun.clear()

    assert not busy.done()
    assert hasher._turns.locked()
    may_end.set()
    assert isinstance((await asyncio.gather(busy, return_exceptions=True))[0], asyncio.CancelledError)
    await next_one
    assert begun.is_set()


async def test_hashing_leaves_the_event_loop_free(hasher: PasswordHasher) -> None:
    may_end = Event()
    async with hasher.turn() as turn:
        hashing = asyncio.create_task(turn.run(may_end.wait))
        await asyncio.sleep(0)

        assert not hashing.done()
        may_end.set()
        assert await hashing


async def test_hashing_steps_back_behind_the_event_loop(hasher: PasswordHasher) -> None:
    await hasher.warm()
    (thread,) = hasher._executor._threads
    if sys.platform == "linux":  # where each thread has a niceness of its own
        assert os.getpriority(os.PRIO_PROCESS, thread.native_id or 0) > os.getpriority(os.PRIO_PROCESS, 0)
