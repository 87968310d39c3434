"""Load from `wrk`, where it is installed: one thread of it needs far less processor time than any client in Python."""

import asyncio
import json
import os
import shutil
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from loadtests.bench.figures import LineFailedError, Load, Rate

_SCRIPT: Final = Path(__file__).with_name("wrk.lua")
_MARK: Final = "bench "
_TIMEOUT_SECONDS: Final = 15


def installed() -> bool:
    """Say whether there is a `wrk` on the PATH."""
    return shutil.which("wrk") is not None


async def run(load: Load) -> Rate:
    """Send the load; raises LineFailedError when wrk ends with an error. It takes whole seconds only."""
    with TemporaryDirectory(prefix="inkfold-wrk-") as name:
        paths, tokens = Path(name) / "paths", Path(name) / "tokens"
        paths.write_text("\n".join(load.paths) + "\n", "ascii")
        tokens.write_text("\n".join(load.tokens) + "\n", "ascii")
        process = await asyncio.create_subprocess_exec(
            *("wrk", "-t1", f"-c{load.connections}", f"-d{max(1, ceil(load.seconds))}s"),
            *("--timeout", f"{_TIMEOUT_SECONDS}s", "-s", str(_SCRIPT), f"http://127.0.0.1:{load.port}"),
            env={
                **os.environ,
                "BENCH_PATHS": str(paths),
                "BENCH_TOKENS": str(tokens),
                "BENCH_METHOD": load.method,
                "BENCH_FIRST": str(load.first),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
    if process.returncode != 0:
        raise LineFailedError(f"wrk ended with {process.returncode}: {output.decode(errors='replace').strip()}")
    return parse(output.decode("utf-8", "replace"))


def parse(output: str) -> Rate:
    """Read what the script's `done` has printed; raises LineFailedError when it has not."""
    found = next((line for line in output.splitlines() if line.startswith(_MARK)), None)
    if found is None:
        raise LineFailedError(f"wrk said nothing of its results: {output.strip()}")
    summary = json.loads(found.removeprefix(_MARK))
    return Rate(
        requests=summary["requests"],
        seconds=summary["microseconds"] / 1_000_000,
        p50_ms=summary["p50"] / 1000,
        p99_ms=summary["p99"] / 1000,
        failed=summary["status"] + summary["broken"],
    )
