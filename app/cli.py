"""The console script `inkfold`; a command imports what it needs when it is called, so each starts fast."""

import asyncio
import sys

import typer
from pydantic import ValidationError

from app.demo.command import demo
from app.embedded.errors import StartError
from projections.cli import app as projections

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A blog backend whose reads are exact, ready-made tables.",
)
app.add_typer(projections, name="projections")
app.command()(demo)


@app.callback()
def prepare(context: typer.Context) -> None:
    """Let commands beside `up` find the servers of a running one."""
    if context.invoked_subcommand != "up":
        from app.embedded.environment import join_running_up

        join_running_up()


@app.command()
def up() -> None:
    """Run everything on this machine: PostgreSQL, Redis, migrations, the API and a worker."""
    from app.embedded.up import up as run_up

    raise typer.Exit(run_up())


@app.command()
def api() -> None:
    """Run the API."""
    import uvicorn

    from app.embedded.orphan import end_with_up
    from app.settings import settings

    end_with_up()
    uvicorn.run(
        "app.main:create_app",
        factory=True,
        host=settings().host,
        port=settings().port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        log_level=settings().log_level,
        timeout_graceful_shutdown=10,
        server_header=False,
    )


@app.command()
def worker() -> None:
    """Run a worker: it folds events into the read tables."""
    from app.embedded.orphan import end_with_up
    from app.settings import settings
    from projections.worker import main as run_worker

    end_with_up()
    settings()
    run_worker()


@app.command()
def migrate() -> None:
    """Bring the database up to date."""
    from app.migrate import migrate as apply
    from app.settings import settings

    for name in asyncio.run(apply(settings().database_url)):
        typer.echo(f"Applied {name}")


def main() -> None:
    """Run the command line; a missing or wrong setting is a sentence on standard error, and exit code 2."""
    try:
        app()
    except StartError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
    except ValidationError as error:
        for fault in error.errors():
            typer.echo(_sentence(fault["loc"], fault["type"], fault["msg"]), err=True)
        sys.exit(2)


def _sentence(location: tuple[int | str, ...], kind: str, message: str) -> str:
    name = "_".join(str(part) for part in location).upper()
    if kind == "missing":
        return f"{name} is not set. Set it in the environment, or let `inkfold up` provide it."
    return f"{name} is not usable: {message[:1].lower()}{message[1:]}."


if __name__ == "__main__":
    main()
