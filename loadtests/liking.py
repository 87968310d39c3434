"""People who like and take back as fast as they are answered, or as often as told: a load of likes for `visibility.py`.

Over bare connections: a client library would take more of the machine than the API that is measured.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

_MORE_MEANWHILE = "A liker had HTTP {status} for an answer; the system must run and be well."


@dataclass(slots=True)
class Liker:
    """One person over one connection, with one post to like and to take the like back, in turn."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: "itertools.cycle[bytes]"
    seconds: list[float] = field(default_factory=list)

    @classmethod
    async def connect(cls, address: str, *, token: str, post_id: str) -> Self:
        """Open the connection."""
        parts = urlsplit(address)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        requests = [
            f"{method} /posts/{post_id}/like/ HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n".encode()
            for method in ("PUT", "DELETE")
        ]
        return cls(reader, writer, itertools.cycle(requests))

    async def like(self) -> None:
        """Like, or take it back; raises RuntimeError when that is not answered as it should be."""
        began = time.perf_counter()
        self.writer.write(next(self.requests))
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
        await self.reader.readexactly(length)
        status = lines[0].split()[1]
        if status != "200":
            raise RuntimeError(_MORE_MEANWHILE.format(status=status))
        self.seconds.append(time.perf_counter() - began)


async def most_likes(likers: list[Liker], *, seconds: float) -> float:
    """Have everyone like as fast as they are answered; return the likes per second."""
    until = time.perf_counter() + seconds

    async def like_on(liker: Liker) -> int:
        done = 0
        while time.perf_counter() < until:
            await liker.like()
            done += 1
        return done

    began = time.perf_counter()
    done = sum(await asyncio.gather(*(like_on(liker) for liker in likers)))
    return done / (time.perf_counter() - began)


@asynccontextmanager
async def liking(likers: list[Liker], *, per_second: float) -> AsyncIterator[None]:
    """Have everyone take turns, so many times per second in all, until the block ends."""

    async def like_at(liker: Liker, due: float) -> None:
        while True:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await liker.like()
            due += len(likers) / per_second

    began = time.perf_counter()
    turns = [asyncio.create_task(like_at(liker, began + turn / per_second)) for turn, liker in enumerate(likers)]
    try:
        yield
    finally:
        failed = [turn for turn in turns if turn.done()]
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
        for turn in failed:
            turn.result()
