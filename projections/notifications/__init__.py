"""A user's notifications, and how many there are and are unread."""

from projections.engine.projection import Projection

NOTIFICATIONS = Projection.load(__package__, version=1)
