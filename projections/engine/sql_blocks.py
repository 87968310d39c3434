"""SQL files in named blocks: `-- table: name`, `-- fold: name`, `-- query: name`, each up to the next such line."""

import re
from collections.abc import Iterator

_HEADER = re.compile(r"^-- (table|fold|query): (\w+)$", re.MULTILINE)


def blocks(text: str, kind: str) -> Iterator[tuple[str, str]]:
    """Return the name and the statement of each block of that kind, in their order."""
    headers = [header for header in _HEADER.finditer(text) if header[1] == kind]
    ends = [header.start() for header in headers[1:]] + [len(text)]
    for header, end in zip(headers, ends, strict=False):  # without a header, the text is no block
        yield header[2], text[header.end() : end].strip().removesuffix(";")
