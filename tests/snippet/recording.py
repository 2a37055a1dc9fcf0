"""A stand-in collector that records what the snippet posts and answers as it is told, and the shop's pages around it."""

import asyncio
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

BUSINESS: Final = "0b7b6a52-6d5c-4f0e-9f0a-5f2f8f3c1a77"
PATIENCE_SECONDS: Final = 10.0
DIST: Final = Path(__file__).resolve().parents[2] / "snippet" / "dist"
IDS: Final = re.compile(r"(?:ctwa_clid|cnct_tracking_id|sendout_id|ad_id)=[^&#]+")


@dataclass(frozen=True)
class Post:
    """One request to the collector, as it arrived."""

    host: str
    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    cookies: dict[str, str]

    @property
    def kind(self) -> str:
        """`landing`, `events` or `links`."""
        return self.path.rpartition("/")[2]


def ref_of(*parts: str) -> str:
    """The ref of a landing: the same ids give the same ref."""
    ids = "&".join(sorted(found for part in parts for found in IDS.findall(part)))
    return "ref" + hashlib.sha256(ids.encode()).hexdigest()[:19]


@dataclass
class Recorder:
    """Collector and shop behind one port: the host name tells which of them is asked.

    `answers` holds what the next posts get instead of the usual answer: a status, "html", "null", "hang", or "shed": 429 with the cookies.
    """

    posts: list[Post] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    answers: list[int | str] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    policy: str = ""
    sets_cookies: bool = True
    replay: Callable[[Post], Response] | None = None
    port: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/{prefix:path}cnct.js", self._script),
                Route("/extras/{name}", self._extra),
                Route("/{prefix:path}b/{business}/{kind}", self._post, methods=["POST", "OPTIONS"]),
                Route("/{rest:path}", self._page, methods=["GET"]),
            ]
        )

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of the posts of one kind, oldest first."""
        return [post.body for post in self.posts if post.kind == kind]

    def views(self) -> list[dict[str, Any]]:
        """Every view that arrived, alone or inside a landing; what came again under its id is the same view."""
        found = [post.body.get("view", post.body) for post in self.posts]
        views = {event["event_id"]: event for event in found if event.get("event_name") == "ViewContent"}
        return list(views.values())

    def wait(self, done: Callable[[], bool], wanted: str, *, polled: bool = False) -> None:
        """Wait until `done` holds; it is asked again after each post, or with `polled` all the time."""
        end = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while not (held := done()) and time.monotonic() < end:
                self._changed.wait(0.02 if polled else end - time.monotonic())
            if not held:
                raise AssertionError(f"no {wanted}; arrived: {[(post.kind, post.body) for post in self.posts]}")

    def wait_for(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait for as many posts of this kind; returns their bodies."""
        self.wait(lambda: len(self.bodies(kind)) >= count, f"{count} {kind}")
        return self.bodies(kind)

    async def _script(self, request: Request) -> Response:
        headers = {"access-control-allow-origin": "*", "cache-control": "max-age=3600"}
        if "br" in request.headers.get("accept-encoding", ""):
            packed = (DIST / "cnct.js.br").read_bytes()
            return Response(packed, media_type="text/javascript", headers={**headers, "content-encoding": "br"})
        return Response((DIST / "cnct.js").read_bytes(), media_type="text/javascript", headers=headers)

    async def _extra(self, request: Request) -> Response:
        return Response((DIST / "extras" / request.path_params["name"]).read_bytes(), media_type="text/javascript")

    async def _post(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            self._note(lambda: self.others.append(f"OPTIONS {request.url.path}"))
            return Response(status_code=403)
        body = json.loads(await request.body())
        host = request.headers["host"].partition(":")[0]
        post = Post(host, request.url.path, body, dict(request.headers), dict(request.cookies))
        planned = self.answers.pop(0) if self.answers else 200
        self._note(lambda: self.posts.append(post))
        response = await self._answer(post, planned)
        response.headers["access-control-allow-origin"] = post.headers.get("origin", "")
        response.headers["access-control-allow-credentials"] = "true"
        response.headers["access-control-expose-headers"] = "x-collector-reason"
        return response

    async def _answer(self, post: Post, planned: int | str) -> Response:
        if self.replay is not None:
            return self.replay(post)
        if planned == "hang":
            await asyncio.to_thread(self.released.wait, PATIENCE_SECONDS)
        elif planned == "html":
            return HTMLResponse("<!doctype html><title>not the collector</title>")
        elif planned == "null":
            return JSONResponse(None)
        elif isinstance(planned, int) and planned != 200:
            return JSONResponse({"error": {}}, planned, {"x-collector-reason": f"told-{planned}"})
        if post.kind != "landing":
            return JSONResponse({}, headers={"x-collector-reason": "duplicate"})
        response = self._landed(post)
        if planned == "shed":
            response.status_code = 429
        return response

    def _landed(self, post: Post) -> Response:
        name = "cnct"
        parts = (post.body["query"], post.body.get("hash", ""))
        if post.body.get("consent") == "denied" or not any(IDS.search(part) for part in parts):
            response = JSONResponse({}, headers={"x-collector-reason": "no-ids"})
            if post.body.get("consent") == "denied":
                for expired in (name, f"{name}_ref"):
                    response.delete_cookie(expired, domain="shop.localhost")
            return response
        ref = ref_of(*parts)
        if not post.host.endswith("shop.localhost"):
            return JSONResponse({"ref": ref, "token": f"token.{ref}", "max_age": 5_000_000})
        response = JSONResponse({"ref": ref, "max_age": 7_776_000})
        if self.sets_cookies:
            common: dict[str, Any] = {"domain": "shop.localhost", "max_age": 7_776_000, "samesite": "lax"}
            response.set_cookie(name, f"token.{ref}", httponly=True, **common)
            response.set_cookie(f"{name}_ref", ref, **common)
        return response

    async def _page(self, request: Request) -> Response:
        if request.url.path == "/slow":
            await asyncio.to_thread(self.released.wait, PATIENCE_SECONDS)
        html = self.pages.get(request.url.path)
        if html is None:
            self._note(lambda: self.others.append(f"GET {request.url.path}"))
            html = "<!doctype html><title>empty</title>"
        headers = {"cache-control": "no-cache"}
        if self.policy:
            headers["content-security-policy"] = self.policy
        return HTMLResponse(html, headers=headers)

    def _note(self, change: Callable[[], None]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()
