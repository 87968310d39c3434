"""Posts by likes, apart from the post itself so that no index stands on its hot counter."""

from projections.engine.projection import Projection

RANKING = Projection.load(__package__, version=1)
