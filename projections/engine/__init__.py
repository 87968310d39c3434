"""The projection engine: folds committed events into read tables, each step ending at a PostgreSQL snapshot.

It knows nothing of any particular projection and could be lifted out as a library. Whoever runs it gives it asyncpg
connections that no one else uses meanwhile.
"""
