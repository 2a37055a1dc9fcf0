"""The servers that the benchmarks compare: a bare Starlette endpoint, the collector in one of its roles, its web role over a store that forgets.

    python -m bench.server bare|web|all|deliver|null PORT [DATABASE_URL [GRAPH_URL]]

Prints one line when it listens. Every server runs under the same uvicorn settings.
"""

import asyncio
import hashlib
import os
import sys
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock

import msgspec
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from collector import app, server
from collector.directory import digest
from collector.settings import Settings, load
from collector.store.face import BusinessRow, ChannelRow, KeyRow, Take, Taken
from collector.store.opening import Store, open_store
from collector.vault import open_vault

BUSINESS = "11111111-1111-4111-8111-111111111111"
KEY = "ck_bench"
SECRET = urlsafe_b64encode(hashlib.sha256(b"bench").digest()).decode().rstrip("=")
"""The same in every process, so that several can open the same tokens."""
APP_SECRET = "the app secret of the bench"


class Forgetful:
    """A ledger that takes everything and keeps nothing: what the rest of the way costs."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    async def take_all(self, takes: Sequence[Take], version: int) -> list[Taken]:
        return [Taken(won=True)] * len(takes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


@asynccontextmanager
async def forgetting(url: str, *, clock: Callable[[], int] | None = None, serving: bool) -> AsyncIterator[Store]:
    async with open_store(url, serving=serving) as store:
        yield msgspec.structs.replace(store, ledger=Forgetful(store.ledger))


async def bare(request: Request) -> JSONResponse:
    await request.json()
    return JSONResponse({"events_received": 1})


async def set_up(settings: Settings) -> None:
    vault = open_vault(settings.data_dir, settings.secret_keys)
    async with open_store(settings.database_url, serving=False) as store:
        await store.directory.put_business(
            BusinessRow(business_id=BUSINESS, name="bench", origins=("https://shop.example",), created_at=1)
        )
        channel = ChannelRow(
            business_id=BUSINESS,
            channel="whatsapp",
            asset_id="100000000000001",
            dataset_id="200000000000001",
            sealed_token=vault.seal("sandbox-token", (BUSINESS, "whatsapp")),
            updated_at=1,
        )
        await store.directory.put_channel(channel)
        await store.directory.put_key(
            KeyRow(business_id=BUSINESS, key_id="k", name="bench", digest=digest(KEY), hint="ck_", created_at=1)
        )


async def main(kind: str, port: int, url: str = "", graph_url: str = "") -> None:
    if kind == "bare":
        plain = server.Server(Starlette(routes=[Route("/{rest:path}", bare, methods=["POST"])]), "127.0.0.1", port)
        await say_and_run(plain)
        return
    with tempfile.TemporaryDirectory() as directory:
        given = {
            "DATA_DIR": directory,
            "DATABASE_URL": url,
            "GRAPH_URL": graph_url,
            "SECRET_KEYS": SECRET,
            "META_APP_SECRET": APP_SECRET,
        }
        settings = load({f"COLLECTOR_{name}": value for name, value in given.items() if value})
        await set_up(settings)
        opener = forgetting if kind == "null" else open_store
        role: app.Role = "all" if kind == "all" else "deliver" if kind == "deliver" else "web"
        with mock.patch.object(app, "open_store", opener):
            async with app.open_application(settings, role, "retry") as application:
                await say_and_run(server.Server(application, "127.0.0.1", port))


async def say_and_run(one: server.Server) -> None:
    running = asyncio.create_task(server.run([one]))
    await one.up.wait()
    print(f"listening pid {os.getpid()}", flush=True)
    await running


if __name__ == "__main__":
    server.hurry()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
