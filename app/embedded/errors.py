"""What can end a start of the embedded servers; `inkfold up` catches these, prints them and exits."""


class StartError(Exception):
    """Inkfold cannot start; the message says in full sentences why, and what to do about it."""


class Interrupted(Exception):  # a wish, not a fault
    """Someone asked `inkfold up` to stop while it was waiting for something."""
