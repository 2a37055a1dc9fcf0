"""What the sandbox knows before any event arrives: tokens, datasets, clicks, conversations, Connectly's side, switches."""

import uuid
from typing import Annotated, Any, Literal

import msgspec

from .titles import Language

WABA = "100000000000001"
PAGE = "100000000000002"
INSTAGRAM = "100000000000003"
APP = "500000000000001"
SAMPLE_CLICK = "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0-eM-GABDLOPaOdRMv-_zfUQ2a"
SCOPES = (
    "whatsapp_business_management",
    "whatsapp_business_manage_events",
    "page_events",
    "instagram_manage_events",
    "pages_manage_metadata",
    "instagram_manage_messages",
    "ads_management",
    "business_management",
)
WEBHOOK_FIELDS = {
    WABA: ("messages",),
    PAGE: ("messages", "messaging_postbacks", "messaging_referrals"),
    INSTAGRAM: ("messages", "messaging_postbacks", "messaging_referral"),
}
LAST_SECOND = 253_402_300_799  # of the year 9999
AssetKind = Literal["waba", "page", "ig"]


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """A part of the state. A key that is not listed is a typing mistake, and is refused."""


class Token(Entry):
    """An access token of an app.

    - `scopes`, and the `datasets` and `assets` it is assigned to (none named: all).
    - `expired`, or `expires_at` in Unix seconds (0: never).
    - `kind`: what `debug_token` calls its type.
    - `language` of its owner, in which Meta words titles; none: the one in the settings.
    """

    scopes: list[str] = msgspec.field(default_factory=lambda: list(SCOPES))
    datasets: list[str] | None = None
    assets: list[str] | None = None
    expired: bool = False
    expires_at: Annotated[int, msgspec.Meta(ge=0, le=LAST_SECOND)] = 0
    kind: Literal["SYSTEM_USER", "USER", "PAGE"] = "SYSTEM_USER"
    app_id: str = APP
    language: Language | None = None

    def is_over(self, now: float) -> bool:
        """Whether the token has expired by `now`, in Unix seconds."""
        return self.expired or 0 < self.expires_at <= now

    def sees_dataset(self, dataset_id: str) -> bool:
        """Whether the token is assigned to the dataset."""
        return self.datasets is None or dataset_id in self.datasets

    def sees_asset(self, asset_id: str) -> bool:
        """Whether the token is assigned to the asset."""
        return self.assets is None or asset_id in self.assets


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
    future_seconds: Annotated[int, msgspec.Meta(ge=0)] = 600  # tolerance for event_time; Meta publishes none
    language: Language = "en"
    error_data: Literal["object", "text"] = "object"
    dataset_answer: Literal["list", "id", "dataset_id"] = "list"  # what GET /{asset}/dataset answers with
    oldest_version: int = 21  # of Graph; older ones are served as this one, with a warning
    page_needs_own_token: bool = False  # a Page's subscriptions are shown to a token of kind PAGE alone


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
    assets: dict[str, AssetKind] = {}  # assets that have no dataset yet
    subscriptions: dict[str, dict[str, list[str]]] = msgspec.field(  # of assets: fields of their webhooks, by app
        default_factory=lambda: {asset: {APP: list(fields)} for asset, fields in WEBHOOK_FIELDS.items()}
    )
    clicks: dict[str, Click] = msgspec.field(default_factory=lambda: {SAMPLE_CLICK: Click()})
    psids: dict[str, PageUser] = msgspec.field(default_factory=lambda: {"300000000000002": PageUser()})
    igsids: dict[str, InstagramUser] = msgspec.field(default_factory=lambda: {"300000000000003": InstagramUser()})
    connectly: Connectly = msgspec.field(default_factory=Connectly)
    settings: Settings = msgspec.field(default_factory=Settings)

    def merged(self, patch: Any) -> "State":
        """A state with `patch` merged in (RFC 7396: objects merge, `null` removes); raises msgspec.ValidationError.

        Short forms: a list stands for entries with the built-in owner (`{"clicks": ["A", "B"]}`), a bare string for the
        owner's id (`{"psids": {"P": "<page id>"}}`), a list of fields for the built-in app's subscription to an asset
        (`{"subscriptions": {"<page id>": ["messages"]}}`), and a dataset may be `{"kind": "waba", "asset_id": "1"}`.
        """
        if not isinstance(patch, dict):
            raise msgspec.ValidationError("Expected `object`")
        return msgspec.convert(_merge(msgspec.to_builtins(self), _spelled_out(patch)), State)

    def asset(self, asset_id: str) -> tuple[AssetKind, str | None] | None:
        """The kind of an asset and the id of its dataset, if it has one; None for an id that is no asset's."""
        kinds: tuple[AssetKind, ...] = ("waba", "page", "ig")
        for dataset_id, dataset in self.datasets.items():
            for kind, owner in zip(kinds, (dataset.waba_id, dataset.page_id, dataset.ig_account_id), strict=True):
                if owner == asset_id:
                    return kind, dataset_id
        return (self.assets[asset_id], None) if asset_id in self.assets else None


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
        if name == "subscriptions" and isinstance(value, dict):
            full[name] = {k: {APP: v} if isinstance(v, list) else v for k, v in value.items()}
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
