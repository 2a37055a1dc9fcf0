"""Late consent and single-page navigation on the real collector, counted at the ad platform.

    python -m e2e.trials [--trials N] [--write]

Prints two tables; with --write they go into snippet/README.md. Ends with 1 where something was lost, or sent that should not have been.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, sync_playwright

from e2e.conftest import Stage, eventually, staged
from e2e.matrix import README
from e2e.test_journey import campaign, cookies, new_click

LATE_MS = 30_000
BEGIN, END = "<!-- trials: written by `make matrix` -->\n", "<!-- end of trials -->"

WAYS: dict[str, tuple[Callable[[Page, Stage], object], list[str]]] = {
    "on the landing page": (lambda page, stage: None, ["moka"]),
    "after a soft navigation": (
        lambda page, stage: page.evaluate("history.pushState(0, '', '/ask/soft')"),
        ["moka", "moka"],
    ),
    "after a hard navigation": (lambda page, stage: page.goto(stage.url("/ask/product/mug")), ["moka", "mug"]),
}
"""Where the visitor stands when the decision comes, and the products that were seen until then."""

STEPS: dict[str, tuple[list[str], list[str]]] = {
    "replace, same address": (["history.replaceState(0, '', location.href)"], ["one"]),
    "replace, other query": (["history.replaceState(0, '', '?v=2')"], ["one"]),
    "push": (["go('/spa/2')"], ["one", "two"]),
    "replace and push": (["history.replaceState(1, '', location.href); go('/spa/2')"], ["one", "two"]),
    "back": (["go('/spa/2')", "history.back()"], ["one", "two", "one"]),
    "forward": (["go('/spa/2')", "history.back()", "history.forward()"], ["one", "two", "one", "two"]),
    "reload": (["location.reload()"], ["one", "one"]),
}
"""What happens on a single page that shows product one, and the products seen in all."""


def decide_late(page: Page, stage: Stage, way: str, decision: str) -> str:
    """Land while nobody has decided, go on, decide 30 seconds later (by the page's clock); gives the click id."""
    click_id = new_click()
    page.clock.install()
    page.goto(stage.url("/ask/product/moka", **campaign(click_id)))
    WAYS[way][0](page, stage)
    page.clock.run_for(LATE_MS)
    page.evaluate("decision => cnct('consent', decision)", decision)
    return click_id


def walk(page: Page, stage: Stage, step: str) -> str:
    """Land on the single page and take the steps, three seconds each; gives the click id."""
    click_id = new_click()
    page.clock.install()
    page.goto(stage.url("/spa/1", **campaign(click_id)))
    for script in ("0", *STEPS[step][0]):
        # What is asked of a page that is going away fails.
        with page.expect_navigation() if "reload" in script else nullcontext():
            page.evaluate(script)
        page.clock.run_for(3000)
        settle(page)
    return click_id


def settle(page: Page) -> None:
    """Wait until everything that waits to be sent has been answered."""
    eventually(
        lambda: page.evaluate("!Object.keys(localStorage).length && typeof cnct == 'function'") or None,
        lambda: "an empty outbox",
    )


def left(page: Page, context: BrowserContext) -> list[str]:
    """Cookies and storage that the visitor still has."""
    stored: list[str] = page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]")
    return [*cookies(context), *stored]


def seen(stage: Stage, click_id: str) -> Counter[str]:
    """The products of the views that the ad platform has of a click."""
    return Counter(
        product for event in stage.events(click_id) for product in event.get("custom_data", {}).get("content_ids", [])
    )


def catch_up(page: Page, stage: Stage) -> None:
    """Send one more view and wait for it: what was sent before it has arrived then."""
    click_id = new_click()
    page.goto(stage.url("/product/moka", **campaign(click_id)))
    stage.wait_for_events(click_id, "ViewContent")


# ------------------------------------------------------------------ the command


def consent_table(
    trial: Callable[[Callable[[Page, BrowserContext], None]], None], stage: Stage, trials: int
) -> tuple[list[str], bool]:
    """Grant and deny late, in each way; gives the rows and whether all was as promised."""
    clicks: dict[tuple[str, str], list[str]] = {}
    kept: Counter[tuple[str, str]] = Counter()
    for way in WAYS:
        for decision in ("granted", "denied"):
            for _ in range(trials):

                def visit(page: Page, context: BrowserContext, key: tuple[str, str] = (way, decision)) -> None:
                    clicks.setdefault(key, []).append(decide_late(page, stage, *key))
                    if key[1] == "granted":
                        eventually(lambda: cookies(context).get("cnct"), lambda: "the cookie")
                        settle(page)
                    page.clock.run_for(3000)
                    kept[key] += bool(left(page, context))

                trial(visit)
    trial(lambda page, context: catch_up(page, stage))
    rows, fine = [], True
    for way, (_, products) in WAYS.items():
        credited = sum(seen(stage, click) == Counter(products) for click in clicks[way, "granted"])
        sent = sum(bool(stage.events(click)) for click in clicks[way, "denied"])
        remains = kept[way, "denied"]
        rows.append(f"| {way} | {credited} of {trials} | {remains} of {trials} | {sent} of {trials} |")
        fine = fine and (credited, remains, sent) == (trials, 0, 0)
    return rows, fine


def step_table(
    trial: Callable[[Callable[[Page, BrowserContext], None]], None], stage: Stage, trials: int
) -> tuple[list[str], bool]:
    """Take each step; gives the rows and whether nothing was spurious or missed."""
    clicks: dict[str, list[str]] = {}
    for step in STEPS:
        for _ in range(trials):
            trial(lambda page, context, step=step: clicks.setdefault(step, []).append(walk(page, stage, step)))  # type: ignore[misc]  # bound now
    trial(lambda page, context: catch_up(page, stage))
    rows, fine = [], True
    for step, (_, products) in STEPS.items():
        counts = [seen(stage, click) for click in clicks[step]]
        spurious = sum((count - Counter(products)).total() for count in counts)
        missed = sum((Counter(products) - count).total() for count in counts)
        rows.append(f"| {step} | {len(products) - 1} | {spurious} | {missed} |")
        fine = fine and (spurious, missed) == (0, 0)
    return rows, fine


def main(arguments: list[str]) -> int:
    """Run both; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m e2e.trials", description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10, help="of each case (default: 10)")
    parser.add_argument("--write", action="store_true", help="put the tables into snippet/README.md")
    asked = parser.parse_args(arguments)
    options = ["--no-sandbox", "--ignore-certificate-errors", "--host-resolver-rules=MAP * 127.0.0.1"]
    with tempfile.TemporaryDirectory() as directory, staged(Path(directory)) as stage, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=options)

        def trial(visit: Callable[[Page, BrowserContext], None]) -> None:
            with browser.new_context() as context:
                visit(context.new_page(), context)

        decided, consent_is_fine = consent_table(trial, stage, asked.trials)
        walked, steps_are_fine = step_table(trial, stage, asked.trials)
        version = browser.version
    text = "\n".join([
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `make matrix` in Chromium {version} on the real collector, counted at the ad platform.",
        "",
        "| decision 30 s late | granted: click credited | denied: cookies or storage left | denied: sent on |",
        "|---|---|---|---|", *decided, "",
        f"| single page, {asked.trials} times each | views expected | spurious | missed |", "|---|---|---|---|", *walked, "",
    ])  # fmt: skip
    sys.stdout.write(text)
    if asked.write:
        before, rest = README.read_text().split(BEGIN)
        README.write_text(before + BEGIN + text + END + rest.split(END)[1])
    return int(not (consent_is_fine and steps_are_fine))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
