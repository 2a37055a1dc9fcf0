"""The merchant of the browser tests: pages with the tag under a strict policy, and a server that reports its orders as a real one would."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>{head}</head>
<body><h1>{title}</h1>{body}<script src="/page.js"></script></body></html>"""

SCRIPTS = {
    "/page.js": "document.documentElement.dataset.ready = 'yes';",
    "/leave.js": "location.href = '/plain';",
    "/spa.js": """
        function draw() {
          const sku = {'/spa/1': 'one', '/spa/2': 'two'}[location.pathname];
          document.querySelector('h1').dataset.cnctProduct = sku;
        }
        function go(path) { history.pushState(0, '', path); draw(); }
        addEventListener('popstate', draw);
        draw();
    """,
}


@dataclass
class Visit:
    """What the shop's server saw of one request."""

    host: str
    path: str
    cookies: dict[str, str]


@dataclass
class Shop:
    """One merchant: where its tag points, and what its server has seen and heard. `answers` are the collector's, one for each order."""

    business_id: str
    api_key: str
    collector_url: str
    tags: dict[str, str] = field(default_factory=dict)
    script_origins: str = ""
    visits: list[Visit] = field(default_factory=list)
    answers: list[httpx2.Response] = field(default_factory=list)

    def app(self) -> Starlette:
        """Its web server."""
        return Starlette(
            routes=[
                *(Route(path, self._script) for path in SCRIPTS),
                Route("/pay", self._pay, methods=["POST"]),
                Route("/leave", self._leave),
                Route("/spa/{rest:path}", self._single_page),
                Route("/ask/product/{sku}", self._product),
                Route("/product/{sku}", self._product),
                Route("/{rest:path}", self._plain),
            ]
        )

    def tag(self, request: Request) -> str:
        """The script tag: below `/ask` consent is pending; the cookie `site=foreign` chooses the collector on another site."""
        if request.url.path.startswith("/ask/"):
            return self.tags["pending"]
        return self.tags["foreign" if request.cookies.get("site") == "foreign" else "same"]

    async def _plain(self, request: Request) -> Response:
        return self._page(request, "Welcome")

    async def _product(self, request: Request) -> Response:
        sku = request.path_params["sku"]
        product = {
            "@context": "https://schema.org",
            "@type": "Product",
            "sku": sku,
            "name": sku.title(),
            "offers": {"@type": "Offer", "price": "39.00", "priceCurrency": "USD"},
        }
        described = f'<script type="application/ld+json">{json.dumps(product)}</script>'
        return self._page(request, sku.title(), described)

    async def _leave(self, request: Request) -> Response:
        """A page that is left in the same tick in which the snippet ran."""
        tag = self.tag(request).replace("async ", "")
        return self._page(request, "Leaving", f'{tag}<script src="/leave.js"></script>', tagged=False)

    async def _single_page(self, request: Request) -> Response:
        """A shop that changes its address and redraws itself."""
        return self._page(request, "Single page", '<script src="/spa.js"></script>')

    async def _script(self, request: Request) -> Response:
        return Response(SCRIPTS[request.url.path], media_type="text/javascript")

    async def _pay(self, request: Request) -> Response:
        """Take an order and report it, with the cookie that the browser sent."""
        self._see(request)
        order: dict[str, Any] = await request.json()
        body = {
            "event_name": "Purchase",
            "attribution_token": request.cookies.get("cnct", ""),
            "payload": {"currency": "USD", "value": 78.0, "order_id": order["order_id"], "num_items": 2},
        }
        async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.post(
                f"{self.collector_url}/external/v1/businesses/{self.business_id}/conversion_events",
                headers={"X-API-KEY": self.api_key},
                json=body,
            )
        self.answers.append(answer)
        return JSONResponse({"status": answer.status_code})

    def _page(self, request: Request, title: str, body: str = "", tagged: bool = True) -> Response:
        self._see(request)
        policy = (
            f"default-src 'none'; script-src 'self' {self.script_origins}; connect-src 'self' {self.script_origins};"
            " require-trusted-types-for 'script'; base-uri 'none'; form-action 'self'"
        )
        html = PAGE.format(title=title, head=self.tag(request) if tagged else "", body=body)
        return HTMLResponse(html, headers={"content-security-policy": policy, "cache-control": "no-store"})

    def _see(self, request: Request) -> None:
        self.visits.append(Visit(request.url.hostname or "", request.url.path, dict(request.cookies)))
