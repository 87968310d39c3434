"""The log: one JSON object a line whatever is sent, and never a password or a token."""

import asyncio
import json
import logging
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI
from uvicorn import Config as UvicornConfig

from app.api.frame.request_ids import about_request, naming
from app.logs import JsonLines, blotted, log_to_stderr
from app.main import create_app
from app.settings import Settings
from tests.support.people import PASSWORD, Person, SignUp
from tests.support.raw_asgi import RawRequest, ask

OURS = ("app", "projections")
NEW_PASSWORD = "a password that nobody may read"


@pytest.fixture
def all_levels() -> Iterator[None]:
    """Log as much as an operator can ask for, in the present test."""
    levels = {name: logging.getLogger(name).level for name in OURS}
    log_to_stderr("debug", about=about_request)
    yield
    log_to_stderr("info", about=about_request)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def lines(application: FastAPI, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was written since the test began, or since this was last asked."""
    application.state.metrics.flush()
    return capsys.readouterr().err.split("\n")[:-1]


async def the_life_of_a_session(person: Person) -> set[str]:
    """Sign in and out in every way, well and badly; return what nobody may read of it."""
    forms = [
        {"json": {"username": "ada", "password": NEW_PASSWORD}},
        {"data": {"username": "ada", "password": NEW_PASSWORD, "grant_type": "password"}},
        {"json": {"username": "ada", "password": PASSWORD}},
        {"json": {"username": "ada", "password": PASSWORD, "extra": NEW_PASSWORD}},
        {"content": f'{{"username": "ada", "password": "{PASSWORD}', "headers": {"Content-Type": "application/json"}},
        {"content": PASSWORD, "headers": {"Content-Type": "text/plain"}},
    ]
    for form in forms:
        await person.post("/auth/login/", **form)  # type: ignore[arg-type]
    refreshed = await person.post("/auth/refresh/", json={"refresh_token": person.refresh_token})
    assert refreshed.status_code == 200
    pair = refreshed.json()
    await person.post("/auth/refresh/", json={"refresh_token": person.refresh_token, "extra": 1})
    await person.get(f"/auth/me/?access_token={pair['access_token']}")
    await person.get(f"/posts/{pair['access_token']}/")
    await person.get("/auth/me/", headers={"Authorization": f"Bearer {pair['access_token']}x"})
    await person.post("/auth/logout/", json={"refresh_token": pair["refresh_token"]})
    bearer = person.headers["Authorization"].removeprefix("Bearer ")
    return {PASSWORD, NEW_PASSWORD, bearer, person.refresh_token, pair["access_token"], pair["refresh_token"]}


@pytest.mark.usefixtures("all_levels")
async def test_no_password_and_no_token_reaches_a_line(
    signed_up: SignUp, application: FastAPI, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = await the_life_of_a_session(await signed_up("ada"))

    written = lines(application, capsys)
    assert len(written) >= 12
    for line in written:
        json.loads(line)
        assert not [secret for secret in secrets if secret[:60] in line or secret[-20:] in line]


@pytest.mark.usefixtures("all_levels")
async def test_no_secret_of_an_unexpected_error_reaches_a_line(
    config: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    app = create_app(config.model_copy(update={"log_level": "debug"}))
    secrets = ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "hunter2hunter2", "opaque-refresh-token-0123456789"]
    access, password, refresh = secrets

    async def fail() -> None:
        raise RuntimeError(
            f"Authorization: Bearer {access} {{'password': '{password}', \"refresh_token\": \"{refresh}\"}} "
            f"token={access} postgresql://inkfold:{password}@db/inkfold redis://:{password}@redis:6379/0"
        )

    app.add_api_route("/fails/", fail)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://inkfold.test") as client:
        assert (await client.get("/fails/")).status_code == 500

    (line,) = [each for each in capsys.readouterr().err.split("\n") if "An unexpected error" in each]
    assert "RuntimeError" in json.loads(line)["error"]
    assert not [secret for secret in secrets if secret in line]


FORGED = '{"level":"error","message":"forged"}'
BREAKS = ["\r\n", "\n", "\r", "\x00", "\x0b", "\x0c", "\x1b[2J", "\x7f", "\x85", "\x9b2J", "\u2028", "\u2029", "\ud800"]


@pytest.mark.parametrize("text", BREAKS, ids=ascii)
async def test_a_path_writes_one_line_and_nothing_to_a_terminal(
    application: FastAPI,
    api: httpx.AsyncClient,  # noqa: ARG001 - serves
    capsys: pytest.CaptureFixture[str],
    text: str,
) -> None:
    lines(application, capsys)
    path = "".join(f"%{byte:02x}" for byte in f"{text}{FORGED}".encode("utf-8", "surrogatepass"))
    await ask(application, RawRequest("GET", f"/posts/{path}/"))

    (line,) = [each for each in lines(application, capsys) if '"app.access"' in each]
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert all(character.isprintable() or character == "\x7f" for character in line)
    assert json.loads(line)["level"] == "info"


@pytest.mark.parametrize("header", [b"x-request-id", b"user-agent", b"referer", b"authorization", b"x-forwarded-for"])
async def test_a_header_writes_nothing(
    application: FastAPI,
    api: httpx.AsyncClient,  # noqa: ARG001 - serves
    capsys: pytest.CaptureFixture[str],
    header: bytes,
) -> None:
    lines(application, capsys)
    value = f"x\r\n{FORGED}".encode()
    for path in ("/posts/", "/nowhere/", "/auth/me/"):
        await ask(application, RawRequest("GET", path, headers=((header, value),)))

    written = lines(application, capsys)
    assert len([line for line in written if '"app.access"' in line]) == 3
    assert not [line for line in written if "forged" in line]


@pytest.mark.parametrize("text", BREAKS, ids=ascii)
def test_a_message_writes_one_line(text: str) -> None:
    record = logging.LogRecord("app", logging.INFO, "", 0, "It said %s", (f"a{text}{FORGED}",), None)

    line = JsonLines().format(record)

    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == f"It said a{text}{FORGED}"


def test_a_line_names_the_request_that_it_belongs_to() -> None:
    record = logging.LogRecord("app", logging.INFO, "", 0, "Done", (), None)
    line = JsonLines(about_request)

    with naming("trace-1"):
        assert json.loads(line.format(record))["request_id"] == "trace-1"
    assert "request_id" not in json.loads(line.format(record))


async def test_libraries_and_uvicorn_write_json_too(capsys: pytest.CaptureFixture[str], config: Settings) -> None:
    log_to_stderr("info")
    UvicornConfig(create_app(config), log_level="info", log_config=None, access_log=False)
    capsys.readouterr()

    logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
    logging.getLogger("asyncio").error("Task exception was never\nretrieved")
    logging.getLogger("arq.worker").warning("job expired")
    logging.getLogger("a.library").debug("chatter")

    written = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["logger"] for line in written] == ["uvicorn.error", "asyncio", "arq.worker"]


async def test_what_is_logged_twice_over_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        log_to_stderr("info")
    logging.getLogger("app").info("Once")

    await asyncio.sleep(0)
    assert len([line for line in capsys.readouterr().err.splitlines() if "Once" in line]) == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Redis did not take a token (gone); reads go on", "Redis did not take a token (gone); reads go on"),
        ("Authorization: Bearer abc.def-1", "Authorization: [secret] [secret]"),
        ('{"password": "x y", "a": 1}', '{"password": [secret], "a": 1}'),
        ("{'refresh_token': 'x y'}", "{'refresh_token': [secret]}"),
        ("?access_token=x&limit=3", "?access_token=[secret]&limit=3"),
        ("postgresql://me:pw@h/db?x=1", "postgresql://me:[secret]@h/db?x=1"),
        (
            "DETAIL:  Key (email)=(ada.l+1@example.co.uk) already exists.",
            "DETAIL:  Key (email)=([address]) already exists.",
        ),
        ("/users/ada@example.org/", "/users/[address]/"),
        ("postgresql://me@db.example.org/db", "postgresql://me@db.example.org/db"),
        ("/posts/0190d2a0-0000-7000-8000-000000000000/", "/posts/0190d2a0-0000-7000-8000-000000000000/"),
    ],
)
def test_what_looks_like_a_secret_is_blotted_out(text: str, shown: str) -> None:
    assert blotted(text) == shown
