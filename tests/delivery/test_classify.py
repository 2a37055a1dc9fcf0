"""What Graph's errors mean: every row is an answer that senders really saw, in our own words."""

import pytest

from collector.delivery import Ruling, classify

REJECTED = Ruling("rejected", "event")
UNAVAILABLE = Ruling("unavailable", "app")
THROTTLED = Ruling("throttled", "app")


def held(reason: str) -> Ruling:
    return Ruling("held", "channel", reason)  # type: ignore[arg-type]  # the rows below name the reasons


@pytest.mark.parametrize(
    ("status", "code", "subcode", "transient", "ruling"),
    [
        # the event's own fault
        (400, 100, 2804003, False, REJECTED),  # older than seven days
        (400, 100, 2804008, None, REJECTED),  # an item of contents without id
        (400, 100, 2804011, None, REJECTED),  # a currency that Meta does not take
        (400, 100, 2804014, False, REJECTED),
        (400, 100, 2804016, False, REJECTED),  # user data in plain
        (400, 100, 2804023, None, REJECTED),  # a value without currency
        (400, 100, 2804050, False, REJECTED),  # too little about the customer
        (400, 100, 2804064, None, REJECTED),  # an address on a messaging event
        (400, 100, 2804066, None, REJECTED),  # an event name that messaging does not have
        (400, 100, 2804073, None, REJECTED),  # a person of another Page
        (400, 100, 2804079, None, REJECTED),
        (400, 100, 2804087, None, REJECTED),  # a click that Meta does not know
        (400, 100, 1815356, False, REJECTED),
        (400, 100, 38, None, REJECTED),
        (400, 100, None, None, REJECTED),
        (400, 1, 1965014, False, REJECTED),  # "unknown error", with a cause, and said to stay
        (400, None, None, None, REJECTED),  # no JSON
        (413, None, None, None, REJECTED),  # too large: half of it may fit
        # ours to mend: nothing is lost meanwhile
        (401, 190, None, None, held("token")),
        (400, 190, 463, None, held("token")),
        (500, 190, 460, True, held("token")),
        (401, None, None, None, held("token")),
        (400, 104, None, None, held("token")),
        (400, 100, 33, None, held("permission")),  # the system user was not assigned to the dataset
        (500, 3, 10, None, held("permission")),
        (403, 10, None, None, held("permission")),
        (400, 102, None, None, held("permission")),
        (403, 200, None, None, held("permission")),
        (403, 270, None, None, held("permission")),  # really a missing scope
        (400, 294, None, None, held("permission")),
        (400, 299, None, None, held("permission")),
        (400, 1, 1349193, False, held("permission")),
        (403, None, None, None, held("permission")),
        (400, 100, 2804065, None, held("dataset")),
        (400, 100, 2804131, None, held("dataset")),
        (400, 100, 2804132, None, held("dataset")),
        (400, 100, 2804133, None, held("dataset")),
        (404, None, None, None, held("dataset")),
        (400, 100, 2804116, None, held("channel")),
        # limits
        (403, 4, None, True, THROTTLED),  # looks like a permission, is a limit
        (400, 4, 1504022, None, THROTTLED),
        (500, 17, None, None, THROTTLED),
        (400, 32, None, None, THROTTLED),
        (400, 341, None, None, THROTTLED),
        (400, 368, None, None, THROTTLED),
        (400, 613, 1487742, None, THROTTLED),
        (400, 80000, None, None, THROTTLED),
        (400, 80004, None, None, THROTTLED),
        (400, 80014, None, None, THROTTLED),
        (429, None, None, None, THROTTLED),
        # it passes
        (400, 1, None, None, UNAVAILABLE),
        (500, 1, 99, None, UNAVAILABLE),
        (503, 2, None, True, UNAVAILABLE),
        (400, 2, None, False, UNAVAILABLE),  # said to stay, with no cause: not believed
        (400, 5000, None, None, UNAVAILABLE),
        (400, 21009, None, None, UNAVAILABLE),
        (400, 2635, None, None, UNAVAILABLE),  # our version is over
        (400, -3, None, None, UNAVAILABLE),
        (400, 100, None, True, UNAVAILABLE),  # Meta says itself that it passes
        (400, 987654, None, True, UNAVAILABLE),
        (500, None, None, None, UNAVAILABLE),
        (502, None, None, None, UNAVAILABLE),
        (408, None, None, None, UNAVAILABLE),
        (302, None, None, None, UNAVAILABLE),  # redirects are not followed
        # nobody knows
        (504, None, None, None, Ruling("unknown", "unknown")),
        (200, None, None, None, Ruling("unknown", "unknown")),
        # codes that nobody has seen: the status decides
        (400, 987654, None, None, REJECTED),
        (500, 987654, None, None, UNAVAILABLE),
        (429, 987654, 5, None, THROTTLED),
    ],
)
def test_an_error_is_classified_by_code_then_by_status(
    status: int, code: int | None, subcode: int | None, transient: bool | None, ruling: Ruling
) -> None:
    assert classify(status, code, subcode, transient) == ruling


def test_an_oauth_error_without_a_code_is_about_the_token() -> None:
    assert classify(400, oauth=True) == held("token")


def test_the_oauth_type_says_nothing_beside_a_code_or_an_outage() -> None:
    assert classify(400, 4, oauth=True) == THROTTLED
    assert classify(400, 100, 2804087, oauth=True) == REJECTED
    assert classify(500, oauth=True) == UNAVAILABLE


def test_nothing_that_is_ours_to_mend_kills_an_event() -> None:
    kinds = {
        classify(status, code).kind for code in (3, 10, 102, 190, *range(200, 300)) for status in (400, 401, 403, 500)
    }
    assert kinds == {"held"}
