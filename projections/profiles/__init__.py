"""A user's public face, with counters of posts, likes received, subscribers and subscriptions."""

from projections.engine.projection import Projection

PROFILES = Projection.load(__package__, version=1)
