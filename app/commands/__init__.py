"""The write side: one noun per file, a command as a frozen dataclass and its handler beside it."""
