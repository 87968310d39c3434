"""Tables of records: one run's lines with their verdicts, and how reads grow from one size to the next."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_NONE: Final = "-"
_HEAD: Final = (
    "line",
    "limit",
    "aim",
    "run 1",
    "run 2",
    "verdict",
    "req/s",
    "p50 ms",
    "p99 ms",
    "CPU µs/request",
    "more",
)
_FIGURES: Final = ("per_second", "p50_ms", "p99_ms")
_CPU: Final = "_cpu_us"
_LIMIT: Final = "limit_"
#: A read at a larger size should come to so much of what it came to at the smallest.
GROWTH: Final = 0.9

Rows = Sequence[Sequence[str]]


def rows_of(record: Mapping[str, Any]) -> Rows:
    """Return the rows of a run's table, the head first."""
    return [_HEAD, *(_row(line) for line in record["lines"])]


def growth_rows(records: Sequence[Mapping[str, Any]]) -> Rows:
    """Return how reads grow from the first record to the others: the share of the first's figure, the head first."""
    first, *others = records
    lines = [{line["name"]: line for line in record["lines"]} for record in records]
    head = [
        "line",
        f"{first['rows']['posts']:,} posts",
        *(f"{each['rows']['posts']:,} posts" for each in others),
        "≥ 0.9",
    ]
    rows = []
    for name, line in lines[0].items():
        figures = [_speed(each.get(name)) for each in lines]
        if figures[0] is None or any(figure is None for figure in figures):
            continue
        shares = [(figure or 0) / figures[0] for figure in figures]
        rows.append(
            [line["title"], *(f"{share:.2f}" for share in shares), "met" if min(shares) >= GROWTH else "missed"]
        )
    return [head, *rows]


def markdown(rows: Rows) -> str:
    """Write rows as a table of Markdown."""
    head, *rest = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *rest])


def show(rows: Rows) -> None:
    """Print rows as a table for the eye; what has many columns gets its figures below one another."""
    table, console = Table(show_lines=True), Console(highlight=False, markup=False)
    head, *rest = rows if len(rows[0]) < len(_HEAD) else map(_stacked, rows)
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rest:
        table.add_row(*row)
    console.print(table)


def _stacked(row: Sequence[str]) -> Sequence[str]:
    if row is _HEAD:
        return ("line", "aim", "runs", "verdict", "figures of the second run")
    title, limit, aims, first, second, verdict, *figures = row
    labelled = [f"{name}: {figure}" for name, figure in zip(_HEAD[-len(figures) :], figures, strict=True)]
    shown = [each for each in labelled if not each.endswith(f": {_NONE}")]
    return (f"{title}\nagainst {limit}", aims, f"{first}\n{second}", verdict, "\n".join(shown))


def _row(line: Mapping[str, Any]) -> tuple[str, ...]:
    rounds: list[Mapping[str, float]] = line["rounds"]
    ratios = [f"{figures['ratio']:.3g}" if "ratio" in figures else _NONE for figures in rounds]
    figures = rounds[-1] if rounds else {}
    aims = "; ".join(aim["said"] for aim in line["aims"]) or _NONE
    cpu = {name: figure for name, figure in figures.items() if name.endswith(_CPU) and not name.startswith(_LIMIT)}
    rest = [name for name in figures if name not in cpu and name not in (*_FIGURES, "ratio")]
    return (
        *(line["title"], line["limit"], aims),
        *(*ratios, _NONE, _NONE)[:2],
        line["verdict"],
        *(f"{figures[name]:,.4g}" if name in figures else _NONE for name in _FIGURES),
        " ".join(f"{name.removesuffix(_CPU)} {figure:,.0f}" for name, figure in cpu.items()) or _NONE,
        line["failure"]
        or line["unsupported"]
        or ", ".join(f"{name} {figures[name]:,.4g}" for name in rest if not name.startswith(_LIMIT))
        or _NONE,
    )


def _speed(line: Mapping[str, Any] | None) -> float | None:
    """Return how fast a line that should be flat is: its share of a limit, else requests per processor second."""
    rounds: list[Mapping[str, float]] = line["rounds"] if line and line["flat"] else []
    return max(map(_speed_of, rounds), default=None)


def _speed_of(figures: Mapping[str, float]) -> float:
    if "cpu_ratio" in figures:
        return figures["ratio"]
    return 1 / max(figures["api_cpu_us"] + figures["postgresql_cpu_us"], 1.0)
