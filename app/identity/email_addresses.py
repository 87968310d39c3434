"""Which e-mail addresses there are, and which are the same. app.api checks by it, app.commands looks up by it.

It never asks the network: that an address can be delivered to is known when a message has been.
"""

from email_validator import EmailNotValidError, validate_email

LONGEST = 254


def normalized(address: str) -> str:
    """Return an address as it is stored: the domain in its ASCII form (IDNA), all of it in lower case.

    Raises ValueError for what no mail server takes: other syntax, a local part beyond ASCII, a reserved domain.
    """
    try:
        checked = validate_email(address, allow_smtputf8=False, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError("no e-mail address") from error
    assert checked.ascii_email is not None
    return checked.ascii_email.lower()


def sought(address: str) -> str | None:
    """Return an address as it was stored, if it was: one that is refused today may have been accepted once."""
    try:
        return normalized(address)
    except ValueError:
        return address.lower() if address.isascii() else None
