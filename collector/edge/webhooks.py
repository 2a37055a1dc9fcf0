"""Meta's webhooks: the handshake, and the messages that ads brought. Whoever cannot sign is nobody."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from collector.arrivals import Arrivals
from collector.attribution import id_fault
from collector.edge import answer
from collector.edge.answer import Reply, reason
from collector.edge.guard import Disconnected, Headers, read_body
from collector.errors import CollectorError, Forbidden, TooLarge, Unavailable
from collector.sources.webhook import Touch, read
from collector.store.face import Conversation, Ledger, Wait

LOG = logging.getLogger(__name__)

AT_ONCE: Final = 50
"""Messages that are read before others have their turn."""
LONG_BYTES: Final = 128 * 1024
"""What is longer is hashed on another thread: four megabytes take ten milliseconds and more, even a stranger's."""
WARN_EVERY_MS: Final = 60_000


class Directory(Protocol):
    """What webhooks ask of the directory."""

    def owners(self, channel: str, asset_id: str) -> Sequence[str]:
        """The businesses that have this account on this channel."""
        ...

    async def fresh(self) -> None:
        """Load again if the store holds a newer version."""


class Webhooks:
    """`GET|POST /webhooks/meta`. A body is answered with 200 once what it tells is committed; a body that tells nothing of ours, too: Meta
    would send it again for days, and end the subscription."""

    def __init__(
        self,
        ledger: Ledger,
        arrivals: Arrivals,
        directory: Directory,
        app_secrets: Sequence[str],
        verify_token: str | None,
        body_bytes_max: int,
        clock: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._arrivals = arrivals
        self._directory = directory
        self._keys = [secret.encode() for secret in app_secrets]
        self._verify_token = verify_token
        self._body_bytes_max = body_bytes_max
        self._clock = clock
        self._warned: dict[str, int] = {}
        self.facts = dict.fromkeys(
            ("taken", "unsigned", "too_large", "unreadable", "unavailable", "conversations", "unknown_assets"), 0
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        try:
            if scope["method"] == "POST":
                reply = await self._take(dict(scope["headers"]), receive)
            else:
                reply = self._shake_hands(Request(scope))
        except Disconnected:
            return
        except CollectorError as problem:
            self.facts["too_large"] += isinstance(problem, TooLarge)
            self.facts["unavailable"] += isinstance(problem, Unavailable)
            reply = answer.error(problem).plus(reason(str(problem)))
        await reply.send(send)

    def _shake_hands(self, request: Request) -> Reply:
        """Meta asks, when a webhook is subscribed, whether it is wanted here. Raises Forbidden."""
        query = request.query_params
        if self._verify_token is None:
            self._warn("Meta's handshake is refused: COLLECTOR_META_VERIFY_TOKEN is not set")
            raise Forbidden("no verify token is set here")
        shown, challenge = query.get("hub.verify_token", ""), query.get("hub.challenge", "")
        known = hmac.compare_digest(shown.encode(), self._verify_token.encode())
        if not known or query.get("hub.mode") != "subscribe" or id_fault(challenge):
            raise Forbidden("this is not Meta's handshake")
        return Reply(
            200, challenge.encode(), ((b"content-type", b"text/plain"), (b"x-content-type-options", b"nosniff"))
        )

    async def _take(self, headers: Headers, receive: Receive) -> Reply:
        """Raises Forbidden, TooLarge; Unavailable where it cannot be stored, and Meta shall come again."""
        if not self._keys:
            self._warn("webhooks are refused: COLLECTOR_META_APP_SECRET is not set")
            raise Unavailable("no app secret is set here", 60)
        shown = headers.get(b"x-hub-signature-256", b"")
        if len(shown) != 71 or not shown.startswith(b"sha256="):
            self.facts["unsigned"] += 1
            raise Forbidden("X-Hub-Signature-256 is missing")
        body = await read_body(receive, headers, self._body_bytes_max)
        if len(body) < LONG_BYTES:
            signed = self._signed(body, shown[7:].lower())
        else:
            signed = await asyncio.to_thread(self._signed, body, shown[7:].lower())
        if not signed:
            self.facts["unsigned"] += 1
            self._warn("webhooks are refused: signed by none of the secrets in COLLECTOR_META_APP_SECRET")
            raise Forbidden("X-Hub-Signature-256 is not of this body and a secret that is known here")
        self.facts["taken"] += 1
        touches = read(body)
        if touches is None:
            self.facts["unreadable"] += 1
            self._warn("a signed webhook is no JSON object")
            return answer.json({"conversations": 0}, 200, reason("unreadable"))
        return await self._keep(touches)

    def _signed(self, body: bytes, shown: bytes) -> bool:
        """Over the raw bytes, in constant time: Meta escapes what is not ASCII, and signs what it sends."""
        digests = [hmac.new(key, body, hashlib.sha256).hexdigest().encode() for key in self._keys]
        return any(hmac.compare_digest(digest, shown) for digest in digests)

    async def _keep(self, touches: Iterator[Touch]) -> Reply:
        found, unknown = await self._conversations(touches)
        if found:
            await self._ledger.converse(found)
            self.facts["conversations"] += len(found)
            for row in found:
                self._arrivals.add(row.business_id, Wait(kind=row.kind, id=row.id))
        self.facts["unknown_assets"] += unknown
        return answer.json({"conversations": len(found)}, 200, *([reason("unknown-asset")] if unknown else []))

    async def _conversations(self, touches: Iterator[Touch]) -> tuple[list[Conversation], int]:
        """A row for each touch and business that has the account: an agency may have set it up for several. And how many nobody has."""
        now, unknown, asked = self._clock(), 0, False
        rows: list[Conversation] = []
        for number, touch in enumerate(touches, start=1):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            owners = self._directory.owners(touch.channel, touch.asset_id)
            if not owners and not asked:
                asked = True
                await self._directory.fresh()  # the channel may have been set up a moment ago
                owners = self._directory.owners(touch.channel, touch.asset_id)
            if not owners:
                unknown += 1
                self._warn(
                    "webhooks tell of accounts that no channel has", channel=touch.channel, asset_id=touch.asset_id
                )
            rows += [_conversation(business_id, touch, now) for business_id in owners]
        return rows, unknown

    def _warn(self, message: str, **more: str) -> None:
        """Once a minute at most for each kind of trouble: anybody can cause it."""
        now = self._clock()
        if now - self._warned.get(message, -WARN_EVERY_MS) >= WARN_EVERY_MS:
            self._warned[message] = now
            LOG.warning(message, extra=more)


def _conversation(business_id: str, touch: Touch, now: int) -> Conversation:
    """No message is of the future: clocks differ."""
    return Conversation(
        business_id=business_id,
        kind=touch.kind,
        id=touch.id,
        message_id=touch.message_id,
        asset_id=touch.asset_id,
        click=touch.click,
        at=now if touch.at_ms is None else min(touch.at_ms, now),
    )
