"""Connectly's conversion endpoint: its published contract, then Meta's verdict on what it would forward.

The contract leaves the error body open; `connectly.error_shape` in the state chooses between the three shapes that its
words allow, so that a client proves it reads them all.
"""

import math
import uuid
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .destination import Destination, Item
from .faults import Fault
from .refusal import Refusal, Refused
from .rules import check_event
from .state import Business
from .wire import UNREADABLE

ID_LIMIT = 512
ITEMS_LIMIT = 100
_META = 1  # Refusal.code of Meta's verdict; the others are gRPC codes
_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"} | {
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_GRPC = {400: 3, 401: 16, 403: 7, 404: 5, 429: 8, 500: 13, 503: 14, 504: 4}


class Connectly(Destination):
    """`POST /external/v1/businesses/{business_id}/conversion_events`."""

    via = "connectly"

    def routes(self) -> list[Route]:
        """The one endpoint."""
        return [Route("/external/v1/businesses/{target}/conversion_events", self.post, methods=["POST"])]

    def admit(self, request: Request, target: str, body: bytes) -> tuple[Business, bytes]:
        """The key, then the business and its channel."""
        connectly = self.stand.state.connectly
        key = connectly.keys.get(request.headers.get("x-api-key", ""))
        if key is None or key.expired:
            raise Refused(_refusal(401, "Unauthenticated"))
        business = connectly.business(target)
        if business is None:
            raise Refused(_refusal(404, "Business not found"))
        if not business.channel:
            raise Refused(_refusal(404, "Business has no WhatsApp Cloud channel configured"))
        return business, body

    def judge(self, target: str, admitted: tuple[Business, bytes]) -> list[Item]:
        """The contract's fields, then Meta's rules for the event made of them."""
        business, raw = admitted
        try:
            body = msgspec.json.decode(raw)
        except UNREADABLE as error:
            raise Refused(_refusal(400, f"Malformed JSON: {error}")) from None
        if not self.stand.thin:
            _check(body)
            self._forward(business, body)
        payload = body.get("payload") if isinstance(body, dict) else None
        if not isinstance(payload, dict):
            raise Refused(_refusal(400, "payload must be an object"))
        return [Item(str(body.get("event_name")), str(payload.get("order_id") or ""), body)]

    def _forward(self, business: Business, body: dict[str, Any]) -> None:
        """What Meta would say; its words are passed on."""
        state, now = self.stand.state, self.stand.clock()
        event = meta_event(body, business, now)
        dataset = next((each for each in state.datasets.values() if each.waba_id == business.waba_id), None)
        if dataset is None:
            raise Refused(_refusal(404, "Business has no dataset"))
        try:
            check_event(event, dataset, state, now)
        except Refused as refused:
            words = refused.refusal.said(state.settings.language)
            raise Refused(_refusal(400, words, code=_META)) from None

    def injected(self, fault: Fault) -> Refusal:
        """A fault, in whichever shape errors have."""
        throttled = fault.kind == "throttle"
        status = fault.status or (429 if throttled else 500)
        message = "Too many requests" if throttled else "Injected error"
        refusal = _refusal(status, message, code=_META if status == 400 else 0)
        if fault.retry_after is None:
            return refusal
        return msgspec.structs.replace(refusal, headers={"retry-after": str(fault.retry_after)})

    def success(self, count: int, messages: list[str], request: Request) -> Response:
        """Connectly's 200."""
        return _json(200, {"events_received": count})

    def failure(self, refusal: Refusal, admitted: Any) -> Response:
        """The error body, in the shape that the state names."""
        details: dict[str, Any] = {"meta_error": refusal.message} if refusal.code == _META else {}
        status, message = refusal.status, "Meta rejected the event" if details else refusal.message
        name = _STATUS.get(status, "UNKNOWN")
        body: dict[str, Any]
        match self.stand.state.connectly.error_shape:
            case "google":
                body = {"error": {"code": status, "status": name, "message": message}}
                if details:
                    body["error"]["details"] = [details]
            case "grpc":
                kind = {"@type": "type.googleapis.com/connectly.ConversionError"}
                body = {
                    "code": _GRPC.get(status, 2),
                    "message": message,
                    "details": [kind | details] if details else [],
                }
            case "connectly":
                body = {"message": message, "type": f"ERROR_TYPE_{name}", "code": f"ERROR_CODE_{name}"}
                body |= {
                    "userTitle": "Error",
                    "userMessage": message,
                    "cntTraceId": str(uuid.uuid4()),
                    "details": details,
                }
        return _json(status, body, dict(refusal.headers))


