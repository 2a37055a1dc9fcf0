"""Whatever stands where Graph should be: each event's state and attempt say the right thing, and the next try delivers it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import msgspec
import pytest

from collector.delivery import OnUnknown
from collector.destinations import Answer, Wire
from collector.destinations.meta import Meta
from collector.destinations.outbound import Outbound
from tests.delivery.house import House
from tests.delivery.test_outbound import Script, reply, server
from tests.processes import free_port

EVENTS = 5
TRACE = "AbcTrace"
Place = Callable[[], AbstractAsyncContextManager[str]]


class Astray(Meta):
    """The first request goes elsewhere; the others find Graph."""

    def __init__(self, outbound: Outbound, url: str, elsewhere: str) -> None:
        super().__init__(outbound, url, "v25.0", "collector")
        self._elsewhere = elsewhere

    async def send(self, wire: Wire) -> Answer:
        elsewhere, self._elsewhere = self._elsewhere, ""
        return await super().send(msgspec.structs.replace(wire, url=elsewhere) if elsewhere else wire)


async def abort(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()  # until the other side leaves


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
    await reader.read()


async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")


def at(script: Script) -> Place:
    return lambda: server(script)


def graph(body: object, status: str = "200 OK", *headers: str) -> Place:
    return at(reply(json.dumps(body).encode(), status, *headers))


def text(body: str, status: str = "200 OK", length: int | None = None) -> Place:
    return at(reply(body.encode(), status, length=length))


@asynccontextmanager
async def nobody() -> AsyncIterator[str]:
    """A port that nothing listens on."""
    yield f"http://127.0.0.1:{free_port()}/"


def count(received: object) -> dict[str, object]:
    return {"events_received": received, "messages": [], "fbtrace_id": TRACE}


FAULTS: dict[str, tuple[Place, str, int | None]] = {
    "a name that nobody knows": (lambda: nullcontext("https://graph.invalid/"), "unavailable", None),
    "nobody at home": (nobody, "unavailable", None),
    "hung up after the request": (at(abort), "unknown", None),
    "no answer in time": (at(hang), "unknown", None),
    "an answer that drips": (at(drip), "unknown", None),
    "no HTTP": (at(babble), "unknown", None),
    "an HTML page, 500": (text("<html>Sorry</html>", "500 Oops"), "unavailable", 500),
    "a gateway in trouble": (text("<html>Bad gateway</html>", "502 Bad Gateway"), "unavailable", 502),
    "a gateway that stopped waiting": (text("", "504 Gateway Timeout"), "unknown", 504),
    "a redirect": (text("", "302 Found"), "unavailable", 302),
    "too many requests": (text("", "429 Too Many Requests"), "throttled", 429),
    "an empty 200": (text(""), "unknown", 200),
    "a login page": (text("<html>Welcome to the Wi-Fi</html>"), "unknown", 200),
    "half a 200": (text('{"events_received":', length=500), "unknown", 200),
    "half an error": (text('{"error":{"code":100,', "400 Bad Request", length=500), "unavailable", 400),
    "one too few": (graph(count(EVENTS - 1)), "unknown", 200),
    "one too many": (graph(count(EVENTS + 1)), "unknown", 200),
    "none": (graph(count(0)), "unknown", 200),
    "a count that is no number": (graph(count(True)), "unknown", 200),
    "a list": (graph([count(EVENTS)]), "unknown", 200),
    "an error within a 200": (graph({"error": {"code": 2, "is_transient": True, "fbtrace_id": TRACE}}), "unavailable", 200),
}  # fmt: skip


@pytest.fixture
async def impatient() -> AsyncIterator[Outbound]:
    async with Outbound(seconds=0.4) as door:
        yield door


async def lead_astray(house: House, impatient: Outbound, name: str, on_unknown: OnUnknown = "retry") -> range:
    """Five more events wait; the request that they share goes wrong. Gives their numbers."""
    numbers = range(house.numbered_from + 1, house.numbered_from + EVENTS + 1)
    house.employ(Outbound())  # takes without sending
    await house.take_many(EVENTS)
    place, _, _ = FAULTS[name]
    async with place() as elsewhere:
        meta = Astray(impatient, house.sandbox.url, elsewhere)
        dispatcher = house.employ(impatient, destinations={"meta": meta}, on_unknown=on_unknown)
        await dispatcher.start()
        await house.rest()
    return numbers


async def standing(house: House, numbers: range) -> set[tuple[str, str | None]]:
    """The states of these events."""
    deliveries = await house.deliveries()
    return {(deliveries[f"order-{number}"].state, deliveries[f"order-{number}"].reason) for number in numbers}


@pytest.mark.parametrize("outcome", ["unavailable", "throttled", "unknown"])
async def test_each_is_told_for_what_it_is_and_the_next_try_delivers(
    house: House, impatient: Outbound, outcome: str
) -> None:
    for name in [name for name, fault in FAULTS.items() if fault[1] == outcome]:
        numbers = await lead_astray(house, impatient, name)
        assert await standing(house, numbers) == {("retrying", None)}, name
        tries = [(await house.attempts(number))[0] for number in numbers]
        told = {(each.number, each.trigger, each.outcome, each.http_status) for each in tries}
        assert told == {(1, "first", outcome, FAULTS[name][2])}, name
        assert await house.sandbox.accepted() == [], name
        await house.live_through(30, 10)
        assert await standing(house, numbers) == {("delivered", None)}, name
        assert [each.outcome for each in await house.attempts(numbers[-1])] == [outcome, "accepted"], name
        assert sorted(await house.sandbox.accepted()) == sorted(f"order-{number}" for number in numbers), name
        facts = house.dispatcher.facts()
        assert (facts[outcome], facts["accepted"], facts["rejected"]) == (EVENTS, EVENTS, 0), name
        await house.sandbox.forget()
        await house.dispatcher.stop(5)


async def test_where_a_double_is_worse_only_an_unknown_fate_is_held(house: House, impatient: Outbound) -> None:
    for name in ("nobody at home", "hung up after the request", "an empty 200", "half an error"):
        numbers = await lead_astray(house, impatient, name, on_unknown="hold")
        await house.live_through(30, 10)
        unknown = FAULTS[name][1] == "unknown"
        assert await standing(house, numbers) == {("held", "unknown") if unknown else ("delivered", None)}, name
        assert len(await house.sandbox.accepted()) == (0 if unknown else EVENTS), name
        await house.sandbox.forget()
        await house.dispatcher.stop(5)
