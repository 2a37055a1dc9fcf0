"""The door to the network against servers that misbehave: what left, what came back, what it must not do."""

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from collector.destinations import outbound as outbound_module
from collector.destinations.answer import Answer, Wire
from collector.destinations.outbound import READ_MAX, Outbound, require_tls
from tests.processes import free_port

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SECRET = "AfgClickIdThatNobodyMaySee"


@asynccontextmanager
async def server(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A TCP server that reads one request a connection and then follows the script."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(size)
            await script(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://localhost:{port}/x"
    finally:
        listening.close()


def reply(body: bytes, status: str = "200 OK", *headers: str, length: int | None = None) -> Script:
    async def script(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body) if length is None else length}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await writer.drain()

    return script


async def ask(url: str, seconds: float = 5.0, **options: str) -> Answer:
    async with Outbound(seconds=seconds, **options) as outbound:  # type: ignore[arg-type]  # authorities only
        return await outbound.send(Wire(url, {"content-type": "application/json"}, b"{}", (SECRET,)))


async def test_an_answer_comes_back_with_status_headers_and_body() -> None:
    async with server(reply(b'{"a":1}', "400 Bad", "X-App-Usage: {}")) as url:
        answer = await ask(url)
    assert (answer.status, answer.body, answer.cut, answer.lost) == (400, b'{"a":1}', False, None)
    assert answer.headers["x-app-usage"] == "{}"


async def test_secrets_are_cut_from_the_answer_at_once() -> None:
    async with server(reply(f"no such click: {SECRET}".encode())) as url:
        answer = await ask(url)
    assert answer.body == b"no such click: [redacted]"


async def test_a_refused_connection_is_unavailable_for_nothing_had_left() -> None:
    answer = await ask(f"http://127.0.0.1:{free_port()}/")
    assert answer.lost == "unavailable"
    assert answer.error


async def test_a_name_that_does_not_resolve_is_unavailable() -> None:
    assert (await ask("https://graph.invalid/")).lost == "unavailable"


async def test_a_url_that_is_none_is_unavailable() -> None:
    assert (await ask("ftp://localhost/")).lost == "unavailable"


async def test_a_certificate_that_nobody_vouches_for_is_unavailable() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    async with server(reply(b"{}"), context) as url:
        assert (await ask(url)).lost == "unavailable"


async def test_a_certificate_of_a_known_authority_is_taken(tmp_path: Path) -> None:
    authority, file = trustme.CA(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    async with server(reply(b"{}"), context) as url:
        assert (await ask(url, authorities=str(file))).status == 200


async def test_a_connection_that_ends_after_the_request_is_an_unknown_fate() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with server(hang_up) as url:
        assert (await ask(url)).lost == "unknown"


async def test_no_answer_in_time_is_an_unknown_fate_and_the_wait_is_bounded() -> None:
    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side leaves

    async with server(hang) as url:
        began = asyncio.get_running_loop().time()
        assert (await ask(url, 1.0)).lost == "unknown"
        assert asyncio.get_running_loop().time() - began < 4


async def test_a_body_that_drips_does_not_outlast_the_bound() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
        await writer.drain()
        await reader.read()

    async with server(drip) as url:
        assert (await ask(url, 1.0)).lost == "unknown"


async def test_a_body_that_breaks_off_keeps_its_status() -> None:
    async with server(reply(b'{"error":{"code"', "400 Bad", length=500)) as url:
        answer = await ask(url)
    assert (answer.status, answer.cut, answer.body) == (400, True, b'{"error":{"code"')


async def test_an_endless_body_is_read_up_to_its_limit() -> None:
    async with server(reply(b"x" * (READ_MAX * 3))) as url:
        answer = await ask(url)
    assert answer.cut
    assert len(answer.body) == READ_MAX


async def test_a_redirect_is_an_answer_not_an_order() -> None:
    asked: list[str] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append("once")
        await reply(b"", "302 Found", "location: /elsewhere")(reader, writer)

    async with server(script) as url:
        assert (await ask(url)).status == 302
    assert asked == ["once"]


async def test_a_compressed_answer_is_never_inflated() -> None:
    packed = gzip.compress(b"0" * 10_000_000)
    async with server(reply(packed, "500 Bad", "content-encoding: gzip")) as url:
        answer = await ask(url)
    assert len(answer.body) <= READ_MAX


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    async with server(reply(b"{}")) as url:
        assert (await ask(url)).status == 200


async def test_what_is_no_http_is_an_unknown_fate() -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()

    async with server(babble) as url:
        assert (await ask(url)).lost == "unknown"


async def test_no_socket_to_be_had_is_unavailable() -> None:
    release = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        await reply(b"{}")(reader, writer)

    async with server(wait) as url, Outbound(sockets=1, seconds=5, connect_seconds=1.0) as outbound:
        asked = [asyncio.create_task(outbound.send(Wire(url, {}, b"{}"))) for _ in range(2)]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        release.set()
        assert [task.result().lost for task in done] == ["unavailable"]
        assert sorted([(await task).status for task in asked]) == [0, 200]


async def test_after_a_hang_the_sockets_are_free_again() -> None:
    hanging = True

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (reader.read() if hanging else reply(b"{}")(reader, writer))

    async with server(script) as url, Outbound(sockets=2, seconds=1.0) as outbound:
        lost = await asyncio.gather(*(outbound.send(Wire(url, {}, b"{}")) for _ in range(2)))
        hanging = False
        assert [answer.lost for answer in lost] == ["unknown", "unknown"]
        answers = await asyncio.gather(*(outbound.send(Wire(url, {}, b"{}")) for _ in range(2)))
        assert [answer.status for answer in answers] == [200, 200]


async def test_requests_one_after_the_other_share_a_connection() -> None:
    opened = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await reply(b"{}")(reader, writer)
        while await reader.readuntil(b"\r\n\r\n{}"):
            await reply(b"{}")(reader, writer)

    async with server(script) as url, Outbound() as outbound:
        answers = [await outbound.send(Wire(url, {}, b"{}")) for _ in range(5)]
        assert [answer.status for answer in answers] == [200] * 5
        assert opened == 1
        answers = await asyncio.gather(*(outbound.send(Wire(url, {}, b"{}")) for _ in range(3)))
        assert [answer.status for answer in answers] == [200] * 3
        assert opened == 3


async def test_a_connection_that_the_server_closed_meanwhile_costs_no_request() -> None:
    async with server(reply(b"{}")) as url, Outbound() as outbound:
        for _ in range(5):
            assert (await outbound.send(Wire(url, {}, b"{}"))).status == 200
            async with asyncio.timeout(5):
                while not all(  # noqa: ASYNC110  # nobody signals that a server's end has come
                    each.has_expired() for idle in outbound._idle.values() for each in idle
                ):
                    await asyncio.sleep(0)


async def test_connections_that_nobody_needs_any_more_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound_module, "KEEPALIVE_SECONDS", 0.0)
    left = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reply(b"{}")(reader, writer)
        await reader.read()
        left.set()

    async with server(script) as url, Outbound() as outbound:
        await outbound.send(Wire(url, {}, b"{}"))
        async with asyncio.timeout(5):
            await left.wait()


@pytest.mark.parametrize(
    "url",
    [
        "https://graph.facebook.com",
        "http://127.0.0.1:8001/",
        "http://[::1]:1",
        "http://localhost",
        "http://a.localhost:9",
    ],
)
def test_tls_or_this_machine(url: str) -> None:
    assert require_tls(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://graph.facebook.com",
        "http://10.0.0.1",
        "http://localhost.example",
        "https://user:secret@graph.example",
        "https://graph.example?token=x",
        "https://graph.example#x",
        "ftp://localhost",
        "graph.example",
        "",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        require_tls(url)
