"""The bodies that commands take, checked here so that whatever gets further can be stored."""

import re
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

_EMAIL: Final = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?",
    re.ASCII,
)


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("This must not contain a NUL character.")
    return text


def _with_content(text: str) -> str:
    if not text.strip():
        raise ValueError("This must not be blank.")
    return text


def _email(text: str) -> str:
    address = text.lower()
    if not _EMAIL.fullmatch(address) or ".." in address:
        raise ValueError("This must be an e-mail address.")
    return address


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_storable)]
Username = Annotated[
    Text,
    StringConstraints(min_length=3, max_length=32, pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{1,30}[A-Za-z0-9])$"),
    Field(description="Letters, digits, dots, hyphens and underscores; unique in any letter case", examples=["ada"]),
]
Email = Annotated[
    Text,
    BeforeValidator(_stripped),
    StringConstraints(max_length=254),
    AfterValidator(_email),
    Field(description="Unique in any letter case", examples=["ada@example.org"]),
]
NewPassword = Annotated[
    Text, StringConstraints(min_length=8, max_length=128), Field(examples=["correct horse battery"])
]
Title = Annotated[
    Text,
    BeforeValidator(_stripped),
    StringConstraints(min_length=1, max_length=200),
    Field(examples=["On analytical engines"]),
]
Content = Annotated[
    Text,
    StringConstraints(min_length=1, max_length=50_000),
    AfterValidator(_with_content),
    Field(examples=["The engine weaves algebraic patterns."]),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Registration(_Body):
    """A new account."""

    username: Username
    email: Email
    password: NewPassword


class Credentials(_Body):
    """Who signs in: a username or an e-mail address, and the password."""

    username: Annotated[
        Text | None, StringConstraints(min_length=1, max_length=254), Field(description="Or the e-mail address")
    ] = None
    email: Annotated[Text | None, StringConstraints(min_length=1, max_length=254)] = None
    password: Annotated[Text, StringConstraints(min_length=1, max_length=128)]

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "ada", "password": "correct horse battery"}]}
    )

    @model_validator(mode="after")
    def _one_login(self) -> Self:
        if (self.username is None) == (self.email is None):
            raise ValueError("Send either a username or an e-mail address.")
        return self

    @property
    def login(self) -> str:
        """The username or e-mail address."""
        return (self.username or self.email or "").strip()


class SentRefreshToken(_Body):
    """The refresh token that the last answer held."""

    refresh_token: Annotated[
        Text, StringConstraints(min_length=1, max_length=512), Field(examples=["vXo3…43 characters…9kE"])
    ]


class NewPost(_Body):
    """A post to publish, or what takes an old one's place."""

    title: Title
    content: Content


class PostChange(_Body):
    """What changes of a post; what is left out stays."""

    title: Title | None = None
    content: Content | None = None

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "On difference engines"}]})

    @model_validator(mode="after")
    def _some_change(self) -> Self:
        if self.title is None and self.content is None:
            raise ValueError("Send a title, a content, or both.")
        return self
