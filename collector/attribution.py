"""The ids of a click: read from a landing, carried in a signed token, named by a short ref. Pure."""

import msgspec


class Click(msgspec.Struct, frozen=True, gc=False):
    """What ties a visitor to an ad: the four ids of the landing link, each verbatim or None."""

    cnct_tracking_id: str | None = None
    sendout_id: str | None = None
    ctwa_clid: str | None = None
    ad_id: str | None = None
