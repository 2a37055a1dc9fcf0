"""Finds out what the doctor looks at: asks the store, Graph, the shop's pages and the collector's own."""

import asyncio
import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from collector.attribution import Click
from collector.commands.channel import CHANNELS
from collector.commands.session import Session, now_ms
from collector.destinations.answer import Answer, Wire
from collector.destinations.graph import (
    Graph,
    Problem,
    Token,
    read_apps,
    read_datasets,
    read_name,
    read_served,
    read_token,
)
from collector.destinations.meta import Meta
from collector.destinations.outbound import Outbound
from collector.diagnosis import ChannelFacts, Facts, Hearing, Trial, Visit
from collector.directory import OpenChannel, onboarding, open_token
from collector.errors import Unavailable
from collector.event import Channel, Event
from collector.settings import Settings
from collector.store.face import BusinessRow, ChannelRow, DirectorySnapshot
from collector.vault import CannotOpen, Vault

DOCTOR: Final = "collector doctor"
TEST_NAMES: Final = ("ViewContent", "AddToCart", "LeadSubmitted")
"""Meta counts test events too: one that says little, and never a purchase."""

OPTIONS: Final = {"whatsapp": "--ctwa-clid", "messenger": "--page-scoped-user-id", "instagram": "--ig-sid"}
PERSONS: Final = {"messenger": "page_scoped_user_id", "instagram": "ig_sid"}


class Tests(msgspec.Struct, frozen=True, kw_only=True):
    """The test events that are asked for: with which code, and about whom on each channel."""

    code: str
    people: Mapping[str, str | None]


class Opened(msgspec.Struct, frozen=True):
    """A channel with its token in the clear, or why that does not open."""

    row: ChannelRow
    token: str
    sealed: str | None = None

    def __repr__(self) -> str:
        return f"Opened({self.row.business_id}, {self.row.channel}, …)"


async def collect(session: Session, business_id: str, tests: Tests | None) -> Facts:
    """Everything about one business. Raises errors.NotFound."""
    snapshot = await session.directory.snapshot()
    business = onboarding.find_business(snapshot.businesses, business_id)
    meta = business.destination == "meta"
    opened = _open(session.vault, snapshot, business_id, CHANNELS if meta else ("connectly",))
    async with Outbound() as outbound:
        hearing = await _hear(session.settings, outbound, meta)
        known = [ChannelFacts(row=each.row, sealed=each.sealed) for each in opened]
        if meta and hearing.error is None:
            known = await _ask_all(session.settings, outbound, opened)
        trials: list[Trial] = []
        if tests is not None:
            trials = await _try_all(session.settings, outbound, business, known, opened, tests)
        shop = await asyncio.gather(*(_visit(outbound, f"{each}/") for each in business.origins))
        snippet = await _visit(outbound, f"{session.settings.public_url}/cnct.js")
    return Facts(
        now=session.now,
        settings=session.settings,
        business=business,
        keys=tuple(row for row in snapshot.keys if row.business_id == business_id),
        unwritten=await _unwritten(session),
        hearing=hearing,
        shop=tuple(shop),
        snippet=snippet,
        channels=tuple(known),
        trials=tuple(trials),
    )


def _open(vault: Vault, snapshot: DirectorySnapshot, business_id: str, channels: Sequence[str]) -> list[Opened]:
    rows = {row.channel: row for row in snapshot.channels if row.business_id == business_id}
    credentials = {row.name: row for row in snapshot.credentials}
    opened = []
    for row in (rows[channel] for channel in channels if channel in rows):
        try:
            opened.append(Opened(row, open_token(vault, row, credentials)))
        except CannotOpen as error:
            opened.append(Opened(row, "", str(error)))
    return opened


async def _unwritten(session: Session) -> str | None:
    try:
        await session.writable()
    except Unavailable as error:
        return error.reason
    return None


async def _visit(outbound: Outbound, url: str) -> Visit:
    answer = await outbound.send(Wire(url, {"user-agent": DOCTOR}, b"", method="GET"))
    return Visit(url=url, status=answer.status, location=answer.headers.get("location"), error=_lost(answer))


def _lost(answer: Answer) -> str | None:
    return None if answer.lost is None else answer.error or "no answer"


# ------------------------------------------------------------------ the destination


