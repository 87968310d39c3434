"""Memory of the API and the worker after everything else, beside what they had before."""

from typing import Final

from loadtests.bench.bench import Bench, Line
from loadtests.bench.figures import Aim


async def _memory(bench: Bench) -> dict[str, float]:
    after = bench.system.processes.megabytes()
    figures = {f"{group}_mb": size for group, size in after.items()}
    return figures | {f"{group}_mb_before": size for group, size in bench.memory_before.items()}


MEMORY: Final = Line(
    name="memory",
    title="memory of the largest process, after all of the above",
    limit="-",
    aims=(Aim(figure="api_mb", at_most=120), Aim(figure="worker_mb", at_most=100)),
    measure=_memory,
)
