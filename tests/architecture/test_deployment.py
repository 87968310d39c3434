"""docker-compose.yml: valid, open to the outside at the API alone, without secrets, true to the settings."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema  # type: ignore[import-untyped]
from jsonschema.validators import validator_for
from typer.testing import CliRunner

from app.cli import app as inkfold
from app.settings import Settings

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(SOURCE)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if service["image"] == "inkfold"}

INTERPOLATION = re.compile(r"\$(?:\{(?P<name>\w+)(?P<rest>[^}]*)\}|(?P<bare>\w+))")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY|AUTH")
THEIR_VARIABLES = {
    "postgres": {"POSTGRES_DB", "POSTGRES_PASSWORD", "POSTGRES_USER"},
    "redis": {"REDISCLI_AUTH"},
    "locust": {
        "LOCUST_HOST",
        "LOCUST_LOCUSTFILE",
        "LOCUST_RUN_TIME",
        "LOCUST_SPAWN_RATE",
        "LOCUST_USERS",
    },
}


def schema_errors(compose: dict[str, Any]) -> list[str]:
    schema = get_builtin_schema("vendor.compose-spec")
    return [error.message for error in validator_for(schema)(schema).iter_errors(compose)]


def secrets_that_may_be_missing(text: str) -> set[str]:
    """Return the secrets that some place in the text takes without refusing to start when there is none."""
    found = set()
    for match in INTERPOLATION.finditer(text.replace("$$", "")):
        name = match["name"] or match["bare"]
        if SECRET.search(name) and not (match["rest"] or "").startswith(":?"):
            found.add(name)
    return found


def filled(value: str) -> str:
    """Return a value as Compose makes it where the person gave long secrets and nothing else."""

    def fill(match: re.Match[str]) -> str:
        rest = match["rest"] or ""
        return rest.removeprefix(":-") if rest.startswith(":-") else "s" * 64

    return INTERPOLATION.sub(fill, value)


def test_file_follows_the_compose_specification() -> None:
    assert schema_errors(COMPOSE) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda compose: compose["services"]["api"].update(port=["8000"]),
        lambda compose: compose["services"]["worker"].update(depends_on={"redis": {"condition": "up"}}),
        lambda compose: compose["networks"]["data"].update(internl=True),
    ],
)
def test_a_spoilt_file_is_seen(spoil: Callable[[dict[str, Any]], None]) -> None:
    spoilt = copy.deepcopy(COMPOSE)
    spoil(spoilt)

    assert schema_errors(spoilt)


def test_only_the_api_is_published() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"api"}
    assert not [name for name, service in SERVICES.items() if "network_mode" in service]


def test_data_stores_stand_on_an_internal_network_only() -> None:
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["data"]
    assert COMPOSE["networks"]["data"]["internal"] is True


def test_no_secret_has_a_default() -> None:
    assert secrets_that_may_be_missing(SOURCE) == set()


@pytest.mark.parametrize("text", ["${SECRET_KEY:-changeme}", "${SECRET_KEY}", "$SECRET_KEY", "${SECRET_KEY-x}"])
def test_a_secret_with_a_default_is_seen(text: str) -> None:
    assert secrets_that_may_be_missing(f"key: {text}") == {"SECRET_KEY"}


def test_no_secret_is_written_down() -> None:
    for name, service in SERVICES.items():
        for variable, value in service["environment"].items():
            if SECRET.search(variable):
                assert INTERPOLATION.fullmatch(value), f"{name}: {variable}"
            assert not re.search(r"://[^/$]*:[^$/@]+@", value), f"{name}: {variable} holds a password"


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_is_one_that_its_image_reads(name: str) -> None:
    known = {field.upper() for field in Settings.model_fields} if name in OURS else THEIR_VARIABLES[name]

    assert set(SERVICES[name]["environment"]) <= known


@pytest.mark.parametrize("name", sorted(OURS))
def test_settings_accept_what_the_file_gives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    for variable, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(variable, filled(value))

    settings = Settings()

    assert settings.database_url.endswith("@postgres:5432/inkfold")
    assert settings.redis_url.endswith("@redis:6379/0")


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_is_one_of_inkfolds(name: str) -> None:
    assert CliRunner().invoke(inkfold, [*SERVICES[name]["command"], "--help"]).exit_code == 0


def test_a_command_that_does_not_exist_is_seen() -> None:
    assert CliRunner().invoke(inkfold, ["serve", "--help"]).exit_code != 0


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_containers_can_change_nothing_outside_their_memory(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "volumes" not in service
    assert "user" not in service


def test_only_what_serves_http_keeps_the_images_healthcheck() -> None:
    overridden = {name for name in OURS if SERVICES[name].get("healthcheck", {}).get("disable")}

    assert OURS - overridden == {"api"}


def test_nothing_of_ours_starts_before_the_migrations_are_applied() -> None:
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in OURS - {"migrate"}:
        condition = SERVICES[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"


def test_one_service_builds_the_image_and_the_others_wait_for_it() -> None:
    builders = {name for name in OURS if "build" in SERVICES[name]}

    assert builders == {"migrate"}
    assert {SERVICES[name]["pull_policy"] for name in OURS - builders} == {"never"}


def test_worker_returns_after_redis_does_and_redis_forgets_no_job() -> None:
    assert SERVICES["worker"]["restart"] == "always"
    options = SERVICES["redis"]["command"]
    assert options[options.index("--maxmemory-policy") + 1] == "noeviction"
    assert options[options.index("--appendonly") + 1] == "yes"


def test_locust_runs_the_locustfile_of_this_repository() -> None:
    (mount,) = SERVICES["locust"]["volumes"]
    source, target, mode = mount.split(":")
    locustfile = Path(SERVICES["locust"]["working_dir"], SERVICES["locust"]["environment"]["LOCUST_LOCUSTFILE"])

    assert (ROOT / source / locustfile.relative_to(target)).is_file()
    assert mode == "ro"
    assert SERVICES["locust"]["profiles"] == ["load"]


def test_locust_in_a_container_is_the_locked_one() -> None:
    lock = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")

    assert f"\nlocust=={SERVICES['locust']['image'].partition(':')[2]} " in lock
