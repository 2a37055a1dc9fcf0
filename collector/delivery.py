"""The journey of one event to its destination: states, outcomes, decisions, schedule. Pure."""

from typing import Literal

State = Literal["unmatched", "pending", "sending", "retrying", "held", "delivered", "dead"]
Reason = Literal[
    "rejected",
    "expired",
    "unmatched",
    "consent",
    "no_click_id",
    "test",
    "unknown",
    "token",
    "permission",
    "dataset",
    "channel",
]
Trigger = Literal["first", "scheduled", "rescue", "manual", "corrected"]
