"""The settings of one collector process, read from environment variables (12-factor).

What belongs to one business lives in the store and is set by commands. An empty variable counts as unset.
"""

import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from collector.errors import SettingsError
from collector.vault import decode_key

PREFIX = "COLLECTOR_"
FILE = "_FILE"
SECRET = {"secret": True}

# Commands read a channel's token from the first; the project's own tests are steered by the others.
NOT_SETTINGS = ("COLLECTOR_ACCESS_TOKEN", "COLLECTOR_TEST_")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an operator may set. Each field is the variable `COLLECTOR_<FIELD>`; docs/settings.md lists them.

    Sizes are bytes, spans carry their unit in the name. Fields marked secret may come from a file (`COLLECTOR_<FIELD>_FILE`) and are
    left out of the representation.
    """

    data_dir: Annotated[
        Path, Meta(description="Directory of the key file and of the default database; made with mode 0700.")
    ]
    database_url: Annotated[
        str,
        Meta(
            description="`sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://user:password@host/name`.",
            extra=SECRET,
        ),
    ]
    secret_keys: Annotated[
        tuple[bytes, ...],
        Meta(
            description="Master keys: 32 random bytes each in base64url, comma-separated, newest last. Unset: the file `keys` in the "
            "data directory, created on first start.",
            extra=SECRET,
        ),
    ] = ()
    public_url: Annotated[
        str, Meta(description="Where shoppers' browsers reach the collector; printed in the script tag.")
    ] = "http://localhost:8000"
    graph_url: Annotated[str, Meta(description="Meta's Graph API, without a version. Plain http only to loopback.")] = (
        "https://graph.facebook.com"
    )
    graph_version: Annotated[str, Meta(pattern=r"^v[0-9]{1,3}\.[0-9]$", description="Version of the Graph API.")] = (
        "v25.0"
    )
    connectly_url: Annotated[str, Meta(description="Connectly's API. Plain http only to loopback.")] = (
        "https://api.connectly.ai"
    )
    partner_agent: Annotated[
        str,
        Meta(
            description="Name that Meta knows the sender by (`partner_agent`): at least 2 letters, under 23 characters."
        ),
    ] = "collector"
    meta_app_secret: Annotated[
        tuple[Annotated[str, Meta(min_length=8)], ...],
        Meta(
            description="App secrets (8 characters or more), comma-separated: one of them signed each webhook.",
            extra=SECRET,
        ),
    ] = ()
    meta_verify_token: Annotated[
        Annotated[str, Meta(min_length=8)] | None,
        Meta(description="The word (8 characters or more) that Meta repeats to subscribe a webhook.", extra=SECRET),
    ] = None
    forwarded_allow_ips: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses or networks of the proxies whose `X-Forwarded-For` and `-Proto` are believed, comma-separated. "
            "Unset: nobody's."
        ),
    ] = ()
    wait_seconds: Annotated[
        float, Meta(ge=0, le=60, description="How long a reporting call waits for the destination's verdict.")
    ] = 5.0
    landing_days: Annotated[
        int, Meta(ge=1, le=3650, description="How long a landing is kept after it was last seen.")
    ] = 90
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Least severe level that is logged.")
    ] = "info"
    rate_ip_per_minute: Annotated[
        int,
        Meta(ge=1, le=10**6, description="Browser calls accepted from one address; phone networks share addresses."),
    ] = 600
    rate_business_per_minute: Annotated[
        int, Meta(ge=1, le=10**8, description="Browser calls accepted for one business.")
    ] = 12_000
    browser_body_bytes: Annotated[int, Meta(ge=1024, le=2**26, description="Largest body that a browser may post.")] = (
        64 * 1024
    )
    call_body_bytes: Annotated[
        int, Meta(ge=1024, le=2**26, description="Largest body of a conversion event or a link.")
    ] = 256 * 1024
    events_body_bytes: Annotated[
        int, Meta(ge=1024, le=2**26, description="Largest body of a call of the events API: up to 1000 events.")
    ] = 4 * 1024 * 1024
    webhook_body_bytes: Annotated[
        int, Meta(ge=1024, le=2**26, description="Largest body of a webhook; Meta's reach 3 MB.")
    ] = 4 * 1024 * 1024
    waiters: Annotated[
        int, Meta(ge=0, le=10**6, description="Calls that may wait for a verdict at once; further ones hear `pending`.")
    ] = 2000

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Name and value of each field, without the secret ones."""
        return [(name, getattr(self, name)) for name in self.__struct_fields__ if name not in SECRETS]

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())}, …)"


def _check_url(text: str, *, loopback: Callable[[str], bool]) -> None:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        raise ValueError("must be a URL") from None
    if url.scheme not in {"https", "http"} or not url.hostname or not text.isascii() or not text.isprintable():
        raise ValueError("must be an http or https URL")
    if url.username is not None or url.query or url.fragment or set(text) & set(" \"'<>\\"):
        raise ValueError("must be a plain address: no user, no query, no fragment")
    if url.scheme == "http" and not loopback(url.hostname):
        raise ValueError("must be https: plain http goes to loopback only")


