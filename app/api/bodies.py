"""The bodies that commands take, checked here so that whatever gets further can be stored."""

from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from app.identity import email_addresses, usernames


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("This must not contain a NUL character.")
    return text


def _with_content(text: str) -> str:
    if not text.strip():
        raise ValueError("This must not be blank.")
    return text


def _email(text: str) -> str:
    try:
        return email_addresses.normalized(text)
    except ValueError as error:
        raise ValueError("This must be an e-mail address.") from error


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _username(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    try:
        return check(value)
    except ValidationError as error:
        if not isinstance(value, str):
            raise
        raise ValueError(usernames.RULE) from error


# Constraints stand before validators: only so does OpenAPI show them.
_Storable = AfterValidator(_storable)
Username = Annotated[
    str,
    StringConstraints(min_length=usernames.SHORTEST, max_length=usernames.LONGEST, pattern=usernames.PATTERN),
    _Storable,
    WrapValidator(_username),
    Field(description=f"{usernames.RULE} Unique in any letter case, and among names that look alike", examples=["ada"]),
]
Email = Annotated[
    str,
    StringConstraints(max_length=email_addresses.LONGEST),
    _Storable,
    AfterValidator(_email),
    BeforeValidator(_stripped),
    Field(description="Unique in any letter case", examples=["ada@example.org"]),
]
NewPassword = Annotated[
    str, StringConstraints(min_length=8, max_length=128), _Storable, Field(examples=["correct horse battery"])
]
Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    _Storable,
    BeforeValidator(_stripped),
    Field(examples=["On analytical engines"]),
]
Content = Annotated[
    str,
    StringConstraints(min_length=1, max_length=50_000),
    _Storable,
    AfterValidator(_with_content),
    Field(examples=["The engine weaves algebraic patterns."]),
]
_Login = Annotated[str, StringConstraints(min_length=1, max_length=254), _Storable]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Registration(_Body):
    """A new account."""

    username: Username
    email: Email
    password: NewPassword


class Credentials(_Body):
    """Who signs in: a username or an e-mail address, and the password."""

    username: Annotated[_Login | None, Field(description="Or the e-mail address")] = None
    email: _Login | None = None
    password: Annotated[str, StringConstraints(min_length=1, max_length=128), _Storable]

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
        str, StringConstraints(min_length=1, max_length=512), _Storable, Field(examples=["vXo3…43 characters…9kE"])
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
