"""Reads If-Match (RFC 9110, section 13.1.1) on a post: which versions of it the client means to change.

An ETag of ours is `"<version>.<hash>"`. Only the version counts here, so that a like by somebody else does not get in
the way of an edit.
"""

import re
from typing import Annotated, Final

from fastapi import Depends, Header

from app.api.frame.entity_tags import means_any, sent_tags
from app.errors import PreconditionFailed

_ETAG: Final = re.compile(r'"([1-9][0-9]{0,8})\.[^"]*"', re.ASCII)


def expected_versions(
    if_match: Annotated[
        list[str] | None,
        Header(
            description="The ETag that GET answered with, or several: the change is refused if the post's version is "
            "none of theirs. `*` or none: change whatever is there.",
            examples=[['"1.9f2c4e6a"']],
        ),
    ] = None,
) -> frozenset[int] | None:
    """Return the versions that the post may have, None for any; raises PreconditionFailed for no strong ETag of ours.

    Weak tags match nothing here (RFC 9110, section 13.1.1).
    """
    if if_match is None or means_any(if_match):
        return None
    ours = [_ETAG.fullmatch(sent.tag) for sent in sent_tags(if_match) if not sent.weak]
    versions = frozenset(int(match[1]) for match in ours if match)
    if not versions:
        raise PreconditionFailed("If-Match must be the ETag of the post as GET answered it.")
    return versions


ExpectedVersions = Annotated[frozenset[int] | None, Depends(expected_versions)]
