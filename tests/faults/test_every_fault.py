"""Each fault that is to be survived has a test of its number here."""

import re
from pathlib import Path

FAULTS = set(range(1, 39))


def test_every_fault_has_a_test() -> None:
    sources = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    tested = {int(number) for source in sources for number in re.findall(r"def test_fault_(\d\d)_", source)}
    assert FAULTS - tested == set()
