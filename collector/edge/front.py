"""What every request comes through: the routes, and an answer in JSON where none of them is meant."""

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.edge import answer
from collector.errors import NotAllowed, NotFound


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    await answer.error(NotFound("there is nothing at this address")).send(send)


class Front:
    """The application. Not Starlette's own: its two layers around each call do nothing here, and cost a twelfth of an acknowledgement.

    An error that nobody foresaw is the server's to log and to answer with 500.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes: ASGIApp = Router(routes, redirect_slashes=False, default=_nowhere)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or play one of the server's other parts."""
        scope["app"] = self  # asks a route to raise where the method is not its own
        try:
            await self._routes(scope, receive, send)
        except HTTPException as problem:
            if problem.status_code != 405:
                raise
            allowed = ", ".join(sorted((problem.headers or {}).get("Allow", "").split(", ")))
            refusal = NotAllowed(f"the method must be one of {allowed}")
            await answer.error(refusal).plus((b"allow", allowed.encode())).send(send)
