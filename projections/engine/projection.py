"""A projection: what its read tables must be (definitions) and how a step's events change them (folds).

Declared once per projection package and run by the engine; it holds no state and touches no database.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

from projections.engine.sql_blocks import blocks

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_EVENTS = re.compile(r"^-- on: ([\w ]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTable:
    """A table that queries read, and the SELECT over normalized tables that says what it must hold."""

    name: str
    definition: str

    @property
    def view(self) -> str:
        """Name of the view that holds the definition in the database."""
        return f"definition_{self.name}"

    @property
    def fingerprint(self) -> str:
        """A digest that changes with the definition's text."""
        return sha256(self.definition.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One statement of a step: reads `step_event`, changes read tables, runs when one of `events` came."""

    name: str
    events: frozenset[str]
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Read tables that always reflect one and the same snapshot, and the folds that move them to the next.

    A higher `version` makes the worker build the tables anew from their definitions.
    """

    name: str
    version: int
    tables: tuple[ReadTable, ...]
    folds: tuple[Fold, ...]

    @property
    def fingerprint(self) -> str:
        """A digest that changes with the definitions and the folds."""
        texts = [*(table.definition for table in self.tables), *(fold.sql for fold in self.folds)]
        return sha256("\n".join(texts).encode()).hexdigest()

    @classmethod
    def load(cls, package: str, *, version: int) -> "Projection":
        """Read `definition.sql` and `fold.sql` of a package, which also gives the projection its name."""
        folder = files(package)
        return cls.parse(
            package.rpartition(".")[2],
            version=version,
            definition=folder.joinpath("definition.sql").read_text(encoding="utf-8"),
            fold=folder.joinpath("fold.sql").read_text(encoding="utf-8"),
        )

    @classmethod
    def parse(cls, name: str, *, version: int, definition: str, fold: str) -> "Projection":
        """Make a projection of SQL text in named blocks: `-- table: name`, and `-- fold: name` with `-- on: Event …`.

        Raises ValueError when a block is missing or a fold names no event.
        """
        for label in [name, *(table for table, _ in blocks(definition, "table"))]:
            if not _NAME.fullmatch(label):
                raise ValueError(
                    f"{label!r} can't be the name of a projection or a table: lower case letters, digits, _"
                )
        tables = tuple(ReadTable(name=table, definition=sql) for table, sql in blocks(definition, "table"))
        folds = tuple(Fold(name=label, events=_events(label, sql), sql=sql) for label, sql in blocks(fold, "fold"))
        if not tables or not folds:
            raise ValueError(f"projection {name!r} needs at least one `-- table:` and one `-- fold:` block")
        return cls(name=name, version=version, tables=tables, folds=folds)


def _events(label: str, sql: str) -> frozenset[str]:
    found = _EVENTS.search(sql)
    if found is None:
        raise ValueError(f"fold {label!r} needs a line `-- on: EventType …` to say when it runs")
    return frozenset(found[1].split())
