"""Graph's refusals in words, each with its remedy."""

from typing import Final, NamedTuple

from collector.delivery import classify
from collector.destinations.graph import Problem
from collector.store.face import ChannelRow

SCOPES: Final[dict[str, tuple[str, ...]]] = {
    "whatsapp": ("whatsapp_business_management", "whatsapp_business_manage_events"),
    "messenger": ("page_events",),
    "instagram": ("instagram_manage_events",),
}
"""What Meta's guide asks of the token of a channel; a website's asks for none."""

SUBSCRIBING: Final[dict[str, str]] = {
    "whatsapp": "whatsapp_business_management",
    "messenger": "pages_manage_metadata",
    "instagram": "instagram_manage_messages",
}
"""The scope that shows and sets who gets an asset's webhooks."""

_ASSETS: Final[dict[str, tuple[str, str]]] = {
    "whatsapp": ("WhatsApp account", "--waba-id"),
    "messenger": ("Page", "--page-id"),
    "instagram": ("Instagram account", "--ig-account-id"),
    "connectly": ("Connectly business", "--connectly-business-id"),
}
_ENDED: Final[dict[int | None, str]] = {
    458: "is over: its user has removed the app",
    459: "waits for its user to log in at Facebook",
    460: "is over: its user has changed the password",
    463: "has expired",
    464: "waits for its user to confirm the account",
    467: "is over: its user has logged out",
}
_TOKEN_CODES: Final = frozenset({102, 104, 190})
_SCOPE_CODES: Final = frozenset({3, 10, *range(200, 300)})


class Told(NamedTuple):
    """What is wrong, and what to do."""

    what: str
    remedy: str


def asset(row: ChannelRow) -> str:
    """The asset of a channel, for people."""
    return f"{_ASSETS[row.channel][0]} {row.asset_id}" if row.channel in _ASSETS else "the website"


def renewal(row: ChannelRow) -> str:
    """The command that stores a new token for a channel."""
    if row.credential is not None:
        return f"collector credential set {row.credential} < token.txt"
    if row.channel == "connectly":
        return f"collector destination set {row.business_id} connectly --connectly-business-id {row.asset_id} < key.txt"
    ids = (
        f"--dataset-id {row.dataset_id}" if row.channel not in _ASSETS else f"{_ASSETS[row.channel][1]} {row.asset_id}"
    )
    return f"collector channel set {row.business_id} {row.channel} {ids} < token.txt"


def is_about_token(problem: Problem) -> bool:
    """Whether Graph refuses the token itself."""
    return problem.code in _TOKEN_CODES


def is_about_scope(problem: Problem) -> bool:
    """Whether the token lacks a permission."""
    return problem.code in _SCOPE_CODES


def passes(problem: Problem) -> bool:
    """Whether the same question may be answered later: nothing is known to be wrong."""
    later = problem.code is not None and classify(0, problem.code, problem.subcode).kind in ("throttled", "unavailable")
    return problem.lost or later or (problem.status is not None and (problem.status >= 500 or problem.status == 429))


def explain(problem: Problem, row: ChannelRow, thing: str) -> Told:
    """What Graph's refusal of a question about `thing` (the channel's asset or dataset) means, by code and subcode."""
    numbers = [str(number) for number in (problem.code, problem.subcode) if number is not None]
    code = f" ({'/'.join(numbers)})" if numbers else ""
    said = " ".join((problem.words or "no reason given").split())
    store = f"store it: {renewal(row)}"
    if problem.lost:
        return Told(f"Graph cannot be reached: {said}", "check the network, and COLLECTOR_GRAPH_URL; then ask again")
    if is_about_token(problem):
        ended = _ENDED.get(problem.subcode, "is refused by Meta") if problem.code == 190 else "is refused by Meta"
        return Told(
            f"the access token {ended}{code}", f"generate one for a system user, which never expires, and {store}"
        )
    if problem.code == 270:
        return Told(
            f"the token lacks whatsapp_business_manage_events{code}; Meta's words about the access level mislead",
            f"generate one with {' and '.join(SCOPES['whatsapp'])}, and {store}",
        )
    if problem.code == 210:
        return Told(
            f"Graph shows {thing} only to a token of the Page itself{code}", "nothing, if the app's dashboard shows it"
        )
    if is_about_scope(problem):
        needed = " and ".join(SCOPES.get(row.channel, ())) or "the right to see it"
        return Told(
            f"the token lacks a permission for {thing}{code}: {said}", f"generate one with {needed}, and {store}"
        )
    if problem.code == 33 or (problem.code, problem.subcode) == (100, 33):
        return Told(
            f"{thing} does not exist, or is not assigned to the token's system user{code}",
            "check the id; assign it in Meta's Business settings: Users > System users > Assign assets",
        )
    if passes(problem):
        return Told(f"Graph cannot say now{code}: {said}", "ask again in some minutes")
    if problem.status is not None:
        return Told(
            f"what answers the question about {thing} is not Graph as we know it: {said}",
            "check COLLECTOR_GRAPH_URL, COLLECTOR_GRAPH_VERSION, and a proxy on the way",
        )
    return Told(f"Graph refuses the question about {thing}{code}: {said}", "see Meta's words")
