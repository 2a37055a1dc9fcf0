"""The collector's own events API: many events a call, any channel, each with a result of its own."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import UNSET
from starlette.types import Receive, Scope, Send

from collector.attribution import id_fault
from collector.consent import joined
from collector.edge import answer
from collector.edge.answer import Reply
from collector.edge.api import ATTEMPTS, Gate
from collector.edge.guard import Headers, demand_json, read_body
from collector.errors import InvalidField, Refusal, Unavailable
from collector.event import Event, beyond, digest, read_event_time
from collector.intake import Intake
from collector.match import Match, Matcher, visited
from collector.options import Options
from collector.receipt import Candidate, Receipt
from collector.sources.body import decode, loosely
from collector.sources.conversions import Call, Conversion, read_call, read_item
from collector.store.face import BusinessRow, Record, StaleDirectory

TOGETHER: Final = 16
"""Items of one call that share a commit. Others wait for it, so it must stay short."""
TOGETHER_ALONE: Final = 48
"""The same while there are no others."""
IN_HAND: Final = 3
"""So many such groups are read, one after the other, and not yet committed."""
A_TURN: Final = 4
"""Items that are read before others have their turn."""
GIVE_WAY_SECONDS: Final = 0.01
"""So long a group stands aside, all in all, for commits of others: each step of one would wait for a turn of ours."""

Result = dict[str, object]


class Conversions:
    """`POST /v1/businesses/{business_id}/events`. Plain ASGI, like the other hot path.

    An item is answered for once its commit is done; none waits for Meta. Each that gets past the call's frame leaves one record.
    """

    def __init__(
        self, gate: Gate, intake: Intake, matcher: Matcher, mint: Callable[[int], str], body_bytes_max: int
    ) -> None:
        self._gate = gate
        self._intake = intake
        self._matcher = matcher
        self._mint = mint
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        headers: Headers = dict(scope["headers"])
        await answer.answered(self._answer(scope["path_params"]["business_id"], headers, receive), send)

    async def _answer(self, asked: str, headers: Headers, receive: Receive) -> Reply:
        owner, version = await self._gate.owner(headers)
        now = self._gate.clock()
        try:
            self._gate.business(owner, asked)
            body = await read_body(receive, headers, self._body_bytes_max)
            demand_json(headers)
            call = read_call(body)
        except Refusal as refusal:
            await self._note(headers, owner, version, refusal, now)
            raise
        results = await self._each(call, asked, headers, now)
        received = sum(result["state"] != "refused" for result in results)
        return answer.json({"events_received": received, "results": results})

    async def _each(self, call: Call, asked: str, headers: Headers, now: int) -> list[Result]:
        """The result of every item. Where one cannot be stored, the whole call is unavailable: sent again, it stores no event twice."""
        tasks: list[asyncio.Task[list[Result]]] = []
        in_hand: set[asyncio.Task[list[Result]]] = set()
        reading = asyncio.Lock()
        start = 0
        while some := call.items[start : start + (TOGETHER_ALONE if self._intake.is_quiet() else TOGETHER)]:
            start += len(some)
            tasks.append(asyncio.create_task(self._some(some, call, asked, headers, now, reading)))
            in_hand.add(tasks[-1])
            if len(in_hand) == IN_HAND:
                done, in_hand = await asyncio.wait(in_hand, return_when=asyncio.FIRST_COMPLETED)
                if any(task.exception() for task in done):
                    break  # the call comes again as a whole
        await asyncio.wait(tasks)  # all of them, whatever becomes of one: what is in the store must be handed over
        if faults := [
            fault for task in tasks if (fault := task.exception())
        ]:  # what nobody asks a task for is logged as lost
            raise faults[0]
        return [result for task in tasks for result in task.result()]

    async def _some(
        self, items: Sequence[bytes], call: Call, asked: str, headers: Headers, now: int, reading: asyncio.Lock
    ) -> list[Result]:
        """The results of items that share a commit. One that is refused, or that the store cannot take with the others, goes its way alone.

        `reading` is for one of them at a time: others have their turn after a few items, not after a few of each group.
        """
        owner, version = await self._gate.owner(headers)
        fresh: dict[int, tuple[Candidate, Record]] = {}
        patience = GIVE_WAY_SECONDS
        async with reading:
            for index, raw in enumerate(items):
                if index % A_TURN == 0:
                    await asyncio.sleep(0)
                    patience -= await self._intake.lull(patience)
                with suppress(Refusal):
                    candidate = await self._candidate(self._gate.business(owner, asked), raw, call, now)
                    fresh[index] = candidate, Record.of(candidate.event, self._mint(now))
        told: dict[int, Result] = {}
        with suppress(StaleDirectory, InvalidField):
            receipts = await self._intake.take_all(list(fresh.values()), version) if fresh else []
            told = {index: _result(receipt) for index, receipt in zip(fresh, receipts, strict=True) if receipt}
        alone = [index for index in range(len(items)) if index not in told]
        results = await asyncio.gather(*(self._item(items[index], call, asked, headers, now) for index in alone))
        told.update(zip(alone, results, strict=True))
        return [told[index] for index in range(len(items))]

    async def _item(self, raw: bytes, call: Call, asked: str, headers: Headers, now: int) -> Result:
        for _ in range(ATTEMPTS):
            owner, version = await self._gate.owner(headers)
            try:
                try:
                    candidate = await self._candidate(self._gate.business(owner, asked), raw, call, now)
                    record = Record.of(candidate.event, self._mint(now))
                    return _result(await self._intake.take(candidate, record, None, version))
                except Refusal as refusal:  # the store's too: what it cannot keep must not fail the others
                    await self._intake.note(self._refused(owner, refusal, now), version)
                    return {"event_id": _given_id(raw), "state": "refused", "error": answer.body(refusal)}
            except StaleDirectory:
                await self._gate.directory.fresh()
        raise Unavailable("the directory keeps changing")

    def _check_channel(self, business: BusinessRow, item: Conversion) -> None:
        """The channel is set up, and its asset is the one that the item names. Raises NotFound, InvalidField."""
        if business.destination == "connectly" and (
            item.channel != "whatsapp" or item.event_name not in ("Purchase", "ViewContent")
        ):
            field = "event_name" if item.channel == "whatsapp" else "channel"
            raise InvalidField(field, "Connectly takes only Purchase and ViewContent of channel whatsapp")
        if business.destination == "connectly" and (limit := item.options.limit):
            raise InvalidField(limit, "cannot be told to Connectly, which would use the event without it")
        asset_id = self._intake.asset_id(business, item.channel)
        for key, given in item.asset_ids:
            if given != asset_id:
                raise InvalidField(f"user_data.{key}", "is not the account that this channel is set up with")

    async def _candidate(self, business: BusinessRow, raw: bytes, call: Call, now: int) -> Candidate:
        """The event that an item is. Raises Refusal."""
        item = read_item(raw, call, business.policy, business.region)
        self._check_channel(business, item)
        event_at, expired = read_event_time(item.event_time, now, "event_time")
        row_id = self._mint(now)
        event_id = item.event_id or item.detail.order_id
        notes: tuple[str, ...] = ()
        if event_id is None:
            if item.event_time is not UNSET:
                event_id = _own_id(raw)
            else:
                event_id, notes = row_id, ("retry-not-idempotent",)
        event = Event(
            business_id=business.business_id,
            id=row_id,
            event_name=item.event_name,
            event_id=event_id,
            event_at=event_at,
            received_at=now,
            channel=item.channel,
            click=item.click,
            custom_data=item.detail.custom_data,
            currency=item.detail.currency,
            value_micros=item.detail.value_micros,
            user_data=msgspec.json.encode(item.identity.wire).decode(),
            page_url=item.page_url,
            order_id=item.detail.order_id,
            test=business.mode == "test" or item.options.test_event_code is not None,
            options=_helpful(item).text(),
        )
        match = await self._matcher.conversion(
            event, item.pointers, business.consent_required or item.channel == "website"
        )
        click = match.found
        more = beyond(event.user_data, event.options)
        known = msgspec.structs.replace(
            event,
            click=click,
            consent=joined(item.options.consent, match.consent),
            digest=digest(event.event_name, event.custom_data, click, item.event_time, more),
        )
        match = self._promised(item, match)
        known = visited(known, match.landing)
        if known.channel == "website" and known.page_url is None:
            known = msgspec.structs.replace(known, page_url=business.origins[0])
        return Candidate(
            event=known, match=match, expired=expired, notes=notes + ((match.reason,) if match.reason else ())
        )

    def _promised(self, item: Conversion, match: Match) -> Match:
        """A visitor of the website of whom too little is known, and whose landing was named but is not there (yet), is waited for."""
        if not item.lacks_identity or match.landing is not None:
            return match
        if not msgspec.structs.replace(item, click=match.found).lacks_identity:
            return match  # a click id that goes along is enough
        return Match(None, match.consent, match.reason or "click-not-found", match.waits)

    def _refused(self, owner: str, refusal: Refusal, now: int) -> Record:
        """The record of what stored no event: where it failed, and nothing of what was sent."""
        return Record(
            business_id=owner,
            id=self._mint(now),
            received_at=now,
            failure_stage=refusal.stage or "payload_mapping",
            error=refusal.message,
        )

    async def _note(self, headers: Headers, owner: str, version: int, refusal: Refusal, now: int) -> None:
        for _ in range(ATTEMPTS):
            try:
                return await self._intake.note(self._refused(owner, refusal, now), version)
            except StaleDirectory:
                await self._gate.directory.fresh()
                owner, version = await self._gate.owner(headers)
        raise Unavailable("the directory keeps changing")


def _helpful(item: Conversion) -> Options:
    """What the item asks for, without a look-up that would end the wait for a landing: a conversation tells a click id, and not who it was."""
    if not item.lacks_identity or item.options.click_id:
        return item.options
    linked = tuple(lookup for lookup in item.options.lookups if lookup[0] == "customer_id")
    return msgspec.structs.replace(item.options, lookups=linked)


def _own_id(raw: bytes) -> str:
    """The event id of an item that brings none, but a time: of what it says, however it is spelt. Raises InvalidField."""
    return hashlib.sha256(msgspec.json.encode(decode(raw, _anything), order="sorted")).hexdigest()[:32]


_anything = msgspec.json.Decoder()
_identified = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _given_id(raw: bytes) -> str | None:
    """The event id of a refused item as it was written, for the caller to know it by."""
    try:
        return msgspec.json.decode(_identified.decode(raw)["event_id"], type=str)
    except (msgspec.DecodeError, KeyError, RecursionError):
        item = loosely(raw)  # NaN and half an emoji are no JSON, but the id beside them is good
    given = item.get("event_id") if isinstance(item, dict) else None
    return given if isinstance(given, str) and id_fault(given) is None else None


def _result(receipt: Receipt) -> dict[str, object]:
    delivery = receipt.delivery
    told: dict[str, object] = {
        "event_id": receipt.event_id,
        "id": receipt.event_row,
        "state": answer.shown(delivery.state),
    }
    reasons = [word for word in (delivery.reason, *receipt.notes) if word]
    if receipt.duplicate:
        told["duplicate"] = True
    if reasons:
        told["reason"] = ", ".join(dict.fromkeys(reasons))
    if delivery.state == "dead" and (refusal := answer.refusal(receipt, "event_time")) is not None:
        told["error"] = answer.body(refusal)
    return told
