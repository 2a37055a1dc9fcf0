"""One channel: its token, its dataset, whose dataset that is, who hears its webhooks, and whether its lane runs."""

from collections.abc import Iterator
from typing import Final

from collector.destinations.graph import Problem, Token
from collector.diagnosis.finding import ChannelFacts, Facts, Finding, Status
from collector.diagnosis.ground import SOON_MS, day
from collector.diagnosis.trouble import (
    SCOPES,
    SUBSCRIBING,
    Told,
    asset,
    explain,
    is_about_scope,
    is_about_token,
    passes,
    renewal,
)

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "messenger": ("messages", "messaging_postbacks", "messaging_referrals"),
    "instagram": ("messages", "messaging_postbacks", "messaging_referral"),
}
"""The webhook fields that carry referrals; those of a WhatsApp account are the app's, and Graph does not show them here."""


def of_a_channel(facts: Facts, known: ChannelFacts) -> Iterator[Finding]:
    """In the order in which Graph would refuse: token, scopes, dataset, its link; then webhooks; then whether its lane runs."""
    found = [_token(known, facts.now)]
    if known.row.channel == "connectly":
        what = "not checked: Connectly has no call that tells without an event"
        found.append(Finding("connectly", "key", "skipped", what))
    else:
        found += _at_meta(facts, known)
    yield from found
    yield _lane(known, found[0].status != "skipped" and all(each.status != "fault" for each in found))


def _at_meta(facts: Facts, known: ChannelFacts) -> Iterator[Finding]:
    channel = known.row.channel
    if not known.usable:
        checks = ("scopes", "dataset") if channel == "website" else ("scopes", "dataset", "link", "webhooks")
        yield from (Finding(channel, name, "skipped", "not checked: the token cannot be used") for name in checks)
        return
    scopes = _scopes(known)
    yield scopes
    yield _dataset(known)
    if channel != "website":
        yield _link(known, scopes.status == "fault")
        yield _webhooks(known, bool(facts.settings.meta_app_secret))


def _token(known: ChannelFacts, now: int) -> Finding:
    row, told, part = known.row, known.told, known.row.channel
    if known.sealed is not None:
        remedy = f"bring the master key back (COLLECTOR_SECRET_KEYS or the key file), or store it again: {renewal(row)}"
        return Finding(part, "token", "fault", f"the stored token does not open: {known.sealed}", remedy)
    if part == "connectly":
        return Finding(part, "token", "ok", f"Connectly's API key for {row.asset_id} opens")
    if told is None or (isinstance(told, Problem) and told.lost):
        return Finding(part, "token", "skipped", "not checked: Graph cannot be reached")
    if isinstance(told, Problem) and not is_about_token(told):
        what = f"Graph does not describe it: {explain(told, row, 'the token').what}"
        return Finding(part, "token", "warning", what, "nothing, if the checks below pass")
    if isinstance(told, Problem) or not told.valid:
        problem = told if isinstance(told, Problem) else told.problem or Problem(code=190)
        return Finding(part, "token", "fault", *explain(problem, row, "the token"))
    shared = f", credential {row.credential}" if row.credential else ""
    if told.expires_at is not None and told.expires_at < now + SOON_MS:
        remedy = f"generate one for a system user, which never expires, and store it: {renewal(row)}"
        return Finding(part, "token", "warning", f"the access token expires on {day(told.expires_at)}{shared}", remedy)
    until = "never expires" if told.expires_at is None else f"until {day(told.expires_at)}"
    return Finding(part, "token", "ok", f"valid, {until} ({_whose(told)}{shared})")


def _whose(told: Token) -> str:
    kind = (told.kind or "token").lower().replace("_", " ")
    return f"{kind} of {told.app}" if told.app else kind


def _scopes(known: ChannelFacts) -> Finding:
    row, told = known.row, known.told
    needed = SCOPES.get(row.channel, ())
    if not needed:
        return Finding(row.channel, "scopes", "ok", "a website's dataset asks for none")
    if not isinstance(told, Token):
        return Finding(row.channel, "scopes", "skipped", "not checked: Graph does not describe the token")
    if lacking := [name for name in needed if name not in told.scopes]:
        remedy = f"generate one with {' and '.join(needed)}, and store it: {renewal(row)}"
        return Finding(row.channel, "scopes", "fault", f"the token lacks {' and '.join(lacking)}", remedy)
    for name in needed:
        targets = told.scopes[name]
        if targets is not None and row.asset_id not in targets:
            what = f"the token's {name} does not hold for {asset(row)}"
            remedy = (
                f"assign it to the token's system user (Business settings: Users > System users), then: {renewal(row)}"
            )
            return Finding(row.channel, "scopes", "fault", what, remedy)
    return Finding(row.channel, "scopes", "ok", ", ".join(needed))


