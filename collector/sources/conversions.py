"""The collector's own events API: any standard or custom event of WhatsApp, Messenger, Instagram or the website.

Sources: Meta's Conversions API reference and its guide for business messaging.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import UNSET, UnsetType

from collector import nameless
from collector.attribution import Click
from collector.consent import CONSENTS, Consent
from collector.errors import InvalidField
from collector.event import MILLISECONDS_FROM, Channel, Detail
from collector.identity import BROWSER_KEYS, Identity, UserData, is_enough_for_web, read as read_identity
from collector.options import Options
from collector.policy import Policy
from collector.sources import address
from collector.sources.body import decode, loosely
from collector.sources.connectly import Pointer, Pointing, read_pointers
from collector.sources.custom_data import read_custom_data

EVENTS_MAX: Final = 1000
"""As many as Meta takes in one request."""
NAME_CHARS_MAX: Final = 50
URL_CHARS_MAX: Final = 2048
CHANNELS: Final = get_args(Channel)
LDU_STATE_MAX: Final = 1999
SEGMENTS: Final = frozenset(
    f"{who}_customer_to_{what}"
    for who in ("new", "existing")
    for what in ("business", "business_line", "product_area", "medium")
) | {"customer_in_loyalty_program"}

_OWN_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "whatsapp": ("ctwa_clid", "whatsapp_business_account_id", "whatsapp_user_id"),
    "messenger": ("page_id", "page_scoped_user_id"),
    "instagram": ("ig_account_id", "ig_sid", "instagram_business_account_id"),
    "website": (),
}
"""The ids of `user_data` that only one channel takes; `ctwa_clid` may go along to the website."""
_ASSET_KEYS: Final = ("whatsapp_business_account_id", "page_id", "ig_account_id")
_FOREIGN: Final = {
    channel: tuple(key for keys in _OWN_KEYS.values() for key in keys if key not in own and (own or key != "ctwa_clid"))
    for channel, own in _OWN_KEYS.items()
}
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,50}")


class _Original(msgspec.Struct, omit_defaults=True, gc=False):
    event_name: str | UnsetType = UNSET
    event_time: int | UnsetType = UNSET
    order_id: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET


class _Item(Pointing, gc=False):
    event_name: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET
    event_time: int | UnsetType = UNSET
    channel: str | UnsetType = UNSET
    user_data: UserData | UnsetType = UNSET
    custom_data: msgspec.Raw | UnsetType = UNSET
    consent: str | UnsetType = UNSET
    page_url: str | UnsetType = UNSET
    referrer_url: str | UnsetType = UNSET
    touch: str | UnsetType = UNSET
    opt_out: bool | UnsetType = UNSET
    data_processing_options: list[str] | UnsetType = UNSET
    data_processing_options_country: int | UnsetType = UNSET
    data_processing_options_state: int | UnsetType = UNSET
    customer_segmentation: str | UnsetType = UNSET
    original_event_data: _Original | UnsetType = UNSET


class _Call(msgspec.Struct, gc=False):
    events: list[msgspec.Raw] | UnsetType = UNSET
    test_event_code: str | UnsetType = UNSET
    partner_agent: str | UnsetType = UNSET


class Call(msgspec.Struct, frozen=True, gc=False):
    """One call: its items still raw, for one that is bad must not fail the others."""

    items: tuple[bytes, ...]
    test_event_code: str | None
    partner_agent: str | None


class Conversion(msgspec.Struct, frozen=True, gc=False):
    """One checked item. `event_id` is the caller's; `asset_ids` are those it named, which must be the channel's own."""

    event_name: str
    event_id: str | None
    event_time: int | UnsetType
    channel: Channel
    detail: Detail
    identity: Identity
    click: Click
    pointers: tuple[Pointer, ...]
    asset_ids: tuple[tuple[str, str], ...]
    page_url: str | None
    options: Options

    @property
    def lacks_identity(self) -> bool:
        """Whether Meta would refuse it as it stands, for too little is said of a visitor of the website (100/2804050)."""
        told = [*self.identity.wire, *(["ctwa_clid"] if self.click.ctwa_clid and self.options.click_id else [])]
        return self.channel == "website" and not is_enough_for_web(told)


_call_decoder = msgspec.json.Decoder(_Call)
_item_decoder = msgspec.json.Decoder(_Item)


def read_call(body: bytes) -> Call:
    """Read a call's frame. Raises InvalidField."""
    given = _frame(body)
    if given.events is UNSET or not 1 <= len(given.events) <= EVENTS_MAX:
        raise InvalidField("events", f"must be a list of 1 to {EVENTS_MAX} events")
    code = None if given.test_event_code is UNSET else given.test_event_code
    if code is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", code):
        raise InvalidField("test_event_code", "must be a code from Meta's Test Events page, such as TEST12345")
    agent = None if given.partner_agent is UNSET else given.partner_agent
    if agent is not None and not (re.fullmatch(r"[\x20-\x7e]{2,22}", agent) and re.search("[A-Za-z].*[A-Za-z]", agent)):
        raise InvalidField("partner_agent", "must have 2 to 22 characters, two letters among them")
    return Call(tuple(map(bytes, given.events)), code, agent)


