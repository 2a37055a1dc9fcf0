"""What Graph checks in one event, in Graph's order; the first rule that is broken speaks for the whole request.

Sources: Meta's Conversions API documentation and refusals reported from live use. The order is known only in part
(permission, then event name, then ids and dataset link, then the click id); the rest is inferred.
"""

import re
from typing import Any

from .refusal import Refused, general, invalid, parameter, permission
from .state import Dataset, State, Token

Event = dict[str, Any]

DAY_SECONDS = 86_400
ACTION_SOURCES = frozenset(
    "email website app phone_call chat physical_store system_generated business_messaging other".split()
)
_SCOPES = {
    "whatsapp": ("whatsapp_business_manage_events", "whatsapp_business_management"),
    "messenger": ("page_events",),
    "instagram": ("instagram_manage_events",),
}
CHANNELS = frozenset(_SCOPES)
_FIVE = ("Purchase", "LeadSubmitted", "AddToCart", "InitiateCheckout", "ViewContent")
_FOURTEEN = (
    *_FIVE,
    *("OrderCreated", "OrderShipped", "OrderDelivered", "OrderCanceled", "OrderReturned"),
    *("CartAbandoned", "QualifiedLead", "RatingProvided", "ReviewProvided"),
)
MESSAGING_EVENTS = {"two": frozenset(_FIVE[:2]), "five": frozenset(_FIVE), "fourteen": frozenset(_FOURTEEN)}

# isinstance() is much faster with a tuple than with a union, and there may be thousands of events a second.
_OPTIONAL_ID, _OPTIONAL_OBJECT, _NUMBER = (str, int, type(None)), (dict, type(None)), (int, float)

_HASHED = frozenset(("em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country"))
_IDENTITY = frozenset(
    (
        *_HASHED,
        *("external_id", "client_ip_address", "client_user_agent", "fbc", "fbp", "subscription_id", "fb_login_id"),
        *("lead_id", "anon_id", "madid", "page_id", "page_scoped_user_id", "ctwa_clid", "ig_account_id", "ig_sid"),
        "whatsapp_business_account_id",
    )
)
_TOO_BROAD = (
    frozenset(("ct", "country", "st", "zp", "ge", "client_user_agent")),
    frozenset(("db", "client_user_agent")),
    frozenset(("fn", "ge")),
    frozenset(("ln", "ge")),
)
# SHA-256, or the MD5 that Meta's SDKs also let through; the parameter builder appends a suffix of two or eight characters.
_DIGEST = re.compile(r"(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{32})(?:\.[\w-]{2}|\.[\w-]{8})?")

# ISO 4217 without MRU, which Meta was seen to refuse.
CURRENCIES = frozenset(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP"
    " CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF"
    " IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD"
    " MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF"
    " SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU"
    " UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG".split()
)


def check_scopes(token: Token, events: list[Any]) -> None:
    """Permissions come before everything the events say, whatever else is wrong with them. Raises Refused."""
    channels = {
        channel
        for event in events
        if isinstance(event, dict) and event.get("action_source") == "business_messaging"
        if isinstance(channel := event.get("messaging_channel"), str)
    }
    for channel in CHANNELS & channels:
        check_asset_scopes(token, channel)


def check_asset_scopes(token: Token, channel: str, at_events: bool = True) -> None:
    """The scopes that a channel's asset asks of a token; its dataset edge asks for the right to manage it first. Raises Refused."""
    for scope in _SCOPES[channel] if at_events else reversed(_SCOPES[channel]):
        if scope not in token.scopes:
            # The misleading words about the access level are what this missing scope really brings.
            raise Refused(general(270) if scope == "whatsapp_business_manage_events" else permission(scope))


def check_event(event: Any, dataset: Dataset, state: State, now: float) -> None:
    """Every rule for one event. `now` is Unix seconds. Raises Refused."""
    user = _check_shape(event)
    _check_time(event, state, now)
    if event["action_source"] == "business_messaging":
        _check_messaging(event, user, dataset, state)
    else:
        _check_identity(user)
    _check_hashes(user)
    if (custom := event.get("custom_data")) is not None or event["event_name"] == "Purchase":
        _check_money(event["event_name"], custom or {})


def _check_shape(event: Any) -> dict[str, Any]:
    if not isinstance(event, dict):
        raise Refused(parameter("each item of data must be an event", "data"))
    if not (isinstance(name := event.get("event_name"), str) and name):
        raise Refused(parameter("param event_name must be a non-empty string", "event_name"))
    if not (isinstance(time := event.get("event_time"), int) and not isinstance(time, bool)):
        raise Refused(parameter("param event_time must be an integer: Unix seconds", "event_time"))
    if not (isinstance(source := event.get("action_source"), str) and source in ACTION_SOURCES):
        raise Refused(parameter(f"param action_source must be one of {sorted(ACTION_SOURCES)}", "action_source"))
    if not isinstance(user := event.get("user_data"), dict):
        raise Refused(parameter("param user_data must be an object", "user_data"))
    if not isinstance(event.get("event_id"), _OPTIONAL_ID):
        raise Refused(parameter("param event_id must be a string", "event_id"))
    if not isinstance(event.get("custom_data"), _OPTIONAL_OBJECT):
        raise Refused(parameter("param custom_data must be an object", "custom_data"))
    return user


def _check_time(event: Event, state: State, now: float) -> None:
    age = int(now) - event["event_time"]  # of any size: as floats they could not be compared
    if age > (62 if event["action_source"] == "physical_store" else 7) * DAY_SECONDS:
        raise Refused(invalid(2804003, "event_time"))
    if -age > state.settings.future_seconds:
        # Meta publishes neither the tolerance nor the subcode.
        raise Refused(parameter("event_time is in the future", "event_time", title="Event Timestamp In The Future"))


