"""The limit of a read: an ASGI app that sends one ready answer, on uvicorn with the settings of `inkfold api`.

Run as a program: `python -m loadtests.bench.bare PORT FILE`, the file holds the answer, as `serving` has put it there.
"""

import json
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import uvicorn

from loadtests.bench.client import Answer
from loadtests.bench.program import Server, program

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]

#: uvicorn writes it itself.
_OWN: Final = {b"date"}


def bare_app(answer: Answer) -> App:
    """Return an app that sends this answer whatever is asked."""
    start = {
        "type": "http.response.start",
        "status": answer.status,
        "headers": [(name, value) for name, value in answer.headers if name not in _OWN],
    }
    body = {"type": "http.response.body", "body": answer.body}

    async def app(
        _scope: Message, _receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        await send(start)
        await send(body)

    return app


def serve(app: App, port: int, *, lifespan: Any = "off") -> None:
    """Serve an app as `inkfold api` serves its own."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        lifespan=lifespan,
        access_log=False,
        log_level="warning",
        server_header=False,
    )


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    """Serve the answer in a process of its own until the block ends; yield its server."""
    with TemporaryDirectory(prefix="inkfold-bare-") as name:
        file = Path(name) / "answer.json"
        headers = [[part.decode("latin-1") for part in header] for header in answer.headers]
        file.write_text(json.dumps([answer.status, headers, b64encode(answer.body).decode()]), "ascii")
        async with program("loadtests.bench.bare", str(file)) as server:
            yield server


def _read(file: Path) -> Answer:
    status, headers, body = json.loads(file.read_text("ascii"))
    return Answer(
        status, [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers], b64decode(body)
    )


if __name__ == "__main__":
    serve(bare_app(_read(Path(sys.argv[2]))), int(sys.argv[1]))
