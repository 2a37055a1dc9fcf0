"""Three browser engines behind one face: open a profile, visit an address, close the tab."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import httpx2
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from tests.processes import HOST, free_port, running

MINI_BROWSER = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser"
ANSWER_SECONDS = 60.0


class Profile(Protocol):
    """A fresh browser profile: no cookies, no storage, no connections. Behind its tab another one is open."""

    def visit(self, url: str) -> None:
        """Open an address; returns at the latest when its document is complete."""

    def close_tab(self) -> None:
        """Close the tab at once; the one behind it takes over. Once in a profile's life."""


class Engine(Protocol):
    """One running browser. To be used by the thread that made it."""

    version: str

    def profile(self) -> AbstractContextManager[Profile]:
        """A profile for the length of the block."""


class MissingEngine(Exception):
    """A browser is not installed here."""


# ------------------------------------------------------------------ Chromium and Firefox


class _Tabs:
    def __init__(self, context: BrowserContext) -> None:
        self._pages: list[Page] = [context.new_page(), context.new_page()]

    def visit(self, url: str) -> None:
        with suppress(Error):  # a page that leaves at once interrupts its own opening
            self._pages[-1].goto(url, wait_until="domcontentloaded")

    def close_tab(self) -> None:
        self._pages.pop().close()


class _Driven:
    def __init__(self, browser: Browser, **options: Any) -> None:
        self._browser, self._options = browser, options
        self.version = browser.version

    @contextmanager
    def profile(self) -> Iterator[Profile]:
        context = self._browser.new_context(**self._options)
        yield _Tabs(context)
        context.close()


@contextmanager
def chromium(hosts: Sequence[str]) -> Iterator[Engine]:
    """Chromium, every name on this machine."""
    arguments = [
        "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--ignore-certificate-errors",  # the driver's own option forgets requests that outlive their page
        "--host-resolver-rules=MAP * 127.0.0.1",
    ]  # fmt: skip
    path = _installed(os.environ.get("COLLECTOR_TEST_CHROMIUM", "/usr/bin/chromium"))
    with sync_playwright() as driver:
        yield _Driven(driver.chromium.launch(executable_path=path, args=arguments))


@contextmanager
def firefox(hosts: Sequence[str]) -> Iterator[Engine]:
    """Firefox (ESR), as it is shipped."""
    preferences: dict[str, str | float | bool] = {"network.dns.localDomains": ",".join(hosts)}
    path = _installed("/usr/bin/firefox-esr")
    with sync_playwright() as driver:
        browser = driver.firefox.launch(channel="moz-firefox", executable_path=path, firefox_user_prefs=preferences)
        yield _Driven(browser, ignore_https_errors=True)


# ------------------------------------------------------------------ WebKitGTK


class _Session:
    """A session of the W3C's WebDriver protocol. It is six calls, and MiniBrowser starts each with an empty profile."""

    def __init__(self, driver: httpx2.Client) -> None:
        self._driver = driver
        options = {"binary": _installed(MINI_BROWSER), "args": ["--automation"]}
        capabilities = {"acceptInsecureCerts": True, "pageLoadStrategy": "eager", "webkitgtk:browserOptions": options}
        made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self._path = f"/session/{made['sessionId']}"
        self.version = str(made["capabilities"]["browserVersion"])
        # MiniBrowser keeps showing the first tab, and a page in a tab that nobody sees is another case.
        self._behind = self._call("POST", f"{self._path}/window/new", {"type": "tab"})["handle"]

    def visit(self, url: str) -> None:
        self._call("POST", f"{self._path}/url", {"url": url})

    def close_tab(self) -> None:
        self._call("DELETE", f"{self._path}/window")
        self._call("POST", f"{self._path}/window", {"handle": self._behind})

    def end(self) -> None:
        self._call("DELETE", self._path)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._driver.request(method, path, json=body)
        value = answer.json()["value"]
        if answer.is_error:
            raise AssertionError(f"WebDriver: {value['error']}: {value['message']}")
        return value


class _WebKit:
    def __init__(self, driver: httpx2.Client) -> None:
        self._driver = driver
        with self._session() as session:
            self.version = session.version

    @contextmanager
    def profile(self) -> Iterator[Profile]:
        with self._session() as session:
            yield session

    @contextmanager
    def _session(self) -> Iterator[_Session]:
        session = _Session(self._driver)
        try:
            yield session
        finally:
            session.end()


@contextmanager
def webkit(hosts: Sequence[str]) -> Iterator[Engine]:
    """WebKitGTK's MiniBrowser on a screen that nobody sees. It asks the system for names: hence a hosts file in a mount namespace of its own."""
    driver, screen, unshare = map(_installed, ("WebKitWebDriver", "Xvfb", "unshare"))
    port = free_port()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="collector-webkit-")))
        names = directory / "hosts"
        names.write_text(f"127.0.0.1 localhost {' '.join(hosts)}\n")
        display = stack.enter_context(_screen(screen))
        script = 'mount --bind "$0" /etc/hosts && exec "$1" --port="$2"'
        rights = ["--mount"] if os.geteuid() == 0 else ["--map-root-user", "--mount"]
        process = stack.enter_context(
            running(unshare, *rights, "sh", "-c", script, str(names), driver, str(port), env={"DISPLAY": display})
        )
        process.wait_for_listener(port)
        url = f"http://{HOST}:{port}"
        yield _WebKit(stack.enter_context(httpx2.Client(base_url=url, timeout=ANSWER_SECONDS, trust_env=False)))


@contextmanager
def _screen(program: str) -> Iterator[str]:
    """A virtual screen; it chooses its number itself and tells it."""
    told, tells = os.pipe()
    with os.fdopen(told) as reader:
        screen = subprocess.Popen(
            [program, "-displayfd", str(tells), "-nolisten", "tcp"], pass_fds=[tells], stderr=subprocess.DEVNULL
        )
        os.close(tells)
        try:
            yield f":{reader.readline().strip()}"
        finally:
            screen.terminate()
            screen.wait()


def _installed(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise MissingEngine(f"{program} is missing; `make matrix` installs it where apt-get can")
    return found


ENGINES = {"Chromium": chromium, "Firefox": firefox, "WebKitGTK": webkit}
