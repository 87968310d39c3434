"""The post with its like count, for the feed, the author's page and the post itself; and how many posts there are."""

from projections.engine.projection import Projection

POSTS = Projection.load(__package__, version=1)
