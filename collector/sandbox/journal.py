"""What arrived: events, refusals, raw requests, and how often each event id came. Bounded, newest first to stay."""

import asyncio
from collections import Counter, deque

import msgspec

from .faults import Via

EVENTS_KEPT = 20_000
REFUSALS_KEPT = 1_000
REQUESTS_KEPT = 20_000
REQUEST_BYTES_KEPT = 64 * 1024 * 1024
IDS_KEPT = 2_000_000

Id = tuple[str, str, str]  # dataset or Connectly business, event name, event id


class Received(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An accepted event, as it came. `received_at` is UTC milliseconds; `id` counts events and refusals alike."""

    id: int
    received_at: int
    via: Via
    dataset_id: str | None
    event: msgspec.Raw
    business_id: str | None = None
    test_event_code: str | None = None
    warnings: list[str] = []
    times: int = 1  # how often this event id has come by now


class RefusedRequest(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A request that was answered with an error; `body` is its beginning."""

    id: int
    received_at: int
    via: Via
    target: str
    status: int
    code: int
    subcode: int | None = None
    reason: str
    detail: str = ""
    body: str = ""
    injected: bool = False


class Call(msgspec.Struct, kw_only=True):
    """One request to a destination, raw. `status` is null while it hangs, and when its connection was cut."""

    received_at: int
    method: str
    url: str
    headers: dict[str, str]
    body: str
    status: int | None = None


class Journal:
    """The memory of one sandbox. With `thin` it remembers ids and counts, no events and no requests."""

    def __init__(self, thin: bool = False) -> None:
        self.thin = thin
        self.events: deque[Received] = deque(maxlen=EVENTS_KEPT)
        self.refusals: deque[RefusedRequest] = deque(maxlen=REFUSALS_KEPT)
        self.calls: deque[Call] = deque()
        self.last_id = 0
        self._changed = asyncio.Event()
        self.forget()

    def forget(self) -> None:
        """Drops all that arrived; numbers go on."""
        self.events.clear()
        self.refusals.clear()
        self.calls.clear()
        self.request_count = self.refusal_count = self.duplicate_count = 0
        self.by_event_name: Counter[str] = Counter()
        self.by_via: Counter[str] = Counter()
        self._call_bytes = 0
        self._ids: dict[Id, int] = {}
        self._older_ids: dict[Id, int] = {}
        self.wake()

    def arrive(self, call: Call) -> None:
        """A request arrives; its status is filled in when it is answered."""
        self.request_count += 1
        if self.thin:
            return
        self.calls.append(call)
        self._call_bytes += len(call.body)
        while len(self.calls) > REQUESTS_KEPT or (self._call_bytes > REQUEST_BYTES_KEPT and len(self.calls) > 1):
            self._call_bytes -= len(self.calls.popleft().body)

    def count(self, via: Via, target: str, event_name: str, event_id: str) -> int:
        """Counts one accepted event; how often its id (empty: it has none) has come by now."""
        self.by_via[via] += 1
        self.by_event_name[event_name] += 1
        if not event_id:
            return 1
        key = (target, event_name, event_id)
        times = 1 + (self._ids.get(key) or self._older_ids.pop(key, 0))
        self.duplicate_count += times > 1
        self._ids[key] = times
        if len(self._ids) > IDS_KEPT // 2:
            self._older_ids, self._ids = self._ids, {}
        return times

    def refuse(self, refused: RefusedRequest) -> None:
        """Keeps a refusal, for the page."""
        self.refusal_count += 1
        self.refusals.append(refused)
        self.wake()

    def next_id(self) -> int:
        """The number of the next event or refusal."""
        self.last_id += 1
        return self.last_id

    def ids(self) -> list[tuple[str, str, str, int]]:
        """(dataset or business, event name, event id, times accepted) of the newest ids."""
        return [(*key, times) for ids in (self._older_ids, self._ids) for key, times in ids.items()]

    async def changed(self) -> None:
        """Returns after the next change."""
        await self._changed.wait()

    def wake(self) -> None:
        """Tells whoever waits for a change."""
        self._changed.set()
        self._changed = asyncio.Event()
