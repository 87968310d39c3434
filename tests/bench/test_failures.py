"""A line that does not work has no figures, and fails the benchmark; the others go on."""

import asyncio
import os
from pathlib import Path
from uuid import UUID

from app.settings import Settings
from loadtests.bench import course, record
from loadtests.bench.bench import Bench
from loadtests.bench.lines import LINES
from loadtests.bench.noise import probing
from loadtests.bench.people import People, Person
from loadtests.bench.processes import Processes
from loadtests.bench.sizes import SIZES
from loadtests.bench.system import System
from projections.engine.checkpoint import Connection
from projections.engine.report import Quiet

NOBODY = Person(id=UUID(int=0), token="none")


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readline():
        while (await reader.readline()).strip():
            pass
        writer.write(b"HTTP/1.1 503 So\r\nContent-Length: 2\r\n\r\nno")
    writer.close()


async def test_a_line_whose_requests_are_refused_has_no_figures(
    sql: Connection, config: Settings, tmp_path: Path
) -> None:
    lines = [line for line in LINES if line.name in {"first_page", "memory"}]
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server, probing() as noise:
        port = server.sockets[0].getsockname()[1]
        bench = Bench(
            system=System(port, tmp_path, Processes(os.getpid()), config),
            size=SIZES["tiny"],
            people=People(readers=[NOBODY], star=NOBODY, likers=[NOBODY]),
            connection=sql,
            noise=noise,
            report=Quiet(),
            seconds=0.2,
        )
        findings = await course.run(bench, lines, rounds=2)
        found = await record.record_of(bench, findings)
    refused, memory = found["lines"]
    assert (refused["verdict"], refused["rounds"]) == ("failed", [])
    assert "/posts/ was answered 503" in refused["failure"]
    assert len(memory["rounds"]) == 2
    assert record.failures(found) == ["first_page"]
