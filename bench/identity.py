"""How many customers one core reads in a second, plain and already hashed, beside the bare SHA-256 of the same fields.

python -m bench.identity
"""

import gc
import hashlib
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from collector.identity import UserData, read

GATES: Final = {"plain": 6_000, "national": 6_000, "hashed": 40_000}
"""Customers a second on one core."""
ROUNDS: Final = 7
SECONDS: Final = 0.15
CUSTOMERS: Final = 200
"""Different ones: nothing that remembers a value gains by it."""
REGIONS: Final = (("+55 (11) 9", 8), ("+1 (650) 55", 5), ("+49 171 ", 7), ("+52 1 55 ", 8), ("+91 98", 8))
HASHED: Final = ("em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country", "external_id")


def plain(number: int) -> dict[str, Any]:
    """A customer with every field that can be known, as a shop writes it."""
    prefix, length = REGIONS[number % len(REGIONS)]
    return {
        "em": f" Ana.Souza{number}@Example.com ",
        "ph": f"{prefix}{'23456789'[:length]}"[:-3] + f"{number:03d}",
        "fn": "Ana Júlia",
        "ln": "O'Souza",
        "ge": "Female",
        "db": "1997-02-16",
        "ct": "São Paulo",
        "st": "SP",
        "zp": "01310-100",
        "country": "BR",
        "external_id": f"Customer-{number}",
        "client_ip_address": f"203.0.113.{number}" if number % 4 else f"2001:db8:85a3:8d3:1319:8a2e:370:{number:x}",
        "client_user_agent": "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140 Mobile Safari/537.36",
        "fbc": f"fb.1.1760000000{number:03d}.IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk",
        "fbp": f"fb.1.1760000000{number:03d}.1098115397",
        "subscription_id": "9001",
        "fb_login_id": "1020304050",
        "lead_id": "1234567890123456",
        "anon_id": "a-77",
        "madid": "38400000-8cf0-11bd-b23e-10b96e40000d",
        "ctwa_clid": f"ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwLF4XvnO2E4Nx0-eM-GABDLOPaOdRMv-{number:03d}",
        "page_id": "100000000000002",
        "page_scoped_user_id": "300000000000002",
    }


def national(given: dict[str, Any]) -> dict[str, Any]:
    """The same customer with a phone number without its country code: the costliest way, for the business's region must be asked."""
    return given | {"ph": f"(11) 98{given['fbc'][15:18]}-4321"}


def hashed(given: dict[str, Any]) -> dict[str, Any]:
    """The same customer from a caller who hashes."""
    return given | {field: hashlib.sha256(given[field].encode()).hexdigest() for field in HASHED}


def bare(given: dict[str, Any]) -> list[str]:
    """What cannot be saved: the hashes alone."""
    return [hashlib.sha256(given[field].encode()).hexdigest() for field in HASHED]


def rate(work: Callable[[Any], object], items: list[Any]) -> float:
    """Items a second, by the time this process had on its core."""
    done, start = 0, time.process_time()
    while (spent := time.process_time() - start) < SECONDS:
        for item in items:
            work(item)
        done += len(items)
    return done / spent


def main() -> None:
    """Measure by turns and print medians."""
    customers = [plain(number) for number in range(CUSTOMERS)]
    ways: dict[str, tuple[Callable[[Any], object], list[Any]]] = {
        "bare": (bare, customers),
        "plain": (lambda given: read(given, None), [msgspec.convert(each, UserData) for each in customers]),
        "national": (
            lambda given: read(given, "BR"),
            [msgspec.convert(national(each), UserData) for each in customers],
        ),
        "hashed": (lambda given: read(given, None), [msgspec.convert(hashed(each), UserData) for each in customers]),
    }
    for work, items in ways.values():
        for item in items:
            work(item)  # plans of countries are read with their first number
    gc.freeze()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, (work, items) in ways.items():
            rates[name].append(rate(work, items))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    print(f"{ROUNDS} interleaved rounds of {SECONDS} s, one core, {CUSTOMERS} customers of 23 fields, medians")
    print("           users/s      µs   over bare   gate")
    for name, median in medians.items():
        gate = f"{GATES[name]:,}" if name in GATES else "–"
        print(f"{name:9}{median:9,.0f}{1e6 / median:8.1f}{medians['bare'] / median:11.2f}{gate:>8}")


if __name__ == "__main__":
    main()
