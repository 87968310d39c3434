"""Queries on streaming replicas: which of them may answer, and when the primary must. app.main opens it."""
