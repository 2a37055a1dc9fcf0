-- Keys compare by bytes (COLLATE "C"), as in SQLite: one order in both, and the faster one.

-- The store's clock: leases and due instants compare with it, never with a process's own.
CREATE FUNCTION now_ms() RETURNS BIGINT LANGUAGE sql VOLATILE
    AS $$ SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) $$;

-- Instants are UTC milliseconds (_at), money is micros, flags are 0 or 1. Ids sort by time, so a primary key is also the listing order.

-- What serving processes hold in memory is a snapshot of businesses, channels and api_keys at one version.
-- Whoever changes one of them raises it in the same commit; a write prepared for an older version is refused.
CREATE TABLE directory (
    version BIGINT NOT NULL,
    holds BIGINT NOT NULL        -- raised when a channel is held or runs again: no write relies on that, and many may change at once
);
INSERT INTO directory (version, holds) VALUES (1, 1);

-- Written to find out whether anything can be written.
CREATE TABLE pulse (
    at BIGINT NOT NULL
);
INSERT INTO pulse (at) VALUES (0);

CREATE TABLE businesses (
    business_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    origins TEXT COLLATE "C" NOT NULL,                  -- a JSON list
    destination TEXT COLLATE "C" NOT NULL,              -- meta | connectly
    cookie_name TEXT COLLATE "C" NOT NULL,
    cookie_domain TEXT COLLATE "C",                     -- NULL: host-only
    timezone TEXT COLLATE "C" NOT NULL,
    region TEXT COLLATE "C",
    mode TEXT COLLATE "C" NOT NULL,                     -- live | test
    test_event_code TEXT COLLATE "C",
    consent_required BIGINT NOT NULL,
    policy TEXT COLLATE "C" NOT NULL DEFAULT '{}',       -- JSON text: what it sends, and as what
    created_at BIGINT NOT NULL
);
-- Two businesses under one domain would read each other's cookie.
CREATE UNIQUE INDEX businesses_cookie ON businesses (cookie_domain, cookie_name) WHERE cookie_domain IS NOT NULL;

CREATE TABLE channels (
    business_id TEXT COLLATE "C" NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,                  -- whatsapp | messenger | instagram | website | connectly
    asset_id TEXT COLLATE "C",
    dataset_id TEXT COLLATE "C",
    sealed_token TEXT COLLATE "C",                      -- encrypted by the vault; NULL: the credential's is used
    credential TEXT COLLATE "C",                        -- credentials.name
    held TEXT COLLATE "C",                              -- why its lanes stand still: token | permission | dataset | channel
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (business_id, channel),
    CHECK ((sealed_token IS NULL) = (credential IS NOT NULL))
);

-- One access token that many channels share.
CREATE TABLE credentials (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sealed_token TEXT COLLATE "C" NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
    business_id TEXT COLLATE "C" NOT NULL,
    key_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL UNIQUE,            -- SHA-256 of the key; the key itself is kept nowhere
    hint TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    PRIMARY KEY (business_id, key_id)
);

-- One row per visitor and click; a repeat raises hits and last_at.
CREATE TABLE landings (
    business_id TEXT COLLATE "C" NOT NULL,
    ref TEXT COLLATE "C" NOT NULL,
    cnct_tracking_id TEXT COLLATE "C",
    sendout_id TEXT COLLATE "C",
    ctwa_clid TEXT COLLATE "C",
    ad_id TEXT COLLATE "C",
    first_at BIGINT NOT NULL,
    consent TEXT COLLATE "C" NOT NULL,                  -- unknown -> pending | granted | denied; a later word replaces an earlier one, unknown replaces none
    page_url TEXT COLLATE "C",
    referrer TEXT COLLATE "C",
    visitor TEXT COLLATE "C",                           -- JSON text, kept only for conversions of the website: address, browser, fbc, fbp
    last_at BIGINT NOT NULL,
    hits BIGINT NOT NULL,
    PRIMARY KEY (business_id, ref)
);
-- Retention deletes by last_at.
CREATE INDEX landings_last ON landings (last_at);
-- The report of landings, newest first.
CREATE INDEX landings_first ON landings (business_id, first_at, ref);
-- Serving processes hold the denials in memory.
CREATE INDEX landings_denied ON landings (last_at) WHERE consent = 'denied';

