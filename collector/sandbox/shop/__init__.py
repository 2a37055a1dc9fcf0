"""A small shop to try everything with: pages that carry the script tag, and a server that reports its orders."""

from .app import create_shop as create_shop
from .settings import ShopSettings as ShopSettings
