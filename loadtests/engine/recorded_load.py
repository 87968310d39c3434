"""The people of loadtests/locustfile.py; each of their requests is written down, for whoever started Locust.

A line has: the moment of the answer (of the machine's monotonic clock), milliseconds, the request, what failed. Run by
load.py. Locust has made locks and sleeps cooperative by the time this is read.
"""

import os
import time
from pathlib import Path
from typing import Any

from locust import events

from loadtests.locustfile import Follower, Liker, Reader, Writer

__all__ = ["Follower", "Liker", "Reader", "Writer"]

_RECORD = Path(os.environ["INKFOLD_LOAD_RECORD"]).open("w", encoding="utf-8", buffering=1)  # noqa: SIM115 - to the end


def _all_are_there(**_: Any) -> None:
    _RECORD.write("there\n")


def _answered(*, request_type: str, name: str, response_time: float, exception: Any, **_: Any) -> None:
    failure = " ".join(str(exception).split()) if exception else ""
    _RECORD.write(f"{time.monotonic()}\t{response_time}\t{request_type} {name}\t{failure}\n")


events.spawning_complete.add_listener(_all_are_there)  # type: ignore[no-untyped-call]
events.request.add_listener(_answered)  # type: ignore[no-untyped-call]