-- Which clicks an id of the shop belongs to; the same pair again changes nothing.
CREATE TABLE links (
    business_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,                     -- checkout_id | cart_token | order_id | customer_id
    id TEXT COLLATE "C" NOT NULL,
    ref TEXT COLLATE "C" NOT NULL,
    cnct_tracking_id TEXT COLLATE "C",
    sendout_id TEXT COLLATE "C",
    ctwa_clid TEXT COLLATE "C",
    ad_id TEXT COLLATE "C",
    linked_at BIGINT NOT NULL,
    PRIMARY KEY (business_id, kind, id, ref)
);

-- Which click began a conversation; one row for each message that carried a referral.
CREATE TABLE conversations (
    business_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,                     -- mobile_number | whatsapp_user_id | page_scoped_user_id | ig_sid
    id TEXT COLLATE "C" NOT NULL,                       -- the hashed number, or the id that Meta gave the sender
    message_id TEXT COLLATE "C" NOT NULL,
    asset_id TEXT COLLATE "C" NOT NULL,                 -- the account that got the message: its clicks are no other's
    ctwa_clid TEXT COLLATE "C",                         -- NULL where the referral carries none
    ad_id TEXT COLLATE "C",
    at BIGINT NOT NULL,
    PRIMARY KEY (business_id, kind, id, message_id)
);
-- Which landings were confirmed by a message.
CREATE INDEX conversations_click ON conversations (business_id, ctwa_clid, at) WHERE ctwa_clid IS NOT NULL;
-- Retention deletes by at.
CREATE INDEX conversations_at ON conversations (at);

CREATE TABLE events (
    business_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    event_name TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    event_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    channel TEXT COLLATE "C" NOT NULL,
    source TEXT COLLATE "C" NOT NULL,                   -- browser | server
    cnct_tracking_id TEXT COLLATE "C",
    sendout_id TEXT COLLATE "C",
    ctwa_clid TEXT COLLATE "C",
    ad_id TEXT COLLATE "C",
    consent TEXT COLLATE "C" NOT NULL,
    custom_data TEXT COLLATE "C" NOT NULL,              -- JSON text
    currency TEXT COLLATE "C",
    value_micros BIGINT,
    user_data TEXT COLLATE "C" NOT NULL,                -- JSON text, hashed
    page_url TEXT COLLATE "C",
    order_id TEXT COLLATE "C",
    test BIGINT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    revision BIGINT NOT NULL,
    options TEXT COLLATE "C" NOT NULL DEFAULT '{}',      -- JSON text: what only the collector's own events API can say
    PRIMARY KEY (business_id, id)
);
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
    business_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    destination TEXT COLLATE "C" NOT NULL,
    lane TEXT COLLATE "C" NOT NULL,                     -- destination:business_id:channel:source
    state TEXT COLLATE "C" NOT NULL,                    -- unmatched | pending | sending | retrying | held | delivered | dead
    reason TEXT COLLATE "C",                            -- of held and dead
    revision BIGINT NOT NULL,
    attempts BIGINT NOT NULL,               -- tries begun; the fence: only the holder of this number may settle
    due_at BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL,
    lease_until BIGINT,                     -- set while sending, and only then: who settles asks for the lease, not for the state
    reference TEXT COLLATE "C",
    error TEXT COLLATE "C",
    trigger TEXT COLLATE "C",                           -- manual | corrected: why the try with this number is made
    trigger_number BIGINT,
    mark TEXT COLLATE "C",                              -- which call wrote this revision: of many corrections at once one wins, and knows it
    lease TEXT COLLATE "C",                             -- which claim took it; NULL where it was written as sending
    PRIMARY KEY (business_id, id),
    CHECK ((state = 'sending') = (lease_until IS NOT NULL))
);
-- Each predicate is repeated word for word by the statement that it serves, or the index is not used.
CREATE INDEX deliveries_due ON deliveries (lane, due_at) WHERE state IN ('pending', 'retrying');
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state = 'sending';
CREATE INDEX deliveries_held ON deliveries (lane, reason) WHERE state = 'held';
-- (In the order of the alphabet, dead and delivered come first: a list of four states costs SQLite a table for every row.)
CREATE INDEX deliveries_deadline ON deliveries (deadline_at) WHERE state > 'delivered' AND state <> 'sending';

