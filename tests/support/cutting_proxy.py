"""Stands between a client and PostgreSQL and cuts the connection when told to: at once, or in place of an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

_SOCKET = ".s.PGSQL.5432"


class CuttingProxy:
    """`url` leads through it. While `armed`, the next answer of PostgreSQL is awaited, lost, and the client cut off.

    It is the next one that holds `mark`.
    """

    def __init__(self, url: str, folder: Path) -> None:
        real = parse_qs(urlsplit(url).query)["host"][0]
        self._real = Path(real) / _SOCKET
        self.url = url.replace(real, str(folder))
        self.armed = False
        self.mark = b""
        self.cuts = 0
        self._clients: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        """Cut all clients off now; PostgreSQL goes on with what it does."""
        for client in self._clients:
            client.close()
            self.cuts += 1

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Pass bytes on both ways until either end closes."""
        server, to_server = await asyncio.open_unix_connection(self._real)
        asking = asyncio.create_task(self._pass_on(client, to_server))
        self._clients.add(to_client)
        try:
            while answer := await server.read(65_536):
                if self.armed and self.mark in answer:
                    self.armed = False
                    self.cuts += 1
                    break
                to_client.write(answer)
        finally:
            self._clients.discard(to_client)
            asking.cancel()
            for end in (to_server, to_client):
                end.close()
                with suppress(OSError):
                    await end.wait_closed()

    @staticmethod
    async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                target.write(data)
            target.close()


@asynccontextmanager
async def cutting_proxy(url: str) -> AsyncIterator[CuttingProxy]:
    """Listen until the block ends."""
    with TemporaryDirectory(prefix="inkfold-") as folder:
        proxy = CuttingProxy(url, Path(folder))
        server = await asyncio.start_unix_server(proxy.serve, Path(folder) / _SOCKET)
        try:
            yield proxy
        finally:
            server.close()
