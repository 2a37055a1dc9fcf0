"""What Graph's refusals mean, and what to do."""

import pytest

from collector.destinations.graph import Problem
from collector.diagnosis.trouble import explain
from tests.diagnosis.facts import ID, channel

STORE = f"collector channel set {ID} whatsapp --waba-id 100000000000001 < token.txt"


@pytest.mark.parametrize(
    ("problem", "what", "remedy"),
    [
        (Problem(words="ConnectError", lost=True), "Graph cannot be reached: ConnectError", "COLLECTOR_GRAPH_URL"),
        (Problem(code=270), "lacks whatsapp_business_manage_events (270)", "whatsapp_business_management and"),
        (Problem(code=10, words="no"), "lacks a permission for it (10): no", "whatsapp_business_manage_events"),
        (Problem(code=3), "lacks a permission for it (3): no reason given", STORE),
        (Problem(code=33), "it does not exist, or is not assigned to the token's system user (33)", "Assign assets"),
        (Problem(code=80004, words="slow"), "Graph cannot say now (80004): slow", "some minutes"),
        (Problem(code=2, words="down"), "Graph cannot say now (2): down", "some minutes"),
        (Problem(code=100, words="odd"), "Graph refuses the question about it (100): odd", "Meta's words"),
        (
            Problem(code=100, words="odd\n words"),
            "Graph refuses the question about it (100): odd words",
            "Meta's words",
        ),
        (Problem(words="HTTP 502", status=502), "Graph cannot say now: HTTP 502", "some minutes"),
        (Problem(words="HTTP 429", status=429), "Graph cannot say now: HTTP 429", "some minutes"),
        (Problem(words="a page", status=200), "it is not Graph as we know it: a page", "COLLECTOR_GRAPH_URL"),
        (Problem(words="HTTP 302", status=302), "it is not Graph as we know it: HTTP 302", "COLLECTOR_GRAPH_URL"),
    ],
)
def test_every_refusal_has_words_and_a_remedy(problem: Problem, what: str, remedy: str) -> None:
    told = explain(problem, channel(), "it")
    assert what in told.what
    assert remedy in told.remedy


def test_a_website_that_lacks_a_permission_has_no_scope_to_name() -> None:
    assert "with the right to see it" in explain(Problem(code=10), channel("website"), "it").remedy