def is_loopback(host: str) -> bool:
    """True where the host cannot lead off this machine: `localhost`, 127.0.0.0/8, ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_local(host: str) -> bool:
    """True for loopback and for names below `localhost`, which browsers keep on this machine (resolvers may not)."""
    return is_loopback(host) or host.endswith(".localhost")


def _api_url(text: str) -> str:
    _check_url(text, loopback=is_loopback)
    return text.rstrip("/")


def _graph_url(text: str) -> str:
    if re.search(r"/v[0-9]+\.[0-9]+", text):
        raise ValueError("must not hold a version: COLLECTOR_GRAPH_VERSION says it")
    return _api_url(text)


def _public_url(text: str) -> str:
    _check_url(text, loopback=is_local)
    return text.rstrip("/")


def _database_url(text: str) -> str:
    if re.match(r"sqlite:///+[^/?]|postgres(ql)?://.", text):  # parsers' own complaints would repeat the password
        return text
    raise ValueError(
        "must be sqlite:///relative/path, sqlite:////absolute/path or postgresql://user:password@host/name"
    )


def _partner_agent(text: str) -> str:
    if len(text) >= 23 or not text.isascii() or not text.isprintable() or sum(map(str.isalpha, text)) < 2:
        raise ValueError("must have at least 2 letters and fewer than 23 characters, all plain ASCII (Meta's rule)")
    return text


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            ipaddress.ip_network(value)
        except ValueError:
            raise ValueError(
                f"{value!r} is not an address or a network; name each proxy (`*` would believe anyone)"
            ) from None
    return values


CHECKS: dict[str, Callable[[Any], Any]] = {
    "database_url": _database_url,
    "public_url": _public_url,
    "graph_url": _graph_url,
    "connectly_url": _api_url,
    "partner_agent": _partner_agent,
    "forwarded_allow_ips": _networks,
}

RULES = {  # the decoder's complaints in an operator's words; neither holds the value
    r"str of length >= (\d+)": r"must have \1 characters or more",
    r"str matching regex .*": "must look like v25.0",
    r"int, got .*": "must be a whole number",
    r"float, got .*": "must be a number",
    r"\w+ >= (\S+)": r"must be \1 or more",
    r"\w+ <= (\S+)": r"must be \1 or less",
}

HINTS: dict[str, Any] = get_type_hints(Settings, include_extras=True)
SECRETS = frozenset(name for name, hint in HINTS.items() if hint.__metadata__[0].extra == SECRET)
VARIABLES = {PREFIX + name.upper(): name for name in HINTS}
"""Variable name to field name."""


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        return Path(value).expanduser().absolute()
    raise NotImplementedError


def _convert(name: str, text: str) -> Any:
    """The field's value; raises ValueError with the rule that the text breaks, never with the text of a secret."""
    if name == "secret_keys":
        return tuple(decode_key(part) for part in text.split(","))
    hint = HINTS[name]
    kind = get_args(hint)[0]
    value = tuple(part.strip() for part in text.split(",")) if get_origin(kind) is tuple else text
    try:
        value = msgspec.convert(value, hint, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        if get_origin(kind) is Literal:
            raise ValueError(f"must be one of {', '.join(get_args(kind))}") from None
        told = str(error).replace("`", "").split(" - at ")[0].removeprefix("Expected ")
        found = ((re.fullmatch(pattern, told), words) for pattern, words in RULES.items())
        raise ValueError(next((match.expand(words) for match, words in found if match), told)) from None
    return CHECKS.get(name, lambda checked: checked)(value)


def _from_file(path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            return file.read(64 * 1024).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot be read: {getattr(error, 'strerror', None) or 'not a text file'}") from None


def _unknown(variable: str) -> str:
    if variable.removesuffix(FILE) in VARIABLES:
        return f"{variable}: only secrets may come from a file; set {variable.removesuffix(FILE)}"
    known = [name.upper() for name in HINTS] + [name.upper() + FILE for name in sorted(SECRETS)]
    near = difflib.get_close_matches(variable.removeprefix(PREFIX), known, n=1)
    return f"{variable}: no such setting" + (f"; did you mean {PREFIX}{near[0]}?" if near else "")


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """`collector` in the user's data directory (XDG), or `collector-data` here where there is no home."""
    for root, below in (
        (environ.get("XDG_DATA_HOME", ""), "collector"),
        (environ.get("HOME", ""), ".local/share/collector"),
    ):
        if Path(root).is_absolute():
            return Path(root) / below
    return Path("collector-data").absolute()


def load(environ: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises `SettingsError` with every problem at once, each beginning with its variable. An unknown `COLLECTOR_*` variable is one:
    a misspelt setting must not pass for a default.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable.startswith(NOT_SETTINGS) or not environ[variable].strip():
            continue
        plain = variable.removesuffix(FILE)
        name = VARIABLES.get(variable) or VARIABLES.get(plain, "")
        if variable not in VARIABLES and name not in SECRETS:
            problems.append(_unknown(variable))
            continue
        if variable != plain and environ.get(plain, "").strip():
            problems.append(f"{variable}: {plain} is set too; set one of them")
            continue
        try:
            text = environ[variable].strip()
            values[name] = _convert(name, _from_file(text) if variable != plain else text)
        except (ValueError, RuntimeError) as error:  # RuntimeError: `~` without a home
            problems.append(f"{variable}: {error}")
    if problems:
        raise SettingsError(problems)
    values.setdefault("data_dir", default_data_dir(environ))
    values.setdefault("database_url", f"sqlite:///{values['data_dir'] / 'collector.db'}")
    return Settings(**values)
