"""What became of test events."""

from typing import Final

from collector.delivery import Outcome
from collector.destinations.graph import Problem
from collector.diagnosis.finding import Finding, Trial
from collector.diagnosis.trouble import asset, explain

_REMEDIES: Final[dict[int | None, str]] = {
    2804065: "see `link` above",
    2804066: "Meta takes fewer names from this account: collector business set ID --messaging-names …",
    2804073: "take the id of a person who wrote to this very Page",
    2804087: "take the ctwa_clid of a real click on an ad that leads to this account",
    2804131: "see `link` above",
    2804132: "see `link` above",
    2804133: "see `link` above",
}


def of_a_trial(trial: Trial) -> Finding:
    """Graph's verdict on a test event."""
    row, outcome = trial.row, trial.outcome
    part = "test event"
    if outcome is None:
        return Finding(part, row.channel, "skipped", f"not sent: {trial.lacks}")
    if outcome.kind == "accepted":
        trace = f" (trace {outcome.reference})" if outcome.reference else ""
        said = f"; it says: {outcome.message}" if outcome.message else ""
        return Finding(part, row.channel, "ok", f"Graph took it{trace}{said}; see Events Manager > Test events")
    if outcome.kind == "held" and outcome.code is not None:
        problem = Problem(code=outcome.code, subcode=outcome.subcode, words=outcome.message)
        if outcome.hold == "dataset":
            return Finding(
                part,
                row.channel,
                "fault",
                _said(outcome, "the dataset is not that of " + asset(row)),
                "see `link` above",
            )
        return Finding(part, row.channel, "fault", *explain(problem, row, f"dataset {row.dataset_id}"))
    if outcome.kind in ("rejected", "held"):
        return Finding(
            part,
            row.channel,
            "fault",
            _said(outcome, "Graph refuses it"),
            _REMEDIES.get(outcome.subcode, "see Meta's words"),
        )
    return Finding(
        part, row.channel, "warning", _said(outcome, f"no verdict ({outcome.kind})"), "ask again in some minutes"
    )


def _said(outcome: Outcome, what: str) -> str:
    code = "/".join(str(number) for number in (outcome.code, outcome.subcode) if number is not None)
    return what + (f" ({code})" if code else "") + (f": {outcome.message}" if outcome.message else "")
