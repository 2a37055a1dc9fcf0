"""Everything that can go wrong and has a name.

CollectorError
 ├─ Refusal                 the caller's doing; nothing but a record is left behind
 │   ├─ InvalidField        400, names the field and the rule
 │   ├─ TooLarge            413
 │   ├─ WrongType           415, the body is not what the contract says
 │   ├─ Unauthenticated     401
 │   ├─ Forbidden           403
 │   ├─ NotFound            404, with the stage that did not find it
 │   ├─ NotAllowed          405
 │   └─ RateLimited         429
 ├─ BadToken                an attribution token that proves nothing
 ├─ Unavailable             503, we cannot store now
 │   └─ Uncertain           and it may have been stored all the same
 └─ SettingsError           the process must not start; carries every problem at once

A class carries a code and the failure stage of Connectly's contract, never an HTTP status: `edge.answer` maps codes once.
"""

from typing import ClassVar, Literal

Stage = Literal["business_lookup", "channel_lookup", "payload_mapping", "meta_forward"]


class CollectorError(Exception):
    """Base of all errors that this package raises on purpose."""


class Refusal(CollectorError):
    """A call that is answered with an error and changes nothing.

    `details` are the JSON objects of the error body's `details` list.
    """

    code: ClassVar[str] = "invalid"

    def __init__(self, message: str, stage: Stage | None = None, details: tuple[dict[str, str], ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.stage = stage
        self.details = details


class InvalidField(Refusal):
    """A field breaks a rule; both are named (`payload.currency`: "must be a string")."""

    def __init__(self, field: str, rule: str, stage: Stage = "payload_mapping") -> None:
        super().__init__(f"{field}: {rule}", stage, ({"field": field, "rule": rule},))
        self.field = field
        self.rule = rule


class TooLarge(Refusal):
    """The body is larger than its limit in bytes."""

    code = "too_large"

    def __init__(self, limit: int) -> None:
        rule = f"at most {limit} bytes"
        super().__init__(f"body: {rule}", "payload_mapping", ({"field": "body", "rule": rule},))


class WrongType(Refusal):
    """The Content-Type or Content-Encoding is not one that the contract knows."""

    code = "wrong_type"

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}", "payload_mapping", ({"field": field, "rule": rule},))


class Unauthenticated(Refusal):
    """No key, or one that is unknown, revoked or expired."""

    code = "unauthenticated"


class Forbidden(Refusal):
    """Known, but not allowed: a foreign origin, a Purchase from a browser."""

    code = "forbidden"


class NotFound(Refusal):
    """The business or its channel does not exist, for this caller."""

    code = "not_found"


class NotAllowed(Refusal):
    """There is something at this address, but not by this method."""

    code = "not_allowed"


class RateLimited(Refusal):
    """Too many calls; `retry_after_seconds` says when to come back."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class BadToken(CollectorError):
    """An attribution token was refused.

    `reason` is `token-forged` (altered, another business or key, not one of ours) or `token-expired`.
    """

    def __init__(self, reason: Literal["token-forged", "token-expired"]) -> None:
        super().__init__(reason)
        self.reason = reason


class Unavailable(CollectorError):
    """The store cannot take it now. Nothing was acknowledged; the caller comes back after `retry_after_seconds`."""

    def __init__(self, reason: str, retry_after_seconds: int = 2) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class Uncertain(Unavailable):
    """The store did not say whether it took it. Not acknowledged, but it may be there."""


class SettingsError(CollectorError):
    """The settings cannot be used. `problems` holds one sentence for each, by variable name."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
