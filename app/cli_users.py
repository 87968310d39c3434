"""`inkfold users …`: shuts accounts and opens them again. Registered in app.cli.

app.cli imports this at every start, so a command imports what it needs when it is called.
"""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from app.command_store import CommandStore, Committed
    from app.commands.activation import Activation

_REDIS_SECONDS: Final = 1.0

app = typer.Typer(no_args_is_help=True, help="Shut accounts, and open them again.")

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="A username or an e-mail address.")]


@app.command()
def deactivate(login: Login) -> None:
    """Shut an account: from now on it can't sign in, refresh or write. It reads until its access token runs out."""
    from app.commands.activation import DeactivateUser, deactivate_user
    from app.settings import settings

    done = _run(login, lambda store: deactivate_user(store, DeactivateUser(login=login)))
    if done.changed:
        sessions = f"{done.ended_sessions:,} session{'' if done.ended_sessions == 1 else 's'}"
        typer.echo(
            f"{done.username} is deactivated, and {sessions} ended. Nothing can be written in that name any more; what "
            f"has been signed in reads for {settings().access_token_seconds:,} s at most. "
            f"To undo it: inkfold users reactivate {done.username}"
        )
    else:
        typer.echo(f"{done.username} was deactivated already. Nothing has changed.")


@app.command()
def reactivate(login: Login) -> None:
    """Open an account again. What was signed in before stays ended: its user signs in anew."""
    from app.commands.activation import ReactivateUser, reactivate_user

    done = _run(login, lambda store: reactivate_user(store, ReactivateUser(login=login)))
    if done.changed:
        typer.echo(f"{done.username} is active again and can sign in.")
    else:
        typer.echo(f"{done.username} was active already. Nothing has changed.")


def _run(login: str, command: "Callable[[CommandStore], Awaitable[Committed[Activation]]]") -> "Activation":
    from app.errors import Unavailable, UserNotFound
    from projections.cli.running import leave, run

    async def work() -> "Activation":
        async with AsyncExitStack() as stack:
            return (await command(await _store(stack))).value

    try:
        return run(work())
    except UserNotFound:
        leave(f"There is no user {login!r}. Name one by the username or the e-mail address.")
    except Unavailable as error:
        leave(f"Nothing is known to have changed. {error}")


async def _store(stack: AsyncExitStack) -> "CommandStore":
    from app.cache import Cache
    from app.command_store import CommandStore
    from app.db import open_commands
    from app.doorbell import Doorbell
    from app.migrate import pending_migrations
    from app.redis_client import open_redis
    from app.settings import settings
    from projections.cli.running import connected, leave
    from projections.engine.checkpoint import system_identifier

    config = settings()
    async with connected(role=None) as connection:  # only who migrates sees what was migrated
        if await pending_migrations(connection):
            leave("This database is not up to date. Run `inkfold migrate` first.")
        cluster = await system_identifier(connection)
    models = await open_commands(config)
    stack.push_async_callback(models.close_connections)
    redis = open_redis(config.redis_url, answer_seconds=_REDIS_SECONDS)
    stack.push_async_callback(redis.aclose)
    return CommandStore(
        models,
        cache=Cache(redis, cluster=cluster),
        doorbell=Doorbell(redis),  # which nobody rings here: a worker's sweep finds the event within a second
        pool_size=1,
        pool_timeout_seconds=config.pool_timeout_seconds,
    )
