"""Meta's webhooks: the handshake, and the messages that ads brought. Whoever cannot sign is nobody."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from collector.attribution import id_fault
from collector.edge import answer
from collector.edge.answer import Reply, reason
from collector.edge.guard import Disconnected, Headers, read_body
from collector.errors import CollectorError, Forbidden, Unavailable
from collector.link import Linker
from collector.sources.webhook import Touch, read
from collector.store.face import Conversation, Ledger, Wait

LOG = logging.getLogger(__name__)

RELEASES_MAX: Final = 64
"""Bodies whose waiting events are being released at once; beyond that the housekeeping finds them."""


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
        linker: Linker,
        directory: Directory,
        app_secrets: Sequence[str],
        verify_token: str | None,
        body_bytes_max: int,
        clock: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._linker = linker
        self._directory = directory
        self._keys = [secret.encode() for secret in app_secrets]
        self._verify_token = verify_token
        self._body_bytes_max = body_bytes_max
        self._clock = clock
        self._releases: set[asyncio.Task[None]] = set()
        self.facts = {"taken": 0, "unsigned": 0, "unreadable": 0, "conversations": 0, "unknown_assets": 0}

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
            reply = answer.error(problem).plus(reason(str(problem)))
        await reply.send(send)

    def _shake_hands(self, request: Request) -> Reply:
        """Meta asks, when a webhook is subscribed, whether it is wanted here. Raises Forbidden."""
        query = request.query_params
        if self._verify_token is None:
            LOG.warning("Meta's handshake is refused: COLLECTOR_META_VERIFY_TOKEN is not set")
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
            LOG.warning("a webhook is refused: COLLECTOR_META_APP_SECRET is not set")
            raise Unavailable("no app secret is set here", 60)
        shown = headers.get(b"x-hub-signature-256", b"")
        if len(shown) != 71 or not shown.startswith(b"sha256="):
            self.facts["unsigned"] += 1
            raise Forbidden("X-Hub-Signature-256 is missing")
        body = await read_body(receive, headers, self._body_bytes_max)
        if not self._signed(body, shown[7:].lower()):
            self.facts["unsigned"] += 1
            raise Forbidden("X-Hub-Signature-256 is not of this body and a secret that is known here")
        self.facts["taken"] += 1
        touches = read(body)
        if touches is None:
            self.facts["unreadable"] += 1
            return answer.json({"conversations": 0}, 200, reason("unreadable"))
        return await self._keep(touches)

    def _signed(self, body: bytes, shown: bytes) -> bool:
        """Over the raw bytes, in constant time: Meta escapes what is not ASCII, and signs what it sends."""
        digests = [hmac.new(key, body, hashlib.sha256).hexdigest().encode() for key in self._keys]
        return any(hmac.compare_digest(digest, shown) for digest in digests)

    async def _keep(self, touches: list[Touch]) -> Reply:
        found = await self._conversations(touches)
        if found:
            await self._ledger.converse(found)
            self.facts["conversations"] += len(found)
            self._release(found)
        notes = [reason("unknown-asset")] if len({(row.kind, row.message_id) for row in found}) < len(touches) else []
        return answer.json({"conversations": len(found)}, 200, *notes)

    async def _conversations(self, touches: list[Touch]) -> list[Conversation]:
        """A row for each touch and business that has the account: an agency may have set it up for several."""
        accounts = {(touch.channel, touch.asset_id) for touch in touches}
        if not all(self._directory.owners(*account) for account in accounts):
            await self._directory.fresh()  # a channel may have been set up a moment ago
        now, rows = self._clock(), []
        for touch in touches:
            owners = self._directory.owners(touch.channel, touch.asset_id)
            self.facts["unknown_assets"] += not owners
            rows += [
                Conversation(
                    business_id=business_id,
                    kind=touch.kind,
                    id=touch.id,
                    message_id=touch.message_id,
                    click=touch.click,
                    at=now if touch.at_ms is None else min(touch.at_ms, now),
                )
                for business_id in owners
            ]
        return rows

    def _release(self, found: list[Conversation]) -> None:
        """Send what waited for these senders, without Meta waiting for it."""
        if len(self._releases) >= RELEASES_MAX:
            return
        senders = list(dict.fromkeys((row.business_id, row.kind, row.id) for row in found))

        async def work() -> None:
            try:
                for business_id, kind, id_ in senders:
                    await self._linker.arrived(business_id, Wait(kind=kind, id=id_))
            except Unavailable as problem:
                LOG.warning("events that wait for a message are released later: %s", problem)

        task = asyncio.create_task(work(), name="release after a webhook")
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)
