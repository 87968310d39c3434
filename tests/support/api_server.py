"""A real `inkfold api` on the servers under test, and what it says over a bare connection."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from tests.support.running_system import free_port, wait_until_ready

_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class ApiServer:
    """An API that listens on `port` of 127.0.0.1."""

    port: int
    process: psutil.Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def memory(self) -> int:
        """Return the bytes of memory that it holds now."""
        return self.process.memory_info().rss


@contextmanager
def api_server(**settings: str) -> Iterator[ApiServer]:
    """Run `inkfold api` with these settings until the block ends; it ends as Ctrl-C ends it."""
    port = free_port()
    environment = os.environ | {"PORT": str(port), "HOST": "127.0.0.1", "LOG_LEVEL": "warning", **settings}
    process = subprocess.Popen([sys.executable, "-m", "app.cli", "api"], env=environment)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process)
        yield ApiServer(port, psutil.Process(process.pid))
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(_PATIENCE_SECONDS)
    assert code == 0


class Connection:
    """A connection over which anything can be sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect to a port of this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, *parts: bytes) -> None:
        """Send the parts, each by itself; what the server no longer wants to have is not sent."""
        for part in parts:
            self._writer.write(part)
            try:
                await self._writer.drain()
            except ConnectionError:
                return

    async def answer(self) -> bytes:
        """Return the next answer, head and body; raises IncompleteReadError when there is none."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            head = await self._reader.readuntil(b"\r\n\r\n")
            [length] = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            return head + await self._reader.readexactly(int(length))

    async def rest(self) -> bytes:
        """Return all that comes until the server ends the connection."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await self._reader.read()

    async def close(self) -> None:
        """End the connection."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return
