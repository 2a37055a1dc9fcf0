"""Facts about a business with which all is well; a test changes one and sees what is said."""

from typing import Any

from msgspec.structs import replace

from collector.destinations.graph import App, Served, Token
from collector.diagnosis import ChannelFacts, Facts, Finding, Hearing, Visit, diagnose
from collector.diagnosis.trouble import SCOPES
from collector.settings import load
from collector.store.face import BusinessRow, ChannelRow, KeyRow

NOW = 1_790_000_000_000
DAY = 86_400_000
ID = "0b8e2e8a-9f3b-4c57-8a43-1f2e3d4c5b6a"
SETTINGS = load(
    {
        "COLLECTOR_PUBLIC_URL": "https://t.coffee.example",
        "COLLECTOR_META_APP_SECRET": "x" * 16,
        "COLLECTOR_META_VERIFY_TOKEN": "y" * 8,
    }
)
ASSETS = {"whatsapp": "100000000000001", "messenger": "100000000000002", "instagram": "100000000000003"}
FIELDS = {
    "whatsapp": None,
    "messenger": ("messages", "messaging_postbacks", "messaging_referrals"),
    "instagram": ("messages", "messaging_postbacks", "messaging_referral"),
}


def business(**changes: Any) -> BusinessRow:
    row = BusinessRow(
        business_id=ID,
        name="Coffee",
        origins=("https://coffee.example",),
        cookie_domain="coffee.example",
        created_at=NOW,
    )
    return replace(row, **changes)


def key(**changes: Any) -> KeyRow:
    row = KeyRow(business_id=ID, key_id="k", name="first", digest="d", hint="ck_", created_at=NOW)
    return replace(row, **changes)


def channel(name: str = "whatsapp", **changes: Any) -> ChannelRow:
    row = ChannelRow(
        business_id=ID,
        channel=name,
        asset_id=ASSETS.get(name),
        dataset_id="200000000000001",
        sealed_token="s",
        updated_at=NOW,
    )
    return replace(row, **changes)


def token(*scopes: str, **changes: Any) -> Token:
    granted = dict.fromkeys(scopes)
    return replace(Token(valid=True, app_id="500", app="Our app", kind="SYSTEM_USER", scopes=granted), **changes)


def known(name: str = "whatsapp", **changes: Any) -> ChannelFacts:
    """A channel in order; `row` fields may be changed by `channel(name, …)`."""
    whole = ChannelFacts(
        row=channel(name),
        told=token(*SCOPES.get(name, ())),
        named="Coffee Event Data",
        linked=("200000000000001",),
        apps=(App("500", "Our app", FIELDS.get(name)),),
    )
    return replace(whole, **changes)


def facts(**changes: Any) -> Facts:
    whole = Facts(
        now=NOW,
        settings=SETTINGS,
        business=business(),
        keys=(key(),),
        unwritten=None,
        hearing=Hearing(at=NOW + 400, served=Served(at=NOW, version="v25.0", warning=None)),
        shop=(Visit(url="https://coffee.example/", status=200),),
        snippet=Visit(url="https://t.coffee.example/cnct.js", status=200),
        channels=(known(),),
    )
    return replace(whole, **changes)


def found(check: str, part: str | None = None, **changes: Any) -> Finding:
    """What a check comes to when these facts differ."""
    (finding,) = (each for each in diagnose(facts(**changes)) if each.check == check and part in (None, each.part))
    return finding


def of_channel(check: str, name: str = "whatsapp", **changes: Any) -> Finding:
    """What a channel's check comes to when it differs in this."""
    return found(check, name, channels=(known(name, **changes),))
