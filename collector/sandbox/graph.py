"""Meta's Graph, as far as the Conversions API needs it: events, datasets, and what a token may see; any version."""

import base64
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import nodes, wire
from .destination import Act, Destination, Item
from .faults import Edge, Fault
from .lint import lint
from .refusal import Refusal, Refused, error_body, general, missing_object, parameter
from .rules import check_event, check_scopes
from .state import Token

EVENTS_LIMIT = 1000
_BUSINESS = "400000000000001"
_VERSION = "/v{version:int}.0"


class Graph(Destination):
    """`/v{N}.0/…`: `{dataset}/events`, `{asset}/dataset`, `{asset}/subscribed_apps`, `debug_token`, `{id}`."""

    via = "graph"

    def routes(self) -> list[Route]:
        """Every Graph path; what is none of ours gets Graph's own words."""
        reads: list[tuple[str, Edge, nodes.Reply, list[str]]] = [
            ("/{target}/dataset", "dataset", nodes.dataset, ["GET", "POST"]),
            ("/{target}/subscribed_apps", "subscribed_apps", nodes.subscribed_apps, ["GET", "POST", "DELETE"]),
            ("/debug_token", "debug_token", nodes.debug_token, ["GET"]),
            ("/{target}", "node", nodes.node, ["GET"]),
            ("/{target}/", "node", nodes.node, ["GET"]),  # as Meta's Python SDK writes it
        ]
        return [
            Route(f"{_VERSION}/{{target}}/events", self.post, methods=["POST"]),
            *(Route(_VERSION + path, self._read(edge, reply), methods=methods) for path, edge, reply, methods in reads),
            Route(f"{_VERSION}/{{rest:path}}", self.unknown, methods=["GET", "POST", "DELETE", "PUT"]),
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
        if token.is_over(self.stand.clock()):
            raise Refused(general(190, 463))
        return token, message.parameters

    def judge(self, target: str, admitted: tuple[Token, dict[str, Any]]) -> list[Item]:
        """Table rows 4 to 22."""
        (token, parameters), state = admitted, self.stand.state
        dataset = state.datasets.get(target)
        if dataset is None or not token.sees_dataset(target):
            raise Refused(missing_object(target))
        events = wire.events(parameters)
        if not self.stand.thin:
            check_scopes(token, events)
        if not 1 <= len(events) <= EVENTS_LIMIT:
            raise Refused(parameter(f"param data must hold 1 to {EVENTS_LIMIT} events, not {len(events)}", "data"))
        if not self.stand.thin:
            now = self.stand.clock()
            for event in events:
                check_event(event, dataset, state, now)
        code = parameters.get("test_event_code")
        return [_item(event, parameters, code if isinstance(code, str) else None) for event in events]

    def injected(self, fault: Fault) -> Refusal:
        """A fault in Meta's words; a throttle with the usage headers that go with its code."""
        if fault.kind == "status":
            refusal = general(fault.code, fault.subcode, fault.status or (None if fault.code else 500))
            transient = refusal.transient if fault.is_transient is None else fault.is_transient
            return msgspec.structs.replace(refusal, transient=transient)
        refusal = general(fault.code or 4, fault.subcode, fault.status or 400)
        headers = {"x-app-usage": _usage(call_count=100, total_cputime=30, total_time=30)}
        if refusal.code == 17:
            account: dict[str, Any] = {"acc_id_util_pct": 100, "reset_time_duration": 60 * fault.regain_minutes}
            account["ads_api_access_tier"] = "standard_access"
            headers["x-ad-account-usage"] = msgspec.json.encode(account).decode()
        if refusal.code >= 80000:
            use = {"type": "ads_management", "call_count": 100, "total_cputime": 30, "total_time": 30}
            use |= {"estimated_time_to_regain_access": fault.regain_minutes, "ads_api_access_tier": "standard_access"}
            headers["x-business-use-case-usage"] = msgspec.json.encode({_BUSINESS: [use]}).decode()
        if fault.retry_after is not None:
            headers["retry-after"] = str(fault.retry_after)
        return msgspec.structs.replace(refusal, headers=headers)

    def success(self, count: int, messages: list[str], request: Request) -> Response:
        """Graph's 200."""
        return _json(200, {"events_received": count, "messages": messages, "fbtrace_id": _trace_id()})

    def failure(self, refusal: Refusal, admitted: tuple[Token, Any] | None) -> Response:
        """Graph's error envelope, worded in the language of the token's owner."""
        settings = self.stand.state.settings
        language = (admitted and admitted[0].language) or settings.language
        body = error_body(refusal, _trace_id(), language, settings.error_data == "text")
        return _json(refusal.status, body, refusal.headers)

    async def serve(self, request: Request, target: str, edge: Edge, act: Act) -> Response:
        """As every destination; the answer says which version served it."""
        return self._versioned(request, await super().serve(request, target, edge, act))

    async def unknown(self, request: Request) -> Response:
        """Any other path under a version."""
        path = request.path_params["rest"]
        return self._versioned(
            request, self.failure(Refusal(code=2500, message=f"Unknown path components: /{path}"), None)
        )

    def _read(self, edge: Edge, reply: nodes.Reply) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of an edge that takes no events."""

        async def act(request: Request, target: str, admitted: Any, fault: Fault | None) -> Response:
            token, parameters = admitted
            stand = self.stand
            asked = nodes.Question(stand.state, token, target, parameters, request.method, stand.clock())
            return _json(200, reply(asked))

        async def endpoint(request: Request) -> Response:
            return await self.serve(request, request.path_params.get("target", edge), edge, act)

        return endpoint

    def _versioned(self, request: Request, response: Response) -> Response:
        """A version that is over is not refused: the oldest living one serves it, and says so."""
        version, oldest = request.path_params["version"], self.stand.state.settings.oldest_version
        response.headers["facebook-api-version"] = f"v{max(version, oldest)}.0"
        if version < oldest:
            response.headers["x-ad-api-version-warning"] = (
                f"The call has been auto-upgraded to v{oldest}.0 as v{version}.0 has been deprecated."
            )
        return response


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
