"""A post's ETag, lists of such tags, and If-None-Match (RFC 9110, sections 8.8.3 and 13.1.2)."""

import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_TAGS = re.compile(rf"[\s,]*{_TAG.pattern}(?:\s*,[\s,]*{_TAG.pattern})*[\s,]*")


class SentTag(NamedTuple):
    """A tag as it was sent, quotes included."""

    weak: bool
    tag: str


def digest(body: bytes) -> str:
    """Return what tells this body from any other."""
    return blake2b(body, digest_size=12).hexdigest()


def post_etag(version: int, body: bytes) -> str:
    """Return a strong tag: the post's version, which If-Match looks at, and a digest of what is sent."""
    return f'"{version}.{digest(body)}"'


def sent_tags(headers: Sequence[str]) -> list[SentTag]:
    """Return the tags of a header, which may stand there several times; none of a header that is malformed."""
    sent = ",".join(headers)
    return [SentTag(bool(weak), tag) for weak, tag in _TAG.findall(sent)] if _TAGS.fullmatch(sent) else []


def none_match(etag: str, headers: Sequence[str]) -> bool:
    """Say whether If-None-Match, as it was sent, lets the answer be given; tags are compared weakly."""
    if means_any(headers):
        return False
    return etag not in {sent.tag for sent in sent_tags(headers)}


def means_any(headers: Sequence[str]) -> bool:
    """Say whether the header is `*`, which matches whatever there is."""
    return [header.strip() for header in headers] == ["*"]
