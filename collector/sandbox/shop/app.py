"""The shop: landing → product → cart → checkout → thank-you, without one inline script."""

import re
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from . import cart as carts
from .catalogue import CURRENCY, PRODUCTS, Product, money
from .hook import Hook, Order
from .settings import ShopSettings

ORDERS_KEPT = 1000
FORM_LIMIT = 16_384
CART_SECONDS = 7 * 86_400
_HERE = Path(__file__).parent
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ORDER_ID = re.compile(f"MD-[{_ALPHABET}]{{10}}")
_REF = re.compile(r"[A-Za-z0-9_-]{22}")


def create_shop(settings: ShopSettings) -> Starlette:
    """Builds the shop as an application of its own."""
    shop = Shop(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with shop.hook:
            yield

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/", shop.landing),
            Route("/products/{sku}", shop.product),
            Route("/cart", shop.cart, methods=["GET"]),
            Route("/cart", shop.change_cart, methods=["POST"]),
            Route("/checkout", shop.checkout, methods=["GET"]),
            Route("/checkout", shop.pay, methods=["POST"]),
            Route("/orders/{order_id}", shop.thanks),
            Route("/orders/{order_id}/report", shop.report),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
            Route("/{rest:path}", shop.missing),
        ],
    )


class Shop:
    """The pages, and the orders of this process."""

    def __init__(self, settings: ShopSettings) -> None:
        self.settings = settings
        self.hook = Hook(settings)
        self.orders: OrderedDict[str, Order] = OrderedDict()
        self.templates = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True)
        self.templates.globals |= {"settings": settings, "currency": CURRENCY}
        self.templates.filters |= {"money": money, "readable": _readable}
        sources = f"'self' {settings.collector_origin}"
        self.headers = {
            "content-security-policy": f"default-src 'none'; script-src {sources}; connect-src {sources}; style-src 'self';"
            " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
        }

    async def landing(self, request: Request) -> Response:
        """Where campaign links lead."""
        return self._page(request, "landing.html", products=PRODUCTS.values())

    async def product(self, request: Request) -> Response:
        """One product, described for machines too."""
        product = PRODUCTS.get(request.path_params["sku"])
        if product is None:
            return await self.missing(request)
        others = [other for other in PRODUCTS.values() if other is not product]
        return self._page(request, "product.html", product=product, others=others, schema=self._schema(product))

    async def cart(self, request: Request) -> Response:
        """What is in the cart."""
        return self._page(request, "cart.html")

    async def change_cart(self, request: Request) -> Response:
        """Adds to the cart, or sets a quantity (`set`)."""
        form, cart = await _form(request), self._cart(request)
        sku, quantity = form.get("sku", ""), carts.quantity_of(form.get("quantity", "1"))
        carts.put(cart, sku, quantity if "set" in form else quantity + cart.get(sku, 0))
        response = RedirectResponse("/cart", 303)
        response.set_cookie("cart", carts.write(cart), CART_SECONDS, httponly=True, samesite="lax")
        return response

    async def checkout(self, request: Request) -> Response:
        """The form. Its order id makes a second click on its button the same order."""
        if not self._cart(request):
            return RedirectResponse("/cart", 303)
        return self._page(request, "checkout.html", order_id=_new_order_id())

    async def pay(self, request: Request) -> Response:
        """Takes the order; the collector hears of it in the background."""
        form, lines = await _form(request), carts.lines(self._cart(request))
        order_id = form.get("order_id", "")
        if not _ORDER_ID.fullmatch(order_id):
            order_id = _new_order_id()
        if order_id not in self.orders:
            if not lines:
                return RedirectResponse("/cart", 303)
            attribution = self._attribution(request, form)
            payload = carts.payload(lines, order_id, int(time.time()))
            body = {"event_name": "Purchase", **attribution, "payload": payload} if attribution else None
            order = Order(order_id, form.get("name", "")[:80].strip(), lines, body)
            self.orders[order_id] = order
            while len(self.orders) > ORDERS_KEPT:
                self.orders.popitem(last=False)
            self.hook.report(order)
        response = RedirectResponse(f"/orders/{order_id}", 303)
        response.delete_cookie("cart")
        return response

    async def thanks(self, request: Request) -> Response:
        """The thank-you page, with a look behind the scenes."""
        order = self.orders.get(request.path_params["order_id"])
        if order is None:
            return await self.missing(request)
        return self._page(request, "thanks.html", order=order, path=self.hook.path)

    async def report(self, request: Request) -> Response:
        """What has become of the report by now: HTML for the page, JSON for who asks for it."""
        order = self.orders.get(request.path_params["order_id"])
        if order is None:
            return await self.missing(request)
        if "application/json" in request.headers.get("accept", ""):
            attempts = [asdict(attempt) for attempt in order.attempts]
            report = {"order_id": order.order_id, "state": order.state, "sent": order.body, "attempts": attempts}
            return Response(msgspec.json.encode(report), media_type="application/json", headers=self.headers)
        return self._page(request, "report.html", order=order, path=self.hook.path)

    async def missing(self, request: Request) -> Response:
        """404."""
        return self._page(request, "missing.html", status=404)

    def _page(self, request: Request, name: str, status: int = 200, **context: Any) -> Response:
        lines = carts.lines(self._cart(request))
        total = sum(line.cents for line in lines)
        count = sum(line.quantity for line in lines)
        html = self.templates.get_template(name).render(
            lines=lines, total=total, count=count, path_here=request.url.path, **context
        )
        return HTMLResponse(html, status, self.headers)

    def _cart(self, request: Request) -> carts.Cart:
        return carts.read(request.cookies.get("cart", ""))

    def _attribution(self, request: Request, form: dict[str, str]) -> dict[str, str]:
        """What ties the order to the click: the token in the cookie, or the reference that the form carries."""
        ref = form.get(f"{self.settings.cookie_name}_ref", "")
        if self.settings.cookie_mode == "foreign" and _REF.fullmatch(ref):
            return {"ref": ref}
        token = request.cookies.get(self.settings.cookie_name, "")
        return {"attribution_token": token} if token else {}

    def _schema(self, product: Product) -> dict[str, Any]:
        """schema.org's description of a product, as shops publish it for search engines."""
        offer = {"@type": "Offer", "price": f"{product.price:.2f}", "priceCurrency": CURRENCY}
        return {
            "@context": "https://schema.org",
            "@type": "Product",
            "sku": product.sku,
            "name": product.name,
            "description": product.line,
            "url": f"{self.settings.shop_origin}/products/{product.sku}",
            "offers": offer | {"availability": "https://schema.org/InStock"},
        }


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form; nothing of a large one."""
    body, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > FORM_LIMIT:
            return {}
        body.append(chunk)
    return dict(parse_qsl(b"".join(body).decode("utf-8", "replace")))


def _new_order_id() -> str:
    return "MD-" + "".join(secrets.choice(_ALPHABET) for _ in range(10))


def _readable(value: Any) -> str:
    """JSON, or text that may be JSON, with line breaks."""
    try:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return msgspec.json.format(text, indent=2)
    except msgspec.DecodeError:
        return str(value)