-- One try each; append-only.
CREATE TABLE attempts (
    business_id TEXT COLLATE "C" NOT NULL,
    delivery_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    trigger TEXT COLLATE "C" NOT NULL,                  -- first | scheduled | rescue | manual | corrected
    at BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    http_status BIGINT,
    code BIGINT,
    subcode BIGINT,
    duration_ms BIGINT,
    reference TEXT COLLATE "C",
    answer TEXT COLLATE "C",                            -- redacted, at most 8 KiB
    revision BIGINT NOT NULL,               -- which revision of the event was tried
    error TEXT COLLATE "C",                             -- the destination's words
    PRIMARY KEY (business_id, delivery_id, number)
);

-- One per reporting call or item; append-only. What came of it is derived by record_view.
CREATE TABLE records (
    business_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    received_at BIGINT NOT NULL,
    source TEXT COLLATE "C" NOT NULL,
    event_row TEXT COLLATE "C",                         -- events.id, where the call stored or met an event
    event_name TEXT COLLATE "C",
    event_id TEXT COLLATE "C",
    duplicate BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    failure_stage TEXT COLLATE "C",
    error TEXT COLLATE "C",
    cnct_tracking_id TEXT COLLATE "C",
    sendout_id TEXT COLLATE "C",
    ctwa_clid TEXT COLLATE "C",
    ad_id TEXT COLLATE "C",
    payload TEXT COLLATE "C",
    PRIMARY KEY (business_id, id)
);
CREATE INDEX records_event ON records (business_id, event_row);

-- What would resolve an unmatched event: a landing with this ref, or a link of this kind and id.
CREATE TABLE waits (
    business_id TEXT COLLATE "C" NOT NULL,
    event_row TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,                     -- ref, or the kind of a link or of a conversation
    id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (business_id, event_row, kind, id)
);
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

-- How every transaction that writes begins. Statements are written for their indexes, and planning them anew each time would cost a
-- quarter of a commit; all settings end with the transaction, because a pooler in between may hand each one to another server connection.
-- The lock is this schema's: shared by those who rely on the directory, exclusive for those who change it. Its version is read after that.
CREATE FUNCTION begin_write(exclusive BOOLEAN, expected BIGINT) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    found BIGINT;
BEGIN
    PERFORM
        set_config('plan_cache_mode', 'force_generic_plan', true),
        set_config('enable_seqscan', 'off', true),
        set_config('enable_bitmapscan', 'off', true),
        set_config('enable_hashjoin', 'off', true),
        set_config('enable_mergejoin', 'off', true),
        set_config('jit', 'off', true),
        set_config('lock_timeout', '1000', true);  -- the writer tries again beyond that
    IF exclusive THEN
        PERFORM pg_advisory_xact_lock(1668178804, hashtext(current_schema()));
    ELSE
        PERFORM pg_advisory_xact_lock_shared(1668178804, hashtext(current_schema()));
    END IF;
    IF expected IS NOT NULL THEN
        SELECT version INTO found FROM directory;
        IF found <> expected THEN
            RAISE EXCEPTION USING ERRCODE = 'CN001', MESSAGE = found::TEXT;
        END IF;
    END IF;
END
$$;
