"""The chart of a record: each line's two ratios as bars, up to its limit, and its aim as a mark. Plain SVG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

_LABEL, _SCALE, _FIGURE = 470, 400, 90
_MARGIN, _ROW, _BAR = 20, 36, 11
_TOP, _FOOT = 64, 34
_BARS: Final = ("#2f6f9f", "#7fb2d6")
_INK: Final = "#24292f"
_PAPER: Final = "#ffffff"
_TICKS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


def write(record: Mapping[str, Any], folder: Path) -> Path:
    """Write the chart, named by the record's size; return the file."""
    file = folder / f"bench-{record['size']}.svg"
    file.write_text(draw(record), "utf-8")
    return file


def draw(record: Mapping[str, Any]) -> str:
    """Return the chart of those lines whose aim is a share of their limit."""
    lines = [line for line in record["lines"] if _aim(line) is not None and line["rounds"]]
    width, bottom = 2 * _MARGIN + _LABEL + _SCALE + _FIGURE, _TOP + _ROW * len(lines)
    rows, machine = record["rows"], record["machine"]
    head = f"Share of the limit, two runs. {rows['posts']:,} posts, {rows['likes']:,} likes, {machine['cores']} cores"
    view = f'viewBox="0 0 {width} {bottom + _FOOT}" width="{width}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {view} font-family="sans-serif" font-size="13" fill="{_INK}">',
        f'<rect width="100%" height="100%" fill="{_PAPER}"/>',
        _text(_MARGIN, 28, head, size=16),
        *(_tick(share, bottom) for share in _TICKS),
        *(part for number, line in enumerate(lines) for part in _row(line, _TOP + _ROW * number)),
        _text(_MARGIN, bottom + 24, "| the aim; the scale ends at the limit, measured within the same minute", size=11),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _aim(line: Mapping[str, Any]) -> float | None:
    """Return the share of the limit that a line should come to, if that is its aim."""
    bounds = [aim["at_least"] for aim in line["aims"] if aim["figure"] == "ratio" and aim["at_least"]]
    return bounds[0] if bounds and bounds[0] <= 1 else None


def _row(line: Mapping[str, Any], top: int) -> Sequence[str]:
    ratios = [figures["ratio"] for figures in line["rounds"]]
    begin, aim = _MARGIN + _LABEL, _x(_aim(line) or 0)
    bars = [
        f'<rect x="{begin}" y="{top + 5 + _BAR * number}" width="{_x(ratio) - begin:.1f}" height="{_BAR - 1}" '
        f'fill="{_BARS[number % len(_BARS)]}"/>'
        for number, ratio in enumerate(ratios)
    ]
    mark = f'<line x1="{aim:.1f}" x2="{aim:.1f}" y1="{top + 1}" y2="{top + 30}" stroke="#b3261e" stroke-width="2"/>'
    said = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return [_text(_MARGIN, top + 20, line["title"]), *bars, mark, _text(begin + _SCALE + 10, top + 20, said)]


def _tick(share: float, bottom: int) -> str:
    x = _x(share)
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}" stroke="#d0d7de"/>'
    return line + _text(x, _TOP - 6, f"{share:g}", size=11, anchor="middle")


def _x(share: float) -> float:
    return _MARGIN + _LABEL + _SCALE * min(share, 1.0)


def _text(x: float, y: float, words: str, *, size: int = 13, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y}" font-size="{size}" text-anchor="{anchor}">{escape(words)}</text>'
