"""Answers that are kept: found while their mark holds, fetched once for all, and never more than fit."""

import asyncio
from dataclasses import dataclass

from app.glances import Mark
from app.kept import Kept

NOW: Mark = (1, ("10:10:", "9"))
LATER: Mark = (1, ("11:11:", "10"))


@dataclass(frozen=True)
class Answer:
    size: int


async def keep(kept: Kept[Answer], key: str, mark: Mark, answer: Answer) -> None:
    async def fetch() -> Answer:
        return answer

    assert await kept.fetch(key, mark, fetch) is answer


async def test_an_answer_is_found_under_its_key_and_mark_alone() -> None:
    kept: Kept[Answer] = Kept(100)
    answer = Answer(10)
    await keep(kept, "a", NOW, answer)
    assert kept.find("a", NOW) is answer
    assert kept.find("a", LATER) is None
    assert kept.find("b", NOW) is None


async def test_no_more_is_kept_than_fits_and_what_was_used_last_stays() -> None:
    kept: Kept[Answer] = Kept(100)
    for key in "abcd":
        await keep(kept, key, NOW, Answer(25))
    assert kept.find("a", NOW)
    await keep(kept, "e", NOW, Answer(30))
    assert [key for key in "abcde" if kept.find(key, NOW)] == ["a", "d", "e"]
    await keep(kept, "a", LATER, Answer(40))
    assert [key for key in "ade" if kept.find(key, NOW)] == ["d", "e"]
    await keep(kept, "f", NOW, Answer(101))
    assert len(kept) == 0


async def test_those_who_ask_for_the_same_at_the_same_mark_share_one_fetch() -> None:
    kept: Kept[Answer] = Kept(100)
    fetched: list[Mark] = []
    go = asyncio.Event()

    async def ask(mark: Mark) -> Answer | None:
        async def fetch() -> Answer:
            fetched.append(mark)
            await go.wait()
            return Answer(1)

        return await kept.fetch("a", mark, fetch)

    asking = [asyncio.create_task(ask(mark)) for mark in (NOW, NOW, LATER, NOW)]
    while len(fetched) < 2:
        await asyncio.sleep(0)
    asking[0].cancel()  # whoever leaves takes nobody's answer along
    go.set()
    await asyncio.gather(*asking, return_exceptions=True)
    assert fetched == [NOW, LATER]
    assert asking[1].result() is asking[3].result() is not None


async def test_what_is_not_there_is_not_kept() -> None:
    kept: Kept[Answer] = Kept(100)

    async def nothing() -> None:
        return None

    assert await kept.fetch("a", NOW, nothing) is None
    assert len(kept) == 0
