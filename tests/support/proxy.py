"""A real nginx with the configuration that compose gives it, in front of something that keeps what comes through."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support.compose import file_of
from tests.support.running_system import free_port
from tests.support.waiting import until

NGINX = shutil.which("nginx")

#: How many an address may have, here.
CONNECTIONS = 20


@dataclass
class Upstream:
    """Stands where the API would, and keeps what comes. When it is `gone`, it answers nothing."""

    came: list[bytes] = field(default_factory=list)
    gone: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while not self.gone:
                self.came.append(b"")
                place = len(self.came) - 1
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                self.came[place] = head
                self.came[place] = head + await reader.readexactly(int(length[1]) if length else 0)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")
        writer.close()

    @property
    def requests(self) -> list[bytes]:
        return [each for each in self.came if each]


@dataclass(frozen=True)
class Proxy:
    """What listens at `port` of 127.0.0.1."""

    port: int
    upstream: Upstream
    client: httpx.AsyncClient

    @asynccontextmanager
    async def sent(self, data: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        await writer.drain()
        try:
            yield reader, writer
        finally:
            writer.close()


def adapt(folder: Path, *, port: int, upstream: int) -> str:
    """Return the configuration for this machine: its own folder, port and upstream, and fewer connections."""
    changes = {
        "/tmp/": f"{folder}/",
        "access_log /dev/stdout": f"access_log {folder}/access.log",
        "listen 8080": f"listen 127.0.0.1:{port}",
        "server api:8000": f"server 127.0.0.1:{upstream}",
        "limit_conn connections 100": f"limit_conn connections {CONNECTIONS}",
        "worker_processes auto": "worker_processes 1",
        "worker_rlimit_nofile 20000;": "",
        "worker_connections 8192": "worker_connections 256",
    }
    text = file_of("proxy")
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    module = Path(str(NGINX)).resolve().parents[1] / "lib/nginx/modules/ngx_stream_module.so"
    return f"load_module {module};\n{text}" if module.exists() else text


def command(file: Path) -> list[str]:
    """Return what runs it in the foreground; root's workers would else be nobody, who may not enter the folder."""
    everywhere = "daemon off;" + (" user root;" if os.geteuid() == 0 else "")
    return [str(NGINX), "-e", "stderr", "-g", everywhere, "-p", str(file.parent), "-c", str(file)]


@asynccontextmanager
async def running_proxy(folder: Path) -> AsyncIterator[Proxy]:
    """Run it, with its files in `folder`, until the block ends."""
    upstream, port = Upstream(), free_port()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    file = folder / "nginx.conf"
    adapted = adapt(folder, port=port, upstream=server.sockets[0].getsockname()[1])
    await asyncio.to_thread(file.write_text, adapted, "utf-8")
    process = await asyncio.create_subprocess_exec(*command(file))

    async def listens() -> bool:
        assert process.returncode is None
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        return False

    try:
        await until(listens)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield Proxy(port, upstream, client)
    finally:
        process.terminate()
        await process.wait()
        server.close()
