"""Room for a second version of each count beside the first: a post's announcement changes all of a page's at once.

Cheap however large the table is: it is for pages written from now on.
"""

from tortoise import BaseDBAsyncClient

from migrations.blog import models_state

RUN_IN_TRANSACTION = True

UPGRADE = """
ALTER TABLE read_notification_count SET (fillfactor = 45);
"""

DOWNGRADE = """
ALTER TABLE read_notification_count SET (fillfactor = 75);
"""


async def upgrade(_db: BaseDBAsyncClient) -> str:
    return UPGRADE


async def downgrade(_db: BaseDBAsyncClient) -> str:
    return DOWNGRADE


MODELS_STATE = models_state.AT_2026_11_23