def meta_event(body: dict[str, Any], business: Business, now: float) -> dict[str, Any]:
    """What Meta would get to judge of a valid body: items without an id are skipped, the ad id stays behind."""
    payload = body["payload"]
    return {
        "event_name": body["event_name"],
        "event_time": int(now) if payload.get("event_time") is None else payload["event_time"],
        "action_source": "business_messaging",
        "messaging_channel": "whatsapp",
        "user_data": {
            "whatsapp_business_account_id": business.waba_id,
            "ctwa_clid": body["attribution"]["meta_ctwa"]["ctwa_clid"],
        },
        "custom_data": {key: payload.get(key) for key in ("currency", "value")},
    }


def _check(body: Any) -> None:
    """The contract's own rules. Raises Refused, naming the field."""
    if not isinstance(body, dict):
        raise Refused(_refusal(400, "the body must be an object"))
    attribution = body.get("attribution")
    click = attribution.get("meta_ctwa") if isinstance(attribution, dict) else None
    click = click if isinstance(click, dict) else {}
    ids = {"cnct_tracking_id": body.get("cnct_tracking_id"), "sendout_id": body.get("sendout_id")}
    ids |= {f"attribution.meta_ctwa.{key}": click.get(key) for key in ("ctwa_clid", "ad_id")}
    for name, value in ids.items():
        if not isinstance(value, str) or not 1 <= len(value.encode("utf-8", "replace")) <= ID_LIMIT:
            raise Refused(_refusal(400, f"{name} must be a string of 1 to {ID_LIMIT} bytes"))
    if body.get("event_name") not in ("Purchase", "ViewContent"):
        raise Refused(_refusal(400, "event_name must be Purchase or ViewContent"))
    if not isinstance(payload := body.get("payload"), dict):
        raise Refused(_refusal(400, "payload must be an object"))
    _check_payload(payload, body["event_name"] == "Purchase")


def _check_payload(payload: dict[str, Any], purchase: bool) -> None:
    currency, value = payload.get("currency"), payload.get("value")
    if not isinstance(currency, str | None) or (purchase and not currency):
        raise Refused(_refusal(400, "payload.currency must be an ISO 4217 code"))
    if (value is None and purchase) or (value is not None and not _amount(value)):
        raise Refused(_refusal(400, "payload.value must be a number that is not negative"))
    for name in ("event_time", "num_items"):
        if isinstance(payload.get(name), bool) or not isinstance(payload.get(name), int | None):
            raise Refused(_refusal(400, f"payload.{name} must be an integer"))
    for name, kind in (("content_ids", str), ("contents", dict)):
        items = payload.get(name)
        if items is None:
            continue
        if not isinstance(items, list) or not all(isinstance(item, kind) for item in items):
            raise Refused(_refusal(400, f"payload.{name} must be an array of {kind.__name__}"))
        if len(items) > ITEMS_LIMIT:
            raise Refused(_refusal(400, f"payload.{name} must not hold more than {ITEMS_LIMIT} items"))
    if payload.get("content_type") not in (None, "product", "product_group"):
        raise Refused(_refusal(400, "payload.content_type must be product or product_group"))


def _amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _refusal(status: int, message: str, code: int = 0) -> Refusal:
    return Refusal(status=status, code=code, message=message)


def _json(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")
