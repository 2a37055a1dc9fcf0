"""Advice about accepted events: what Meta takes but makes little of. The sandbox's own diagnostics, not Meta's."""

import ipaddress
import re
from typing import Any

_CLICK_COOKIE = re.compile(r"fb\.\d\.(\d+)\..+")


def lint(event: dict[str, Any], parameters: dict[str, Any]) -> list[str]:
    """What a careful sender would mend in this event and in the parameters beside it."""
    warnings = []
    agent = parameters.get("partner_agent")
    if isinstance(agent, str) and (len(agent) >= 23 or sum(map(str.isalpha, agent)) < 2):
        warnings.append("partner_agent must be shorter than 23 characters, with at least two letters")
    if not isinstance(event.get("event_id"), str):
        warnings.append("no event_id: a repeat of this event cannot be told from a new one")
    user = event.get("user_data")
    if event.get("action_source") == "website" and isinstance(user, dict):
        warnings += _website(event, user)
    return warnings


def _website(event: dict[str, Any], user: dict[str, Any]) -> list[str]:
    warnings = [f"{key} is missing" for key in ("client_user_agent", "client_ip_address") if not user.get(key)]
    if not event.get("event_source_url"):
        warnings.append("event_source_url is missing")
    for key in ("fbc", "fbp"):
        if (value := user.get(key)) and isinstance(value, str):
            match = _CLICK_COOKIE.fullmatch(value)
            if not match:
                warnings.append(f"{key} is not of the form fb.<index>.<milliseconds>.<value>")
            elif len(match[1]) < 13:
                warnings.append(f"the time in {key} is not in milliseconds")
    if (address := user.get("client_ip_address")) and not _public(address):
        warnings.append("client_ip_address is not a public address")
    return warnings


def _public(address: Any) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False
