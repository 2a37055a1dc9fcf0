"""What strangers send: text, JSON values and bodies near the contract, broken in any way."""

import json
from typing import Any

from hypothesis import strategies as st

from collector.attribution import Click
from tests.unit.samples import report

ANY_TEXT = st.text(st.characters(), max_size=40)
"""With lone surrogates and NUL, unlike hypothesis' own default."""
IDS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=200)
CLICKS = st.builds(Click, *[st.none() | IDS] * 4)

NAMES = st.sampled_from(
    "event_name cnct_tracking_id sendout_id attribution meta_ctwa ctwa_clid ad_id payload currency value order_id content_type "
    "content_ids num_items contents event_time id quantity item_price attribution_token ref checkout_id kind query hash page_url "
    "referrer at_ms consent view token event_id custom_data".split()
)
WORDS = st.sampled_from(
    ["Purchase", "ViewContent", "USD", "product", "granted", "order_id", "checkout_id", "", "a" * 600]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.decimals(allow_nan=False, allow_infinity=False).map(float)
    | WORDS
    | ANY_TEXT
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | ANY_TEXT, inner, max_size=6),
    max_leaves=25,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a document with each of its keys."""
    found: list[tuple[Any, Any]] = []
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found += [(value, key), *places(value[key])]
    return found


@st.composite
def broken_reports(draw: st.DrawFn) -> bytes:
    """The sample with up to three values replaced, removed or added."""
    document = report()
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(document)))
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "remove":
            del container[key]
        elif change == "add" and isinstance(container, dict):
            container[draw(NAMES | ANY_TEXT)] = draw(VALUES)
        else:
            container[key] = draw(VALUES)
        if not document:
            break
    return json.dumps(document).encode()


@st.composite
def damaged_bytes(draw: st.DrawFn) -> bytes:
    """The sample's bytes, cut, doubled or overwritten somewhere."""
    whole = json.dumps(report()).encode()
    at, length = draw(st.integers(0, len(whole))), draw(st.integers(0, 20))
    return whole[:at] + draw(st.binary(max_size=20)) + whole[at + length :]


BODIES = (
    st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()) | broken_reports() | damaged_bytes()
)
