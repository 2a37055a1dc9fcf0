"""Texts and ids that are stored and sent as they stand, and so must not say who it was. Pure."""

import re
from collections.abc import Collection
from typing import Final

from collector.attribution import ID_BYTES_MAX, id_fault
from collector.errors import InvalidField

# Looked for from its @, of which one sign on the left is enough to know it by: a long text without any must not take long.
_EMAIL: Final = re.compile(r"(?:@(?<=[\w.+-]@)|%40(?<=[\w.+-]%40))[\w-]{1,63}\.\w")
RULE: Final = "must not hold an e-mail address: who it was belongs into user_data, where it is hashed"


def text(value: str, field: str) -> str:
    """A text that holds no e-mail address. Raises InvalidField."""
    signed = "@" in value or "%40" in value  # most hold neither, and are looked at thousands of times a second
    if signed and _EMAIL.search(value):
        raise InvalidField(field, RULE)
    return value


def are_plain(values: Collection[str | int]) -> bool:
    """Whether ids are as most are: all of them texts, faultless, and without any sign of an address."""
    try:
        joined = "".join(values)  # type: ignore[arg-type]  # numbers are told by the error
    except TypeError:
        return False
    return (
        all(values)
        and len(joined) <= ID_BYTES_MAX
        and joined.isascii()
        and joined.isprintable()
        and "@" not in joined
        and "%" not in joined
    )


def id(value: str, field: str) -> str:  # noqa: A001  # read as nameless.id
    """An id of the caller's own that holds no e-mail address. Raises InvalidField."""
    if fault := id_fault(value):
        raise InvalidField(field, fault)
    return text(value, field)
