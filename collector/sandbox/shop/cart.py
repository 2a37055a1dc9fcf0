"""The cart: quantities by SKU, carried by a cookie. Prices never come from the browser."""

from dataclasses import dataclass

from .catalogue import CURRENCY, PRODUCTS, Product

MOST = 10
Cart = dict[str, int]


@dataclass(frozen=True)
class Line:
    """One product in the cart."""

    product: Product
    quantity: int

    @property
    def cents(self) -> int:
        """The line's total."""
        return self.product.cents * self.quantity


def read(cookie: str) -> Cart:
    """The cart in a cookie such as `moka-3:2.mug-stone:1`; whatever makes no sense is left out."""
    cart: Cart = {}
    for part in cookie.split("."):
        sku, _, quantity = part.partition(":")
        put(cart, sku, quantity_of(quantity))
    return cart


def write(cart: Cart) -> str:
    """The cart as a cookie."""
    return ".".join(f"{sku}:{quantity}" for sku, quantity in cart.items())


def put(cart: Cart, sku: str, quantity: int) -> None:
    """Sets a quantity; 0 takes the product out."""
    if sku not in PRODUCTS:
        return
    cart.pop(sku, None)
    if quantity > 0:
        cart[sku] = min(quantity, MOST)


def quantity_of(text: str) -> int:
    """A quantity from a form or cookie; 0 when it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 3 else 0


def lines(cart: Cart) -> list[Line]:
    """The cart with its products."""
    return [Line(PRODUCTS[sku], quantity) for sku, quantity in cart.items()]


def payload(bought: list[Line], order_id: str, event_time: int) -> dict[str, object]:
    """The order in the words of the conversion endpoint. `event_time` is Unix seconds."""
    return {
        "currency": CURRENCY,
        "value": sum(line.cents for line in bought) / 100,
        "order_id": order_id,
        "content_type": "product",
        "content_ids": [line.product.sku for line in bought],
        "num_items": sum(line.quantity for line in bought),
        "contents": [
            {"id": line.product.sku, "quantity": line.quantity, "item_price": line.product.price} for line in bought
        ],
        "event_time": event_time,
    }
