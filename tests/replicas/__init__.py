"""Queries that go to real streaming replicas; in a package of their own, with which the replicas end."""
