"""Requests to what the lane answers, usual and odd ones, for Hypothesis; <so> is named what only a test knows."""

from typing import Final

from hypothesis import strategies as st

from tests.support.raw_asgi import RawHeaders, RawRequest

_NOBODY: Final = "00000000-0000-7000-8000-000000000000"
_USUAL: Final = ["/posts/", "/posts/top/", "/posts/<post>/", "/feed/", "/notifications/"]
_SWITCHES: Final = ["/posts/<post>/like/", "/users/<author>/subscribe/", "/users/<me>/subscribe/"]
_ODD: Final = [
    "/posts/<POST>/",
    "/posts/<POST>/like/",
    "/posts/%7B<post>%7D/",
    "/posts/<post>%0A",
    "/posts/<post>/subscribe/",
    f"/posts/{_NOBODY}/",
    f"/posts/{_NOBODY}/like/",
    "/posts/%74op/",
    "/posts/top%2F",
    "/posts//",
    "//posts/",
    "/feed/%20",
    "/posts/%ff/",
    "/posts/%C3%A9/",
]
_CURSORS: Final = ["<cursor0>", "<cursor1>", "<cursor2>", "<cursor0>%20"]
_PARAMETERS: Final = {
    "limit": ["1", "2", "2", "100", "101", "0", "007", "0001", "+1", "1%20", "%31", "²", "%C2%B2", "1_0", "", "9" * 9],
    "cursor": [*_CURSORS, "", "x" * 201, "%00", "%ff"],
    "sort": ["new", "top", "%74op", "TOP", ""],
    "author_id": ["<author>", "<AUTHOR>", _NOBODY, "1", ""],
    "status": ["unread", "all", "ALL", ""],
    "x": ["1", "", "%", "%zz", "x" * 400],
    "": ["", "1"],
}
_AUTHORIZATIONS: Final = [
    b"Bearer <token>",
    b"bearer <token>",
    b"Bearer  <token>",
    b"Bearer\t<token>",
    b"Bearer <token>x",
    b"Bearer <token>\xa0",
    b"Bearer \xe9",
    b"Bearer " + b"a" * 9_000,
    b"Bearer a.b.c",
    b"Bearer ",
    b"Bearer",
    b"Basic YTpi",
    b"",
]
_ENCODINGS: Final = [
    b"gzip",
    b"gzip, br",
    b"identity",
    b"*",
    b"gzip;q=0",
    b"GZIP ; q=1",
    b"gzip;q=0,gzip",
    b"",
    b"\xe9",
]
_TAGS: Final = [
    form % number for number in range(8) for form in (b"<tag%d>", b"W/<tag%d>", b'"a", <tag%d>', b"<tag%d>;")
]
_OTHERS: Final = {
    b"if-none-match": [*_TAGS, b"*", b" * ", b'*, "a"', b'"' + b"a" * 5_000 + b'"', b"", b"\xe9"],
    b"host": [b"a.test", b"a/b", b"x?y", b"[", b"", b"\xff"],
    b"x-request-id": [b"abc", b"a b", b"", b"\xe9", b"x" * 65],
    b"prefer": [b"stale", b"\xff"],
    b"consistency-token": [b"1", b"x", b""],
    b"content-length": [b"0", b"00"],
    b"transfer-encoding": [b"chunked"],
    b"range": [b"bytes=0-1"],
    b"if-match": [b'"1.a"'],
    b"accept": [b"text/html", b"\xff"],
    b"content-type": [b"application/json", b""],
}


def _several(name: bytes, values: list[bytes]) -> st.SearchStrategy[RawHeaders]:
    return st.lists(st.sampled_from(values), max_size=2).map(lambda sent: tuple((name, each) for each in sent))


def _headers() -> st.SearchStrategy[RawHeaders]:
    signed_in: RawHeaders = ((b"authorization", _AUTHORIZATIONS[0]),)
    usual = st.sampled_from([signed_in, signed_in, ()])
    authorization = st.one_of(usual, usual, _several(b"authorization", _AUTHORIZATIONS))
    tag = st.one_of(st.just(()), _several(b"if-none-match", _OTHERS[b"if-none-match"]))
    others = st.lists(st.sampled_from([(name, value) for name, some in _OTHERS.items() for value in some]), max_size=1)
    parts = st.tuples(authorization, _several(b"accept-encoding", _ENCODINGS), tag, others.map(tuple))
    return parts.map(lambda each: each[0] + each[1] + each[2] + each[3])


def _queries() -> st.SearchStrategy[bytes]:
    known = [f"{name}={value}" for name, some in _PARAMETERS.items() for value in some]
    one = st.sampled_from([*known, "limit", "limit==1"])
    several = st.lists(one, max_size=3)
    joined = st.builds(str.join, st.sampled_from(["&", "&", "&", "&&", ";"]), several)
    return st.one_of(st.just(b""), joined.map(lambda text: text.encode("latin-1")))


def _paths() -> st.SearchStrategy[str]:
    some = st.one_of(*map(st.sampled_from, (_USUAL, _USUAL, _SWITCHES, _ODD)))
    return st.builds(lambda path, bare: path.removesuffix("/") if bare else path, some, st.booleans())


_METHODS: Final = [*["GET"] * 8, *["PUT", "DELETE"] * 2, "HEAD", "OPTIONS", "PATCH", "get"]

#: None of them toggles: each may be sent twice, and be answered alike.
odd_requests = st.builds(RawRequest, st.sampled_from(_METHODS), _paths(), _queries(), _headers())
