"""How large a blog the benchmark fills, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from app.demo.batch import Size


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchSize:
    """A blog as `inkfold demo` makes it, and what single lines need beside it."""

    name: str
    blog: Size
    #: Authors whom each signed-in reader follows, and notifications that wait for each.
    followed: int
    notified: int
    #: Subscribers of the author whose post is announced.
    fans: int
    #: Likes that the worker catches up with.
    backlog: int
    #: Settings of PostgreSQL that a blog of this size wants.
    postgres: Mapping[str, str] = field(default_factory=dict)


SIZES: Final = {
    size.name: size
    for size in (
        BenchSize(
            name="tiny",
            blog=Size(users=60, posts=300, likes=1_500),
            followed=20,
            notified=30,
            fans=200,
            backlog=500,
        ),
        BenchSize(
            name="mini",
            blog=Size(users=5_000, posts=10_000, likes=100_000),
            followed=1_000,
            notified=500,
            fans=10_000,
            backlog=20_000,
        ),
        BenchSize(
            name="small",
            blog=Size(users=10_000, posts=100_000, likes=1_000_000),
            followed=1_000,
            notified=500,
            fans=100_000,
            backlog=200_000,
        ),
        BenchSize(
            name="large",
            blog=Size(users=100_000, posts=1_000_000, likes=10_000_000),
            followed=1_000,
            notified=500,
            fans=1_000_000,
            backlog=5_000_000,
            # A quarter of this blog's usual machine, as PostgreSQL's documentation advises (section 19.4.1), and a
            # checkpoint by time, not by size.
            postgres={"shared_buffers": "6GB", "max_wal_size": "8GB"},
        ),
    )
}
