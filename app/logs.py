"""What a process logs, its libraries' records included: one JSON object a line on standard error.

The API and `inkfold worker` install it; the access log blots out its paths here, too. It never writes a header, a query
string or a body: tokens stand there. What looks like a secret or an e-mail address is blotted out of messages, errors
and paths.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

_OURS: Final = ("app", "projections")

#: Bearers, signed tokens, the password of a URL, and what a name says is secret: quoted, or up to where a value ends.
_SECRETS: Final = (
    re.compile(r"(?i)(\bbearer\s+)[\w.~+/=-]+"),
    re.compile(r"()\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"),
    re.compile(r"(://[^/@\s:]*:)[^/@\s]+(?=@)"),
    re.compile(
        r"(?i)((?:password|secret|token|authorization|_key)[\"']?\s*[=:]\s*)"
        r"(?:\"[^\"]*\"?|'[^']*'?|[^\s\"',&;)}\]]+)"
    ),
)
#: E-mail addresses, which PostgreSQL's errors repeat and people put into paths; bounded, to be found in linear time.
_ADDRESSES: Final = re.compile(r"(?<!//)\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


def blotted(text: str) -> str:
    """Return the text without what looks like a secret, or like an e-mail address, in it."""
    for secret in _SECRETS:
        text = secret.sub(r"\1[secret]", text)
    return _ADDRESSES.sub("[address]", text)


class JsonLines(logging.Formatter):
    """Escapes what is not printable ASCII, so that no client can forge a line, nor write to a terminal.

    `about` says what a record belongs to, at the moment when it is written.
    """

    def __init__(self, about: Callable[[], Mapping[str, str]] = dict) -> None:
        super().__init__()
        self._about = about

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": blotted(record.getMessage()),
            **self._about(),
        }
        if record.exc_info:
            line["error"] = blotted(self.formatException(record.exc_info))
        return json.dumps(line)


class _StandardError(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except OSError:
            pass  # nobody reads it any more, which is no reason not to go on
        except Exception:  # noqa: BLE001 - as every handler of the library does
            self.handleError(record)


def log_to_stderr(level: str, *, about: Callable[[], Mapping[str, str]] = dict) -> None:
    """Send our records from `level` on, and the libraries' warnings, to standard error; the last call counts."""
    handler = _StandardError(level.upper())
    handler.setFormatter(JsonLines(about))
    root = logging.getLogger()
    for present in [each for each in root.handlers if isinstance(each, _StandardError)]:
        root.removeHandler(present)
    root.addHandler(handler)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())
