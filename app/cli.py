"""The console script `inkfold`; a command imports what it needs when it is called, so each starts fast."""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Annotated, Final

import typer
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.cli_users import app as users
from app.demo.command import demo
from app.embedded.errors import StartError
from app.reachability import UnreachableError, require_postgres
from projections.cli import app as projections

#: What a setting must be, by pydantic's name of the fault.
_EXPECTED: Final[Mapping[str, str]] = {
    "literal_error": "it must be {expected}",
    "too_short": "it must have at least {min_length} characters",
    "int_parsing": "it must be a whole number",
    "greater_than_equal": "it must be {ge} or more",
    "less_than_equal": "it must be {le} or less",
    "greater_than": "it must be more than {gt:g}",
    "float_parsing": "it must be a number",
    "bool_parsing": "it must be true or false",
}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A blog backend whose reads are exact, ready-made tables.",
)
app.add_typer(projections, name="projections")
app.add_typer(users, name="users")
app.command()(demo)


@app.callback()
def prepare(context: typer.Context) -> None:
    """Let commands beside `up` find the servers of a running one."""
    if context.invoked_subcommand != "up":
        from app.embedded.environment import join_running_up

        join_running_up()


@app.command()
def up() -> None:
    """Run everything on this machine: PostgreSQL, Redis, migrations, the API and workers."""
    from app.embedded.up import up as run_up

    raise typer.Exit(run_up())


@app.command()
def api(*, shared: Annotated[bool, typer.Option(hidden=True)] = False) -> None:
    """Run the API."""
    from app.embedded.orphan import end_with_up
    from app.embedded.port import check_port
    from app.serving import ApiProcesses, serve
    from app.settings import settings

    end_with_up()
    config = settings()
    if not shared:  # by those that do, the port is used already
        check_port(config.host, config.port)
        require_postgres(config.database_url)
    if config.api_workers > 1 and not shared:
        raise typer.Exit(ApiProcesses(config).run())
    serve(config, shared=shared)


@app.command()
def worker() -> None:
    """Run a worker: it folds events into the read tables."""
    from app.embedded.orphan import end_with_up
    from app.settings import settings
    from projections.worker import main as run_worker

    end_with_up()
    require_postgres(settings().database_url)
    run_worker()


@app.command()
def migrate() -> None:
    """Bring the database up to date."""
    from app.migrate import migrate as apply
    from app.settings import settings

    require_postgres(settings().database_url)
    for name in asyncio.run(apply(settings().database_url)):
        typer.echo(f"Applied {name}")


def main() -> None:
    """Run the command line; what prevents it is a sentence on standard error: exit code 2 for a setting, else 1."""
    try:
        app()
    except (StartError, UnreachableError) as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    except ValidationError as error:
        for fault in error.errors():
            typer.echo(_sentence(fault), err=True)
        sys.exit(2)


def _sentence(fault: ErrorDetails) -> str:
    name = "_".join(str(part) for part in fault["loc"]).upper()
    if fault["type"] == "missing":
        return (
            f"{name} is not set, and no `inkfold up` runs on {os.environ.get('DATA_DIR') or '.data'} here. "
            "Set it, or start `inkfold up`, or name its folder with DATA_DIR."
        )
    return f"{name} is not usable: {_expected(name, fault)}."


def _expected(name: str, fault: ErrorDetails) -> str:
    if name == "PORT":
        return "it must be a whole number from 1 to 65535"
    if known := _EXPECTED.get(fault["type"]):
        return known.format_map(fault.get("ctx", {})).replace("'", "")
    message = fault["msg"].removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


if __name__ == "__main__":
    main()
