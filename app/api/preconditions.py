"""Reads If-Match (RFC 9110, section 13.1.1) on a post: which version of it the client means to change.

An ETag of ours is `"<version>.<hash>"`. Only the version counts here, so that a like by somebody else does not get in
the way of an edit.
"""

import re
from typing import Annotated, Final

from fastapi import Depends, Header

from app.errors import PreconditionFailed

_ETAG: Final = re.compile(r'"([1-9][0-9]{0,8})\.[^"]*"', re.ASCII)


def expected_version(
    if_match: Annotated[
        str | None,
        Header(
            description="The ETag that GET answered with; the change is refused if the post was edited since. "
            "`*` or none: change whatever is there.",
            examples=['"1.9f2c4e6a"'],
        ),
    ] = None,
) -> int | None:
    """Return the version that the post must have, None for any; raises PreconditionFailed for no ETag of ours."""
    if if_match is None or if_match.strip() == "*":
        return None
    match = _ETAG.fullmatch(if_match.strip())
    if match is None:
        raise PreconditionFailed("If-Match must be the ETag of the post as GET answered it.")
    return int(match[1])


ExpectedVersion = Annotated[int | None, Depends(expected_version)]
