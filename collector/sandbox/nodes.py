"""What Graph says about tokens, datasets and assets: functions from one question to an answer, which raise Refused.

Shapes are those of Meta's reference for `debug_token`, `dataset` and `subscribed_apps`. Only POST and DELETE change the state.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from .refusal import Refusal, Refused, general, missing_object, parameter, permission
from .rules import check_asset_scopes
from .state import APP, AssetKind, Dataset, State, Token

Json = dict[str, Any]

_USER = "600000000000001"
_FIRST_DATASET = 200_000_000_001_000


class _Kind(NamedTuple):
    """What sets one kind of asset apart."""

    channel: str
    field: str  # of a dataset
    node: str  # Graph's name of the type
    name: str
    scopes: tuple[str, ...]  # that a token may hold for some assets of this kind only
    subscribing: str  # the scope that subscriptions ask for


_KINDS: dict[AssetKind, _Kind] = {
    "waba": _Kind(
        "whatsapp",
        "waba_id",
        "WhatsAppBusinessAccount",
        "Sandbox WhatsApp account",
        ("whatsapp_business_management", "whatsapp_business_manage_events"),
        "whatsapp_business_management",
    ),
    "page": _Kind(
        "messenger",
        "page_id",
        "Page",
        "Sandbox Page",
        ("page_events", "pages_manage_metadata"),
        "pages_manage_metadata",
    ),
    "ig": _Kind(
        "instagram",
        "ig_account_id",
        "IGUser",
        "Sandbox Instagram account",
        ("instagram_manage_events", "instagram_manage_messages"),
        "instagram_manage_messages",
    ),
}


class Question(msgspec.Struct):
    """One read, or small write, of Graph: by whom, about what. `now` is Unix seconds."""

    state: State
    token: Token
    target: str
    parameters: Json
    method: str
    now: float


Reply = Callable[[Question], Json]


def debug_token(asked: Question) -> Json:
    """`GET /debug_token?input_token=…`: a token's app, scopes and expiry; a bad token is an error inside the data."""
    value = asked.parameters.get("input_token")
    if not isinstance(value, str) or not value:
        raise Refused(parameter("The parameter input_token is required", "input_token"))
    token = asked.state.tokens.get(value)
    if token is None:
        return {"data": {"error": _fault(general(190)), "is_valid": False, "scopes": []}}
    over = token.is_over(asked.now)
    expires_at = token.expires_at or (int(asked.now) - 1 if over else 0)
    data: Json = {
        "app_id": token.app_id,
        "type": token.kind,
        "application": _app_name(token.app_id),
        "data_access_expires_at": 0,
        "expires_at": expires_at,
        "is_valid": not over,
        "scopes": token.scopes,
        "granular_scopes": [_granular(scope, token, asked.state) for scope in token.scopes],
        "user_id": _USER,
    }
    if over:
        data["error"] = _fault(general(190, 463))
    return {"data": data}


def dataset(asked: Question) -> Json:
    """`GET|POST /{asset}/dataset`: the asset's dataset; creating is idempotent, and takes a `dataset_name`."""
    state, asset_id = asked.state, asked.target
    kind, dataset_id = _asset(asked)
    check_asset_scopes(asked.token, _KINDS[kind].channel, at_events=False)
    key = "dataset_id" if state.settings.dataset_answer == "dataset_id" else "id"
    if asked.method == "GET":
        if dataset_id is None or state.settings.dataset_answer == "list":
            return {"data": [{"id": dataset_id}] if dataset_id else []}
        return {key: dataset_id}
    if dataset_id is None:
        name = asked.parameters.get("dataset_name")
        name = name if isinstance(name, str) and name else f"{_KINDS[kind].name} Event Data"
        dataset_id = next(
            free for number in itertools.count(_FIRST_DATASET) if (free := str(number)) not in state.datasets
        )
        state.datasets[dataset_id] = Dataset(name=name, **{_KINDS[kind].field: asset_id})
    return {key: dataset_id}


def subscribed_apps(asked: Question) -> Json:
    """`GET|POST|DELETE /{asset}/subscribed_apps`: the apps that get the asset's webhooks; POST and DELETE are about the token's app."""
    kind, _ = _asset(asked)
    if kind == "page" and asked.state.settings.page_needs_own_token and asked.token.kind != "PAGE":
        raise Refused(general(210))
    if (scope := _KINDS[kind].subscribing) not in asked.token.scopes:
        raise Refused(permission(scope))
    apps = asked.state.subscriptions.get(asked.target, {})
    if asked.method == "GET":
        return {"data": [_subscription(kind, app_id, fields) for app_id, fields in apps.items()]}
    if asked.method == "DELETE":
        apps.pop(asked.token.app_id, None)
        return {"success": True}
    fields = asked.parameters.get("subscribed_fields", "")
    fields = fields.split(",") if isinstance(fields, str) else fields
    if not isinstance(fields, list) or not all(isinstance(field, str) for field in fields):
        raise Refused(parameter("subscribed_fields must be a list of fields", "subscribed_fields"))
    named = [field.strip() for field in fields if field.strip()]
    if kind != "waba" and not named:
        raise Refused(parameter("The parameter subscribed_fields is required.", "subscribed_fields"))
    asked.state.subscriptions.setdefault(asked.target, {})[asked.token.app_id] = named
    return {"success": True}


def node(asked: Question) -> Json:
    """`GET /{id}?fields=id,name`: a dataset or an asset that the token is assigned to."""
    found = asked.state.datasets.get(asked.target)
    if found is not None and asked.token.sees_dataset(asked.target):
        known, kind = {"id": asked.target, "name": found.name}, "AdsPixel"
    else:
        asset, _ = _asset(asked)
        known, kind = {"id": asked.target, "name": _KINDS[asset].name}, _KINDS[asset].node
    fields = asked.parameters.get("fields") or "id,name"
    wanted = [field.strip() for field in str(fields).split(",") if field.strip()]
    for field in wanted:
        if field not in known:
            raise Refused(parameter(f"Tried accessing nonexisting field ({field}) on node type ({kind})"))
    return {field: known[field] for field in dict.fromkeys([*wanted, "id"])}


def _asset(asked: Question) -> tuple[AssetKind, str | None]:
    found = asked.state.asset(asked.target)
    if found is None or not asked.token.sees_asset(asked.target):
        raise Refused(missing_object(asked.target, asked.method))
    return found


def _granular(scope: str, token: Token, state: State) -> Json:
    """A scope with the assets it holds for; without any named it holds for all."""
    kind = next((kind for kind, each in _KINDS.items() if scope in each.scopes), None)
    if token.assets is None or kind is None:
        return {"scope": scope}
    targets = [asset_id for asset_id in token.assets if (found := state.asset(asset_id)) and found[0] == kind]
    return {"scope": scope, "target_ids": targets}


def _subscription(kind: AssetKind, app_id: str, fields: list[str]) -> Json:
    app: Json = {"link": f"https://www.facebook.com/games/?app_id={app_id}", "name": _app_name(app_id), "id": app_id}
    if kind == "waba":
        return {"whatsapp_business_api_data": app}
    return app | ({"subscribed_fields": fields} if fields else {})


def _app_name(app_id: str) -> str:
    return "Sandbox app" if app_id == APP else f"App {app_id}"


def _fault(refusal: Refusal) -> Json:
    """An error as `debug_token` nests it: there the subcode is called `subcode`."""
    error: Json = {"code": refusal.code, "message": refusal.message}
    return error if refusal.subcode is None else error | {"subcode": refusal.subcode}
