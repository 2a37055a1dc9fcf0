-- Instants are UTC milliseconds (_at), money is micros, flags are 0 or 1. Ids sort by time, so a primary key is also the listing order.

-- What serving processes hold in memory is a snapshot of businesses, channels and api_keys at one version.
-- Whoever changes one of them raises it in the same commit; a write prepared for an older version is refused.
CREATE TABLE directory (
    version INTEGER NOT NULL,
    holds INTEGER NOT NULL        -- raised when a channel is held or runs again: no write relies on that, and many may change at once
) STRICT;
INSERT INTO directory (version, holds) VALUES (1, 1);

-- Written to find out whether anything can be written.
CREATE TABLE pulse (
    at INTEGER NOT NULL
) STRICT;
INSERT INTO pulse (at) VALUES (0);

CREATE TABLE businesses (
    business_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    origins TEXT NOT NULL,                  -- a JSON list
    destination TEXT NOT NULL,              -- meta | connectly
    cookie_name TEXT NOT NULL,
    cookie_domain TEXT,                     -- NULL: host-only
    timezone TEXT NOT NULL,
    region TEXT,
    mode TEXT NOT NULL,                     -- live | test
    test_event_code TEXT,
    consent_required INTEGER NOT NULL,
    policy TEXT NOT NULL DEFAULT '{}',       -- JSON text: what it sends, and as what
    created_at INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
-- Two businesses under one domain would read each other's cookie.
CREATE UNIQUE INDEX businesses_cookie ON businesses (cookie_domain, cookie_name) WHERE cookie_domain IS NOT NULL;

CREATE TABLE channels (
    business_id TEXT NOT NULL,
    channel TEXT NOT NULL,                  -- whatsapp | messenger | instagram | website | connectly
    asset_id TEXT,
    dataset_id TEXT,
    sealed_token TEXT,                      -- encrypted by the vault; NULL: the credential's is used
    credential TEXT,                        -- credentials.name
    held TEXT,                              -- why its lanes stand still: token | permission | dataset | channel
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (business_id, channel),
    CHECK ((sealed_token IS NULL) = (credential IS NOT NULL))
) WITHOUT ROWID, STRICT;

-- One access token that many channels share.
CREATE TABLE credentials (
    name TEXT NOT NULL PRIMARY KEY,
    sealed_token TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE api_keys (
    business_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,            -- SHA-256 of the key; the key itself is kept nowhere
    hint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    PRIMARY KEY (business_id, key_id)
) WITHOUT ROWID, STRICT;

-- One row per visitor and click; a repeat raises hits and last_at.
CREATE TABLE landings (
    business_id TEXT NOT NULL,
    ref TEXT NOT NULL,
    cnct_tracking_id TEXT,
    sendout_id TEXT,
    ctwa_clid TEXT,
    ad_id TEXT,
    first_at INTEGER NOT NULL,
    consent TEXT NOT NULL,                  -- unknown -> pending | granted | denied; a later word replaces an earlier one, unknown replaces none
    page_url TEXT,
    referrer TEXT,
    visitor TEXT,                           -- JSON text, kept only for conversions of the website: address, browser, fbc, fbp
    last_at INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    PRIMARY KEY (business_id, ref)
) WITHOUT ROWID, STRICT;
-- Retention deletes by last_at.
CREATE INDEX landings_last ON landings (last_at);
-- The report of landings, newest first.
CREATE INDEX landings_first ON landings (business_id, first_at, ref);
-- Serving processes hold the denials in memory.
CREATE INDEX landings_denied ON landings (last_at) WHERE consent = 'denied';

-- Which clicks an id of the shop belongs to; the same pair again changes nothing.
CREATE TABLE links (
    business_id TEXT NOT NULL,
    kind TEXT NOT NULL,                     -- checkout_id | cart_token | order_id | customer_id
    id TEXT NOT NULL,
    ref TEXT NOT NULL,
    cnct_tracking_id TEXT,
    sendout_id TEXT,
    ctwa_clid TEXT,
    ad_id TEXT,
    linked_at INTEGER NOT NULL,
    PRIMARY KEY (business_id, kind, id, ref)
) WITHOUT ROWID, STRICT;

-- Which click began a conversation; one row for each message that carried a referral.
CREATE TABLE conversations (
    business_id TEXT NOT NULL,
    kind TEXT NOT NULL,                     -- mobile_number | whatsapp_user_id | page_scoped_user_id | ig_sid
    id TEXT NOT NULL,                       -- the hashed number, or the id that Meta gave the sender
    message_id TEXT NOT NULL,
    asset_id TEXT NOT NULL,                 -- the account that got the message: its clicks are no other's
    ctwa_clid TEXT,                         -- NULL where the referral carries none
    ad_id TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (business_id, kind, id, message_id)
) WITHOUT ROWID, STRICT;
-- Which landings were confirmed by a message.
CREATE INDEX conversations_click ON conversations (business_id, ctwa_clid, at) WHERE ctwa_clid IS NOT NULL;
-- Retention deletes by at.
CREATE INDEX conversations_at ON conversations (at);

CREATE TABLE events (
    business_id TEXT NOT NULL,
    id TEXT NOT NULL,
    event_name TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    channel TEXT NOT NULL,
    source TEXT NOT NULL,                   -- browser | server
    cnct_tracking_id TEXT,
    sendout_id TEXT,
    ctwa_clid TEXT,
    ad_id TEXT,
    consent TEXT NOT NULL,
    custom_data TEXT NOT NULL,              -- JSON text
    currency TEXT,
    value_micros INTEGER,
    user_data TEXT NOT NULL,                -- JSON text, hashed
    page_url TEXT,
    order_id TEXT,
    test INTEGER NOT NULL,
    digest TEXT NOT NULL,
    revision INTEGER NOT NULL,
    options TEXT NOT NULL DEFAULT '{}',      -- JSON text: what only the collector's own events API can say
    PRIMARY KEY (business_id, id)
) STRICT;
-- The promise: one event for one key, for ever.
CREATE UNIQUE INDEX events_key ON events (business_id, event_name, event_id);

-- The one journey of an event; same id as the event.
--   unmatched -> pending (its click came) | dead(unmatched)
--   pending -> sending (claimed) | held | dead(expired)
--   sending -> delivered | retrying | held | dead, by whoever holds the lease; retrying | held(unknown) by the rescue
--   retrying -> sending | held | dead(expired)
--   held -> pending (resumed) | dead(expired)
--   dead -> pending (corrected or replayed)
CREATE TABLE deliveries (
    business_id TEXT NOT NULL,
    id TEXT NOT NULL,
    destination TEXT NOT NULL,
    lane TEXT NOT NULL,                     -- destination:business_id:channel:source
    state TEXT NOT NULL,                    -- unmatched | pending | sending | retrying | held | delivered | dead
    reason TEXT,                            -- of held and dead
    revision INTEGER NOT NULL,
    attempts INTEGER NOT NULL,               -- tries begun; the fence: only the holder of this number may settle
    due_at INTEGER NOT NULL,
    deadline_at INTEGER NOT NULL,
    lease_until INTEGER,                     -- set while sending, and only then: who settles asks for the lease, not for the state
    reference TEXT,
    error TEXT,
    trigger TEXT,                           -- manual | corrected: why the try with this number is made
    trigger_number INTEGER,
    mark TEXT,                              -- which call wrote this revision: of many corrections at once one wins, and knows it
    lease TEXT,                             -- which claim took it; NULL where it was written as sending
    PRIMARY KEY (business_id, id),
    CHECK ((state = 'sending') = (lease_until IS NOT NULL))
) WITHOUT ROWID, STRICT;
-- Each predicate is repeated word for word by the statement that it serves, or the index is not used.
CREATE INDEX deliveries_due ON deliveries (lane, due_at) WHERE state IN ('pending', 'retrying');
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state = 'sending';
CREATE INDEX deliveries_held ON deliveries (lane, reason) WHERE state = 'held';
-- (In the order of the alphabet, dead and delivered come first: a list of four states costs SQLite a table for every row.)
CREATE INDEX deliveries_deadline ON deliveries (deadline_at) WHERE state > 'delivered' AND state <> 'sending';

-- One try each; append-only.
CREATE TABLE attempts (
    business_id TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    trigger TEXT NOT NULL,                  -- first | scheduled | rescue | manual | corrected
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    http_status INTEGER,
    code INTEGER,
    subcode INTEGER,
    duration_ms INTEGER,
    reference TEXT,
    answer TEXT,                            -- redacted, at most 8 KiB
    revision INTEGER NOT NULL,               -- which revision of the event was tried
    error TEXT,                             -- the destination's words
    PRIMARY KEY (business_id, delivery_id, number)
) STRICT;

-- One per reporting call or item; append-only. What came of it is derived by record_view.
CREATE TABLE records (
    business_id TEXT NOT NULL,
    id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    event_row TEXT,                         -- events.id, where the call stored or met an event
    event_name TEXT,
    event_id TEXT,
    duplicate INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    failure_stage TEXT,
    error TEXT,
    cnct_tracking_id TEXT,
    sendout_id TEXT,
    ctwa_clid TEXT,
    ad_id TEXT,
    payload TEXT,
    PRIMARY KEY (business_id, id)
) STRICT;
CREATE INDEX records_event ON records (business_id, event_row);

-- What would resolve an unmatched event: a landing with this ref, or a link of this kind and id.
CREATE TABLE waits (
    business_id TEXT NOT NULL,
    event_row TEXT NOT NULL,
    kind TEXT NOT NULL,                     -- ref, or the kind of a link or of a conversation
    id TEXT NOT NULL,
    PRIMARY KEY (business_id, event_row, kind, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX waits_key ON waits (business_id, kind, id);

-- An event with where it stands.
CREATE VIEW stored_events AS
SELECT
    e.business_id, e.id, e.event_name, e.event_id, e.event_at, e.received_at, e.channel, e.source,
    e.cnct_tracking_id, e.sendout_id, e.ctwa_clid, e.ad_id, e.consent, e.custom_data, e.currency, e.value_micros,
    e.user_data, e.page_url, e.order_id, e.test, e.digest, e.revision, e.options,
    d.destination, d.lane, d.state, d.reason, d.revision AS delivery_revision, d.attempts, d.due_at, d.deadline_at,
    d.reference, d.error,
    CASE WHEN d.trigger_number > d.attempts OR (d.trigger_number = d.attempts AND d.state = 'sending') THEN d.trigger END AS trigger
FROM events AS e
JOIN deliveries AS d ON d.business_id = e.business_id AND d.id = e.id;

-- A record with what is known by now. A record of an earlier revision speaks of that revision only, which was not delivered.
CREATE VIEW record_view AS
SELECT
    r.business_id, r.id, r.received_at,
    CASE
        WHEN r.failure_stage IS NOT NULL THEN 0
        WHEN r.revision < d.revision THEN 0
        WHEN d.state = 'delivered' THEN 1
        WHEN d.state = 'dead' THEN 0
    END AS success,
    CASE
        WHEN r.failure_stage IS NOT NULL THEN r.failure_stage
        WHEN r.revision < d.revision THEN CASE WHEN (
            SELECT count(*) FROM attempts AS a  -- (for EXISTS, PostgreSQL would read them all)
            WHERE a.business_id = r.business_id AND a.delivery_id = r.event_row AND a.revision = r.revision
                AND a.outcome = 'rejected'
        ) > 0 THEN 'meta_forward' END
        WHEN d.state = 'dead' AND d.reason = 'rejected' THEN 'meta_forward'
        WHEN d.state = 'dead' AND d.reason IN ('expired', 'no_click_id') THEN 'payload_mapping'
    END AS failure_stage,
    CASE
        WHEN r.failure_stage IS NOT NULL THEN r.error
        WHEN r.revision < d.revision THEN COALESCE((
            SELECT a.error FROM attempts AS a
            WHERE a.business_id = r.business_id AND a.delivery_id = r.event_row AND a.revision = r.revision
                AND a.outcome = 'rejected'
            ORDER BY a.number DESC LIMIT 1
        ), 'corrected')
        WHEN d.state = 'dead' THEN COALESCE(CASE WHEN d.reason = 'rejected' THEN d.error END, d.reason)
    END AS error,
    r.event_id, r.event_name, r.event_row, r.duplicate, r.revision,
    CASE WHEN r.revision = d.revision AND r.failure_stage IS NULL THEN d.reference END AS forward_reference_id,
    r.cnct_tracking_id, r.sendout_id, r.ctwa_clid, r.ad_id, r.payload
FROM records AS r
LEFT JOIN deliveries AS d ON d.business_id = r.business_id AND d.id = r.event_row;

-- What one call stores at once: an event, its delivery and its record. Inserting into this view inserts the three rows, or none of them
-- where the event's key is taken: then it is told to `lost`, the engine's own function. (changes() is what the statement before it did; a
-- statement that finds it 0 does nothing and leaves it so.) Nothing is inserted for another version of the directory than `expected`.
CREATE VIEW takes AS
SELECT
    e.business_id, e.id, e.event_name, e.event_id, e.event_at, e.received_at, e.channel, e.source,
    e.cnct_tracking_id, e.sendout_id, e.ctwa_clid, e.ad_id, e.consent, e.custom_data, e.currency, e.value_micros,
    e.user_data, e.page_url, e.order_id, e.test, e.digest, e.revision, e.options,
    d.destination, d.lane, d.state, d.reason, d.attempts, d.due_at, d.deadline_at, d.reference, d.error, d.lease_until,
    r.id AS record_id, r.received_at AS recorded_at, r.payload, NULL AS expected
FROM events AS e
JOIN deliveries AS d ON d.business_id = e.business_id AND d.id = e.id
JOIN records AS r ON r.business_id = e.business_id AND r.event_row = e.id;

CREATE TRIGGER take INSTEAD OF INSERT ON takes
BEGIN
    SELECT RAISE(ABORT, 'stale') FROM directory WHERE version <> new.expected;
    INSERT INTO events (
        business_id, id, event_name, event_id, event_at, received_at, channel, source,
        cnct_tracking_id, sendout_id, ctwa_clid, ad_id, consent, custom_data, currency, value_micros,
        user_data, page_url, order_id, test, digest, revision, options
    )
    VALUES (
        new.business_id, new.id, new.event_name, new.event_id, new.event_at, new.received_at, new.channel, new.source,
        new.cnct_tracking_id, new.sendout_id, new.ctwa_clid, new.ad_id, new.consent, new.custom_data, new.currency, new.value_micros,
        new.user_data, new.page_url, new.order_id, new.test, new.digest, new.revision, new.options
    )
    ON CONFLICT DO NOTHING;
    INSERT INTO deliveries (
        business_id, id, destination, lane, state, reason, revision, attempts, due_at, deadline_at, reference, error, lease_until
    )
    SELECT
        new.business_id, new.id, new.destination, new.lane, new.state, new.reason, new.revision, new.attempts, new.due_at,
        new.deadline_at, new.reference, new.error, new.lease_until
    WHERE changes() = 1;
    INSERT INTO records (
        business_id, id, received_at, source, event_row, event_name, event_id, duplicate, revision,
        cnct_tracking_id, sendout_id, ctwa_clid, ad_id, payload
    )
    SELECT
        new.business_id, new.record_id, new.recorded_at, new.source, new.id, new.event_name, new.event_id, 0, new.revision,
        new.cnct_tracking_id, new.sendout_id, new.ctwa_clid, new.ad_id, new.payload
    WHERE changes() = 1;
    SELECT lost(new.business_id, new.id) WHERE changes() = 0;
END;

-- What one attempt came to. Inserting into this view updates the delivery and inserts the attempt, or neither where the lease is lost.
CREATE VIEW settlements AS
SELECT
    d.business_id, d.id, a.number, d.state, d.reason, d.due_at, d.reference, d.error, a.trigger, a.at, a.outcome, a.http_status, a.code,
    a.subcode, a.duration_ms, a.reference AS attempt_reference, a.answer
FROM deliveries AS d
JOIN attempts AS a ON a.business_id = d.business_id AND a.delivery_id = d.id;

CREATE TRIGGER settle INSTEAD OF INSERT ON settlements
BEGIN
    UPDATE deliveries SET
        state = new.state,
        reason = new.reason,
        due_at = new.due_at,
        reference = new.reference,
        error = new.error,
        lease_until = NULL
    WHERE business_id = new.business_id AND id = new.id AND lease_until IS NOT NULL AND attempts = new.number;
    INSERT INTO attempts (
        business_id, delivery_id, number, trigger, at, outcome, http_status, code, subcode, duration_ms, reference, answer, error,
        revision
    )
    SELECT
        new.business_id, new.id, new.number, new.trigger, new.at, new.outcome, new.http_status, new.code, new.subcode,
        new.duration_ms, new.attempt_reference, new.answer, new.error, d.revision
    FROM deliveries AS d
    WHERE changes() = 1 AND d.business_id = new.business_id AND d.id = new.id;
    SELECT lost(new.business_id, new.id) WHERE changes() = 0;
END;
