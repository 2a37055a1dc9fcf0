"""What commands share: the settings, the vault, and the store, opened for a moment beside whatever serves."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec

from collector.errors import InvalidField
from collector.settings import Settings, load
from collector.vault import Vault, open_vault

if TYPE_CHECKING:
    from collector.store.face import Directory, Ledger, Outbox

TOKEN_VARIABLE = "COLLECTOR_ACCESS_TOKEN"  # noqa: S105  the variable's name
TOKEN_BYTES = 16 * 1024

Answer = TypeVar("Answer")


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One command's view of the collector; `now` is UTC milliseconds, `writable` raises `Unavailable` where the store takes no write."""

    settings: Settings
    vault: Vault
    directory: "Directory"
    ledger: "Ledger"
    outbox: "Outbox"
    writable: Callable[[], Awaitable[None]]
    now: int


def now_ms() -> int:
    """The wall clock, in UTC milliseconds."""
    return time.time_ns() // 1_000_000


def within(work: Callable[[Session], Awaitable[Answer]]) -> Answer:
    """Open the store, do the work, close the store. Raises `SettingsError`, `Unavailable` and what the work raises."""
    settings = load(os.environ)
    vault = open_vault(settings.data_dir, settings.secret_keys)

    async def run() -> Answer:
        from collector.store.opening import open_store  # brings the database drivers

        async with open_store(settings.database_url, clock=now_ms, serving=False) as store:
            return await work(
                Session(
                    settings=settings,
                    vault=vault,
                    directory=store.directory,
                    ledger=store.ledger,
                    outbox=store.outbox,
                    writable=store.writable,
                    now=now_ms(),
                )
            )

    return asyncio.run(run())


def read_secret(what: str) -> str:
    """A secret from the environment or standard input: arguments are seen by every user of a machine, and kept by shells."""
    secret = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not secret and sys.stdin.isatty():
        secret = click.prompt(what, hide_input=True, err=True)
    elif not secret:
        secret = sys.stdin.read(TOKEN_BYTES).strip()
    if not secret:
        raise InvalidField("token", f"{what} is missing: set {TOKEN_VARIABLE} or write it to standard input")
    return secret
