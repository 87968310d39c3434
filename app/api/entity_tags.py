"""A post's ETag, and If-None-Match (RFC 9110, sections 8.8.3 and 13.1.2)."""

import re
from collections.abc import Sequence
from hashlib import blake2b

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_TAGS = re.compile(rf"[\s,]*{_TAG.pattern}(?:\s*,[\s,]*{_TAG.pattern})*[\s,]*")


def post_etag(version: int, body: bytes) -> str:
    """Return a strong tag: the post's version, which If-Match looks at, and a digest of what is sent."""
    return f'"{version}.{blake2b(body, digest_size=12).hexdigest()}"'


def none_match(etag: str, headers: Sequence[str]) -> bool:
    """Say whether If-None-Match, as it was sent, lets the answer be given; tags are compared weakly."""
    sent = ",".join(headers)
    if sent.strip() == "*":
        return False
    return not _TAGS.fullmatch(sent) or etag not in _TAG.findall(sent)
