"""Standing likes by UTC day and by quarter-hour, in total, per author and per post; per post by month and year too."""

from projections.engine.projection import Projection

LIKE_STATISTICS = Projection.load(__package__, version=2)
