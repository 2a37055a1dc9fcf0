"""Logs: one JSON object a line on standard error, no line per success, nothing secret.

The code never logs a token, a key or a click id; should one slip into a message or a traceback all the same, it is cut here.
"""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import IO, Any

import msgspec

NOISY = ("httpx2", "httpcore2", "asyncio", "aiosqlite")  # they tell of each success at INFO or DEBUG

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}

# In JSON text. An escape is taken first, and whole, so that its letter never passes for the start of a secret.
_SECRET = re.compile(
    r"(?P<escape>\\(?:u[0-9a-fA-F]{4}|[^u]))"
    r"|(?P<named>(?:bearer\s+|(?:access_token|x-api-key|authorization)(?:\\?[\"'])?\s*[:=]\s*(?:\\?[\"'])?(?:bearer\s+)?))"
    r"[^\s\"'\\&,;}]+"
    r"|(?P<prefix>ck_|[0-9]{6,}\|)[A-Za-z0-9_-]{16,}"  # our keys; Meta's app tokens
    r"|(?P<head>[A-Za-z0-9_+-]{4})[A-Za-z0-9_+-]{36,}=*",  # a uuid has 36 characters, a 256-bit key 43, a click id 99 or more
    re.IGNORECASE,
)


def _cut(found: re.Match[str]) -> str:
    if found["escape"]:
        return found[0]
    kept = found["named"] or found["prefix"] or found["head"]
    return f"{kept}[redacted]"


def redact(text: str) -> str:
    """The text without anything that looks like a token, an API key or a click id; their first characters stay. JSON stays JSON."""
    return _SECRET.sub(_cut, text)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: `at` (UTC), `level`, `logger`, `message`, what `extra` gave, and `error` (traceback)."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its newline."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD and name not in line}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        try:
            text = msgspec.json.encode(line, enc_hook=repr).decode()
        except (TypeError, UnicodeEncodeError):  # lone surrogates, keys that are no strings: tell what can be told
            plain = {name: str(value).encode("ascii", "backslashreplace").decode() for name, value in line.items()}
            text = msgspec.json.encode(plain).decode()
        return redact(text)


def configure(level: str = "info", stream: IO[str] | None = None) -> None:
    """Send all logs of this process, uvicorn's too, through the JSON formatter. Run uvicorn with `log_config=None, access_log=False`."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
