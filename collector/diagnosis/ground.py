"""What every channel stands on: the store, the destination's address, the clock, Graph's version, webhooks, and the business itself."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from collector.delivery import DEADLINE_MARGIN_MS
from collector.diagnosis.finding import Facts, Finding

DAY_MS: Final = 86_400_000
SOON_MS: Final = 14 * DAY_MS
"""What ends within this time is said before it does."""

CLOCK_NOTED_MS: Final = 30_000


def day(at: int) -> str:
    """An instant (UTC ms) as its day."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")


def of_the_collector(facts: Facts) -> Iterator[Finding]:
    """The store first: without it nothing is taken. Then what is needed to reach the destination."""
    part = "collector"
    if facts.unwritten is None:
        yield Finding(part, "database", "ok", "can be written")
    else:
        remedy = "free the disk, or mend what it says; until then every call is answered 503"
        yield Finding(part, "database", "fault", f"cannot be written: {facts.unwritten}", remedy)
    meta = facts.business.destination == "meta"
    name, url = ("graph", facts.settings.graph_url) if meta else ("connectly", facts.settings.connectly_url)
    if facts.hearing.error is not None:
        remedy = f"check network, DNS and firewall, and COLLECTOR_{name.upper()}_URL; events wait and are tried again for 7 days"
        yield Finding(part, name, "fault", f"{url} cannot be reached: {facts.hearing.error}", remedy)
        skipped = f"not checked: {url} cannot be reached"
        yield Finding(part, "clock", "skipped", skipped)
        if meta:
            yield Finding(part, "version", "skipped", skipped)
    else:
        yield Finding(part, name, "ok", f"{url} answers")
        yield _clock(facts)
        if meta:
            yield _version(facts)
    if any(each.row.channel in ("whatsapp", "messenger", "instagram") for each in facts.channels):
        yield _webhooks(facts)


def _clock(facts: Facts) -> Finding:
    """The destination's clock is cut to seconds, which is not told from ours being half a second ahead."""
    theirs = facts.hearing.served.at
    if theirs is None:
        return Finding("collector", "clock", "skipped", "not checked: the answer has no Date")
    off_ms = facts.hearing.at - theirs
    how = f"{_span(abs(off_ms))} {'ahead of' if off_ms > 0 else 'behind'} the destination's"
    remedy = "let the machine's clock follow a time server (NTP)"
    if abs(off_ms) > DEADLINE_MARGIN_MS:
        return Finding(
            "collector", "clock", "fault", f"this machine is {how}: events get wrong times, and may be refused", remedy
        )
    if abs(off_ms) > CLOCK_NOTED_MS:
        return Finding("collector", "clock", "warning", f"this machine is {how}", remedy)
    return Finding("collector", "clock", "ok", "agrees with the destination's")


def _span(ms: int) -> str:
    seconds = ms // 1000
    for size, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"


def _version(facts: Facts) -> Finding:
    asked, served = facts.settings.graph_version, facts.hearing.served
    remedy = "set COLLECTOR_GRAPH_VERSION to one that lives, or unset it, and restart what serves"
    if served.version not in (None, asked):
        what = f"{asked} is over: Graph serves it as {served.version}"
        return Finding("collector", "version", "warning", what, remedy)
    if served.warning is not None:
        return Finding("collector", "version", "warning", f"{asked}, and Graph says: {served.warning}", remedy)
    return Finding("collector", "version", "ok", asked)


def _webhooks(facts: Facts) -> Finding:
    lacking = [
        variable
        for variable, value in (
            ("COLLECTOR_META_APP_SECRET", facts.settings.meta_app_secret),
            ("COLLECTOR_META_VERIFY_TOKEN", facts.settings.meta_verify_token),
        )
        if not value
    ]
    if not lacking:
        return Finding("collector", "webhooks", "ok", "app secret and verify token are set")
    what = f"{' and '.join(lacking)} unset (here): webhooks are refused, and sales in a chat find their click only if told it"
    remedy = (
        "set both where the collector serves, from the app's dashboard at Meta; or nothing, if no sale ends in a chat"
    )
    return Finding("collector", "webhooks", "warning", what, remedy)


def of_the_business(facts: Facts) -> Iterator[Finding]:
    """Whether it counts, who may report, and which channels it needs."""
    yield _mode(facts)
    yield _keys(facts)
    yield _channels(facts)


def _mode(facts: Facts) -> Finding:
    row = facts.business
    if row.mode == "live":
        return Finding("business", "mode", "ok", "live")
    live = f"collector business set {row.business_id} --mode live"
    if row.test_event_code is None:
        what = "test, without a code: everything is stored, nothing is sent"
        remedy = f"collector business set {row.business_id} --test-event-code CODE; or --mode live, when it counts"
        return Finding("business", "mode", "fault", what, remedy)
    what = f"test: everything goes out as a test event, with the code {row.test_event_code}"
    return Finding("business", "mode", "warning", what, f"when it counts: {live}")


def _keys(facts: Facts) -> Finding:
    create = f"collector key create {facts.business.business_id}"
    live = [
        row for row in facts.keys if row.revoked_at is None and (row.expires_at is None or row.expires_at > facts.now)
    ]
    gone = len(facts.keys) - len(live)
    if not live:
        why = "all are expired or revoked" if gone else "there is none"
        return Finding(
            "business", "keys", "fault", f"no usable API key, {why}: the shop's server is answered 401", create
        )
    last = max((row.expires_at for row in live if row.expires_at is not None), default=0)
    if last < facts.now + SOON_MS and all(row.expires_at for row in live):
        return Finding("business", "keys", "warning", f"the last usable API key expires on {day(last)}", create)
    return Finding("business", "keys", "ok", f"{len(live)} usable" + (f", {gone} expired or revoked" if gone else ""))


def _channels(facts: Facts) -> Finding:
    row = facts.business
    names = [each.row.channel for each in facts.channels]
    if row.destination == "connectly":
        if names:
            return Finding("business", "channels", "ok", "Connectly")
        what = "events go through Connectly, and its account is not set: every order is answered 404"
        remedy = f"collector destination set {row.business_id} connectly --connectly-business-id UUID < key.txt"
        return Finding("business", "channels", "fault", what, remedy)
    if not names:
        remedy = f"collector channel set {row.business_id} whatsapp --waba-id WABA < token.txt"
        return Finding("business", "channels", "fault", "none: every order is answered 404 (channel_lookup)", remedy)
    if row.policy.purchases == "website" and "website" not in names:
        what = "purchases are told as the website's, and there is no website channel"
        remedy = f"collector channel set {row.business_id} website --dataset-id DATASET < token.txt"
        return Finding("business", "channels", "fault", what, remedy)
    if row.policy.purchases != "website" and "whatsapp" not in names:
        what = f"{', '.join(names)}; without whatsapp, an order that follows a click is answered 404 (channel_lookup)"
        remedy = f"collector channel set {row.business_id} whatsapp --waba-id WABA < token.txt"
        return Finding("business", "channels", "warning", what, remedy)
    return Finding("business", "channels", "ok", ", ".join(names))
