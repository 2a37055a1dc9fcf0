"""Late consent and single-page navigation, once each: what `python -m e2e.trials` counts many times."""

from collections import Counter

import pytest
from playwright.sync_api import BrowserContext, Page

from e2e import trials
from e2e.conftest import Stage, eventually
from e2e.test_journey import cookies


@pytest.mark.parametrize("way", trials.WAYS)
def test_a_grant_that_comes_30_seconds_late_keeps_the_click(
    page: Page, context: BrowserContext, stage: Stage, way: str
) -> None:
    """Every view since the landing is credited to the click."""
    click_id = trials.decide_late(page, stage, way, "granted")
    eventually(lambda: cookies(context).get("cnct"), lambda: "the cookie")
    stage.wait_for_events(click_id, *["ViewContent"] * len(trials.WAYS[way][1]))
    assert trials.seen(stage, click_id) == Counter(trials.WAYS[way][1])


@pytest.mark.parametrize("way", trials.WAYS)
def test_a_denial_that_comes_30_seconds_late_leaves_nothing(
    page: Page, context: BrowserContext, stage: Stage, way: str
) -> None:
    """No cookie, no storage, and nothing is sent on."""
    click_id = trials.decide_late(page, stage, way, "denied")
    page.clock.run_for(3000)
    assert trials.left(page, context) == []
    trials.catch_up(page, stage)
    assert stage.events(click_id) == []


@pytest.mark.parametrize("step", trials.STEPS)
def test_a_step_on_a_single_page_counts_what_was_seen(page: Page, stage: Stage, step: str) -> None:
    """None spurious, none missed."""
    click_id = trials.walk(page, stage, step)
    trials.catch_up(page, stage)
    assert trials.seen(stage, click_id) == Counter(trials.STEPS[step][1])
