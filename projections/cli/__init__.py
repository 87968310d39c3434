"""`inkfold projections …`: the commands and their arguments; what each does is a module beside this one.

app.cli imports this at every start, so a command imports what it needs when it is called.
"""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="See, check and mend the read tables.")
parked = typer.Typer(no_args_is_help=True, help="Events that a fold could not take and that were set aside.")
app.add_typer(parked, name="parked")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
All = Annotated[bool, typer.Option("--all", help="Every projection.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A projection.")]
MaybeName = Annotated[str | None, typer.Argument(metavar="NAME", help="A projection; all when none is named.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Projections.")]
Position = Annotated[int, typer.Argument(metavar="POSITION", help="The event's position, as `parked list` shows it.")]
MaybePosition = Annotated[
    int | None, typer.Argument(metavar="POSITION", help="One event; all of the projection when none is given.")
]


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Say how far each projection is behind, what holds it back, and what to do about it."""
    from projections.cli.status import show_status

    show_status(as_json=as_json)


@app.command()
def rebuild(
    names: Names = None,
    *,
    every: All = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and do nothing.")] = False,
    sessions: Annotated[
        int | None, typer.Option(min=1, max=64, help="Tables filled at once; REBUILD_SESSIONS unless given.")
    ] = None,
    discard: Annotated[bool, typer.Option("--discard", help="Drop what an interrupted rebuild has left.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build read tables anew beside the old ones, which are read and folded meanwhile, and swap them in.

    Ctrl-C stops it without harm; the same command goes on with what is filled by then.
    """
    from projections.cli.choice import several
    from projections.cli.dry_run import show_plan
    from projections.cli.rebuild import discard_interrupted, rebuild_tables

    if discard:
        if names or every or dry_run:
            raise typer.BadParameter("--discard goes alone: it drops whatever an interrupted rebuild has left.")
        discard_interrupted(as_json=as_json)
        return
    chosen = several(names, every=every, verb="rebuild")
    (show_plan if dry_run else rebuild_tables)(chosen, sessions=sessions, as_json=as_json)


@app.command()
def verify(
    names: Names = None,
    *,
    every: All = False,
    repair: Annotated[bool, typer.Option("--repair", help="Mend the rows that differ, and no others.")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="Compare some 1 % of the rows, others each time.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare read tables (all, unless some are named) with their definitions at one snapshot, while everything runs.

    Exit code 0: nothing differs, or all is mended. 1: rows differ. 2: something could not be verified.
    """
    from projections.cli.choice import several
    from projections.cli.verify import verify_tables

    if sample and repair:
        raise typer.BadParameter("--repair needs a whole verification: a sample can't tell which rows are sound.")
    chosen = several(names, every=every or not names, verb="verify")
    verify_tables(chosen, repair=repair, sample=sample, as_json=as_json)


@app.command()
def pause(name: Name, *, as_json: AsJson = False) -> None:
    """Let a projection stand still until it is resumed; the others go on."""
    from projections.cli.pausing import pause_projection

    pause_projection(name, as_json=as_json)


@app.command()
def resume(name: Name, *, as_json: AsJson = False) -> None:
    """Let a paused or failing projection go on at once."""
    from projections.cli.pausing import resume_projection

    resume_projection(name, as_json=as_json)


@app.command()
def prune(
    *,
    older_than: Annotated[
        float | None,
        typer.Option(min=0, max=100_000, metavar="DAYS", help="EVENT_RETENTION_DAYS unless given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Drop old events that every projection has folded; nothing needs them any more, not even a rebuild."""
    from projections.cli.pruning import prune_events

    prune_events(older_than, as_json=as_json)


@parked.command(name="list")
def list_(name: MaybeName = None, *, as_json: AsJson = False) -> None:
    """List parked events, and why each was parked."""
    from projections.cli.parked import show_list

    show_list(name, as_json=as_json)


@parked.command()
def show(name: Name, position: Position, *, as_json: AsJson = False) -> None:
    """Show a parked event with its payload and its whole error."""
    from projections.cli.parked import show_event

    show_event(name, position, as_json=as_json)


@parked.command()
def replay(name: Name, position: MaybePosition = None, *, as_json: AsJson = False) -> None:
    """Fold parked events exactly once, then verify the projection and mend the rows that lacked them."""
    from projections.cli.replay import replay_events

    replay_events(name, position, as_json=as_json)


@parked.command()
def drop(
    name: Name,
    position: MaybePosition = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget parked events without folding them."""
    from projections.cli.parked import drop_events

    drop_events(name, position, yes=yes, as_json=as_json)
