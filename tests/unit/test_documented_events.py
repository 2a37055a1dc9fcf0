"""docs/events.md says what the code does: every name and limit in it is the code's own."""

from typing import Final

import msgspec

from collector.attribution import ID_BYTES_MAX
from collector.delivery import HOUR_MS, deadline
from collector.event import AGE_SECONDS_MAX, CONTENTS_MAX, FUTURE_SECONDS_MAX
from collector.policy import MESSAGING_NAMES, WINDOW_DAYS
from collector.settings import Settings
from collector.sources.conversions import EVENTS_MAX, NAME_CHARS_MAX, _Item
from collector.sources.custom_data import FIELDS_MAX, TEXT_BYTES_MAX
from tests.documented_events import ROOT, pairs

PAGE: Final = " ".join((ROOT / "docs" / "events.md").read_text().partition("<!-- pairs")[0].split())


def listed(names: tuple[str, ...]) -> str:
    """As prose: `A`, `B` and `C`."""
    quoted = [f"`{name}`" for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def test_every_limit_is_the_codes_own() -> None:
    days = AGE_SECONDS_MAX // 86_400
    assert deadline(0) <= days * 24 * HOUR_MS
    (body_bytes,) = [each.default for each in msgspec.structs.fields(Settings) if each.name == "events_body_bytes"]
    told = [
        f"1 to {EVENTS_MAX} events a call ({body_bytes // 2**20} MiB",
        f"within the business's window ({WINDOW_DAYS} days",
        f"any name of 1 to {NAME_CHARS_MAX} printable characters",
        f"at most {ID_BYTES_MAX} bytes of printable ASCII",
        f"Older than {days} days: kept, `dead(expired)`. Up to {FUTURE_SECONDS_MAX // 60} minutes ahead counts as now",
        f"`contents` (each with its `id`, at most {CONTENTS_MAX}), and up to {FIELDS_MAX} names of your own",
        f"texts ({TEXT_BYTES_MAX} bytes), numbers, truths or lists of those ({CONTENTS_MAX})",
        f"until the event is {days} days old",
        f"From a conversation Meta takes {listed(MESSAGING_NAMES)}",
    ]
    assert [line for line in told if line not in PAGE] == []


def test_every_field_of_an_item_is_told() -> None:
    told = PAGE.replace("`…_country`, `…_state`", "`data_processing_options_country`, `data_processing_options_state`")
    assert [name for name in _Item.__struct_fields__ if f"`{name}`" not in told] == []


def test_every_standard_name_of_the_website_is_told_and_shown() -> None:
    told = PAGE.partition("Meta's own are ")[2].partition(".")[0].replace("`", "").replace(" and ", ", ").split(", ")
    shown = {pair["item"]["event_name"] for pair in pairs("website")}
    assert len(told) == 18
    assert shown.issuperset(told)
