"""The README's table of settings: every setting, with its default, and none that is not one."""

import re
from pathlib import Path

from app.settings import Settings

README = Path(__file__).parents[2] / "README.md"


def _documented() -> dict[str, str]:
    """Return the defaults by the names that the table has; a row may have several of both, in the same order."""
    section = README.read_text("utf-8").partition("\n## Settings\n")[2].partition("\n## ")[0]
    found = {}
    for names, defaults in re.findall(r"^\| (`[A-Z_`, ]+`) \| ([^|]*) \|", section, re.MULTILINE):
        for name, default in zip(names.split(", "), defaults.split(", "), strict=True):
            found[name.strip("`")] = default.strip("`")
    return found


def _as_written(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


def test_every_setting_is_in_the_table_with_its_default() -> None:
    assert _documented() == {
        name.upper(): "\N{EN DASH}" if field.is_required() or field.default == () else _as_written(field.default)
        for name, field in Settings.model_fields.items()
    }
