"""The users: they send commands, one or many at once, and the oracle follows the answers."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from itertools import count
from typing import Any

import httpx

from tests.soak.background import PATIENCE_SECONDS
from tests.soak.command import Command, clash
from tests.soak.oracle import Json, Oracle
from tests.soak.post_commands import Delete
from tests.soak.stack import Stack
from tests.soak.tally import Difference

PASSWORD = "correct horse battery"

#: GETs a path as a user, or as nobody, perhaps with another's consistency token.
Get = Callable[..., Coroutine[Any, Any, httpx.Response]]


class Unavailable(Exception):
    """An answer 503; its argument is the problem's name."""


class Crowd:
    """Speaks with the APIs in turns."""

    def __init__(self, stack: Stack, oracle: Oracle) -> None:
        self.stack = stack
        self.oracle = oracle
        self._numbers = count()

    def register(self, username: str) -> None:
        """Make an account and sign in."""
        account = {"username": username, "email": f"{username}@example.org", "password": PASSWORD}
        registered = self._settled(self._send("POST", "/auth/register/", account), 201)
        self.stack.tally.commands["Register"] += 1
        tokens = self._settled(self._send("POST", "/auth/login/", {"username": username, "password": PASSWORD}), 200)
        self.oracle.register(registered, {"Authorization": f"Bearer {tokens['access_token']}"})

    def perform(
        self,
        commands: Sequence[Command],
        *,
        fault: Callable[[], None] = lambda: None,
        after: int = 0,
        may_fail: bool = False,
    ) -> list[tuple[Command, httpx.Response]]:
        """Do all at once; the fault happens when `after` of them have been answered. Raises Difference."""
        begun = [self.stack.background.begin(self._do(command)) for command in commands]
        waiting = set(begun)
        while waiting and len(begun) - len(waiting) < after:
            _, waiting = wait(waiting, timeout=PATIENCE_SECONDS, return_when=FIRST_COMPLETED)
        fault()
        answers = [future.result(PATIENCE_SECONDS) for future in begun]
        answered = list(zip(commands, answers, strict=True))
        for command, answer in answered:
            self.stack.tally.commands[type(command).__name__] += 1
            self.stack.tally.note(f"{command} -> {answer.status_code} {answer.text[:60]}")
        self._follow(answered, may_fail=may_fail)
        return answered

    async def get(self, path: str, user_id: str | None = None, *, token: str | None = None) -> httpx.Response:
        """GET a path; raises Unavailable for 503, Difference for what is no answer to a query."""
        headers = dict(self.oracle.users[user_id].headers) if user_id else {}
        if token is not None:
            headers["Consistency-Token"] = token
        answer = await self._send("GET", path, headers=headers)
        self.stack.tally.reads += 1
        if answer.status_code == 503:
            raise Unavailable(problem(answer))
        if answer.status_code not in {200, 404}:
            raise Difference(f"GET {path} is answered {answer.status_code} {answer.text}")
        return answer

    async def _do(self, command: Command) -> httpx.Response:
        return await self._send(*command.request(), headers=self.oracle.users[command.user_id].headers)

    async def _send(
        self, method: str, path: str, body: Json | None = None, *, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        client = self.stack.clients[next(self._numbers) % len(self.stack.clients)]
        return await client.request(method, path, json=body, headers=headers)

    def _settled(self, sending: Coroutine[Any, Any, httpx.Response], status: int) -> Json:
        answer = self.stack.background.run(sending)
        if answer.status_code != status:
            raise Difference(f"{answer.request.url.path} is answered {answer.status_code} {answer.text}")
        body: Json = answer.json()
        return body

    def _follow(self, answered: Sequence[tuple[Command, httpx.Response]], *, may_fail: bool) -> None:
        oracle = self.oracle
        oracle.now += 1
        statuses = [command.status(oracle) for command, _ in answered]
        happened: list[tuple[Command, Json, bool]] = []
        refused: list[tuple[Command, httpx.Response]] = []
        for (command, answer), status in zip(answered, statuses, strict=True):
            if answer.status_code == 503 and may_fail:
                body = self._truth_of(command, answer)
                happened += [] if body is None else [(command, body, True)]
            elif answer.status_code == status < 300:
                happened.append((command, answer.json() if answer.content else {}, False))
            elif answer.status_code != status:
                refused.append((command, answer))
        deleted = {command.post_id for command, body, _ in happened if isinstance(command, Delete)}
        for command, answer in refused:
            if answer.status_code != 404 or command.post_id not in deleted:
                raise Difference(f"{command} is answered {answer.status_code} {answer.text}")
        for command, body, looked_up in sorted(happened, key=lambda each: each[0].turn(each[1])):
            if not looked_up and not command.fits(oracle, body):
                raise Difference(f"{command} is answered {body}")
            command.apply(oracle, body, oracle.now)

    def _truth_of(self, command: Command, answer: httpx.Response) -> Json | None:
        kind = problem(answer)
        self.stack.tally.unavailable[f"command: {kind}"] += 1
        return command.truth(self.stack.look) if kind == "outcome-unknown" else None


def compatible(commands: Sequence[Command]) -> list[Command]:
    """Leave out what has no certain outcome beside those before it."""
    chosen: list[Command] = []
    for command in commands:
        if not any(clash(command.claims(), other.claims()) for other in chosen):
            chosen.append(command)
    return chosen


def problem(answer: httpx.Response) -> str:
    """Return the name of a problem."""
    return str(answer.json()["type"]).rsplit("/", 1)[-1]
