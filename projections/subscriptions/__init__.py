"""Who follows whom, readable from both ends."""

from projections.engine.projection import Projection

SUBSCRIPTIONS = Projection.load(__package__, version=1)
