"""Who likes a post, and since when."""

from projections.engine.projection import Projection

POST_LIKES = Projection.load(__package__, version=1)
