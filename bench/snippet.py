"""What the snippet costs a page, beside two peers from npm in the same run: bytes, main thread, requests.

    python -m bench.snippet [--rounds N] [--slower FACTOR]

Needs npm and Chromium. The peers are installed into a temporary directory. A round opens every page once, each in a fresh profile; the
time is the main thread's own (CPU, not wall) in compiling and running that page's scripts, from navigation until a second after load.
"""

import argparse
import gzip
import json
import statistics
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from collector.snippet_files import snippet_directory
from tests.processes import serving

PEERS = {"@plausible-analytics/tracker": "0.4.6", "@counterscale/tracker": "3.4.1"}
BUSINESS = "0b7b6a52-6d5c-4f0e-9f0a-5f2f8f3c1a77"
CLICK = "cnct_tracking_id=visitor-1&sendout_id=campaign-1&ctwa_clid=ARAkLkA8rmlFeiCk&ad_id=120210000000000001"
PRODUCT = {"@type": "Product", "sku": "moka", "offers": {"price": "39.00", "priceCurrency": "USD"}}
TAG = f'<script async src="/cnct.js" data-business="{BUSINESS}"></script>'
PLAUSIBLE = "import { init } from '/plausible.js'; init({domain: 'shop.localhost', endpoint: '/api/event', captureOnLocalhost: true})"
TAGS = {
    "nothing": '<script async src="/nothing.js"></script>',
    "cnct, landing on a product": TAG,
    "cnct, visitor without context": TAG,
    "Plausible": f'<script type="module">{PLAUSIBLE}</script>',
    "Counterscale": '<script async id="counterscale-script" src="/tracker.js" data-site-id="x" data-report-localhost="true"></script>',
}
SPANS = {
    "EvaluateScript", "FunctionCall", "RunMicrotasks", "TimerFire", "EventDispatch", "v8.compile", "v8.compileModule", "v8.evaluateModule",
    "XHRReadyStateChange", "XHRLoad", "FireIdleCallback", "FireAnimationFrame",
}  # fmt: skip


@dataclass
class Site:
    """A shop that serves every page and script, answers every post, and counts."""

    scripts: dict[str, bytes]
    requests: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/page/{number:int}", self._page),
                Route("/{path:path}", self._post, methods=["POST", "OPTIONS"]),
                Route("/{path:path}", self._script),
            ]
        )

    async def _page(self, request: Request) -> Response:
        tag = list(TAGS.values())[request.path_params["number"]]
        described = f'<script type="application/ld+json">{json.dumps(PRODUCT)}</script>'
        icon = '<link rel="icon" href="data:,">'
        return HTMLResponse(
            f"<!doctype html><html><head><title>Moka</title>{icon}{tag}{described}</head><body><h1>Moka</h1></body></html>"
        )

    async def _script(self, request: Request) -> Response:
        path = request.url.path
        if path not in self.scripts:  # some trackers send by GET
            self.requests.append(f"GET {path.rpartition('/')[2]}")
            return JSONResponse({})
        self.requests.append("script")
        return Response(self.scripts[path], media_type="text/javascript", headers={"cache-control": "max-age=3600"})

    async def _post(self, request: Request) -> Response:
        self.requests.append(request.method)
        response = JSONResponse({"ref": "r" * 22, "max_age": 7_776_000})
        if request.url.path.endswith("/landing"):
            response.set_cookie("cnct", "token", httponly=True)
            response.set_cookie("cnct_ref", "r" * 22)
        return response


def install(directory: Path) -> dict[str, bytes]:
    """The scripts of the peers, and ours."""
    names = [f"{name}@{version}" for name, version in PEERS.items()]
    subprocess.run(
        [
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
            str(directory),
            *names,
        ],
        check=True,
    )
    modules = directory / "node_modules"
    return {
        "/nothing.js": b";",
        "/cnct.js": (snippet_directory() / "cnct.js").read_bytes(),
        "/plausible.js": (modules / "@plausible-analytics/tracker/plausible.js").read_bytes(),
        "/tracker.js": (modules / "@counterscale/tracker/dist/loader/tracker.js").read_bytes(),
    }


def visit(browser: Browser, url: str, slower: float) -> float:
    """Open a page in a fresh profile; gives the milliseconds that its scripts kept the main thread."""
    context = browser.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    events: list[dict[str, Any]] = []
    session.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
    categories = "devtools.timeline,v8"
    session.send("Tracing.start", {"transferMode": "ReportEvents", "categories": categories})
    page.goto(url, wait_until="load")
    page.wait_for_timeout(1000)
    complete: list[object] = []
    session.once("Tracing.tracingComplete", lambda data: complete.append(data))
    session.send("Tracing.end")
    while not complete:
        page.wait_for_timeout(20)
    context.close()
    return busy(events, url)


def busy(events: list[dict[str, Any]], url: str) -> float:
    """CPU milliseconds of the outermost script spans on the thread that runs the page."""
    [(pid, tid)] = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "ResourceSendRequest" and event["args"]["data"]["url"] == url
    }
    spans = sorted(
        (event["ts"], event["ts"] + event["dur"], event.get("tdur", event["dur"]))
        for event in events
        if (event["ph"], event["pid"], event["tid"]) == ("X", pid, tid) and event["name"] in SPANS
    )
    total = until = 0
    for begin, end, cpu in spans:
        if begin >= until:
            total, until = total + cpu, end
    return total / 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.snippet", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--slower", type=float, default=1.0, help="slow the processor down by this factor (default: 1)")
    asked = parser.parse_args()
    times: dict[str, list[float]] = defaultdict(list)
    requests: dict[str, set[str]] = defaultdict(set)
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as driver:
        site = Site(install(Path(directory)))
        with serving(site.app()) as url:
            port = url.rpartition(":")[2]
            browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            for _ in range(asked.rounds):
                for number, name in enumerate(TAGS):
                    site.requests.clear()
                    query = "" if "without" in name else f"?{CLICK}"
                    times[name].append(
                        visit(browser, f"http://shop.localhost:{port}/page/{number}{query}", asked.slower)
                    )
                    requests[name].add(" + ".join(site.requests))
            version = browser.version
    report(times, requests, site.scripts, f"Chromium {version}, {asked.rounds} rounds, {asked.slower:g} x slower")


def report(times: dict[str, list[float]], requests: dict[str, set[str]], scripts: dict[str, bytes], title: str) -> None:
    """Print the tables."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    faster = min(medians["Plausible"], medians["Counterscale"])
    print(title)
    for name, median in medians.items():
        spread = statistics.quantiles(times[name], n=4)
        told = "; ".join(sorted(requests[name]))
        print(
            f"{name:32}{median:7.2f} ms  ({spread[0]:.2f} to {spread[2]:.2f})  {median / faster:5.2f} of the faster peer   {told}"
        )
    manifest = json.loads((snippet_directory() / "manifest.json").read_text())
    print(f"cnct.js: {manifest['bytes']} bytes, {manifest['gzip']} gzip, {manifest['brotli']} brotli")
    for name in ("/plausible.js", "/tracker.js"):
        print(f"{name[1:]}: {len(scripts[name])} bytes, {len(gzip.compress(scripts[name], 9))} gzip")


if __name__ == "__main__":
    main()
