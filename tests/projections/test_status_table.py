"""`inkfold projections status`, as a terminal of the usual width shows it."""

from datetime import UTC, datetime

from rich.console import Console

from projections.cli import _status_table
from projections.engine.status import Status
from projections.registry import PROJECTIONS


def shown() -> list[str]:
    moment = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    rows = [
        Status(
            projection=each.name,
            version=1,
            status="rebuilding",
            error=None,
            updated_at=moment,
            events_behind=123_456,
            seconds_behind=12.5,
        )
        for each in PROJECTIONS
    ]
    console = Console(width=80)
    with console.capture() as output:
        console.print(_status_table(rows))
    return output.get().splitlines()


def test_every_name_is_whole_in_80_columns() -> None:
    lines = shown()
    assert max(len(line) for line in lines) <= 80
    for each in PROJECTIONS:
        assert any(line.split()[:2] == [each.name, "1"] for line in lines)
