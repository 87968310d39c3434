"""E-mail addresses: one form of each, and none that no mail server takes."""

import pytest

from app.identity.email_addresses import normalized, sought


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("ada@example.org", "ada@example.org"),
        ("Ada.Lovelace+Blog@Example.ORG", "ada.lovelace+blog@example.org"),
        ("ada@b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example", "ada@xn--bcher-kva.example"),
        ("ada@B\N{LATIN CAPITAL LETTER U WITH DIAERESIS}CHER.example", "ada@xn--bcher-kva.example"),
        ("ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
        ("ada@\N{KELVIN SIGN}evin.example", "ada@kevin.example"),
        ("ada@example\N{IDEOGRAPHIC FULL STOP}org", "ada@example.org"),
        (f"{'a' * 64}@example.org", f"{'a' * 64}@example.org"),
    ],
)
def test_an_address_has_one_form(sent: str, stored: str) -> None:
    assert normalized(sent) == stored
    assert normalized(stored) == stored
    assert sought(sent) == stored


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@example",
        "ada@localhost",
        "ada@example.org.",
        "ada@.example.org",
        "ada@example..org",
        "ada@-example.org",
        "ada@exa_mple.org",
        "ada@example.123",
        "ada@[127.0.0.1]",
        "ada@xn--a.org",
        f"ada@{'x' * 64}.org",
        ".ada@example.org",
        "ada.@example.org",
        "a..da@example.org",
        "a da@example.org",
        '"a da"@example.org',
        "Ada <ada@example.org>",
        "ada@example.org\n",
        "ada@example.org,bob@example.org",
        "ada@bob@example.org",
        "\N{KELVIN SIGN}evin@example.org",
        "ad\N{CYRILLIC SMALL LETTER A}@example.org",
        "ada@ex\N{SOFT HYPHEN}ample.org",
        "ada@\ud800.org",
        f"{'a' * 65}@example.org",
    ],
)
def test_what_no_mail_server_takes_is_refused(sent: str) -> None:
    with pytest.raises(ValueError, match="no e-mail address"):
        normalized(sent)


def test_an_address_that_was_accepted_once_can_be_looked_for() -> None:
    assert sought("Ada@Host.local") == "ada@host.local"


def test_an_address_beyond_ascii_is_not_looked_for_under_what_it_folds_to() -> None:
    assert sought("\N{KELVIN SIGN}evin@example.org") is None
