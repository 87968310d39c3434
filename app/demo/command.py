"""`inkfold demo`: fills the blog with made-up users, posts, subscriptions and likes. Registered in app.cli."""

import asyncio
import time
from typing import Annotated

import typer

Users = Annotated[int, typer.Option(min=1, max=10_000_000, help="How many users.")]
Posts = Annotated[int, typer.Option(min=0, max=10_000_000, help="How many posts.")]
Likes = Annotated[int, typer.Option(min=0, max=1_000_000_000, help="How many likes, spread over the past year.")]
Seed = Annotated[int | None, typer.Option(help="The same seed makes up the same blog.")]


def demo(users: Users = 1_000, posts: Posts = 5_000, likes: Likes = 100_000, seed: Seed = None) -> None:
    """Fill the blog with made-up users, posts, subscriptions and likes; again and again if you like."""
    import asyncpg  # noqa: PLC0415 - app.cli imports this module at every start
    from rich.console import Console  # noqa: PLC0415

    from app.demo.batch import Size  # noqa: PLC0415
    from app.demo.run import NotMigratedError, run  # noqa: PLC0415
    from app.progress_bars import Bars  # noqa: PLC0415
    from app.reachability import UnreachableError, require_postgres  # noqa: PLC0415
    from app.settings import settings  # noqa: PLC0415

    if likes > users * posts:
        raise typer.BadParameter(f"{users:,} users can like {posts:,} posts {users * posts:,} times at most.")
    console = Console()
    size = Size(users=users, posts=posts, likes=likes)
    dsn, began = settings().database_url, time.monotonic()
    try:
        require_postgres(dsn)
        with Bars(console) as bars:
            added = asyncio.run(run(dsn, size, seed=seed, report=bars))
    except KeyboardInterrupt:
        typer.echo("Stopped. Nothing was added.", err=True)
        raise typer.Exit(130) from None
    except UnreachableError as error:
        typer.echo(f"Nothing was added. {error}", err=True)
        raise typer.Exit(1) from error
    except (OSError, NotMigratedError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        typer.echo(f"Nothing was added. {error}", err=True)
        raise typer.Exit(1) from error
    console.print(
        f"Added {users:,} users, {posts:,} posts, {size.subscriptions:,} subscriptions and {likes:,} likes "
        f"in {time.monotonic() - began:.1f} s.\n"
        f"Sign in as {', '.join(added.usernames)} or any other of them; the password is {added.password}",
        soft_wrap=True,
        highlight=False,
    )
