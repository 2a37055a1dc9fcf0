"""What consent does to an event."""

import pytest

from collector.consent import CONSENTS, Consent, Ruling, ruling


@pytest.mark.parametrize(
    ("consent", "required", "expected"),
    [
        ("granted", False, "send"),
        ("granted", True, "send"),
        ("unknown", False, "send"),
        ("unknown", True, "hold"),
        ("pending", False, "hold"),
        ("pending", True, "hold"),
        ("denied", False, "bury"),
        ("denied", True, "bury"),
    ],
)
def test_consent_rules_what_becomes_of_an_event(consent: Consent, required: bool, expected: Ruling) -> None:
    assert ruling(consent, required) == expected


def test_these_are_all_states_of_consent() -> None:
    assert {"granted", "denied", "pending", "unknown"} == CONSENTS
