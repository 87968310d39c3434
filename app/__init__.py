"""The blog: HTTP, commands that write normalized rows and events, queries that read the projections."""
