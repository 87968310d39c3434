"""The benchmark's parts: what they read, count and refuse."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from loadtests.bench import chart, client, wrk
from loadtests.bench.bare import serving
from loadtests.bench.bench import Line
from loadtests.bench.client import Answer, ask
from loadtests.bench.course import Finding
from loadtests.bench.figures import Aim, LineFailedError, Load
from loadtests.bench.generator import send
from loadtests.bench.noise import Noise
from loadtests.bench.pace import pacing
from loadtests.bench.processes import Processes, group_of
from loadtests.bench.remote import remote
from loadtests.bench.table import growth_rows, markdown, rows_of

GOOD = Answer(200, [(b"content-type", b"text/plain"), (b"x-kept", b"yes"), (b"content-length", b"5")], b"hello")
WRK = """Running 1s test @ http://127.0.0.1:1
bench {"requests": 3000, "microseconds": 1500000, "p50": 1500, "p99": 20250, "status": 2, "broken": 1}
"""


#: Says that it is there, works when told to, and says how long that took.
_BUSY = """
import sys, time
print("here", flush=True)
input()
began = time.process_time()
while time.process_time() < began + 0.3:
    pass
print(time.process_time() - began, flush=True)
sys.stdin.read()
"""


def test_what_wrk_says_is_read_in_its_units() -> None:
    rate = wrk.parse(WRK)
    assert rate.per_second == pytest.approx(2000)
    assert (rate.p50_ms, rate.p99_ms, rate.failed) == (1.5, 20.25, 3)


def test_a_wrk_that_says_nothing_of_its_results_is_a_failure() -> None:
    with pytest.raises(LineFailedError, match="unable to connect"):
        wrk.parse("unable to connect to 127.0.0.1:1 Connection refused\n")


async def test_the_bare_app_sends_the_very_answer() -> None:
    async with serving(GOOD) as server:
        answer = await ask(Load(port=server.port, paths=["/anything/"]))
    assert answer.body == GOOD.body
    assert [header for header in answer.headers if header[0] != b"date"] == GOOD.headers


@asynccontextmanager
async def answering(*statuses: int) -> AsyncIterator[int]:
    """A server that answers with these statuses in turn, the last for ever; yields its port."""
    left = list(statuses)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            status = left.pop(0) if len(left) > 1 else left[0]
            writer.write(f"HTTP/1.1 {status} So\r\nContent-Length: 2\r\n\r\nok".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.parametrize("statuses", [(404,), (200, 500)])
async def test_a_wrong_answer_is_a_failure_and_no_figure(statuses: tuple[int, ...]) -> None:
    async with answering(*statuses) as port:
        with pytest.raises(LineFailedError):
            await send(Load(port=port, paths=["/"], connections=2, seconds=0.2))


async def test_our_own_client_counts_what_was_answered_and_what_was_refused() -> None:
    async with answering(200, 200, 500, 200) as port:
        rate = await client.run(Load(port=port, paths=["/"], connections=2, seconds=0.2))
    assert rate.requests > 10
    assert rate.failed == 1
    assert 0 < rate.p50_ms <= rate.p99_ms


async def test_a_paced_load_is_never_faster_than_its_pace() -> None:
    async with serving(GOOD) as server:
        load = Load(port=server.port, paths=["/"], connections=4)
        async with pacing(load, per_second=100) as paced:
            await asyncio.sleep(1)
    assert 0 < paced.rate.requests <= 100 * paced.rate.seconds + 4


async def test_a_paced_load_that_is_refused_is_a_failure() -> None:
    async with answering(503) as port:
        with pytest.raises(LineFailedError, match="paced requests failed"):
            async with pacing(Load(port=port, paths=["/"], connections=2), per_second=50):
                await asyncio.sleep(0.5)


async def test_a_helper_that_fails_is_a_failure() -> None:
    with pytest.raises(LineFailedError, match=r"loadtests\.bench\.pace"):
        await remote("loadtests.bench.pace", {"no": "task"})


def test_requests_take_paths_and_tokens_in_turn() -> None:
    load = Load(port=1, paths=["/a/", "/b/", "/c/"], tokens=["s", "t"], method="PUT")
    assert load.request(4) == b"PUT /b/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer s\r\n\r\n"
    assert len({load.request(number) for number in range(6)}) == 6


@pytest.mark.parametrize(
    ("command", "group"),
    [
        (["/x/python", "-P", "-m", "app.cli", "api"], "api"),
        (["/x/python", "-P", "-m", "app.cli", "worker"], "worker"),
        (["/x/bin/postgres", "-D", "/y"], "postgresql"),
        (["/x/redis-server", "/y.conf"], "redis"),
        (["/x/python", "-m", "something"], "other"),
    ],
)
def test_processes_are_told_apart_by_their_commands(command: list[str], group: str) -> None:
    assert group_of(command) == group


def test_processor_time_goes_to_the_group_that_took_it() -> None:
    processes = Processes(os.getpid())
    busy = subprocess.Popen([sys.executable, "-S", "-c", _BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with busy:
        assert busy.stdin is not None
        assert busy.stdout is not None
        assert busy.stdout.readline()
        processes.added["busy"] = busy.pid
        with processes.spending() as spent:
            busy.stdin.write(b"go\n")
            busy.stdin.flush()
            took = float(busy.stdout.readline())
        busy.stdin.close()
    assert spent.groups["busy"] == pytest.approx(took, abs=0.05)
    assert took >= 0.3
    assert spent.per_request(1000)["busy"] == pytest.approx(spent.groups["busy"] * 1000)
    assert 0 <= spent.others <= 1


def test_noise_says_how_far_probes_lie_apart_and_who_else_was_busy() -> None:
    assert Noise(1, probes=[100.0, 110.0], others={"top": 0.01}).warnings == []
    spread, others = Noise(1, probes=[100.0, 150.0, 200.0], others={"top": 0.3, "feed": 0.0}).warnings
    assert "67%" in spread
    assert "top 30%" in others
    assert "feed" not in others


async def _nothing(_: object) -> dict[str, float]:
    return {}


def finding(*ratios: float, name: str = "a_line", sizes: tuple[str, ...] = ()) -> Finding:
    aims = (Aim(figure="ratio", at_least=0.5, sizes=sizes),)
    line = Line(name=name, title="A < line", limit="a | limit", aims=aims, measure=_nothing, flat=True)
    return Finding(line, "small", [{"ratio": ratio, "cpu_ratio": ratio, "per_second": 10.0} for ratio in ratios])


def test_a_verdict_needs_both_runs() -> None:
    assert [finding(0.6, 0.7).verdict, finding(0.6, 0.4).verdict, finding(0.1, 0.2).verdict] == [
        "met",
        "met once",
        "missed",
    ]
    assert finding(0.1, 0.1, sizes=("large",)).verdict == "not judged"


def record(posts: int, *findings: Finding) -> dict[str, Any]:
    rows = {"posts": posts, "likes": posts * 10}
    return {"size": "small", "rows": rows, "machine": {"cores": 2}, "lines": [each.as_json() for each in findings]}


def test_the_table_has_both_runs_and_the_verdict_of_each_line() -> None:
    head, row = rows_of(record(100, finding(0.6, 0.4)))
    assert dict(zip(head, row, strict=True)) | {"run 1": "0.6", "run 2": "0.4", "verdict": "met once"} == dict(
        zip(head, row, strict=True)
    )
    assert "a \\| limit" in markdown([head, row])


def test_growth_is_told_as_a_share_of_the_smallest_size() -> None:
    small = record(10_000, finding(0.5, 0.4), finding(0.4, 0.4, name="other"))
    large = record(1_000_000, finding(0.48, 0.4), finding(0.2, 0.2, name="other"))
    _, first, second = growth_rows([small, large])
    assert list(first[1:]) == ["1.00", "0.96", "met"]
    assert list(second[1:]) == ["1.00", "0.50", "missed"]


def test_the_chart_has_a_bar_for_each_run_and_ends_at_the_limit() -> None:
    svg = ET.fromstring(chart.draw(record(100, finding(0.5, 3.0))))
    bars = [each for each in svg if each.tag.endswith("rect") and each.get("height") != "100%"]
    assert [float(bar.attrib["width"]) for bar in bars] == [200.0, 400.0]
    assert any(each.text == "A < line" for each in svg)