def _frame(body: bytes) -> _Call:
    """The call with its items still raw. Raises InvalidField.

    Where NaN or half an emoji is all that is wrong, it is wrong in one item: each is spelt anew, and answered for by itself.
    """
    try:
        return decode(body, _call_decoder, depth_counts=False)
    except InvalidField:
        whole = loosely(body)
        if not isinstance(whole, dict) or not isinstance(items := whole.get("events"), list):
            raise
        given = decode(json.dumps(whole | {"events": []}).encode(), _call_decoder)
        return msgspec.structs.replace(given, events=[msgspec.Raw(json.dumps(item).encode()) for item in items])


def read_item(raw: bytes, call: Call, policy: Policy, region: str | None) -> Conversion:
    """Read one item by the business's policy; `region` is the country of its phone numbers. Raises InvalidField."""
    given = decode(raw, _item_decoder)
    channel = next((name for name in CHANNELS if name == given.channel), None)
    if channel is None:
        rule = "is required" if given.channel is UNSET else f"must be one of {', '.join(CHANNELS)}"
        raise InvalidField("channel", rule)
    name, source = _event_name(given.event_name, channel, policy)
    event_id = None if given.event_id is UNSET else nameless.id(given.event_id, "event_id")
    user_data = UserData() if given.user_data is UNSET else given.user_data
    _fits(user_data, channel)
    identity = read_identity(user_data, region)
    wire = dict(identity.wire)
    assets = tuple((key, str(wire.pop(key))) for key in _ASSET_KEYS if key in wire)
    clid = wire.pop("ctwa_clid", None)
    pointers = read_pointers(given)
    if channel in ("messenger", "instagram") and (needed := _OWN_KEYS[channel][1]) not in wire:
        raise InvalidField(f"user_data.{needed}", f"is required on channel {channel}")
    detail = read_custom_data(b"{}" if given.custom_data is UNSET else bytes(given.custom_data), name)
    options = Options(
        wire=source | _wire(given),
        touch=_touch(given.touch),
        lookups=identity.lookups,
        consent=_consent(given.consent),
        click_id=channel == "website" and policy.website_click_id,
        test_event_code=call.test_event_code,
        partner_agent=call.partner_agent,
    )
    item = Conversion(
        event_name=name,
        event_id=event_id,
        event_time=given.event_time,
        channel=channel,
        detail=detail,
        identity=msgspec.structs.replace(identity, wire=wire),
        click=Click(ctwa_clid=clid) if isinstance(clid, str) else Click(),
        pointers=pointers,
        asset_ids=assets,
        page_url=_url(given.page_url, "page_url"),
        options=options,
    )
    _findable(item)
    return item


def _event_name(given: str | UnsetType, channel: Channel, policy: Policy) -> tuple[str, dict[str, Any]]:
    """The name to send, and what else its channel wants said because of it."""
    if given is UNSET or not _NAME.fullmatch(given) or given != given.strip():
        rule = "is required" if given is UNSET else f"must have 1 to {NAME_CHARS_MAX} printable characters"
        raise InvalidField("event_name", rule)
    if channel == "website":
        return nameless.text(given, "event_name"), {}
    name = "LeadSubmitted" if given == "Lead" and policy.lead_submitted else given
    if name in policy.names:
        return name, {}
    if policy.other_names == "system_generated":
        return nameless.text(name, "event_name"), {"action_source": "system_generated"}
    raise InvalidField("event_name", f"from a conversation Meta takes only {', '.join(policy.names)}")


