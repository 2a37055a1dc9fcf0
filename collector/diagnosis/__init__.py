"""What is wrong with a business's set-up, and what to do: a pure function from facts to findings, in the order in which things break."""

from collector.diagnosis.channel import of_a_channel
from collector.diagnosis.finding import ChannelFacts, Facts, Finding, Hearing, Status, Trial, Visit
from collector.diagnosis.ground import of_the_business, of_the_collector
from collector.diagnosis.place import of_the_pages
from collector.diagnosis.trial import of_a_trial

__all__ = ["ChannelFacts", "Facts", "Finding", "Hearing", "Status", "Trial", "Visit", "diagnose"]


def diagnose(facts: Facts) -> list[Finding]:
    """All checks of a business. One that cannot be made, because one before it failed, says so (`skipped`)."""
    return [
        *of_the_collector(facts),
        *of_the_business(facts),
        *of_the_pages(facts),
        *(finding for known in facts.channels for finding in of_a_channel(facts, known)),
        *map(of_a_trial, facts.trials),
    ]
