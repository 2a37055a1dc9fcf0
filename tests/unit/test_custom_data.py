"""`custom_data` of the events API: no text in it says who it was."""

import json
import time
from typing import Any

import pytest

from collector import nameless
from collector.errors import InvalidField
from collector.nameless import RULE
from collector.sources.custom_data import read_custom_data

MONEY: dict[str, Any] = {"currency": "BRL", "value": 1}


def fault(**more: object) -> tuple[str, str]:
    with pytest.raises(InvalidField) as caught:
        read_custom_data(json.dumps(MONEY | more).encode(), "Purchase")
    return caught.value.field, caught.value.rule


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"order_id": "jane@x.example"}, "order_id"),
        ({"content_ids": ["a", "jane@x.example"]}, "content_ids[1]"),
        ({"contents": [{"id": "a"}, {"id": "jane@x.example"}]}, "contents[1].id"),
        ({"contents": [{"id": "a", "title": "jane@x.example"}]}, "contents[0].title"),
        ({"content_name": "jane%40x.example"}, "content_name"),
        ({"note": "to jane@mäil.example"}, "note"),
        ({"note": "to josé@x.example"}, "note"),
    ],
)
def test_an_address_is_refused_in_whatever_text_it_stands(more: dict[str, object], field: str) -> None:
    assert fault(**more) == (f"custom_data.{field}", RULE)


@pytest.mark.parametrize("text", ["@brand", "2 @ 3.50", "a@b", "100%40", "coffee"])
def test_a_text_with_no_address_in_it_is_kept(text: str) -> None:
    said = json.dumps(MONEY | {"order_id": text, "note": text}).encode()
    assert json.loads(read_custom_data(said, "Purchase").custom_data) == MONEY | {"order_id": text, "note": text}


@pytest.mark.parametrize("part", ["a", "@", "a@", "%40"])
def test_long_texts_do_not_keep_it_busy(part: str) -> None:
    texts = [(part * 2048)[:2048]] * 1000
    began = time.process_time()
    for text in texts:
        nameless.text(text, "note")
    assert time.process_time() - began < 0.5
