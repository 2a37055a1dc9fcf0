"""A request to Graph, read from any of the wire forms that Meta's SDKs and documentation use.

JSON, urlencoded or multipart; `data` an array or the JSON text of one, its items objects or JSON texts of objects (the
official Python SDK encodes twice); the token in a Bearer header, the query or the body.
"""

from email import policy
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from .refusal import Refused, parameter

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Message(msgspec.Struct):
    """The parts of a Graph request that the sandbox looks at."""

    token: str
    parameters: dict[str, Any]


def read(content_type: str, body: bytes, query: str, authorization: str) -> Message:
    """Parses a request; raises Refused when the body is not what its content type says."""
    parameters: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    if body:
        parameters |= _body(content_type, body)
    scheme, _, bearer = authorization.partition(" ")
    header = bearer.strip() if scheme.lower() in {"bearer", "oauth"} else ""
    token = parameters.get("access_token") or header
    return Message(token if isinstance(token, str) else "", parameters)


def events(parameters: dict[str, Any]) -> list[Any]:
    """The items of `data`, decoded, however many; raises Refused where it is no array."""
    data = _decoded(parameters.get("data"))
    if not isinstance(data, list):
        raise Refused(parameter("The parameter data is required and must be an array", "data"))
    return [_decoded(item) for item in data]


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except UNREADABLE:
        return None


def _body(content_type: str, body: bytes) -> dict[str, Any]:
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/x-www-form-urlencoded":
            return dict(parse_qsl(body.decode(), keep_blank_values=True))
        if kind == "multipart/form-data":
            return _multipart(content_type, body)
        decoded = msgspec.json.decode(body)
    except UNREADABLE as error:
        raise Refused(parameter(f"the body is not readable as {kind or 'JSON'}: {error}")) from None
    if not isinstance(decoded, dict):
        raise Refused(parameter("the body must be a JSON object"))
    return decoded


def _multipart(content_type: str, body: bytes) -> dict[str, Any]:
    """Fields by name, parsed as the MIME message that a multipart body is."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    parts = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    fields: dict[str, Any] = {}
    for part in parts.iter_parts():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content.decode()
    return fields
