"""`collector doctor`: what is wrong with a business's set-up, and what to do."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Final

import click

from collector.commands import Misused
from collector.commands.facts import OPTIONS, Tests, collect
from collector.commands.printing import answer, json_option
from collector.commands.session import Session, within
from collector.diagnosis import Facts, Finding, Status, diagnose
from collector.directory import onboarding

COLOURS: Final = {"ok": "green", "warning": "yellow", "fault": "red", "skipped": "bright_black"}
NAMES: Final[dict[Status, tuple[str, str]]] = {
    "fault": ("fault", "faults"),
    "warning": ("warning", "warnings"),
    "skipped": ("check not made", "checks not made"),
}
WORD_WIDTH: Final = 9
CHECK_WIDTH: Final = 11


@click.command("doctor")
@click.argument("business_id")
@click.option(
    "--send-test", "code", metavar="CODE", help="Send a test event to each channel, with this code of Events Manager."
)
@click.option("--ctwa-clid", help="Click id for the test event to whatsapp: one that Meta gave.")
@click.option("--page-scoped-user-id", help="Person for the test event to messenger.")
@click.option("--ig-sid", help="Person for the test event to instagram.")
@json_option
def doctor_command(business_id: str, code: str | None, as_json: bool, **people: str | None) -> None:
    """Check a business from end to end, and say what to do.

    In the order in which things break: collector, business, pages, then each channel. Ends with 1 where something is at fault. Run it where
    the collector serves, with the same settings. Meta shows test events on their own page, and counts them too.

    \b
    collector doctor ID
    collector doctor ID --send-test TEST12345 --ctwa-clid ARAk…
    """
    named = {channel: people[option.lstrip("-").replace("-", "_")] for channel, option in OPTIONS.items()}
    if code is not None:
        onboarding.checked_test_code(code)
    elif any(named.values()):
        raise Misused("a click or a person is for a test event: --send-test CODE")
    tests = None if code is None else Tests(code=code, people=named)

    async def work(session: Session) -> Facts:
        return await collect(session, business_id, tests)

    facts = within(work)
    findings = diagnose(facts)
    count = Counter(each.status for each in findings)
    faults = count["fault"]
    told = {
        "business_id": business_id,
        "ok": not faults,
        "faults": faults,
        "warnings": count["warning"],
        "checks": findings,
    }
    text = f"{_head(facts)}\n\n{_text(findings)}\n\n{_sum(count)}"
    answer(as_json, told, click.unstyle(text) if os.environ.get("NO_COLOR") else text)
    click.get_current_context().exit(1 if faults else 0)


def _head(facts: Facts) -> str:
    row = facts.business
    return f"{click.style(row.name, bold=True)}  {row.business_id}"


def _text(findings: Sequence[Finding]) -> str:
    """One line a check below the name of its part; its remedy below it. What prints it takes the colours away where there is no terminal."""
    lines: list[str] = []
    part = ""
    for each in findings:
        if each.part != part:
            part = each.part
            lines += ["", click.style(part, bold=True)] if lines else [click.style(part, bold=True)]
        word = click.style(f"{each.status:<{WORD_WIDTH}}", fg=COLOURS[each.status])
        lines.append(f"  {word}{each.check:<{CHECK_WIDTH}}{_line(each.what)}")
        if each.remedy:
            lines.append(" " * (2 + WORD_WIDTH + CHECK_WIDTH) + f"→ {_line(each.remedy)}")
    return "\n".join(lines)


def _sum(count: Counter[Status]) -> str:
    said = [f"{count[status]} {names[count[status] > 1]}" for status, names in NAMES.items() if count[status]]
    if count["fault"] or count["warning"]:
        return click.style(", ".join(said), fg="red" if count["fault"] else "yellow")
    return click.style("; ".join(["All is well", *said]), fg="green")


def _line(text: str) -> str:
    """Words of others stay on their line, and move no cursor."""
    return "".join(each if each.isprintable() else " " for each in text)