def _dataset(known: ChannelFacts) -> Finding:
    row, named = known.row, known.named
    if row.dataset_id is None:
        remedy = f"collector dataset create {row.business_id} {row.channel}"
        return Finding(row.channel, "dataset", "fault", "none is set: events wait (held)", remedy)
    if isinstance(named, str):
        return Finding(
            row.channel, "dataset", "ok", row.dataset_id if named == row.dataset_id else f"{row.dataset_id} ({named})"
        )
    told = explain(named, row, f"dataset {row.dataset_id}")
    if is_about_scope(named):
        what = f"not checked: Graph shows it only to a token that may read it ({told.what})"
        return Finding(row.channel, "dataset", "skipped", what, "to be sure, send a test event: --send-test CODE")
    return _unanswered(row.channel, "dataset", named, told)


def _unanswered(part: str, check: str, problem: Problem, told: Told) -> Finding:
    if passes(problem):
        return Finding(part, check, "skipped", f"not checked: {told.what}", told.remedy)
    return Finding(part, check, "fault", *told)


def _link(known: ChannelFacts, narrow: bool) -> Finding:
    row, linked = known.row, known.linked
    part, thing = row.channel, asset(row)
    if isinstance(linked, Problem):
        told = explain(linked, row, thing)
        if narrow and (is_about_scope(linked) or linked.code == 270):
            return Finding(
                part,
                "link",
                "skipped",
                f"not checked: Graph shows the dataset of {thing} only to a token with all scopes",
            )
        return _unanswered(part, "link", linked, told)
    create = f"collector dataset create {row.business_id} {row.channel}"
    if not linked:
        return Finding(part, "link", "fault", f"{thing} has no dataset: Meta refuses its events", create)
    if row.dataset_id is None:
        return Finding(
            part, "link", "skipped", f"not checked: the dataset of {thing} is {linked[0]}, and none is set here"
        )
    if row.dataset_id not in linked:
        what = f"the dataset of {thing} is {', '.join(linked)}, not {row.dataset_id}: Meta refuses its events"
        return Finding(part, "link", "fault", what, create)
    return Finding(part, "link", "ok", f"it is the dataset of {thing}")


def _webhooks(known: ChannelFacts, wanted: bool) -> Finding:
    """A fault only where webhooks are wanted: the app secret is set."""
    row, apps = known.row, known.apps
    part, thing = row.channel, asset(row)
    if isinstance(apps, Problem):
        told = explain(apps, row, f"the webhooks of {thing}")
        if is_about_scope(apps) and apps.code != 210:
            told = Told(f"Graph shows them only to a token with {SUBSCRIBING[part]}", "nothing: sending needs no more")
        return Finding(part, "webhooks", "skipped", f"not checked: {told.what}", told.remedy)
    bad: Status = "fault" if wanted else "warning"
    mine = known.told.app_id if isinstance(known.told, Token) else None
    ours = next((app for app in apps if app.id == mine), None)
    subscribe = f"in the app's dashboard, or: POST /{row.asset_id}/subscribed_apps"
    if needed := FIELDS.get(part):
        subscribe += f"?subscribed_fields={','.join(needed)}"
    if not apps:
        what = f"no app gets the webhooks of {thing}: a sale in a chat finds no click"
        return Finding(part, "webhooks", bad, what, f"subscribe the app, {subscribe}")
    if ours is None:
        names = ", ".join(f"{app.name} ({app.id})" for app in apps)
        remedy = f"if its webhooks do not lead here: subscribe this one, {subscribe}"
        return Finding(part, "webhooks", "warning", f"they go to {names}, which is not the token's app", remedy)
    lacking = [field for field in FIELDS.get(part, ()) if ours.fields is not None and field not in ours.fields]
    if lacking:
        what = f"{ours.name} does not get {', '.join(lacking)} of {thing}: the click in them is missed"
        return Finding(part, "webhooks", bad, what, f"subscribe it again, {subscribe}")
    return Finding(part, "webhooks", "ok", f"{ours.name} gets those of {thing}")


def _lane(known: ChannelFacts, sound: bool) -> Finding:
    row = known.row
    if row.held is None:
        return Finding(row.channel, "lane", "ok", "not held")
    resume = f"collector channel resume {row.business_id} {row.channel}"
    remedy = (
        f"what can be checked is in order: {resume}"
        if sound
        else f"mend what stands above; it goes on by itself within the hour, or at once: {resume}"
    )
    return Finding(row.channel, "lane", "fault", f"held ({row.held}): its events wait, none is lost", remedy)
