"""Which release of Inkfold runs here. app.main says it in the API's description."""

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """Return the installed version."""
    try:
        return version("inkfold")
    except PackageNotFoundError:  # run from the source folder, where nothing is installed
        return "unreleased"
