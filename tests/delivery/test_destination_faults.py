"""Whatever stands where Graph should be: each event's state and attempt say the right thing, and the next try delivers it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any

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


@asynccontextmanager
async def led_astray(house: House, place: Place, on_unknown: OnUnknown = "retry") -> AsyncIterator[None]:
    """Five events wait; the request that they share goes wrong."""
    house.employ(Outbound())  # takes without sending
    await house.take_many(EVENTS)
    async with place() as elsewhere, Outbound(seconds=0.4) as impatient:
        meta = Astray(impatient, house.sandbox.url, elsewhere)
        dispatcher = house.employ(impatient, destinations={"meta": meta}, on_unknown=on_unknown)
        await dispatcher.start()
        await house.rest()
        yield
        await dispatcher.stop(5)


async def firsts(house: House) -> set[tuple[Any, ...]]:
    """What the first attempts say."""
    tries = [(await house.attempts(number))[0] for number in range(1, EVENTS + 1)]
    return {(each.number, each.trigger, each.outcome, each.http_status) for each in tries}


@pytest.mark.parametrize("name", FAULTS)
async def test_it_is_told_for_what_it_is_and_the_next_try_delivers(house: House, name: str) -> None:
    place, outcome, status = FAULTS[name]
    async with led_astray(house, place):
        assert await house.states() == {"retrying": EVENTS}
        assert await firsts(house) == {(1, "first", outcome, status)}
        assert await house.sandbox.accepted() == []
        await house.live_through(30, 5)
        assert await house.states() == {"delivered": EVENTS}
        assert [each.outcome for each in await house.attempts(EVENTS)] == [outcome, "accepted"]
        assert sorted(await house.sandbox.accepted()) == sorted(await house.deliveries())
        facts = house.dispatcher.facts()
        assert (facts[outcome], facts["accepted"], facts["rejected"]) == (EVENTS, EVENTS, 0)


@pytest.mark.parametrize("name", ["nobody at home", "hung up after the request", "an empty 200", "half an error"])
async def test_where_a_double_is_worse_only_an_unknown_fate_is_held(house: House, name: str) -> None:
    place, outcome, _ = FAULTS[name]
    async with led_astray(house, place, on_unknown="hold"):
        await house.live_through(30, 10)
        unknown = outcome == "unknown"
        assert await house.states() == ({"held(unknown)": EVENTS} if unknown else {"delivered": EVENTS})
        assert len(await house.sandbox.accepted()) == (0 if unknown else EVENTS)
