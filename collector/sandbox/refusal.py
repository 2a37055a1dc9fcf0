"""Why Graph says no: status, code, subcode and words, as Meta's documentation and live answers give them.

Senders must branch on (code, subcode) only: Meta words its titles in the language of whoever owns the token, which the
sandbox's `language` setting imitates.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from .titles import TITLES, Language


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One refused request, independent of the wire it goes out on. `path` is the field that Meta would blame."""

    status: int = 400
    code: int = 100
    subcode: int | None = None
    message: str = "Invalid parameter"
    kind: str = "OAuthException"
    transient: bool | None = None  # None: the answer does not say
    title: Mapping[Language, str] = {}
    explanation: str = ""
    path: tuple[str, ...] = ()
    headers: Mapping[str, str] = {}

    def said(self, language: Language = "en") -> str:
        """Meta's own words, the way Connectly passes them on: the title, else the message."""
        return self.title.get(language) or self.title.get("en") or self.message


class Refused(Exception):
    """Carries a refusal from the rule that found it to the answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.said())
        self.refusal = refusal


# What Meta says beside the title. Where only the number is known, the words are the sandbox's.
_EXPLANATIONS: dict[int, str] = {
    2804003: "The timestamp for this event is too far in the past. Events need to be sent from your server within 7 days of"
    " when they occurred.",
    2804008: "Each item of contents needs an id.",
    2804010: "Purchase events need the currency of the purchase, as an ISO 4217 code.",
    2804011: "The currency code of this Purchase event is not one that Meta supports.",
    2804016: "Hash user parameters with SHA-256, except for client user agent, click ID and browser ID.",
    2804023: "A value needs a currency.",
    2804050: "This event has no customer information parameters, or a combination of them too broad to match anyone.",
    2804063: "Events with business_messaging action source need messaging_channel: whatsapp, messenger or instagram.",
    2804064: "client_ip_address and client_user_agent are not allowed with business_messaging action source.",
    2804065: "The dataset is linked to another Page.",
    2804066: "The event name is not one of the events that business_messaging accepts.",
    2804072: "The Page is not the one that owns the click.",
    2804073: "The user id is not scoped to this Page.",
    2804079: "Provide ig_account_id in user_data.",
    2804087: "The ctwa_clid is missing, or is not the id of a click.",
    2804116: "Provide page_id or whatsapp_business_account_id in user_data.",
    2804131: "Link the Page to this dataset, or leave page_id out.",
    2804132: "Create the dataset of the WhatsApp Business Account with POST /{WABA_ID}/dataset.",
    2804133: "Link the Instagram account to this dataset.",
}

# code: (status, message, transient). The HTTP statuses of throttling and permission codes differ between reports.
_GENERAL: dict[int, tuple[int, str, bool]] = {
    1: (500, "An unknown error has occurred.", True),
    2: (503, "(#2) Service temporarily unavailable", True),
    4: (400, "(#4) Application request limit reached", True),
    10: (403, "(#10) Application does not have permission for this action", False),
    17: (400, "(#17) User request limit reached", True),
    32: (400, "(#32) Page request limit reached", True),
    190: (401, "Invalid OAuth access token - Cannot parse access token", False),
    200: (403, "(#200) Permissions error", False),
    210: (400, "(#210) A page access token is required to request this resource.", False),
    270: (403, "(#270) This Ads API request is not allowed for apps with development access level", False),
    341: (400, "(#341) Application limit reached", True),
    368: (400, "(#368) The action attempted has been deemed abusive or is otherwise disallowed", False),
    613: (400, "(#613) Calls to this api have exceeded the rate limit.", True),
    80004: (400, "(#80004) There have been too many calls to this ad-account. Wait a bit and try again.", True),
}
_SESSION = {
    458: "The user has not authorized application",
    460: "The session has been invalidated because the user changed their password or Facebook has changed the session for"
    " security reasons.",
    463: "Session has expired",
    467: "The session is invalid because the user logged out.",
}
_USUAL_CODE = {400: 100, 401: 190, 403: 200, 404: 100, 429: 4, 503: 2}


def invalid(subcode: int, *path: str) -> Refusal:
    """A refusal under code 100 that has a subcode of its own."""
    return Refusal(
        subcode=subcode, transient=False, title=TITLES[subcode], explanation=_EXPLANATIONS[subcode], path=path
    )


def parameter(message: str, *path: str, title: str = "") -> Refusal:
    """A refusal under bare code 100: malformed input, or a rule whose subcode nobody has published."""
    return Refusal(message=f"(#100) {message}", title={"en": title} if title else {}, path=path)


def missing_object(object_id: str, method: str = "post") -> Refusal:
    """Graph's single answer for a wrong id and for an id the token may not see."""
    return Refusal(
        subcode=33,
        kind="GraphMethodException",
        message=f"Unsupported {method.lower()} request. Object with ID '{object_id}' does not exist, cannot be loaded due to missing"
        " permissions, or does not support this operation. Please read the Graph API documentation at"
        " https://developers.facebook.com/docs/graph-api",
    )


def permission(name: str) -> Refusal:
    """The token lacks a scope."""
    return Refusal(status=403, code=200, message=f"(#200) App does not have {name} permission")


def general(code: int | None, subcode: int | None = None, status: int | None = None) -> Refusal:
    """An injected answer: any code and subcode, with the status and words that go with them."""
    code = _USUAL_CODE.get(status or 500, 1) if code is None else code
    if code == 100 and subcode in TITLES:
        return msgspec.structs.replace(invalid(subcode), status=status or 400)
    if code == 100 and subcode == 33:
        return msgspec.structs.replace(missing_object("0"), status=status or 400)
    unknown = "Invalid parameter" if code == 100 and subcode else f"(#{code}) Error"
    usual, message, transient = _GENERAL.get(code, (400, unknown, False))
    if code == 190 and subcode in _SESSION:
        message = f"Error validating access token: {_SESSION[subcode]}"
    return Refusal(status=status or usual, code=code, subcode=subcode, message=message, transient=transient or None)


def error_body(refusal: Refusal, fbtrace_id: str, language: Language = "en", as_text: bool = False) -> dict[str, Any]:
    """Graph's error envelope. `as_text` sends `error_data` as a JSON string, which Graph also does."""
    error: dict[str, Any] = {"message": refusal.message, "type": refusal.kind, "code": refusal.code}
    if refusal.subcode is not None:
        error["error_subcode"] = refusal.subcode
    if refusal.transient is not None:
        error["is_transient"] = refusal.transient
    if title := refusal.title.get(language) or refusal.title.get("en"):
        error["error_user_title"] = title
        error["error_user_msg"] = refusal.explanation or title
    if refusal.path:
        blame = {"blame_field_specs": [list(refusal.path)]}
        error["error_data"] = msgspec.json.encode(blame).decode() if as_text else blame
    error["fbtrace_id"] = fbtrace_id
    return {"error": error}