def _check_messaging(event: Event, user: dict[str, Any], dataset: Dataset, state: State) -> None:
    channel = event.get("messaging_channel")
    if not isinstance(channel, str) or channel not in CHANNELS:
        raise Refused(invalid(2804063, "messaging_channel"))
    if event["event_name"] not in MESSAGING_EVENTS[state.settings.event_names]:
        raise Refused(invalid(2804066, "event_name"))
    for key in ("client_ip_address", "client_user_agent"):
        if key in user:
            raise Refused(invalid(2804064, "user_data", key))
    if channel == "whatsapp":
        _check_whatsapp(user, dataset, state)
    elif channel == "messenger":
        _check_messenger(user, dataset, state)
    else:
        _check_instagram(user, dataset, state)


def _check_whatsapp(user: dict[str, Any], dataset: Dataset, state: State) -> None:
    waba_id, page_id = _id(user, "whatsapp_business_account_id"), _id(user, "page_id")
    if not waba_id and not page_id:
        raise Refused(invalid(2804116, "user_data", "whatsapp_business_account_id"))
    # With a page_id alone this is the page-linked variant: the dataset need not have a WhatsApp account.
    if waba_id and waba_id != dataset.waba_id:
        raise Refused(invalid(2804132, "user_data", "whatsapp_business_account_id"))
    _check_page(page_id, dataset)
    click_id = user.get("ctwa_clid")
    click = state.clicks.get(click_id) if isinstance(click_id, str) else None
    if click is None:
        if click_id and state.settings.any_click:
            return
        raise Refused(invalid(2804087, "user_data", "ctwa_clid"))
    if waba_id and waba_id != click.waba_id:
        # Connectly quotes these words; the subcode is not known.
        words = "Mismatching WhatsApp Business Account ID"
        raise Refused(parameter(words, "user_data", "whatsapp_business_account_id", title=words))
    if page_id and page_id != click.page_id:
        raise Refused(invalid(2804072, "user_data", "page_id"))


def _check_messenger(user: dict[str, Any], dataset: Dataset, state: State) -> None:
    page_id = _id(user, "page_id")
    if not page_id:
        raise Refused(invalid(2804116, "user_data", "page_id"))
    _check_page(page_id, dataset)
    person = state.psids.get(_id(user, "page_scoped_user_id"))
    if person is None or person.page_id != page_id:
        raise Refused(invalid(2804073, "user_data", "page_scoped_user_id"))


def _check_instagram(user: dict[str, Any], dataset: Dataset, state: State) -> None:
    keys: tuple[str, ...] = ("ig_account_id", "instagram_business_account_id")
    if state.settings.instagram_key != "either":
        keys = (state.settings.instagram_key,)
    account = next((found for key in keys if (found := _id(user, key))), "")
    if not account:
        raise Refused(invalid(2804079, "user_data", keys[0]))
    if account != dataset.ig_account_id:
        raise Refused(invalid(2804133, "user_data", keys[0]))
    person = state.igsids.get(_id(user, "ig_sid"))
    if person is None or person.ig_account_id != account:
        raise Refused(parameter("ig_sid does not belong to this Instagram account", "user_data", "ig_sid"))


def _check_page(page_id: str, dataset: Dataset) -> None:
    if page_id and page_id != dataset.page_id:
        raise Refused(invalid(2804131 if dataset.page_id is None else 2804065, "user_data", "page_id"))


def _check_identity(user: dict[str, Any]) -> None:
    given = {key for key in _IDENTITY.intersection(user) if user[key] not in (None, "", [])}
    if any(given <= broad for broad in _TOO_BROAD):
        raise Refused(invalid(2804050, "user_data"))


def _check_hashes(user: dict[str, Any]) -> None:
    for key in _HASHED & user.keys():
        if not (value := user[key]):
            continue
        for each in value if isinstance(value, list) else (value,):
            if not isinstance(each, str) or not _DIGEST.fullmatch(each):
                raise Refused(invalid(2804016, "user_data", key))


def _check_money(event_name: str, custom: dict[str, Any]) -> None:
    value, currency = custom.get("value"), custom.get("currency")
    known = isinstance(currency, str) and currency.upper() in CURRENCIES  # lowercase is accepted live
    if event_name == "Purchase":
        if currency in (None, ""):
            raise Refused(invalid(2804010, "custom_data", "currency"))
        if not known:
            raise Refused(invalid(2804011, "custom_data", "currency"))
        if value is None:
            raise Refused(parameter("Purchase needs a value", "custom_data", "value", title="Missing Value"))
    elif value is not None and currency in (None, ""):
        raise Refused(invalid(2804023, "custom_data", "currency"))
    elif currency not in (None, "") and not known:
        raise Refused(parameter("Invalid currency", "custom_data", "currency"))
    if value is not None and (isinstance(value, bool) or not isinstance(value, _NUMBER) or value < 0):
        raise Refused(parameter("param value must be a number that is not negative", "custom_data", "value"))
    contents = custom.get("contents") or []
    if not isinstance(contents, list):
        raise Refused(parameter("param contents must be an array", "custom_data", "contents"))
    for item in contents:
        if not isinstance(item, dict):
            raise Refused(parameter("each item of contents must be an object", "custom_data", "contents"))
        if item.get("id") in (None, ""):
            raise Refused(invalid(2804008, "custom_data", "contents"))


def _id(user: dict[str, Any], key: str) -> str:
    """An id as text: Meta's samples write ids as bare numbers, its SDKs as strings."""
    value = user.get(key)
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
