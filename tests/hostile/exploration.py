"""Requests that schemathesis makes up from the OpenAPI document: good, bad, one after the other; and what they found.

`explore` takes a schema of `of_app` or `of_url`; the tests run it for a while, `python -m tests.hostile` for long.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import schemathesis
from fastapi import FastAPI
from schemathesis import AuthContext, Case
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.schemas import BaseSchema

#: Settings that are empty where nobody is to be refused for asking too often.
UNLIMITED: Final = tuple(f"RATE_LIMIT_{name}" for name in ("LOGIN", "LOGIN_ADDRESS", "REGISTER", "WRITES", "READS"))

_DOCUMENT: Final = "/openapi.json"
#: A made-up Consistency-Token is waited for while there is something to fold, and on a busy machine more than once.
_PATIENCE_SECONDS: Final = 30
_REDIRECTED: Final = 300
_REJECTED: Final = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "414", "415", "422", "428", "431"]

#: Everything is checked but one thing: that what fits the document is accepted. Rules such as that an e-mail address
#: is one, or that a period is not longer than ten years, can't be said in a schema.
_CHECKS: Final = {
    "positive_data_acceptance": {"enabled": False},
    "negative_data_rejection": {"expected-statuses": _REJECTED},
}
#: What is not what it looks like. Another method than GET on the first path means the post of that id: it is refused
#: for the id, and not for the method. The list on the second is there when the like on .../like/ has been taken back.
_EXCEPTIONS: Final = [
    {
        "include-path": "/posts/top/",
        "checks": {"unsupported_method": {"enabled": False}, "allow_header_conformance": {"enabled": False}},
    },
    {"include-path": "/posts/{post_id}/likes/", "checks": {"use_after_free": {"enabled": False}}},
]


#: How often a good request takes something that is there, where it is known, and not something made up, which bounds
#: and bad requests are; less often where it would be gone for all that follow.
_KNOWN: Final = 1.0
_SELDOM: Final = {"/auth/logout/": 0.1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is tried: the examples of each operation and of whole courses, or as many as the seconds allow.

    `known` are values that nobody could make up, by the parameters that take them, such as path.user_id.
    """

    seed: int
    examples: int
    courses: int
    steps: int
    seconds: int | None = None
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def config(self) -> SchemathesisConfig:
        """Return it as schemathesis takes it."""
        document: dict[str, Any] = {
            "seed": self.seed,
            "suppress-health-check": ["all"],
            "cache": {"enabled": False},
            "request-timeout": _PATIENCE_SECONDS,
            "auth": {"auto-signup": False},
            "checks": _CHECKS,
            "operations": _EXCEPTIONS
            + [{"include-path": path, "parameters": self._drawn(often)} for path, often in _SELDOM.items()],
            "dictionaries": {name: {"values": list(values)} for name, values in self.known.items()},
            "parameters": self._drawn(_KNOWN),
            "generation": {"mode": "all", "max-examples": self.examples, "database": "none", "no-shrink": True},
            "phases": {"stateful": {"max-steps": self.steps, "generation": {"max-examples": self.courses}}},
        }
        if self.seconds is not None:
            document["max-time"] = self.seconds
        return SchemathesisConfig.from_dict(document)

    def _drawn(self, often: float) -> dict[str, Any]:
        return {name: {"dictionary": name, "probability": often} for name in self.known}


@dataclass(slots=True)
class Findings:
    """How many requests were made, of which operations, which succeeded, and what was wrong with the answers."""

    cases: Counter[str] = field(default_factory=Counter)
    successes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def line(self) -> str:
        """Say it in a line."""
        answers = ", ".join(f"{count} × {status}" for status, count in sorted(self.statuses.items()))  # noqa: RUF001
        return (
            f"{self.cases.total():,} requests of {len(self.cases)} operations, "
            f"{len(self.successes)} of which succeeded ({answers}), {len(self.failures)} failures, {self.seconds:.0f} s"
        )

    def note(self, recorder: ScenarioRecorder) -> None:
        """Take in what became of some requests."""
        for case_id, node in recorder.cases.items():
            operation = node.value.operation.label
            self.cases[operation] += 1
            interaction = recorder.interactions.get(case_id)
            if interaction is not None and interaction.response is not None:
                self.statuses[interaction.response.status_code] += 1
                if interaction.response.status_code < _REDIRECTED:
                    self.successes[operation] += 1
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.status is Status.FAILURE and check.failure_info is not None:
                    failure = check.failure_info.failure
                    name = f"{recorder.cases[case_id].value.operation.label}: {failure.title}"
                    self.failures.setdefault(name, f"{name}\n{failure.message}\n{check.failure_info.code_sample}")


def of_app(app: FastAPI, effort: Effort) -> BaseSchema:
    """Return the schema of an app in this process; its lifespan begins, in a thread of schemathesis's own."""
    return schemathesis.openapi.from_asgi(_DOCUMENT, app, config=effort.config())


def of_url(url: str, effort: Effort) -> BaseSchema:
    """Return the schema of an API that runs elsewhere."""
    return schemathesis.openapi.from_url(f"{url}{_DOCUMENT}", config=effort.config())


def explore(schema: BaseSchema, *, sign_in: Callable[[], str], again_after: int | None, findings: Findings) -> None:
    """Send requests and note what they find. `sign_in` gives an access token: for each request, or every so often."""

    @schema.auth(refresh_interval=again_after)
    class _Bearer:
        def get(self, case: Case[Any], context: AuthContext) -> str:  # noqa: ARG002 - schemathesis asks so
            return sign_in()

        def set(self, case: Case[Any], data: str, context: AuthContext) -> None:  # noqa: ARG002 - the same
            case.headers["Authorization"] = f"Bearer {data}"

    began = monotonic()
    for event in from_schema(schema).execute():
        findings.seconds = monotonic() - began
        if isinstance(event, events.ScenarioFinished):
            findings.note(event.recorder)
        elif isinstance(event, events.NonFatalError):
            findings.failures.setdefault(f"{event.label}: {event.info.title}", f"{event.label}: {event.info}")
        elif isinstance(event, events.FatalError):
            raise event.exception
