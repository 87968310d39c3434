"""Users from before skeletons were kept: all stay, and no new name may look like any of them."""

from importlib import import_module
from uuid import UUID

import asyncpg

from app.identity.usernames import skeleton
from app.migrate import migrate
from projections.engine.checkpoint import Connection
from tests.conftest import Servers
from tests.support.scratch_database import scratch_database

MIGRATION = import_module("migrations.blog.6_20261123000006_accounts")
#: In the order in which they registered.
NAMES = ["Ian", "lan", "IAN2", "1an", "bob", "b0b", "Arnold", "amold", "vvvill", "wvill", "x-0_9.z", "barbara"]

_ADD = """
INSERT INTO users (id, username, username_key, email, hashed_password, created_at)
VALUES ($1, $2::text, lower($2::text), $3, 'hash', now() + $4 * interval '1 second')
"""


async def test_the_oldest_of_names_alike_has_the_skeleton_and_every_skeleton_is_had(
    servers: Servers, sql: Connection
) -> None:
    async with scratch_database(servers, sql) as url:
        await migrate(url)
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(MIGRATION.DOWNGRADE)
            for number, name in enumerate(NAMES):
                # The later, the smaller the id: it is the moment that counts.
                await connection.execute(_ADD, UUID(int=99 - number), name, f"{number}@example.org", number)

            await connection.execute(MIGRATION.UPGRADE)

            rows = await connection.fetch("SELECT username, username_skeleton FROM users")
        finally:
            await connection.close()
    found = {row["username"]: row["username_skeleton"] for row in rows}
    oldest = {skeleton(name): name for name in reversed(NAMES)}
    assert found == {name: skeleton(name) if oldest[skeleton(name)] == name else None for name in NAMES}
    assert list(found.values()).count(None) == 5
