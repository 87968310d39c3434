"""Everything that speaks HTTP, and nothing else does. One noun per file."""
