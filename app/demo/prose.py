"""Makes up titles, texts and passwords. The filling uses it; the same randomness gives the same words."""

from random import Random
from typing import Final

from app.demo.vocabulary import PASS_WORDS, SENTENCES, SUBJECTS, TITLES

_SENTENCES_OF_A_PARAGRAPH: Final = (2, 5)
_PARAGRAPHS: Final = 1_000


class Prose:
    """Makes up titles and texts; the paragraphs that texts are put together of are written once."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._paragraphs = [_paragraph(random) for _ in range(_PARAGRAPHS)]

    def title(self) -> str:
        """Make up a post's title."""
        a, b = self._random.choice(SUBJECTS), self._random.choice(SUBJECTS)
        return self._random.choice(TITLES).format(a=a, b=b, A=a[0].upper() + a[1:])

    def content(self) -> str:
        """Make up a post's text, of one to three paragraphs."""
        return "\n\n".join(self._random.choices(self._paragraphs, k=1 + int(self._random.random() * 3)))


def password(random: Random) -> str:
    """Make up a password that is easy to type, of five words."""
    return "-".join(random.choice(PASS_WORDS) for _ in range(5))


def _paragraph(random: Random) -> str:
    a, b = random.choice(SUBJECTS), random.choice(SUBJECTS)
    sentences = random.sample(SENTENCES, random.randint(*_SENTENCES_OF_A_PARAGRAPH))
    return " ".join(sentence.format(a=a, b=b) for sentence in sentences)
