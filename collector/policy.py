"""What a business sends to Meta, and as what. Pure."""

from typing import Final, Literal

import msgspec

MESSAGING_NAMES: Final = (
    "Purchase",
    "LeadSubmitted",
    "InitiateCheckout",
    "AddToCart",
    "ViewContent",
    "OrderCreated",
    "OrderShipped",
    "OrderDelivered",
    "OrderCanceled",
    "OrderReturned",
    "CartAbandoned",
    "QualifiedLead",
    "RatingProvided",
    "ReviewProvided",
)
"""What Meta's guide for business messaging lists; any other name is refused (100/2804066)."""

WINDOW_DAYS: Final = 28


class Policy(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How one business wants its conversions sent.

    - `messaging_names`: the event names that its conversations may have; empty: all of `MESSAGING_NAMES` (some accounts take fewer).
    - `lead_submitted`: a `Lead` from a conversation is sent as `LeadSubmitted`, the name that Meta takes there.
    - `other_names`: any other name from a conversation is refused, or sent with `action_source` system_generated, which senders saw
      accepted; whether Meta credits it is not known.
    - `purchases`: what happens on the shop's pages is told as a conversion of the conversation (business_messaging, as Connectly does)
      or of the website (Meta's own advice).
    - `website_click_id`: the click id goes along with conversions of the website; whether Meta credits it there is not known.
    - `window_days`: how long before a conversion the click may lie that began the conversation.
    """

    messaging_names: tuple[str, ...] = ()
    lead_submitted: bool = False
    other_names: Literal["refuse", "system_generated"] = "refuse"
    purchases: Literal["business_messaging", "website"] = "business_messaging"
    website_click_id: bool = False
    window_days: int = WINDOW_DAYS

    @property
    def names(self) -> tuple[str, ...]:
        """The event names that a conversation may have."""
        return self.messaging_names or MESSAGING_NAMES
