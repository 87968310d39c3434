"""Passwords: argon2id with OWASP's parameters, in a bounded pool."""

import asyncio
import os
import sys
from collections.abc import Iterator
from threading import Event

import pytest
from passlib.hash import argon2

from app.errors import Overloaded
from app.security.passwords import PasswordHasher

PASSWORD = "correct horse battery"


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher(threads=1, queue=1)
    yield hasher
    hasher.close()


async def test_only_the_right_password_verifies(hasher: PasswordHasher) -> None:
    hashed = await hasher.hash(PASSWORD)

    assert await hasher.verify(PASSWORD, hashed)
    assert not await hasher.verify(PASSWORD + " ", hashed)


async def test_hash_is_argon2id_of_the_recommended_cost_and_salted(hasher: PasswordHasher) -> None:
    first, second = [await hasher.hash(PASSWORD) for _ in range(2)]

    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second


async def test_nobody_has_a_password_not_even_the_one_compared_with(hasher: PasswordHasher) -> None:
    await hasher.warm()

    assert not await hasher.verify(PASSWORD, None)
    assert not await hasher.verify("nobody has this password", None)


async def test_hash_of_other_parameters_needs_another_one(hasher: PasswordHasher) -> None:
    weak = argon2.using(type="ID", memory_cost=1024, time_cost=1, parallelism=1).hash(PASSWORD)

    assert hasher.needs_rehash(weak)
    assert await hasher.verify(PASSWORD, weak)
    assert not hasher.needs_rehash(await hasher.hash(PASSWORD))


async def test_more_work_than_the_queue_holds_is_refused_and_then_taken_again(hasher: PasswordHasher) -> None:
    may_end = Event()
    running = [asyncio.create_task(hasher._run(may_end.wait)) for _ in range(2)]
    await asyncio.sleep(0)

    with pytest.raises(Overloaded):
        await hasher.verify(PASSWORD, None)

    may_end.set()
    assert await asyncio.gather(*running) == [True, True]
    assert not await hasher.verify(PASSWORD, None)


async def test_caller_who_gives_up_leaves_its_place_only_when_the_thread_is_free(hasher: PasswordHasher) -> None:
    may_end, begun = Event(), Event()

    def work() -> bool:
        begun.set()
        return may_end.wait()

    busy = asyncio.create_task(hasher._run(work))
    await asyncio.to_thread(begun.wait)
    waiting = asyncio.create_task(hasher._run(may_end.wait))
    await asyncio.sleep(0)
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)

    with pytest.raises(Overloaded):
        await hasher.hash(PASSWORD)

    may_end.set()
    assert await waiting


async def test_hashing_leaves_the_event_loop_free(hasher: PasswordHasher) -> None:
    may_end = Event()
    hashing = asyncio.create_task(hasher._run(may_end.wait))
    await asyncio.sleep(0)

    assert not hashing.done()
    may_end.set()
    assert await hashing


async def test_hashing_steps_back_behind_the_event_loop(hasher: PasswordHasher) -> None:
    await hasher.hash(PASSWORD)
    (thread,) = hasher._executor._threads
    if sys.platform == "linux":  # where each thread has a niceness of its own
        assert os.getpriority(os.PRIO_PROCESS, thread.native_id or 0) > os.getpriority(os.PRIO_PROCESS, 0)
