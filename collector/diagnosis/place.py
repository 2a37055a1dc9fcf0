"""Where the shop's pages and the collector stand, and what that does to the cookie."""

from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from collector.diagnosis.finding import Facts, Finding, Visit
from collector.directory import origin
from collector.errors import InvalidField
from collector.settings import is_local
from collector.store.face import BusinessRow

PART = "pages"


def of_the_pages(facts: Facts) -> Iterator[Finding]:
    """The shop first, then the collector beside it, then what the browser keeps."""
    yield _origins(facts.business, facts.settings.public_url)
    yield _shop(facts)
    yield _snippet(facts)
    yield _site(facts.business, facts.settings.public_url)
    yield _cookie(facts.business)


def _origins(row: BusinessRow, public_url: str) -> Finding:
    """Plain http is for a trial on one machine, collector and all."""
    plain = [each for each in row.origins if each.startswith("http://")]
    if plain and not is_local(origin.host_of(public_url)):
        remedy = f"collector business set {row.business_id} --origin https://…"
        return Finding(PART, "origins", "warning", f"{', '.join(plain)} is seen from this machine alone", remedy)
    return Finding(PART, "origins", "ok", ", ".join(row.origins) + (" (this machine alone)" if plain else ""))


def _shop(facts: Facts) -> Finding:
    row = facts.business
    if lost := next((visit for visit in facts.shop if visit.error is not None), None):
        remedy = "check the origin's name; or nothing, if shoppers reach it"
        return Finding(PART, "shop", "warning", f"{lost.url} cannot be reached from here: {lost.error}", remedy)
    for visit in facts.shop:
        target = _target(visit)
        if target in row.origins:
            continue
        what = f"{visit.url} leads to {target or 'nowhere'}, which is no origin of this business: what its pages send is answered 403"
        remedy = "mend where it leads"
        if target is not None:
            origins = " ".join(f"--origin {each}" for each in (*row.origins, target))
            remedy = f"if it is the shop: collector business set {row.business_id} {origins}"
        return Finding(PART, "shop", "warning", what, remedy)
    return Finding(PART, "shop", "ok", "answers" if len(facts.shop) == 1 else f"all {len(facts.shop)} origins answer")


def _target(visit: Visit) -> str | None:
    """The origin where a visitor ends; None where a redirect names none that could be one. It may stand in a command that is copied."""
    location = (visit.location or "") if 300 <= visit.status < 400 else ""
    try:
        url = urlsplit(urljoin(visit.url, location))
        return origin.normalise(f"{url.scheme}://{url.netloc}")
    except (ValueError, InvalidField):
        return None


def _snippet(facts: Facts) -> Finding:
    visit = facts.snippet
    if visit.error is not None:
        remedy = "start it: collector serve; or check COLLECTOR_PUBLIC_URL, DNS and the proxy; or nothing, if shoppers reach it"
        return Finding(PART, "collector", "warning", f"{visit.url} cannot be reached from here: {visit.error}", remedy)
    if visit.status != 200:
        remedy = "check COLLECTOR_PUBLIC_URL (it stands in the tag), and that the proxy passes it to the collector"
        return Finding(
            PART, "collector", "fault", f"{visit.url} answers {visit.status}: shoppers get no snippet", remedy
        )
    return Finding(PART, "collector", "ok", f"{visit.url} is served")


def _site(row: BusinessRow, public_url: str) -> Finding:
    """Same site, or the second best; what the tag says follows the same rule."""
    host, shop = origin.host_of(public_url), origin.host_of(row.origins[0])
    if host in map(origin.host_of, row.origins):
        return Finding(PART, "site", "ok", f"the collector is on the shop's own host {host}")
    if row.cookie_domain is not None and origin.within(host, row.cookie_domain):
        return Finding(PART, "site", "ok", f"the collector, {host}, is on the shop's site {row.cookie_domain}")
    if is_local(host) and not is_local(shop):
        what = f"{public_url} is this machine: shoppers cannot reach it"
        return Finding(
            PART,
            "site",
            "fault",
            what,
            "set COLLECTOR_PUBLIC_URL to where they reach the collector, then renew the tag",
        )
    widest = origin.cookie_domain(public_url)
    if widest is not None and widest == origin.cookie_domain(row.origins[0]):
        what = f"the cookie's domain {row.cookie_domain or shop} is narrower than the site: {host} cannot set it"
        remedy = f"collector business set {row.business_id} --cookie-domain {widest}, then renew the tag"
        return Finding(PART, "site", "warning", what, remedy)
    what = f"the collector, {host}, is on another site than {shop}: second best, the snippet writes the cookies and Safari ends them after a week"
    remedy = f"serve it below {shop}'s site: a path of the shop's host, or a host beside it such as t.{origin.cookie_domain(row.origins[0]) or shop}"
    return Finding(PART, "site", "warning", what, remedy)


def _cookie(row: BusinessRow) -> Finding:
    """Without a domain, a cookie is its host's alone: not even that of the hosts below it."""
    scope = row.cookie_domain or origin.host_of(row.origins[0])
    hosts = {each: origin.host_of(each) for each in row.origins}
    beyond = [
        each
        for each, host in hosts.items()
        if not (host == scope or (row.cookie_domain is not None and origin.within(host, scope)))
    ]
    if not beyond:
        where = row.cookie_domain or f"{scope} alone"
        return Finding(PART, "cookie", "ok", f"{row.cookie_name} on {where} covers every origin")
    what = f"{row.cookie_name} on {scope} does not reach {', '.join(beyond)}: a click that lands there is lost at the checkout elsewhere"
    widest = {origin.cookie_domain(each) for each in row.origins}
    if len(widest) == 1 and None not in widest:
        remedy = f"collector business set {row.business_id} --cookie-domain {widest.pop()}, then renew the tag"
    else:
        remedy = f"give it a business of its own: collector business create NAME --origin {beyond[0]}"
    return Finding(PART, "cookie", "fault", what, remedy)
