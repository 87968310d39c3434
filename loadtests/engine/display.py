"""What the measurements print at their end. How far they are is shown on standard error by projections.cli.progress."""

import statistics
from collections.abc import Sequence

from rich.console import Console

#: For results.
OUT = Console(highlight=False, markup=False, soft_wrap=True)


def spread(seconds: Sequence[float]) -> str:
    """Say how times are spread, in milliseconds."""
    if len(seconds) < 2:  # noqa: PLR2004 - one has no quantiles
        return ", ".join(f"{each * 1000:.1f} ms" for each in seconds) or "none"
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    p50, p99, worst = cuts[49] * 1000, cuts[98] * 1000, max(seconds) * 1000
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, longest {worst:.1f} ms, of {len(seconds):,}"
