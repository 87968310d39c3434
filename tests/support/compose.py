"""docker-compose.yml as Compose reads it: its services, and its values with what a person has filled in."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(SOURCE)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if service["image"] == "inkfold"}

INTERPOLATION = re.compile(r"\$(?:\{(?P<name>\w+)(?P<rest>[^}]*)\}|(?P<bare>\w+))")

#: What a person gives for each secret.
GIVEN = "s" * 64


def filled(value: str) -> str:
    """Return a value as Compose makes it where the person gave long secrets and nothing else."""

    def fill(match: re.Match[str]) -> str:
        rest = match["rest"] or ""
        return rest.removeprefix(":").removeprefix("-") if rest.startswith((":-", "-")) else GIVEN

    return "$".join(INTERPOLATION.sub(fill, part) for part in value.split("$$"))


def file_of(config: str) -> str:
    """Return the content of a file that Compose puts into containers."""
    return filled(COMPOSE["configs"][config]["content"])
