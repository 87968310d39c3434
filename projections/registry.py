"""All projections of the blog, in the order in which a step folds them. The worker, the CLI and the tests use this."""

from projections.engine.projection import Projection
from projections.like_statistics import LIKE_STATISTICS
from projections.notifications import NOTIFICATIONS
from projections.post_likes import POST_LIKES
from projections.posts import POSTS
from projections.profiles import PROFILES
from projections.ranking import RANKING
from projections.subscriptions import SUBSCRIPTIONS

PROJECTIONS: tuple[Projection, ...] = (
    POSTS,
    POST_LIKES,
    RANKING,
    PROFILES,
    SUBSCRIPTIONS,
    NOTIFICATIONS,
    LIKE_STATISTICS,
)
