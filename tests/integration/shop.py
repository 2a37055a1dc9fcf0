"""One business under test: what its server and its pages send, and what can be seen of it afterwards."""

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx2

from collector.attribution import Click
from tests.integration.sandbox import Json, Sandbox

RECEIVED = {"events_received": 1}
TOLD = ("X-Delivery-State", "X-Duplicate", "X-Collector-Reason", "Retry-After")


class Life(NamedTuple):
    """What became of an event: where its delivery stands, and how each try ended."""

    state: str
    reason: str | None = None
    revision: int = 1
    outcomes: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()


class Entry(NamedTuple):
    """What a record says of its call."""

    success: bool | None
    failure_stage: str | None = None
    error: str | None = None
    duplicate: bool = False
    revision: int = 1


@dataclass
class Shop:
    """A merchant with a dataset of its own. `dataset` is its business at Connectly where it sends there."""

    client: httpx2.Client
    sandbox: Sandbox
    host: str
    waba: str
    dataset: str
    access_token: str
    click: Click
    business_id: str = ""
    key: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        """Of its pages."""
        return f"https://{self.host}"

    @property
    def path(self) -> str:
        """Of Connectly's contract."""
        return f"/external/v1/businesses/{self.business_id}/conversion_events"

    # -- what its server does

    def order(self, order_id: str | None = "ORD-1", click: Click | None = None, **payload: Any) -> Json:
        """A Purchase in Connectly's contract; a `payload` field that is None is left out."""
        click = click or self.click
        detail: Json = {"currency": "USD", "value": 99.97, "order_id": order_id} | payload
        return {
            "event_name": "Purchase",
            "cnct_tracking_id": click.cnct_tracking_id,
            "sendout_id": click.sendout_id,
            "attribution": {"meta_ctwa": {"ctwa_clid": click.ctwa_clid, "ad_id": click.ad_id}},
            "payload": {name: value for name, value in detail.items() if value is not None},
        }

    def pointed(self, order_id: str | None = "ORD-1", **pointer: Any) -> Json:
        """A Purchase that names its click by a token, a ref or a checkout id, or not at all."""
        whole = self.order(order_id)
        return {"event_name": "Purchase", "payload": whole["payload"], **pointer}

    def post(self, body: Json | bytes, key: str | None = None, path: str = "", **headers: str) -> httpx2.Response:
        """Report; header names are written with underscores. An empty `key` is left out."""
        sent = {"X-API-KEY": self.key if key is None else key, "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        raw = {name.encode(): value.encode("latin-1") for name, value in sent.items() if value}
        content: Json = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.client.post(path or self.path, headers=raw, **content)

    def link(self, kind: str, id: str, **click: Any) -> httpx2.Response:
        """Tie an id to a click, from the server."""
        return self._keyed("POST", "links", json={"kind": kind, "id": id, **click})

    # -- what its pages do

    def page(self, name: str, body: Json | bytes, site: str = "same-site", **headers: str) -> httpx2.Response:
        """A post of the snippet, with this browser's cookies, which the answer may change; an empty header is left out."""
        sent = {"Origin": self.origin, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors", "Content-Type": "text/plain"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent.setdefault("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items()))
        sent = {name: value for name, value in sent.items() if value}
        content: Json = {"content": body} if isinstance(body, bytes) else {"json": body}
        answer = self.client.post(f"/b/{self.business_id}/{name}", headers=sent, **content)
        for cookie in answer.headers.get_list("set-cookie"):
            key, _, value = cookie.partition(";")[0].partition("=")
            self.cookies.pop(key, None)
            if value:
                self.cookies[key] = value
        self.client.cookies.clear()  # this browser is played here
        return answer

    def land(self, click: Click | None = None, **more: Any) -> httpx2.Response:
        """Arrive from a campaign link."""
        return self.page("landing", {"query": query(click or self.click), **more})

    # -- what can be seen

    def records(self) -> list[Json]:
        """Every record, oldest first."""
        found: list[Json] = []
        cursor: str | None = None
        while True:
            answer = self._keyed("GET", "records", params={"cursor": cursor} if cursor else {})
            page = answer.raise_for_status().json()
            found += page["records"]
            if (cursor := page["next_cursor"]) is None:
                return found[::-1]

    def entries(self) -> list[Entry]:
        """What the records say, oldest first."""
        return [Entry(*(record[name] for name in Entry._fields)) for record in self.records()]

    def events(self, **query: str) -> list[Json]:
        """The stored events, newest first."""
        listed: list[Json] = self._keyed("GET", "events", params=query).raise_for_status().json()["events"]
        return listed

    def report(self, name: str, shape: str = "json") -> Any:
        """A report's first page."""
        answer = self._keyed("GET", f"reports/{name}", params={"format": shape}).raise_for_status()
        return answer.json() if shape == "json" else answer.text

    def tale(self, id: str) -> Json:
        """All that is told about an event, by its own id."""
        told: Json = self._keyed("GET", f"events/{id}").raise_for_status().json()
        return told

    def whole_life(self, answer: httpx2.Response) -> Json:
        """All that is told about the event of an answer."""
        return self.tale(answer.headers["X-Event-Id"])

    def life(self, answer: httpx2.Response) -> Life:
        """What became of the event of an answer."""
        (delivery,) = self.whole_life(answer)["deliveries"]
        attempts = delivery["attempts"]
        assert [each["number"] for each in attempts] == list(range(1, len(attempts) + 1))
        outcomes = tuple(each["outcome"] for each in attempts)
        triggers = tuple(each["trigger"] for each in attempts)
        return Life(delivery["state"], delivery["reason"], delivery["revision"], outcomes, triggers)

    def sent(self, at_least: int = 0) -> list[Json]:
        """The events that reached its dataset."""
        return self.sandbox.events(self.dataset, at_least)

    def requests(self) -> list[Json]:
        """The raw requests that were made for it."""
        return self.sandbox.requests(self.dataset)

    def fault(self, kind: str, **more: Any) -> None:
        """Something goes wrong from now on with its destination."""
        place = "business_id" if "-" in self.dataset else "dataset_id"
        self.sandbox.faults({"kind": kind, place: self.dataset, **more})

    def _keyed(self, method: str, name: str, **more: Any) -> httpx2.Response:
        return self.client.request(
            method, f"/v1/businesses/{self.business_id}/{name}", headers={"X-API-KEY": self.key}, **more
        )


def query(click: Click) -> str:
    """What a campaign link ends in."""
    pairs = [f"{name}={value}" for name, value in zip(click.__struct_fields__, click.values(), strict=True) if value]
    return "?" + "&".join(pairs)


def told(answer: httpx2.Response) -> dict[str, str]:
    """The headers that tell what became of a call, without the event's own id."""
    assert "X-Event-Id" not in answer.headers or len(answer.headers["X-Event-Id"]) == 32
    return {name: answer.headers[name] for name in TOLD if name in answer.headers}


def days_ago(days: float) -> int:
    """An event time in Unix seconds."""
    return int(time.time() - days * 86_400)


def refusal(message: str, stage: str, *details: Json, code: int = 400, status: str = "INVALID_ARGUMENT") -> Json:
    """The body of a refused call, whole."""
    error: Json = {"code": code, "status": status, "message": message, "failure_stage": stage}
    return {"error": error | ({"details": list(details)} if details else {})}
