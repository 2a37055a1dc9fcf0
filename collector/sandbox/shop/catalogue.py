"""What the shop sells."""

from dataclasses import dataclass

CURRENCY = "USD"


@dataclass(frozen=True)
class Product:
    """A product; `cents` is its price, `art` names its drawing."""

    sku: str
    name: str
    cents: int
    line: str
    story: str
    art: str

    @property
    def price(self) -> float:
        """The price as JSON and JSON-LD have it."""
        return self.cents / 100


PRODUCTS = {
    product.sku: product
    for product in (
        Product(
            "moka-3",
            "Moka pot",
            3900,
            "Three small cups, no electricity",
            "Cast aluminium, a beech handle, and a valve you can take apart. It sings when the coffee is ready, and it"
            " will outlive the stove.",
            "moka",
        ),
        Product(
            "mug-stone",
            "Stoneware mug",
            1850,
            "Thrown by hand, 260 ml",
            "Thick walls keep the second half of the cup warm. Glazed inside, bare clay outside; no two have quite the"
            " same speckle.",
            "mug",
        ),
        Product(
            "pour-over",
            "Pour-over set",
            4600,
            "Cone, carafe and forty filters",
            "A glass carafe with a cork collar and a porcelain cone with wide ribs. Four minutes of patience, a very"
            " clear cup.",
            "pour",
        ),
        Product(
            "beans-250",
            "Morning beans",
            1490,
            "Cocoa, orange peel, 250 g",
            "From two farms in Huila, picked by hand and roasted on Tuesdays. Whole beans: they travel better, and your"
            " kitchen smells of them.",
            "beans",
        ),
    )
}


def money(cents: int) -> str:
    """An amount as people read it."""
    return f"${cents / 100:,.2f}"
