"""What every request comes through: the routes, and an answer in JSON where none of them is meant."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from starlette.exceptions import HTTPException
from starlette.routing import Match, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.edge import answer
from collector.errors import NotAllowed, NotFound

REMEMBERED: Final = 1024
"""Addresses whose route is known: a shop calls the same one with every sale."""
REMEMBERED_CHARS_MAX: Final = 256


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    await answer.error(NotFound("there is nothing at this address")).send(send)


class Front:
    """The application. Not Starlette's own: its two layers around each call do nothing here, and cost a twelfth of an acknowledgement.

    An error that nobody foresaw is the server's to log and to answer with 500.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes
        self._router: ASGIApp = Router(routes, redirect_slashes=False, default=_nowhere)
        self._find = lru_cache(REMEMBERED)(self._look_up)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or play one of the server's other parts."""
        if scope["type"] == "http" and len(scope["path"]) <= REMEMBERED_CHARS_MAX:
            found = self._find(scope["method"], scope["path"], scope.get("root_path", ""))
            if found is not None:
                endpoint, params = found
                scope["path_params"] = dict(params)
                await endpoint(scope, receive, send)
                return
        await self._route(scope, receive, send)

    def _look_up(self, method: str, path: str, root_path: str) -> tuple[ASGIApp, Mapping[str, str]] | None:
        """The endpoint that is meant, and what its path names; None where the router has more to say."""
        asked = {"type": "http", "method": method, "path": path, "root_path": root_path}
        for route in self._routes:
            match, found = route.matches(asked)
            if match is Match.FULL:
                return route.app, found["path_params"]
        return None

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self  # asks a route to raise where the method is not its own
        try:
            await self._router(scope, receive, send)
        except HTTPException as problem:
            if problem.status_code != 405:
                raise
            allowed = ", ".join(sorted((problem.headers or {}).get("Allow", "").split(", ")))
            refusal = NotAllowed(f"the method must be one of {allowed}")
            await answer.error(refusal).plus((b"allow", allowed.encode())).send(send)
