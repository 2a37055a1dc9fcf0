"""What the sandbox knows before any event arrives: tokens, datasets, clicks, conversations, Connectly's side, switches."""

import uuid
from typing import Any, Literal

import msgspec

from .refusal import Language

WABA = "100000000000001"
PAGE = "100000000000002"
INSTAGRAM = "100000000000003"
SAMPLE_CLICK = "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0-eM-GABDLOPaOdRMv-_zfUQ2a"
SCOPES = (
    "whatsapp_business_management",
    "whatsapp_business_manage_events",
    "page_events",
    "instagram_manage_events",
    "ads_management",
    "business_management",
)


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """A part of the state. A key that is not listed is a typing mistake, and is refused."""


class Token(Entry):
    """An access token: its scopes, and the datasets it is assigned to (none named: all)."""

    scopes: list[str] = msgspec.field(default_factory=lambda: list(SCOPES))
    datasets: list[str] | None = None
    expired: bool = False


class Dataset(Entry):
    """A dataset and the assets linked to it; without any it takes website events only."""

    waba_id: str | None = None
    page_id: str | None = None
    ig_account_id: str | None = None
    name: str = ""


class Click(Entry):
    """A click on an ad: whose WhatsApp account was reached, from whose Page."""

    waba_id: str = WABA
    page_id: str = PAGE
    ad_id: str | None = None


class PageUser(Entry):
    """A person in a conversation with a Page."""

    page_id: str = PAGE


class InstagramUser(Entry):
    """A person in a conversation with an Instagram account."""

    ig_account_id: str = INSTAGRAM


class Key(Entry):
    """A Connectly API key."""

    expired: bool = False


class Business(Entry):
    """A Connectly business. One that nobody described exists, and has the built-in WhatsApp channel."""

    known: bool = True
    channel: bool = True
    waba_id: str = WABA


class Connectly(Entry):
    """Connectly's side. `error_shape`: the three shapes its undocumented error body may have."""

    keys: dict[str, Key] = msgspec.field(default_factory=lambda: {"sandbox-key": Key()})
    businesses: dict[str, Business] = {}
    error_shape: Literal["google", "grpc", "connectly"] = "google"

    def business(self, business_id: str) -> Business | None:
        """The business of a path, or None where Connectly answers NOT_FOUND."""
        if business_id not in self.businesses:
            try:
                uuid.UUID(business_id)
            except ValueError:
                return None
            return Business()
        business = self.businesses[business_id]
        return business if business.known else None


class Settings(Entry):
    """Switches for what live reports disagree about."""

    any_click: bool = False  # accept every click id, as one dataset of one business was seen to do
    event_names: Literal["two", "five", "fourteen"] = "fourteen"  # on business_messaging
    instagram_key: Literal["ig_account_id", "instagram_business_account_id", "either"] = "ig_account_id"
    future_seconds: int = 600  # tolerance for event_time; Meta publishes none
    language: Language = "en"
    error_data: Literal["object", "text"] = "object"
    dataset_answer: Literal["list", "id"] = "list"  # what GET /{asset}/dataset answers with


class State(Entry):
    """Everything above, under the names `PUT /sandbox/state` uses."""

    tokens: dict[str, Token] = msgspec.field(default_factory=lambda: {"sandbox-token": Token()})
    datasets: dict[str, Dataset] = msgspec.field(
        default_factory=lambda: {
            "200000000000001": Dataset(waba_id=WABA, name="Sandbox WhatsApp Event Data"),
            "200000000000002": Dataset(page_id=PAGE, name="Sandbox Page Event Data"),
            "200000000000003": Dataset(ig_account_id=INSTAGRAM, name="Sandbox Instagram Event Data"),
            "200000000000004": Dataset(name="Sandbox website"),
        }
    )
    assets: dict[str, Literal["waba", "page", "ig"]] = {}  # assets that have no dataset yet
    clicks: dict[str, Click] = msgspec.field(default_factory=lambda: {SAMPLE_CLICK: Click()})
    psids: dict[str, PageUser] = msgspec.field(default_factory=lambda: {"300000000000002": PageUser()})
    igsids: dict[str, InstagramUser] = msgspec.field(default_factory=lambda: {"300000000000003": InstagramUser()})
    connectly: Connectly = msgspec.field(default_factory=Connectly)
    settings: Settings = msgspec.field(default_factory=Settings)

    def merged(self, patch: Any) -> "State":
        """A state with `patch` merged in (RFC 7396: objects merge, `null` removes); raises msgspec.ValidationError.

        Short forms: a list stands for entries with the built-in owner (`{"clicks": ["A", "B"]}`), a bare string for the
        owner's id (`{"psids": {"P": "<page id>"}}`), and a dataset may be `{"kind": "waba", "asset_id": "1"}`.
        """
        if not isinstance(patch, dict):
            raise msgspec.ValidationError("Expected `object`")
        return msgspec.convert(_merge(msgspec.to_builtins(self), _spelled_out(patch)), State)


_OWNER = {"clicks": "waba_id", "psids": "page_id", "igsids": "ig_account_id"}
_ASSET = {"web": None, "website": None, "waba": "waba_id", "whatsapp": "waba_id", "page": "page_id"} | {
    "messenger": "page_id",
    "ig": "ig_account_id",
    "instagram": "ig_account_id",
}


def _spelled_out(patch: dict[str, Any]) -> dict[str, Any]:
    """The patch without its short forms."""
    full = dict(patch)
    for name, value in patch.items():
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            full[name] = value = {each: {} for each in value}
        if name in _OWNER and isinstance(value, dict):
            full[name] = {k: {_OWNER[name]: v} if isinstance(v, str) else v for k, v in value.items()}
        if name == "datasets" and isinstance(value, dict):
            full[name] = {k: _dataset(v) for k, v in value.items()}
    return full


def _dataset(entry: Any) -> Any:
    if not isinstance(entry, dict) or "kind" not in entry:
        return entry
    rest = {k: v for k, v in entry.items() if k not in {"kind", "asset_id"}}
    kind = entry["kind"]
    if not isinstance(kind, str) or kind not in _ASSET:
        raise msgspec.ValidationError(f"Invalid dataset kind {kind!r}: one of {', '.join(_ASSET)}")
    if field := _ASSET[kind]:
        rest[field] = entry.get("asset_id")
    return rest


def _merge(old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            before = merged.get(key)
            merged[key] = _merge(before if isinstance(before, dict) else {}, value)
        else:
            merged[key] = value
    return merged
