"""Which of several links of one id counts."""

import pytest

from collector.attribution import Click
from collector.match import FIRST_LINK_WINS_MS, winning_link
from collector.store.face import Link
from tests.unit.samples import BUSINESS, NOW_MS

DAY = 24 * 3600 * 1000


def links(*instants: int) -> list[Link]:
    return [
        Link(business_id=BUSINESS, kind="order_id", id="o", click=Click(f"visit-{number}"), ref="r", at=NOW_MS + at)
        for number, at in enumerate(instants)
    ]


@pytest.mark.parametrize(
    ("instants", "winner"),
    [
        ((0,), 0),
        ((0, 0), 0),
        ((0, 1), 0),
        ((0, DAY), 0),
        ((0, DAY + 1), 1),
        ((0, 1, DAY + 1), 2),
        ((0, DAY - 1, 2 * DAY - 2), 2),
        ((0, DAY + 1, DAY + 2), 1),
        ((0, DAY + 1, 2 * DAY + 1), 1),
        ((0, DAY + 1, 2 * DAY + 2), 2),
    ],
)
def test_the_first_link_wins_for_a_day_then_a_later_one_may_take_over(instants: tuple[int, ...], winner: int) -> None:
    assert FIRST_LINK_WINS_MS == DAY
    given = links(*instants)
    assert winning_link(given, NOW_MS + 9 * DAY) is given[winner]


@pytest.mark.parametrize(
    ("instants", "winner"),
    [((-2 * DAY, 1), 0), ((-2 * DAY, 0), 1), ((-4 * DAY, -2 * DAY, 1), 1), ((1,), 0), ((1, 2 * DAY), 0)],
)
def test_a_link_that_came_after_the_event_takes_over_nothing(instants: tuple[int, ...], winner: int) -> None:
    given = links(*instants)
    assert winning_link(given, NOW_MS) is given[winner]


def test_without_links_none_wins() -> None:
    assert winning_link([], NOW_MS) is None
