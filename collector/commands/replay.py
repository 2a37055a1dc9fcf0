"""`collector replay`: send again what came to its end without arriving."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final, get_args

import click
import msgspec

from collector.commands import Failed, Misused
from collector.commands.printing import answer, json_option
from collector.commands.session import Session, within
from collector.delivery import Reason
from collector.destinations.connectly import Connectly
from collector.destinations.meta import Meta
from collector.destinations.outbound import Outbound
from collector.directory import Directory, onboarding
from collector.errors import NotFound
from collector.event import Channel
from collector.match import Matcher
from collector.outset import Outset, Target
from collector.privacy import Denials
from collector.replay import WHY, Refusal, Replay, Terms
from collector.store.face import Delivery, Found, Page, Search

DEAD: Final = ("rejected", "expired", "unmatched", "consent", "no_click_id", "test", "unknown")
PAGE_ROWS: Final = 500
"""Deliveries looked at in one read, and begun again with in one commit: whoever serves beside is held up by neither."""

MOMENTS: Final = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%SZ")


class Tally:
    """What became of those that were found: replayed, by what they were before; refused, by why. `held`: replayed, and their channel
    stands still."""

    def __init__(self) -> None:
        self.replayed: Counter[str] = Counter()
        self.refused: Counter[Refusal] = Counter()
        self.held = 0

    def count(self, found: Found, result: Delivery | Refusal) -> None:
        """One more."""
        if isinstance(result, str):
            self.refused[result] += 1
            return
        was = found.standing.delivery
        self.replayed[was.reason or was.state] += 1
        self.held += result.state == "held"

    def told(self) -> dict[str, object]:
        """For programs."""
        return {
            "replayed": self.replayed.total(),
            "refused": self.refused.total(),
            "held": self.held,
            "replayed_by_reason": self.replayed,
            "refused_by_reason": self.refused,
        }


@click.command("replay")
@click.argument("business_id")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--reason", type=click.Choice(DEAD), help="Why they are dead, or held (unknown).")
@click.option("--channel", type=click.Choice(get_args(Channel)))
@click.option(
    "--from",
    "start",
    type=click.DateTime(MOMENTS),
    metavar="DAY",
    help="Received on this day, or at 2030-01-31T18:30, or later (UTC).",
)
@click.option(
    "--until", "end", type=click.DateTime(MOMENTS), metavar="DAY", help="Received before this day, or moment (UTC)."
)
@click.option("--delivered", is_flag=True, help="Look for delivered ones too; needs --allow-double.")
@click.option("--allow-double", is_flag=True, help="Also what arrived, or may have: the same event id goes out again.")
@click.option("--as-test", is_flag=True, help="Send what expired as test events, with the business's test event code.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and write nothing.")
@json_option
def replay_command(
    business_id: str,
    ids: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
    as_test: bool,
    allow_double: bool,
    **wanted: Any,
) -> None:
    """Send again what came to its end, under its own event id.

    By id (`deliveries list` shows them), or all that a search finds: the dead, and those held because nobody knows whether they arrived.
    A serving process beside notices within a second. Exit code 1 where all were refused.

    \b
    collector replay ID 0199c2a4f0d1…
    collector replay ID --reason rejected --from 2030-01-31 --dry-run
    """
    search = _search(business_id, **wanted)
    if bool(ids) == (search != Search(business_id=business_id)):
        raise Misused("say which: ids, or a search (--reason, --channel, --from, --until, --delivered); not both")
    terms = Terms(as_test=as_test, allow_double=allow_double, dry_run=dry_run)
    tally = Tally()

    async def work(session: Session) -> None:
        row = onboarding.find_business((await session.directory.snapshot()).businesses, business_id)
        if as_test and not row.test_event_code:
            raise Failed(f"{row.name} has no test event code: collector business set {business_id} --test-event-code …")
        total = len(ids) or await session.outbox.count(business_id)
        hidden = as_json or not sys.stderr.isatty()
        label = "looking" if dry_run else "replaying"
        async with _replay(session, terms) as replay:
            with click.progressbar(length=total, label=label, file=sys.stderr, hidden=hidden) as bar:
                async for page in _named(session, search, ids) if ids else _pages(session, search):
                    results = await asyncio.gather(*map(replay.again, page.found))
                    for found, result in zip(page.found, results, strict=True):
                        tally.count(found, result)
                    bar.update(page.looked_at)

    within(work)
    answer(as_json, {"dry_run": dry_run, **tally.told()}, _text(tally, dry_run))
    click.get_current_context().exit(1 if tally.refused and not tally.replayed else 0)


def _search(
    business_id: str,
    reason: Reason | None,
    channel: Channel | None,
    start: datetime | None,
    end: datetime | None,
    delivered: bool,
) -> Search:
    if start and end and start >= end:
        raise Misused("--from must be before --until")
    return Search(
        business_id=business_id,
        reason=reason,
        channel=channel,
        received_from=_ms(start),
        received_before=_ms(end),
        delivered=delivered,
    )


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp()) * 1000


@asynccontextmanager
async def _replay(session: Session, terms: Terms) -> AsyncIterator[Replay]:
    settings, vault, now = session.settings, session.vault, await session.outbox.now_ms()
    directory, denials = Directory(session.directory, vault), Denials(session.ledger)
    await directory.refresh()
    await denials.refresh(now)
    matcher = Matcher(session.ledger, vault.signing_keys(), vault.ref_key(), denials, directory)
    async with Outbound() as outbound:  # nothing is sent here: the destinations are asked what they need
        targets: dict[str, Target] = {
            "meta": Meta(outbound, settings.graph_url, settings.graph_version, settings.partner_agent),
            "connectly": Connectly(outbound, settings.connectly_url),
        }
        outset = Outset(directory, targets, lambda: now)
        yield Replay(session.outbox, matcher, outset, denials, vault.ref_key(), terms, now)


async def _named(session: Session, search: Search, ids: tuple[str, ...]) -> AsyncIterator[Page]:
    """A page of those named; all of them are known before the first is begun. Raises NotFound."""
    found: list[Found] = []
    for row in dict.fromkeys(ids):
        page = await session.outbox.search(msgspec.structs.replace(search, id=row), "", 1)
        if not page.found:
            raise NotFound(f"business {search.business_id} has no event {row}")
        found += page.found
    yield Page(found=tuple(found), looked_at=len(ids), last=None)


async def _pages(session: Session, search: Search) -> AsyncIterator[Page]:
    page = await session.outbox.search(search, "", PAGE_ROWS)
    while page.last is not None:
        yield page
        page = await session.outbox.search(search, page.last, PAGE_ROWS)


def _text(tally: Tally, dry_run: bool) -> str:
    """Both counts with their reasons, the greatest first."""
    if not (tally.replayed or tally.refused):
        return "Nothing to replay."
    lines = [f"{tally.replayed.total()} would be replayed" if dry_run else f"{tally.replayed.total()} replayed"]
    lines += [f"  {count:>6}  {reason}" for reason, count in tally.replayed.most_common()]
    if tally.held:
        lines.append(f"  {tally.held} of them wait for their channel; `collector channel list` says why")
    if tally.refused:
        lines.append(f"{tally.refused.total()} refused")
        lines += [f"  {count:>6}  {why:<12} {WHY[why]}" for why, count in tally.refused.most_common()]
    return "\n".join(lines)
