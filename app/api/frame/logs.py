"""One JSON object a line on standard error. It never writes a header, a query string or a body: tokens stand there."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from app.api.frame.request_ids import request_id

_OURS = ("app", "projections")


class JsonLines(logging.Formatter):
    """Escapes control characters as JSON does, so that no client can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (current := request_id()) != "-":
            line["request_id"] = current
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to_stderr(level: str) -> None:
    """Send our loggers' records from `level` on to standard error; once is enough, twice does no harm."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in _OURS:
        logger = logging.getLogger(name)
        logger.setLevel(level.upper())
        if not any(isinstance(present.formatter, JsonLines) for present in logger.handlers):
            logger.addHandler(handler)