async def _hear(settings: Settings, outbound: Outbound, meta: bool) -> Hearing:
    """A request without a token: refused, and yet it tells when and by which version."""
    began = now_ms()
    if meta:
        answer = await Graph(outbound, settings.graph_url, settings.graph_version).ask("", "me")
    else:
        answer = await outbound.send(Wire(settings.connectly_url, {"user-agent": DOCTOR}, b"", method="GET"))
    return Hearing(at=(began + now_ms()) // 2, served=read_served(answer), error=_lost(answer))


async def _ask_all(settings: Settings, outbound: Outbound, opened: Sequence[Opened]) -> list[ChannelFacts]:
    """What Graph says of every channel; of a token that several use it is asked once."""
    graph = Graph(outbound, settings.graph_url, settings.graph_version)
    tokens = list(dict.fromkeys(each.token for each in opened if each.sealed is None))
    answers = await asyncio.gather(*map(graph.debug, tokens))
    told = {token: read_token(answer) for token, answer in zip(tokens, answers, strict=True)}
    return await asyncio.gather(*(_ask(graph, each, told.get(each.token)) for each in opened))


async def _ask(graph: Graph, opened: Opened, told: Token | Problem | None) -> ChannelFacts:
    row, token = opened.row, opened.token
    known = ChannelFacts(row=row, sealed=opened.sealed, told=told)
    if not known.usable:
        return known
    if row.dataset_id is not None:
        named = read_name(await graph.ask(token, quote(row.dataset_id), fields="id,name"))
        known = msgspec.structs.replace(known, named=named)
    if row.asset_id is not None:
        linked = read_datasets(await graph.ask(token, f"{quote(row.asset_id)}/dataset"))
        apps = read_apps(await graph.ask(token, f"{quote(row.asset_id)}/subscribed_apps"))
        known = msgspec.structs.replace(known, linked=linked, apps=apps)
    return known


# ------------------------------------------------------------------ test events


async def _try_all(
    settings: Settings,
    outbound: Outbound,
    business: BusinessRow,
    known: Sequence[ChannelFacts],
    opened: Sequence[Opened],
    tests: Tests,
) -> list[Trial]:
    if business.destination != "meta":
        return [Trial(row=each.row, lacks="Connectly takes no test events") for each in opened]
    meta = Meta(outbound, settings.graph_url, settings.graph_version, settings.partner_agent)
    pairs = zip(known, opened, strict=True)
    return [await _try(meta, business, facts, each.token, tests) for facts, each in pairs]


async def _try(meta: Meta, business: BusinessRow, known: ChannelFacts, token: str, tests: Tests) -> Trial:
    """One test event through the destination, or why there is none."""
    row, allowed = known.row, business.policy.names
    names = [name for name in TEST_NAMES if row.channel == "website" or name in allowed]
    if not known.usable:
        return Trial(row=row, lacks="the token cannot be used")
    if row.dataset_id is None:
        return Trial(row=row, lacks="the channel has no dataset")
    if not names:
        return Trial(row=row, lacks=f"this business's conversations have none of {', '.join(TEST_NAMES)}")
    event = _event(business, row, names[0], tests.people.get(row.channel))
    if meta.lacks(event):
        who = "a click that it knows" if row.channel == "whatsapp" else "a person who wrote to it"
        return Trial(row=row, lacks=f"Meta takes it only with the id of {who}: {OPTIONS[row.channel]} ID")
    account = OpenChannel(
        asset_id=row.asset_id, dataset_id=row.dataset_id, token=token, held=None, row=row, messaging_names=allowed
    )
    outcome = meta.check(event, account) or meta.read(await meta.send(meta.to_wire([event], account, tests.code)), 1)
    return Trial(row=row, outcome=outcome)


def _event(business: BusinessRow, row: ChannelRow, name: str, person: str | None) -> Event:
    at = now_ms()
    user: dict[str, object] = {PERSONS[row.channel]: person} if person and row.channel in PERSONS else {}
    if row.channel == "website":
        user = {"external_id": [hashlib.sha256(DOCTOR.encode()).hexdigest()], "client_user_agent": DOCTOR}
    channel: Channel = msgspec.convert(row.channel, Channel)
    return Event(
        business_id=business.business_id,
        id=os.urandom(16).hex(),
        event_name=name,
        event_id=f"doctor-{os.urandom(8).hex()}",
        event_at=at,
        received_at=at,
        channel=channel,
        click=Click(ctwa_clid=person) if row.channel == "whatsapp" else Click(),
        user_data=msgspec.json.encode(user).decode(),
        page_url=f"{business.origins[0]}/" if row.channel == "website" else None,
        test=True,
    )
