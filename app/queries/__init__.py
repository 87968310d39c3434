"""Queries: one screen per module, read from read_* tables and checkpoints only. Nothing here writes."""
