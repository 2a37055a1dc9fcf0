"""Businesses, channels and keys as the hot path needs them: in memory, at one version of the store's directory."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from collector.policy import MESSAGING_NAMES
from collector.store import face
from collector.vault import CannotOpen, Vault

LOG = logging.getLogger(__name__)
STRANGERS_READS_A_SECOND = 4


class OpenChannel(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A channel with its access token in the clear. `held` is the reason why its lane stands still; then `token` may be empty."""

    asset_id: str | None
    dataset_id: str | None
    token: str
    held: str | None
    row: face.ChannelRow
    messaging_names: tuple[str, ...] = MESSAGING_NAMES

    def __repr__(self) -> str:
        return f"OpenChannel({self.row.business_id}, {self.row.channel}, held={self.held!r}, …)"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Everything but the token."""
        return [("row", self.row), ("held", self.held)]


def digest(plaintext: str) -> str:
    """What is kept of an API key: hex SHA-256. The key is random, so neither salt nor slow hash would add anything."""
    return hashlib.sha256(plaintext.encode("utf-8", "surrogatepass")).hexdigest()


def credential_context(name: str) -> tuple[str, ...]:
    """What a shared token is sealed for: no channel is called like this."""
    return ("", "credential", name)


def open_token(vault: Vault, row: face.ChannelRow, credentials: Mapping[str, face.CredentialRow]) -> str:
    """A channel's access token in the clear: its own, or the shared one that it names. Raises `CannotOpen`."""
    if row.sealed_token is not None:
        return vault.open(row.sealed_token, (row.business_id, row.channel))
    shared = credentials.get(row.credential or "")
    if shared is None:
        raise CannotOpen(f"there is no credential {row.credential!r}")
    return vault.open(shared.sealed_token, credential_context(shared.name))


class Directory:
    """Answers from memory. `refresh` and `fresh` notice that another process changed the store."""

    def __init__(
        self,
        store: face.Directory,
        vault: Vault,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._vault = vault
        self._monotonic = monotonic
        self._sleep = sleep
        self._next: asyncio.Task[None] | None = None
        self._read_at = float("-inf")
        self._use(face.DirectorySnapshot(version=-1, businesses=(), channels=(), keys=()))

    def _use(self, snapshot: face.DirectorySnapshot) -> None:
        self.version, self._holds = snapshot.version, snapshot.holds
        self._businesses = {row.business_id: row for row in snapshot.businesses}
        self._channels = {(row.business_id, row.channel): row for row in snapshot.channels}
        self._keys = {row.digest: row for row in snapshot.keys}
        self._credentials = {row.name: row for row in snapshot.credentials}
        self._opened: dict[tuple[str, str], OpenChannel] = {}
        self._owners: dict[tuple[str, str | None], list[str]] = {}
        for row in snapshot.channels:
            self._owners.setdefault((row.channel, row.asset_id), []).append(row.business_id)

    async def refresh(self) -> None:
        """Load the directory where its version changed; one cheap read where it did not.

        Raises `errors.Unavailable` where the store cannot be read; what was known stays.
        """
        version, holds = await self._store.editions()
        if version != self.version:
            snapshot = await self._store.snapshot()
            if snapshot.version > self.version:  # two refreshes may overtake each other
                self._use(snapshot)
        elif holds != self._holds:
            held = await self._store.held()
            if held.version == self.version and held.holds > self._holds:
                self._see(held)

    def _see(self, held: face.HeldChannels) -> None:
        """Take to heart which channels are held by now, at the cost of those that changed."""
        self._holds = held.holds
        were = {name for name, row in self._channels.items() if row.held}
        for name in were | held.reasons.keys():
            row, reason = self._channels.get(name), held.reasons.get(name)
            if row is not None and row.held != reason:
                self._channels[name] = msgspec.structs.replace(row, held=reason)
                self._opened.pop(name, None)

    async def fresh(self) -> None:
        """`refresh` for strangers (an unknown key, an unknown business): however many call, the store is read a few times a second.

        Whoever calls hears of every change committed before the call: a caller never joins a read that has begun.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._read_in_turn())
        await asyncio.shield(self._next)

    async def _read_in_turn(self) -> None:
        try:
            wait = self._read_at + 1 / STRANGERS_READS_A_SECOND - self._monotonic()
            if wait > 0:
                await self._sleep(wait)
        finally:
            self._next = None
            self._read_at = self._monotonic()
        await self.refresh()

    def business(self, business_id: str) -> face.BusinessRow | None:
        """The business with this id."""
        return self._businesses.get(business_id)

    def channel(self, business_id: str, channel: str) -> OpenChannel | None:
        """The channel with its token opened, once for each version. A token that does not open holds the channel (`token`)."""
        name = (business_id, channel)
        opened = self._opened.get(name)
        if opened is None and (row := self._channels.get(name)) is not None:
            opened = self._opened[name] = self._open(row)
        return opened

    def account(self, business_id: str, channel: str) -> str | None:
        """The account behind a channel; None for a website, and where the channel is not set up."""
        row = self._channels.get((business_id, channel))
        return row.asset_id if row else None

    def owners(self, channel: str, asset_id: str) -> Sequence[str]:
        """The businesses that have this account on this channel."""
        return self._owners.get((channel, asset_id), ())

    def _open(self, row: face.ChannelRow) -> OpenChannel:
        token, held = "", row.held
        try:
            token = open_token(self._vault, row, self._credentials)
        except CannotOpen as error:
            LOG.warning("the token of %s of business %s does not open: %s", row.channel, row.business_id, error)
            held = held or "token"
        business = self.business(row.business_id)
        return OpenChannel(
            asset_id=row.asset_id,
            dataset_id=row.dataset_id,
            token=token,
            held=held,
            row=row,
            messaging_names=business.policy.names if business else MESSAGING_NAMES,
        )

    def held(self) -> list[tuple[str, str, str]]:
        """Business, channel and reason of every channel that stands still."""
        opened = [(name, self.channel(*name)) for name in self._channels]
        return [(*name, channel.held) for name, channel in opened if channel is not None and channel.held]

    def key(self, digest_hex: str) -> face.KeyRow | None:
        """The API key with this digest, usable or not."""
        return self._keys.get(digest_hex)

    def verify(self, plaintext: str, now: int) -> face.KeyRow | None:
        """The API key that this text is, unless it is unknown, revoked or expired at `now` (UTC ms). Asks nobody.

        The same work for every text. The look-up compares digests, which nobody can choose, so its time tells nothing.
        """
        return self._usable(digest(plaintext), now)

    def _usable(self, shown: str, now: int) -> face.KeyRow | None:
        row = self._keys.get(shown)
        if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
            return None
        return row

    async def authenticate(self, plaintext: str, now: int) -> str | None:
        """The business whose usable key this text is, or None. A key that is not known here may be a minute old: that costs a `fresh`.

        A key revoked elsewhere passes until the next write: the store refuses that (`StaleDirectory`), and whoever hears so calls `fresh`.
        """
        shown = digest(plaintext)
        if shown not in self._keys:
            await self.fresh()
        row = self._usable(shown, now)
        return None if row is None else row.business_id
