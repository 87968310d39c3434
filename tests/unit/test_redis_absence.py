"""A Redis that is away, hangs or refuses: who waits for it, who doesn't, and what the log says."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from app.redis_absence import RedisAbsence, RedisAwayError
from tests.conftest import Servers
from tests.support.waiting import until

Ask = Callable[[], Awaitable[str]]


def an_absence(*, rest_seconds: float = 3600) -> RedisAbsence:
    return RedisAbsence(meanwhile="It goes on.", answer_seconds=0.05, rest_seconds=rest_seconds)


async def ask(absence: RedisAbsence, question: Ask) -> str:
    try:
        async with absence.asking():
            return await question()
    except RedisAwayError:
        return "away"


async def never() -> str:
    return await asyncio.Event().wait() and ""


async def yes() -> str:
    return "yes"


async def refused() -> str:
    raise ResponseError("OOM command not allowed")


async def test_after_one_question_without_an_answer_nobody_asks(caplog: pytest.LogCaptureFixture) -> None:
    absence, asked = an_absence(), list[str]()

    async def count() -> str:
        asked.append("")
        return await never()

    answers = [await ask(absence, count) for _ in range(100)]

    assert answers == ["away"] * 100
    assert len(asked) == 1
    assert absence.lasts
    assert [record.getMessage() for record in caplog.records] == ["Redis does not answer (TimeoutError()). It goes on."]


async def test_while_one_finds_out_the_others_are_spared_and_then_all_ask_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    absence = an_absence()
    assert await ask(absence, never) == "away"
    absence._ask_again_at = 0.0
    answering = asyncio.Event()

    async def slowly() -> str:
        await answering.wait()
        return "yes"

    probe = asyncio.create_task(ask(absence, slowly))
    await asyncio.sleep(0)
    assert [await ask(absence, yes) for _ in range(3)] == ["away"] * 3
    answering.set()

    assert await probe == "yes"
    assert [await ask(absence, yes) for _ in range(3)] == ["yes"] * 3
    assert caplog.messages[-1] == "Redis answers again."


async def test_a_redis_that_refuses_is_not_away(caplog: pytest.LogCaptureFixture) -> None:
    absence = an_absence()

    assert [await ask(absence, question) for question in (refused, yes, refused)] == ["away", "yes", "away"]
    assert not absence.lasts
    assert caplog.messages == ["Redis refuses (OOM command not allowed). It goes on."]


async def test_who_insists_asks_all_the_same() -> None:
    absence = an_absence()
    assert await ask(absence, never) == "away"

    async with absence.asking(insist=True):
        assert await yes() == "yes"

    assert not absence.lasts


async def test_who_gives_up_has_not_found_out_anything() -> None:
    absence = an_absence()
    asking = asyncio.create_task(ask(absence, never))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert await ask(absence, yes) == "yes"


async def test_the_real_redis_is_found_away_and_found_back(redis: Redis, servers: Servers) -> None:
    absence = an_absence(rest_seconds=0)

    async def ping() -> str:
        return str(await redis.ping())

    assert await ask(absence, ping) == "True"
    servers.redis.stop()
    try:
        assert await ask(absence, ping) == "away"
    finally:
        servers.redis.start()

    async def back() -> bool:
        return await ask(absence, ping) == "True"

    await until(back)
