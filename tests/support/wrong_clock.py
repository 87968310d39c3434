"""Inkfold's command line in a process whose clock is wrong: `python -m tests.support.wrong_clock SECONDS worker`."""

import sys
from datetime import UTC, datetime, timedelta

import time_machine

from app.cli import main

if __name__ == "__main__":
    ahead = timedelta(seconds=int(sys.argv.pop(1)))
    time_machine.travel(datetime.now(UTC) + ahead, tick=True).start()
    main()
