"""All lines of the benchmark, in the order in which they are measured: what changes the blog much comes last."""

from typing import Final

from loadtests.bench.analytics import YEAR, YEAR_TO_COUNT
from loadtests.bench.backlog import CATCH_UP
from loadtests.bench.bench import Line
from loadtests.bench.deep import DEEP
from loadtests.bench.fan_out import FAN_OUT
from loadtests.bench.memory import MEMORY
from loadtests.bench.otherwise import OTHERWISE
from loadtests.bench.reads import READS
from loadtests.bench.scale import TWO_PROCESSES
from loadtests.bench.visible import HALF, IDLE
from loadtests.bench.writes import FEED_BESIDE_LIKES, FIRST_PAGE_BESIDE_LIKES, LIKE

LINES: Final[tuple[Line, ...]] = (
    *READS,
    *OTHERWISE,
    DEEP,
    YEAR,
    YEAR_TO_COUNT,
    TWO_PROCESSES,
    FIRST_PAGE_BESIDE_LIKES,
    FEED_BESIDE_LIKES,
    IDLE,
    LIKE,
    HALF,
    CATCH_UP,
    FAN_OUT,
    MEMORY,
)
