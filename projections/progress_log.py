"""Progress of long work as log lines, for a worker, which has no screen."""

import logging
import time
from typing import Final

_EACH_SECONDS: Final = 10.0


class ProgressLog:
    """Logs where a stage stands every ten seconds, with its rate and the time left where these are known."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._what, self._total, self._unit = "", None, ""  # type: tuple[str, float | None, str]
        self._began = self._told = time.monotonic()

    def begin(self, what: str, total: float | None, unit: str) -> None:
        """Begin a stage."""
        self._what, self._total, self._unit = what, total, unit
        self._began = self._told = time.monotonic()

    def reach(self, done: float) -> None:
        """Log it if it is time."""
        now = time.monotonic()
        if now - self._told < _EACH_SECONDS:
            return
        self._told = now
        rate = done / (now - self._began)
        if self._total and rate:
            left = max(self._total - done, 0) / rate
            self._log.info(
                "%s: %.0f %%, %.0f %s/s, about %.0f s left.",
                self._what,
                min(100 * done / self._total, 100),
                rate,
                self._unit,
                left,
            )
        else:
            self._log.info("%s: %.0f %s, %.0f/s.", self._what, done, self._unit, rate)

    def note(self, sentence: str) -> None:
        """Log the sentence."""
        self._log.info("%s", sentence)
