"""The benchmark's record: a JSON file that holds everything that was found, and where."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from loadtests.bench.bench import Bench
from loadtests.bench.course import Finding
from loadtests.bench.generator import NAME

_ROWS: Final = """
SELECT
    (SELECT count(*) FROM users) AS users,
    (SELECT count(*) FROM posts) AS posts,
    (SELECT count(*) FROM likes) AS likes,
    (SELECT count(*) FROM subscriptions) AS subscriptions,
    (SELECT count(*) FROM notifications) AS notifications
"""


async def record_of(bench: Bench, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return everything, as it is written."""
    rows = await bench.connection.fetchrow(_ROWS)
    assert rows is not None
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "size": bench.size.name,
        "rows": dict(rows),
        "seconds": bench.seconds,
        "machine": {
            "cores": os.cpu_count(),
            "processor": _processor(),
            "system": platform.platform(),
            "python": platform.python_version(),
            "postgresql": await bench.connection.fetchval("SHOW server_version"),
        },
        "load": {"from": NAME, "ceiling_per_second": max(bench.noise.probes, default=0.0)},
        "noise": bench.noise.as_json(),
        "lines": [finding.as_json() for finding in findings],
    }


def write(record: Mapping[str, Any], folder: Path) -> Path:
    """Write the record, named by its size; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"bench-{record['size']}.json"
    file.write_bytes(orjson.dumps(record, option=orjson.OPT_INDENT_2))
    return file


def read(file: Path) -> dict[str, Any]:
    """Read a record; raises SystemExit when the file is none."""
    try:
        record: dict[str, Any] = orjson.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise SystemExit(f"{file} is no record of the benchmark: {error}") from error
    return record


def failures(record: Mapping[str, Any]) -> list[str]:
    """Return the names of the lines that have no figures because they failed."""
    return [line["name"] for line in record["lines"] if line["failure"]]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
