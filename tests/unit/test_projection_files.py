"""definition.sql and fold.sql: how they are read, and that those of the blog say what they must."""

import inspect
import re
from dataclasses import replace
from importlib.resources import files

import pytest

from app import events
from projections.engine.projection import Fold, Projection, ReadTable
from projections.registry import PROJECTIONS

DEFINITION = """\
-- What this table is for.

-- table: read_page
SELECT 1 AS id;

-- table: read_margin
SELECT 2 AS id
"""
FOLD = """\
-- Words about all of it.

-- fold: add
-- on: PageWritten PageTorn
-- Why it is so.
INSERT INTO read_page SELECT 1;

-- fold: remove
-- on: PageTorn
DELETE FROM read_page
"""
EVENTS = {
    kind.__name__
    for _, kind in inspect.getmembers(events, inspect.isclass)
    if issubclass(kind, events.Event) and kind is not events.Event and not kind.__name__.startswith("_")
}


def text_of(projection: Projection, name: str) -> str:
    return files(f"projections.{projection.name}").joinpath(name).read_text(encoding="utf-8")


def test_blocks_are_read_in_their_order() -> None:
    projection = Projection.parse("pages", version=3, definition=DEFINITION, fold=FOLD)
    assert (projection.name, projection.version) == ("pages", 3)
    assert projection.tables == (
        ReadTable(name="read_page", definition="SELECT 1 AS id"),
        ReadTable(name="read_margin", definition="SELECT 2 AS id"),
    )
    assert projection.folds == (
        Fold(
            name="add",
            events=frozenset({"PageWritten", "PageTorn"}),
            sql="-- on: PageWritten PageTorn\n-- Why it is so.\nINSERT INTO read_page SELECT 1",
        ),
        Fold(name="remove", events=frozenset({"PageTorn"}), sql="-- on: PageTorn\nDELETE FROM read_page"),
    )


@pytest.mark.parametrize(
    ("definition", "fold"),
    [("SELECT 1", FOLD), (DEFINITION, "DELETE FROM read_page"), ("", ""), (FOLD, DEFINITION)],
)
def test_a_projection_without_tables_or_folds_is_refused(definition: str, fold: str) -> None:
    with pytest.raises(ValueError, match="projection 'pages' needs at least one"):
        Projection.parse("pages", version=1, definition=definition, fold=fold)


def test_a_fold_that_names_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="fold 'remove' needs a line `-- on:"):
        Projection.parse(
            "pages", version=1, definition=DEFINITION, fold=FOLD.replace("-- on: PageTorn\nDELETE", "DELETE")
        )


def test_a_fingerprint_changes_with_the_definition_alone() -> None:
    table = ReadTable(name="read_page", definition="SELECT 1 AS id")
    assert replace(table, name="read_margin").fingerprint == table.fingerprint
    assert replace(table, definition="SELECT 2 AS id").fingerprint != table.fingerprint


def test_the_view_of_a_definition_carries_the_tables_name() -> None:
    assert ReadTable(name="read_page", definition="SELECT 1").view == "definition_read_page"


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_no_block_of_a_projection_is_lost_by_a_misspelt_heading(projection: Projection) -> None:
    heading = re.compile(r"^-- *(table|fold|on)\b *:", re.MULTILINE | re.IGNORECASE)
    assert len(heading.findall(text_of(projection, "definition.sql"))) == len(projection.tables)
    assert len(heading.findall(text_of(projection, "fold.sql"))) == 2 * len(projection.folds)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_a_fold_runs_on_exactly_the_events_that_it_reads(projection: Projection) -> None:
    for fold in projection.folds:
        statement = re.sub(r"^--.*$", "", fold.sql, flags=re.MULTILINE)
        assert fold.events <= EVENTS
        assert fold.events == EVENTS.intersection(re.findall(r"'(\w+)'", statement))


def test_every_event_is_folded_by_some_projection_but_those_whose_rows_come_along() -> None:
    folded = set().union(*(fold.events for projection in PROJECTIONS for fold in projection.folds))
    assert folded == EVENTS - {"DemoAdded"}


def test_no_table_belongs_to_two_projections() -> None:
    tables = [table.name for projection in PROJECTIONS for table in projection.tables]
    assert len(set(tables)) == len(tables)
    assert all(name.startswith("read_") for name in tables)


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_a_fold_writes_only_its_own_projections_tables(projection: Projection) -> None:
    own = {table.name for table in projection.tables}
    for fold in projection.folds:
        written = re.findall(r"(?:INSERT INTO|UPDATE|DELETE FROM|MERGE INTO) (read_\w+)", fold.sql)
        assert written
        assert set(written) <= own
        assert set(re.findall(r"\bread_\w+", fold.sql)) <= own
