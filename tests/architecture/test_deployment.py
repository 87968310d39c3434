"""docker-compose.yml: valid, open to the outside at the proxy alone, without secrets, true to the settings."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema  # type: ignore[import-untyped]
from jsonschema.validators import validator_for
from typer.testing import CliRunner

from app.cli import app as inkfold
from app.settings import Settings
from tests.support.compose import COMPOSE, INTERPOLATION, OURS, ROOT, SERVICES, SOURCE, file_of, filled

SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY|AUTH")
THEIR_VARIABLES = {
    "postgres": {"POSTGRES_DB", "POSTGRES_PASSWORD", "POSTGRES_USER"},
    "accounts": {
        "API_DATABASE_PASSWORD",
        "PGDATABASE",
        "PGHOST",
        "PGPASSWORD",
        "PGUSER",
        "WORKER_DATABASE_PASSWORD",
    },
    "redis": set(),
    "proxy": set(),
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


def test_only_the_proxy_is_published() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"proxy"}
    assert {name for name, service in SERVICES.items() if "edge" in service["networks"]} == {"proxy"}
    assert not [name for name, service in SERVICES.items() if "network_mode" in service]


def test_data_stores_stand_on_an_internal_network_only() -> None:
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["data"]
    assert COMPOSE["networks"]["data"]["internal"] is True
    assert "data" not in SERVICES["proxy"]["networks"]


def test_no_secret_has_a_default() -> None:
    assert secrets_that_may_be_missing(SOURCE) == set()


@pytest.mark.parametrize("text", ["${SECRET_KEY:-changeme}", "${SECRET_KEY}", "$SECRET_KEY", "${SECRET_KEY-x}"])
def test_a_secret_with_a_default_is_seen(text: str) -> None:
    assert secrets_that_may_be_missing(f"key: {text}") == {"SECRET_KEY"}


def test_no_secret_is_written_down() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable):
                assert INTERPOLATION.fullmatch(value), f"{name}: {variable}"
            assert not re.search(r"://[^/$]*:[^$/@]+@", value), f"{name}: {variable} holds a password"


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_is_one_that_its_image_reads(name: str) -> None:
    known = {field.upper() for field in Settings.model_fields} if name in OURS else THEIR_VARIABLES[name]

    assert set(SERVICES[name].get("environment", {})) <= known


@pytest.mark.parametrize("name", sorted(OURS))
def test_settings_accept_what_the_file_gives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for field in Settings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)
    for variable, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(variable, filled(value))

    settings = Settings()

    assert settings.database_url.endswith("@postgres:5432/inkfold")
    assert settings.redis_url.endswith("redis:6379/0")


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_is_one_of_inkfolds(name: str) -> None:
    assert CliRunner().invoke(inkfold, [*SERVICES[name]["command"], "--help"]).exit_code == 0


def test_a_command_that_does_not_exist_is_seen() -> None:
    assert CliRunner().invoke(inkfold, ["serve", "--help"]).exit_code != 0


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_containers_keep_the_user_of_the_image(name: str) -> None:
    assert "user" not in SERVICES[name]


@pytest.mark.parametrize("name", sorted({*OURS, "accounts", "proxy"}))
def test_containers_without_data_can_change_nothing_outside_their_memory(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "volumes" not in service


@pytest.mark.parametrize("name", ["accounts", "proxy"])
def test_what_needs_no_root_is_not_root(name: str) -> None:
    assert SERVICES[name]["user"].partition(":")[0] not in {"0", "root"}


def test_every_file_is_put_where_a_command_reads_it() -> None:
    used = set()
    for service in SERVICES.values():
        for put in service.get("configs", []):
            started = [*service.get("entrypoint", []), *service.get("command", [])]
            assert any(word.endswith(put["target"]) for word in started)
            used.add(put["source"])
    assert used == set(COMPOSE["configs"])


def test_nobody_but_the_owner_has_the_owners_password() -> None:
    known = {name for name, service in SERVICES.items() if "${POSTGRES_PASSWORD" in str(service)}

    assert known == {"postgres", "migrate", "accounts"}


def test_each_secret_is_named_at_the_top() -> None:
    named = set(re.findall(r"[A-Z_]{6,}", SOURCE.partition("\nname:")[0]))

    assert {match["name"] for match in INTERPOLATION.finditer(SOURCE) if SECRET.search(match["name"] or "")} <= named


def test_only_what_serves_http_keeps_the_images_healthcheck() -> None:
    overridden = {name for name in OURS if SERVICES[name].get("healthcheck", {}).get("disable")}

    assert OURS - overridden == {"api"}


def test_nothing_of_ours_starts_before_the_migrations_are_applied() -> None:
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert SERVICES["accounts"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    for name in OURS - {"migrate"}:
        condition = SERVICES[name]["depends_on"]["accounts"]["condition"]
        assert condition == "service_completed_successfully"


def test_one_service_builds_the_image_and_the_others_wait_for_it() -> None:
    builders = {name for name in OURS if "build" in SERVICES[name]}

    assert builders == {"migrate"}
    assert {SERVICES[name]["pull_policy"] for name in OURS - builders} == {"never"}


def test_worker_returns_after_redis_does_and_redis_forgets_no_job() -> None:
    assert SERVICES["worker"]["restart"] == "always"
    options = file_of("redis").splitlines()
    assert "maxmemory-policy noeviction" in options
    assert "appendonly yes" in options


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
