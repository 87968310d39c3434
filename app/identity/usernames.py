"""Which usernames there are, which are the same, and which look the same. app.api checks by it, app.commands compares.

Usernames are ASCII: of all of Unicode's look-alikes those that are left can be listed.
"""

from typing import Final

RULE: Final = (
    "3 to 32 letters of A to Z in either case, digits, dots, hyphens and underscores; "
    "the first and the last is a letter or digit."
)
PATTERN: Final = r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{1,30}[A-Za-z0-9])$"
SHORTEST: Final = 3
LONGEST: Final = 32

#: A capital i is an l to most eyes, and letter case makes no difference: so neither does i or l.
_ALIKE: Final = str.maketrans("01i", "oll")
_ALIKE_TOGETHER: Final = (("rn", "m"), ("vv", "w"))


def key(username: str) -> str:
    """Return what usernames have in common that differ in letter case only."""
    return username.lower()


def skeleton(username: str) -> str:
    """Return what usernames have in common that look alike in some letter case: Ian, lan and 1an; Bob and b0b.

    The migration that added the skeletons says the same in SQL: whoever changes this has to write another one.
    """
    text = key(username).translate(_ALIKE)
    for pair, letter in _ALIKE_TOGETHER:
        text = text.replace(pair, letter)
    return text
