"""Where the built snippet lies: inside an installed wheel, or in ``snippet/dist`` of a checkout."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def snippet_directory() -> Path:
    """The directory that holds the built snippet files.

    Raises ``FileNotFoundError`` where neither the wheel's copy nor the checkout's build exists.
    """
    for candidate in (_PACKAGE / "_snippet", _PACKAGE.parent / "snippet" / "dist"):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError("the built snippet is missing; in a checkout `make snippet` builds it")
