"""The benchmark as a whole, at its smallest size, on the real stack."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

LINES = ("first_page", "like", "visible_idle", "memory")


def bench(output: Path, *arguments: str) -> Sequence[str]:
    module = (sys.executable, "-m", "loadtests.bench", "--size", "tiny", "--seconds", "0.5")
    return (*module, "--output", str(output), *arguments)


def test_every_line_asked_for_is_recorded_twice_with_positive_figures(tmp_path: Path) -> None:
    command = bench(tmp_path, "--markdown", "--only", ",".join(LINES))
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    record: dict[str, Any] = json.loads((tmp_path / "bench-tiny.json").read_text("utf-8"))
    lines = {line["name"]: line for line in record["lines"]}
    assert tuple(lines) == LINES
    for line in lines.values():
        assert len(line["rounds"]) == 2
        for figures in line["rounds"]:
            assert all(figure >= 0 for figure in figures.values()), line
            assert all(
                figure > 0 for name, figure in figures.items() if not name.endswith(("_cpu_us", "hot_updates"))
            ), line
    assert all(figures["api_cpu_us"] > 0 for figures in lines["first_page"]["rounds"])
    assert all(figures["ratio"] < 2 for figures in lines["like"]["rounds"])
    assert len(record["noise"]["probes_per_second"]) == 2 * len(LINES)
    assert record["rows"]["posts"] == 300
    assert "| GET /posts/ first page | bare ASGI, same bytes |" in done.stdout
    assert (tmp_path / "bench-tiny.svg").exists()


def test_a_line_that_nobody_knows_is_refused_with_those_there_are(tmp_path: Path) -> None:
    done = subprocess.run(bench(tmp_path, "--only", "frist_page"), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "frist_page" in done.stderr
    assert "first_page" in done.stderr


def test_ctrl_c_stops_everything_that_was_started(tmp_path: Path) -> None:
    with subprocess.Popen(bench(tmp_path, "--data-dir", str(tmp_path / "data")), stderr=subprocess.DEVNULL) as process:
        here = psutil.Process(process.pid)
        deadline = time.monotonic() + 60
        while not any("postgres" in child.name() for child in here.children(recursive=True)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        started = here.children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert len(started) >= 2
    assert not [child for child in started if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