def _fits(user_data: UserData, channel: Channel) -> None:
    """No id of another channel, and nothing of a browser where Meta refuses it (100/2804064)."""
    for key in _FOREIGN[channel]:
        if getattr(user_data, key) is not UNSET:
            raise InvalidField(f"user_data.{key}", f"does not belong to channel {channel}")
    for key in () if channel == "website" else BROWSER_KEYS:
        if getattr(user_data, key) is not UNSET:
            raise InvalidField(f"user_data.{key}", "belongs to channel website only: Meta refuses it elsewhere")


def _findable(item: Conversion) -> None:
    """Something must lead to a click, or to who it was. Of a visitor neither a click id tells it, unless it goes along, nor a conversation."""
    named = {kind for kind, _ in item.options.lookups} | ({"order_id"} if item.detail.order_id is not None else set())
    if item.channel == "whatsapp" and not (item.click or item.pointers or named):
        raise InvalidField("user_data.ctwa_clid", "is required, or something that leads to it: mobile_number, ref, …")
    landed = named if item.options.click_id else named - {"mobile_number"}
    if item.lacks_identity and not (item.pointers or (landed and not item.click)):
        raise InvalidField(
            "user_data", "says too little: give an e-mail, a phone number, fbc, fbp, or address and browser"
        )


def _touch(given: str | UnsetType) -> Literal["last", "first"]:
    if given is UNSET or given == "last":
        return "last"
    if given == "first":
        return "first"
    raise InvalidField("touch", "must be last or first")


def _consent(given: str | UnsetType) -> Consent | None:
    if given is UNSET:
        return None
    if given not in CONSENTS:
        raise InvalidField("consent", f"must be one of {', '.join(sorted(CONSENTS))}")
    return given  # type: ignore[return-value]  # the set above holds exactly the literal's values


def _wire(given: _Item) -> dict[str, Any]:
    """What goes to Meta as it stands, once checked."""
    wire = _processing(given)
    if given.opt_out is not UNSET:
        wire["opt_out"] = given.opt_out
    if given.referrer_url is not UNSET:
        wire["referrer_url"] = _url(given.referrer_url, "referrer_url")
    if given.customer_segmentation is not UNSET:
        if given.customer_segmentation not in SEGMENTS:
            raise InvalidField("customer_segmentation", f"must be one of {', '.join(sorted(SEGMENTS))}")
        wire["customer_segmentation"] = given.customer_segmentation
    if given.original_event_data is not UNSET:
        original = msgspec.to_builtins(given.original_event_data)
        if not 0 <= original.get("event_time", 0) < MILLISECONDS_FROM:
            raise InvalidField("original_event_data.event_time", "must be whole seconds since 1970")
        for key, value in original.items():
            if isinstance(value, str):
                nameless.id(value, f"original_event_data.{key}")
        wire["original_event_data"] = original
    return wire


def _processing(given: _Item) -> dict[str, Any]:
    """Limited data use. Where neither country nor state is named, Meta shall find them by the address (0, 0)."""
    chosen = given.data_processing_options
    if chosen is UNSET:
        if given.data_processing_options_country is given.data_processing_options_state is UNSET:
            return {}
        raise InvalidField("data_processing_options", 'is required beside its country or state: ["LDU"], or []')
    if chosen not in ([], ["LDU"]):
        raise InvalidField("data_processing_options", 'must be [] or ["LDU"]')
    if not chosen:
        return {"data_processing_options": []}
    country = 0 if given.data_processing_options_country is UNSET else given.data_processing_options_country
    state = 0 if given.data_processing_options_state is UNSET else given.data_processing_options_state
    if country not in (0, 1):
        raise InvalidField("data_processing_options_country", "must be 1 (USA) or 0 (found by Meta)")
    if state and not 1000 <= state <= LDU_STATE_MAX:
        raise InvalidField("data_processing_options_state", "must be Meta's number of a state, such as 1000, or 0")
    return {
        "data_processing_options": chosen,
        "data_processing_options_country": country,
        "data_processing_options_state": state,
    }


def _url(given: str | UnsetType, field: str) -> str | None:
    """A page's address, cleaned. Raises InvalidField."""
    if given is UNSET:
        return None
    url = address.cleaned(given) if len(given) <= URL_CHARS_MAX and given.isprintable() else None
    if url is None:
        raise InvalidField(field, f"must be an http or https address of at most {URL_CHARS_MAX} characters")
    return url
