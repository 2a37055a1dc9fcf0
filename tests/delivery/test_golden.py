"""Each golden pair: this event becomes exactly this request. They are documentation as much as tests."""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector.destinations import Destination, Wire
from collector.destinations.connectly import Connectly
from collector.destinations.meta import Meta
from collector.destinations.outbound import Outbound
from collector.event import Event
from collector.policy import MESSAGING_NAMES

PAIRS = sorted((Path(__file__).parent.parent / "golden").glob("*.json"))


class Account(msgspec.Struct):
    asset_id: str | None
    dataset_id: str | None
    token: str
    held: str | None = None
    messaging_names: tuple[str, ...] = MESSAGING_NAMES


class Pair(msgspec.Struct, forbid_unknown_fields=True):
    destination: str
    account: Account
    event: Event
    request: dict[str, Any]
    test_event_code: str | None = None


def load(path: Path) -> Pair:
    return msgspec.json.decode(path.read_bytes(), type=Pair)


@cache
def destination(name: str) -> Destination:
    if name == "meta":
        return Meta(Outbound(), "https://graph.example/", "v25.0", "collector")
    return Connectly(Outbound(), "https://connectly.example")


def wire(pair: Pair) -> Wire:
    return destination(pair.destination).to_wire([pair.event], pair.account, pair.test_event_code)


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_the_event_becomes_exactly_this_request(path: Path) -> None:
    pair = load(path)
    sent = wire(pair)
    assert {"url": sent.url, "headers": sent.headers, "body": msgspec.json.decode(sent.body)} == pair.request
    assert destination(pair.destination).check(pair.event, pair.account) is None


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: path.stem)
def test_no_token_is_in_a_url_or_body_and_the_click_id_is_marked_secret(path: Path) -> None:
    pair = load(path)
    sent = wire(pair)
    assert pair.account.token not in sent.url
    assert pair.account.token.encode() not in sent.body
    assert {pair.account.token, pair.event.click.ctwa_clid} == set(sent.secrets)


@pytest.mark.parametrize("path", [path for path in PAIRS if path.stem.startswith("meta")], ids=lambda path: path.stem)
def test_meta_gets_the_click_id_and_no_other_id_of_the_link(path: Path) -> None:
    pair = load(path)
    body = wire(pair).body
    for name in ("cnct_tracking_id", "sendout_id", "ad_id"):
        assert name.encode() not in body
        assert (value := getattr(pair.event.click, name)) is None or value.encode() not in body


def test_money_keeps_the_digits_it_was_written_with() -> None:
    (path,) = [path for path in PAIRS if path.stem == "connectly-purchase"]
    assert b'"value":10.00' in wire(load(path)).body
