"""Meta's Graph, as far as the Conversions API needs it: `/events` and `/dataset`, any version."""

import base64
import os
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import wire
from .destination import Destination, Item
from .faults import Fault
from .lint import lint
from .refusal import Refusal, Refused, error_body, general, missing_object, parameter
from .rules import check_asset_scopes, check_event, check_scopes
from .state import Dataset, Token

OLDEST_VERSION = 21
_BUSINESS = "400000000000001"
_CHANNEL = {"waba": "whatsapp", "page": "messenger", "ig": "instagram"}


class Graph(Destination):
    """`POST /v{N}.0/{dataset}/events` and `GET|POST /v{N}.0/{asset}/dataset`."""

    via = "graph"

    def routes(self) -> list[Route]:
        """Every Graph path; what is none of ours gets Graph's own words."""
        return [
            Route("/v{version:int}.0/{target}/events", self.post, methods=["POST"]),
            Route("/v{version:int}.0/{target}/dataset", self.dataset, methods=["GET", "POST"]),
            Route("/v{version:int}.0/{rest:path}", self.unknown, methods=["GET", "POST", "DELETE", "PUT"]),
        ]

    def admit(self, request: Request, target: str, body: bytes) -> tuple[Token, dict[str, Any]]:
        """Table rows 1 and 2: the token."""
        message = wire.read(
            request.headers.get("content-type", ""),
            body,
            request.scope["query_string"].decode("latin-1"),
            request.headers.get("authorization", ""),
        )
        token = self.stand.state.tokens.get(message.token)
        if token is None:
            raise Refused(general(190))
        if token.expired:
            raise Refused(general(190, 463))
        return token, message.parameters

    def judge(self, target: str, admitted: tuple[Token, dict[str, Any]]) -> list[Item]:
        """Table rows 4 to 22."""
        (token, parameters), state = admitted, self.stand.state
        dataset = state.datasets.get(target)
        if dataset is None or (token.datasets is not None and target not in token.datasets):
            raise Refused(missing_object(target))
        events = wire.events(parameters)
        if not self.stand.thin:
            check_scopes(token, events)
            now = self.stand.clock()
            for event in events:
                check_event(event, dataset, state, now)
        code = parameters.get("test_event_code")
        return [_item(event, parameters, code if isinstance(code, str) else None) for event in events]

    def injected(self, fault: Fault) -> Refusal:
        """A fault in Meta's words; a throttle with the usage headers that go with its code."""
        if fault.kind == "status":
            return general(fault.code, fault.subcode, fault.status or (None if fault.code else 500))
        refusal = general(fault.code or 4, fault.subcode, fault.status or 400)
        headers = {"x-app-usage": _usage(call_count=100, total_cputime=30, total_time=30)}
        if refusal.code >= 80000:
            use = {"type": "ads_management", "call_count": 100, "total_cputime": 30, "total_time": 30}
            use |= {"estimated_time_to_regain_access": fault.regain_minutes, "ads_api_access_tier": "standard_access"}
            headers["x-business-use-case-usage"] = msgspec.json.encode({_BUSINESS: [use]}).decode()
        if fault.retry_after is not None:
            headers["retry-after"] = str(fault.retry_after)
        return msgspec.structs.replace(refusal, headers=headers)

    def success(self, count: int, messages: list[str], request: Request) -> Response:
        """Graph's 200."""
        version = request.path_params["version"]
        headers = {"facebook-api-version": f"v{version}.0"}
        if version < OLDEST_VERSION:
            headers["x-ad-api-version-warning"] = (
                "The call has been auto-upgraded: this version is no longer available."
            )
        return _json(200, {"events_received": count, "messages": messages, "fbtrace_id": _trace_id()}, headers)

    def failure(self, refusal: Refusal) -> Response:
        """Graph's error envelope."""
        settings = self.stand.state.settings
        body = error_body(refusal, _trace_id(), settings.language, settings.error_data == "text")
        return _json(refusal.status, body, refusal.headers)

    async def dataset(self, request: Request) -> Response:
        """Reads or creates the dataset of an asset; creating is idempotent."""
        target: str = request.path_params["target"]
        try:
            token, _ = self.admit(request, target, await request.body())
            kind, dataset_id = self._of_asset(target)
            check_asset_scopes(token, _CHANNEL[kind])
        except Refused as refused:
            return self.failure(refused.refusal)
        if request.method == "GET" and self.stand.state.settings.dataset_answer == "list":
            return _json(200, {"data": [{"id": dataset_id}] if dataset_id else []})
        return _json(200, {"id": dataset_id or self._create(kind, target)})

    async def unknown(self, request: Request) -> Response:
        """Any other path under a version."""
        path = request.path_params["rest"]
        return self.failure(Refusal(code=2500, message=f"Unknown path components: /{path}"))

    def _of_asset(self, asset_id: str) -> tuple[str, str | None]:
        """The kind of an asset and its dataset, if it has one. Raises Refused."""
        for dataset_id, dataset in self.stand.state.datasets.items():
            for kind, owner in (("waba", dataset.waba_id), ("page", dataset.page_id), ("ig", dataset.ig_account_id)):
                if owner == asset_id:
                    return kind, dataset_id
        if asset_id in self.stand.state.assets:
            return self.stand.state.assets[asset_id], None
        raise Refused(missing_object(asset_id))

    def _create(self, kind: str, asset_id: str) -> str:
        datasets = self.stand.state.datasets
        dataset_id = str(200000000001000 + len(datasets))
        field = {"waba": "waba_id", "page": "page_id", "ig": "ig_account_id"}[kind]
        datasets[dataset_id] = Dataset(**{field: asset_id})
        return dataset_id


def _item(event: dict[str, Any], parameters: dict[str, Any], code: str | None) -> Item:
    if not isinstance(event, dict):  # only a thin sandbox lets such a thing come so far
        raise Refused(parameter("each item of data must be an event", "data"))
    event_id = event.get("event_id")
    return Item(
        event_name=str(event.get("event_name")),
        event_id="" if event_id is None else str(event_id),
        event=event,
        warnings=lint(event, parameters),
        test_event_code=code,
    )


def _trace_id() -> str:
    return "A" + base64.urlsafe_b64encode(os.urandom(16)).rstrip(b"=").decode()


def _usage(**percent: int) -> str:
    return msgspec.json.encode(percent).decode()


def _json(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    usage = {"x-app-usage": _usage(call_count=1, total_cputime=1, total_time=1)}
    return Response(
        msgspec.json.encode(body), status, {**usage, **(headers or {})}, media_type="application/json; charset=UTF-8"
    )
