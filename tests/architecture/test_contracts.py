"""The import contracts: they hold, they cover everything, and each refuses a violation."""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "projections", "migrations", "loadtests")
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"][
    "contracts"
]

QUERIES = "Queries never see the write side"
COMMANDS = "Commands never see the read side"
MODELS = "Only commands touch the models"
HTTP = "Only app.api and app.main speak HTTP"
ENGINE = "The engine knows no blog"
PROJECTIONS = "Projections do not know one another"

VIOLATIONS = [
    (QUERIES, "app/queries/page.py", "from app.models import Like"),
    (QUERIES, "app/queries/page.py", "import app.commands.likes"),
    (QUERIES, "app/queries/page.py", "import app.command_store"),
    (QUERIES, "app/queries/page.py", "import app.doorbell"),
    (QUERIES, "app/queries/page.py", "from app.db import open_worker_pool"),
    (QUERIES, "app/queries/page.py", "from projections.registry import PROJECTIONS"),
    (QUERIES, "app/queries/page.py", "from projections.engine.verify import verify"),
    (QUERIES, "app/queries/page.py", "from tortoise import Tortoise"),
    (QUERIES, "app/freshness.py", "import app.command_store"),
    (COMMANDS, "app/commands/likes.py", "from app.queries.reader import Reader"),
    (COMMANDS, "app/commands/likes.py", "from app.freshness import Freshness"),
    (COMMANDS, "app/commands/likes.py", "from projections.engine.step import step"),
    (COMMANDS, "app/command_store.py", "import projections.registry"),
    (MODELS, "app/api/__init__.py", "from app.models import Post"),
    (MODELS, "app/demo/filling.py", "from app.models import Post"),
    (MODELS, "projections/projector.py", "import app.models"),
    (HTTP, "app/commands/likes.py", "from fastapi import HTTPException"),
    (HTTP, "app/queries/page.py", "from starlette.responses import Response"),
    (HTTP, "app/errors.py", "import app.api.frame.problems"),
    (HTTP, "projections/projector.py", "from app.main import create_app"),
    (ENGINE, "projections/engine/step.py", "from app.settings import settings"),
    (ENGINE, "projections/engine/step.py", "import redis"),
    (PROJECTIONS, "projections/engine/step.py", "from projections.posts import POSTS"),
    (PROJECTIONS, "projections/posts/__init__.py", "from projections.ranking import RANKING"),
    (PROJECTIONS, "projections/ranking/__init__.py", "import projections.registry"),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source, to be spoilt."""
    copy = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


@pytest.fixture
def spoilt(source: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The copy with one line more."""
    file, line = request.param
    was = (source / file).read_text("utf-8")
    (source / file).write_text(f"{was}\n{line}\n", "utf-8")
    yield source
    (source / file).write_text(was, "utf-8")


def _check(folder: Path) -> subprocess.CompletedProcess[str]:
    command = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-c", command, "--cache-dir", str(folder / ".cache")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_contracts_are_kept(source: Path) -> None:
    checked = _check(source)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in checked.stdout


@pytest.mark.parametrize(
    ("contract", "spoilt"),
    [pytest.param(contract, (file, line), id=f"{file}: {line}") for contract, file, line in VIOLATIONS],
    indirect=["spoilt"],
)
def test_a_violation_is_refused_by_name(contract: str, spoilt: Path) -> None:
    checked = _check(spoilt)
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert f"{contract} BROKEN" in checked.stdout


def test_every_contract_has_a_violation() -> None:
    assert {contract["name"] for contract in CONTRACTS} == {name for name, _, _ in VIOLATIONS}


def test_every_part_of_app_but_two_is_kept_from_http() -> None:
    parts = {
        f"app.{path.stem}"
        for path in (ROOT / "app").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    (http,) = (contract for contract in CONTRACTS if contract["name"] == HTTP)
    assert parts - {"app.__init__", "app.api", "app.main"} == {
        module for module in http["source_modules"] if module.startswith("app.")
    }
