"""Look-ups of many at once: several keys in one fetch, none older than the question, none left waiting."""

import asyncio
from collections.abc import Sequence

import pytest

from app.together import Together


async def test_keys_that_are_asked_for_while_a_fetch_runs_go_together_in_the_next() -> None:
    fetched: list[list[int]] = []
    go = asyncio.Event()

    async def fetch(keys: Sequence[int]) -> list[int]:
        fetched.append(list(keys))
        await go.wait()
        return [key * 10 for key in keys]

    together = Together(fetch, most=3, at_once=1)
    first = asyncio.create_task(together.load(0))
    while not fetched:
        await asyncio.sleep(0)
    later = [asyncio.create_task(together.load(key)) for key in (0, 1, 2, 3, 1)]
    await asyncio.sleep(0)
    go.set()
    assert await asyncio.gather(first, *later) == [0, 0, 10, 20, 30, 10]
    assert fetched == [[0], [0, 1, 2], [3]]


async def test_nobody_waits_for_ever_however_a_question_meets_the_end_of_a_fetch() -> None:
    async def fetch(keys: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        return list(keys)

    together = Together(fetch, most=10, at_once=1)

    async def ask(turns: int) -> None:
        for key in range(200):
            for _ in range(turns):
                await asyncio.sleep(0)
            assert await together.load(key) == key

    async with asyncio.timeout(20):
        await asyncio.gather(*(ask(turns) for turns in range(7)))


async def test_what_a_fetch_raises_all_who_asked_are_told_and_no_others() -> None:
    async def fetch(keys: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        if 0 in keys:
            raise ValueError("zero")
        return list(keys)

    together = Together(fetch, most=2, at_once=1)
    failed, told, right = await asyncio.gather(*map(together.load, (0, 1, 2)), return_exceptions=True)
    assert isinstance(failed, ValueError)
    assert failed is told
    assert right == 2
    with pytest.raises(ValueError, match="zero"):
        await together.load(0)
    assert await together.load(3) == 3
