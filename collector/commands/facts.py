"""Finds out what the doctor looks at: asks the store, Graph, the shop's pages and the collector's own."""

import asyncio
import hashlib
import os
from collections.abc import Mapping
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
from collector.store.face import BusinessRow, ChannelRow
from collector.vault import CannotOpen

DOCTOR = "collector doctor"
TEST_NAMES = ("ViewContent", "AddToCart", "LeadSubmitted")
"""Meta counts test events too: one that says little, and never a purchase."""

OPTIONS = {"whatsapp": "--ctwa-clid", "messenger": "--page-scoped-user-id", "instagram": "--ig-sid"}


class Tests(msgspec.Struct, frozen=True, kw_only=True):
    """The test events that are asked for: with which code, and about whom on each channel."""

    code: str
    people: Mapping[str, str | None]


async def collect(session: Session, business_id: str, tests: Tests | None) -> Facts:
    """Everything about one business. Raises errors.NotFound."""
    snapshot = await session.directory.snapshot()
    business = onboarding.find_business(snapshot.businesses, business_id)
    wanted = CHANNELS if business.destination == "meta" else ("connectly",)
    rows = {row.channel: row for row in snapshot.channels if row.business_id == business_id}
    credentials = {row.name: row for row in snapshot.credentials}
    tokens: dict[str, str] = {}
    sealed: dict[str, str] = {}
    for channel in wanted:
        if row := rows.get(channel):
            try:
                tokens[channel] = open_token(session.vault, row, credentials)
            except CannotOpen as error:
                sealed[channel] = str(error)
    mine = [rows[channel] for channel in wanted if channel in rows]
    async with Outbound() as outbound:
        hearing, channels = await _ask_destination(session, outbound, business, mine, tokens, sealed)
        shop = await asyncio.gather(*(_visit(outbound, f"{each}/") for each in business.origins))
        snippet = await _visit(outbound, f"{session.settings.public_url}/cnct.js")
        trials: tuple[Trial, ...] = ()
        if tests and business.destination == "meta":
            meta = Meta(
                outbound, session.settings.graph_url, session.settings.graph_version, session.settings.partner_agent
            )
            trials = tuple([await _try(meta, business, known, tokens, tests) for known in channels])
    return Facts(
        now=session.now,
        settings=session.settings,
        business=business,
        keys=tuple(row for row in snapshot.keys if row.business_id == business_id),
        unwritten=await _unwritten(session),
        hearing=hearing,
        shop=tuple(shop),
        snippet=snippet,
        channels=channels,
        trials=trials,
    )


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


# ------------------------------------------------------------------ Graph


async def _ask_destination(
    session: Session,
    outbound: Outbound,
    business: BusinessRow,
    rows: list[ChannelRow],
    tokens: Mapping[str, str],
    sealed: Mapping[str, str],
) -> tuple[Hearing, tuple[ChannelFacts, ...]]:
    settings, began = session.settings, now_ms()
    graph = Graph(outbound, settings.graph_url, settings.graph_version)
    if business.destination == "meta":
        answer = await graph.ask("", "me")  # refused, and says when and by which version
    else:
        answer = await outbound.send(Wire(settings.connectly_url, {"user-agent": DOCTOR}, b"", method="GET"))
    hearing = Hearing(at=(began + now_ms()) // 2, served=read_served(answer), error=_lost(answer))
    known = [ChannelFacts(row=row, sealed=sealed.get(row.channel)) for row in rows]
    if hearing.error is not None or business.destination != "meta":
        return hearing, tuple(known)
    distinct = list(dict.fromkeys(tokens.values()))
    answers = await asyncio.gather(*map(graph.debug, distinct))
    told = {token: read_token(each) for token, each in zip(distinct, answers, strict=True)}
    asked = (_ask(graph, each, tokens, told) for each in known)
    return hearing, tuple(await asyncio.gather(*asked))


async def _ask(
    graph: Graph, known: ChannelFacts, tokens: Mapping[str, str], told: Mapping[str, Token | Problem]
) -> ChannelFacts:
    row = known.row
    if known.sealed is not None:
        return known
    token = tokens[row.channel]
    known = msgspec.structs.replace(known, told=told[token])
    if row.dataset_id is not None:
        known = msgspec.structs.replace(
            known, named=read_name(await graph.ask(token, quote(row.dataset_id), fields="id,name"))
        )
    if row.asset_id is not None:
        linked = read_datasets(await graph.ask(token, f"{quote(row.asset_id)}/dataset"))
        apps = read_apps(await graph.ask(token, f"{quote(row.asset_id)}/subscribed_apps"))
        known = msgspec.structs.replace(known, linked=linked, apps=apps)
    return known


# ------------------------------------------------------------------ test events


async def _try(
    meta: Meta, business: BusinessRow, known: ChannelFacts, tokens: Mapping[str, str], tests: Tests
) -> Trial:
    """One test event through the destination, or why there is none."""
    row = known.row
    names = [name for name in TEST_NAMES if row.channel == "website" or name in business.policy.names]
    if known.sealed is not None or known.told is None:
        return Trial(row=row, lacks="the token does not open" if known.sealed else "Graph cannot be reached")
    if row.dataset_id is None:
        return Trial(row=row, lacks="the channel has no dataset")
    if not names:
        return Trial(row=row, lacks=f"this business's conversations have none of {', '.join(TEST_NAMES)}")
    event = _event(business, row, names[0], tests.people.get(row.channel))
    if meta.lacks(event):
        who = "a click that it knows" if row.channel == "whatsapp" else "a person who wrote to it"
        return Trial(row=row, lacks=f"Meta takes it only with the id of {who}: {OPTIONS[row.channel]} ID")
    account = OpenChannel(
        asset_id=row.asset_id,
        dataset_id=row.dataset_id,
        token=tokens[row.channel],
        held=None,
        row=row,
        messaging_names=business.policy.names,
    )
    outcome = meta.check(event, account) or meta.read(await meta.send(meta.to_wire([event], account, tests.code)), 1)
    return Trial(row=row, outcome=outcome)


def _event(business: BusinessRow, row: ChannelRow, name: str, person: str | None) -> Event:
    at = now_ms()
    users = {"messenger": "page_scoped_user_id", "instagram": "ig_sid"}
    user: dict[str, object] = {users[row.channel]: person} if person and row.channel in users else {}
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
