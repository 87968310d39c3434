"""What the lane answers from: a glance at the checkpoints, what is kept that still holds, and the queries."""

from functools import partial
from typing import Any, Final

from app.api.frame.representations import Representation
from app.api.lane.asked import Asked
from app.api.lane.screens import sent_parameters
from app.cache import Cache
from app.glances import Glance, Glances
from app.kept import Kept
from app.queries.get_post import GetPost, PostDetail, fetch_posts
from app.queries.query import Query, Settling
from app.queries.reader import Reader
from app.queries.top_posts import TopPosts
from app.security.access_tokens import AccessTokens
from app.together import Together

_MOST_POSTS: Final = 64
_FETCHES: Final = 2


class Sources:
    """One per process."""

    def __init__(self, reader: Reader, *, cache: Cache, access_tokens: AccessTokens, kept_bytes: int) -> None:
        self.access_tokens = access_tokens
        self._reader = reader
        self._cache = cache
        self._glances = Glances(reader)
        self._kept: Kept[Representation] = Kept(kept_bytes)
        self._posts: Together[GetPost, PostDetail | None] = Together(
            partial(fetch_posts, reader), most=_MOST_POSTS, at_once=_FETCHES
        )

    async def representation(self, request: Asked) -> Representation | None:
        """Return an answer that reflects all that was committed and folded when the request came in.

        For whoever is signed in, it reflects what they wrote. None when that can't be said here, or nothing is there.
        Raises what queries raise.
        """
        glance = await self._glances.look()
        reads = request.screen.reads
        mark = glance.mark(reads)
        if mark is None or (request.viewer_id is not None and not await self._shows_own_writes(request, glance)):
            return None
        key = request.key
        return self._kept.find(key, mark) or await self._kept.fetch(key, mark, partial(self._fetch, request, glance))

    async def _shows_own_writes(self, request: Asked, glance: Glance) -> bool:
        reads = request.screen.reads
        if glance.behind.isdisjoint(reads):
            return True
        assert request.viewer_id is not None
        recalled = await self._cache.recall_tokens(request.viewer_id)
        return recalled.trusted and glance.sees(reads, recalled.tokens)

    async def _fetch(self, request: Asked, glance: Glance) -> Representation | None:
        try:
            sent = sent_parameters(request.query_string)
            if request.post_id is not None:
                sent = {"post_id": request.post_id}  # a post takes no parameters, and minds none
            query = request.screen.query(sent, request.viewer_id)
        except (ValueError, KeyError):
            return None
        value = await self._value(query, glance)
        if value is None or self._reader.era != glance.era:
            return None
        if isinstance(query, Settling) and not query.settled(value):
            return None
        return request.screen.represent(value, request.query_string.decode())

    async def _value(self, query: Query[Any], glance: Glance) -> Any:
        if isinstance(query, GetPost):
            return await self._posts.load(query)
        if isinstance(query, TopPosts):
            return await self._top(glance)
        return await query.fetch(self._reader)

    async def _top(self, glance: Glance) -> bytes | None:
        """Return the list as it lies in Redis, if it was made of the very tables that the glance saw.

        One of the same snapshot may be of the rows before they were mended, and would be kept.
        """
        top = await self._cache.read_top()
        if top is None or (top.snapshot, top.changed_by) != (
            glance.snapshot("ranking"),
            glance.changed_by(TopPosts.reads),
        ):
            return None
        return top.body
