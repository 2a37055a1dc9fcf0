-- Statements of the Ledger, for both engines. `each(:rows)` is the JSON list of rows that the writer passes: one parameter and one
-- call for any number of rows. `WHERE true` tells SQLite's parser that ON CONFLICT does not belong to the join.

-- name: take_events
-- The unique key decides; who lost it finds out by take_standing.
INSERT INTO events (
    business_id, id, event_name, event_id, event_at, received_at, channel, source,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, consent, custom_data, currency, value_micros,
    user_data, page_url, order_id, test, digest, revision
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, CAST(value ->> 4 AS BIGINT), CAST(value ->> 5 AS BIGINT), value ->> 6,
    value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14,
    CAST(value ->> 15 AS BIGINT), value ->> 16, value ->> 17, value ->> 18, CAST(value ->> 19 AS BIGINT), value ->> 20,
    CAST(value ->> 21 AS BIGINT)
FROM each(:rows)
WHERE true
ON CONFLICT DO NOTHING;

-- name: take_deliveries
-- Only for an event whose own row stands: a loser leaves no delivery. The lease counts from the store's clock.
INSERT INTO deliveries (
    business_id, id, destination, lane, state, reason, revision, attempts, due_at, deadline_at, reference, error, lease_until
)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, CAST(value ->> 6 AS BIGINT),
    CAST(value ->> 7 AS BIGINT), CAST(value ->> 8 AS BIGINT), CAST(value ->> 9 AS BIGINT), value ->> 10, value ->> 11,
    (SELECT now_ms()) + CAST(value ->> 12 AS BIGINT)
FROM each(:rows)
WHERE EXISTS (SELECT 1 FROM events AS e WHERE e.business_id = value ->> 0 AND e.id = value ->> 1)
ON CONFLICT DO NOTHING;

-- name: take_records
-- Only with its event, like the delivery.
INSERT INTO records (
    business_id, id, received_at, source, event_row, event_name, event_id, duplicate, revision, failure_stage, error,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, payload
)
SELECT
    value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT), value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    CAST(value ->> 7 AS BIGINT), CAST(value ->> 8 AS BIGINT), value ->> 9, value ->> 10, value ->> 11, value ->> 12,
    value ->> 13, value ->> 14, value ->> 15
FROM each(:rows)
WHERE EXISTS (SELECT 1 FROM events AS e WHERE e.business_id = value ->> 0 AND e.id = value ->> 4)
ON CONFLICT DO NOTHING;

-- name: take_waits
-- Only with its event, like the delivery.
INSERT INTO waits (business_id, event_row, kind, id)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3
FROM each(:rows)
WHERE EXISTS (SELECT 1 FROM events AS e WHERE e.business_id = value ->> 0 AND e.id = value ->> 1)
ON CONFLICT DO NOTHING;

-- name: take_standing
-- The losers and who stands in their place: rows whose unique key belongs to another row.
SELECT value ->> 1, s.*
FROM each(:rows)
JOIN stored_events AS s ON s.business_id = value ->> 0 AND s.event_name = value ->> 2 AND s.event_id = value ->> 3
WHERE s.id <> value ->> 1;

-- name: note_records
-- The record of a call that stored no event, or of a repeat. Its id was minted before, so a second run changes nothing.
INSERT INTO records (
    business_id, id, received_at, source, event_row, event_name, event_id, duplicate, revision, failure_stage, error,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, payload
)
SELECT
    value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT), value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    CAST(value ->> 7 AS BIGINT), CAST(value ->> 8 AS BIGINT), value ->> 9, value ->> 10, value ->> 11, value ->> 12,
    value ->> 13, value ->> 14, value ->> 15
FROM each(:rows)
WHERE true
ON CONFLICT DO NOTHING;

-- name: revise_deliveries
-- A corrected or released event: fenced by what the caller saw; the mark tells which of several wrote it.
UPDATE deliveries SET
    destination = value ->> 5,
    lane = value ->> 6,
    state = value ->> 7,
    reason = value ->> 8,
    revision = CAST(value ->> 9 AS BIGINT),
    attempts = CAST(value ->> 10 AS BIGINT),
    due_at = CAST(value ->> 11 AS BIGINT),
    deadline_at = CAST(value ->> 12 AS BIGINT),
    reference = value ->> 13,
    error = value ->> 14,
    lease_until = (SELECT now_ms()) + CAST(value ->> 15 AS BIGINT),
    mark = value ->> 16
FROM each(:rows)
WHERE deliveries.business_id = value ->> 0
    AND deliveries.id = value ->> 1
    AND deliveries.state = value ->> 2
    AND deliveries.revision = CAST(value ->> 3 AS BIGINT)
    AND deliveries.attempts = CAST(value ->> 4 AS BIGINT);

-- name: revise_events
-- Whoever's mark stands writes the event's new content. The key and the arrival stay.
UPDATE events SET
    event_at = CAST(value ->> 3 AS BIGINT),
    channel = value ->> 4,
    source = value ->> 5,
    cnct_tracking_id = value ->> 6,
    sendout_id = value ->> 7,
    ctwa_clid = value ->> 8,
    ad_id = value ->> 9,
    consent = value ->> 10,
    custom_data = value ->> 11,
    currency = value ->> 12,
    value_micros = CAST(value ->> 13 AS BIGINT),
    user_data = value ->> 14,
    page_url = value ->> 15,
    order_id = value ->> 16,
    test = CAST(value ->> 17 AS BIGINT),
    digest = value ->> 18,
    revision = CAST(value ->> 19 AS BIGINT)
FROM each(:rows)
JOIN deliveries AS d ON d.business_id = value ->> 0 AND d.id = value ->> 1 AND d.mark = value ->> 2
WHERE events.business_id = d.business_id AND events.id = d.id;

-- name: revise_records
-- The record that came with a revision, where that revision stands.
INSERT INTO records (
    business_id, id, received_at, source, event_row, event_name, event_id, duplicate, revision, failure_stage, error,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, payload
)
SELECT
    value ->> 0, value ->> 1, CAST(value ->> 2 AS BIGINT), value ->> 3, value ->> 4, value ->> 5, value ->> 6,
    CAST(value ->> 7 AS BIGINT), CAST(value ->> 8 AS BIGINT), value ->> 9, value ->> 10, value ->> 11, value ->> 12,
    value ->> 13, value ->> 14, value ->> 15
FROM each(:rows)
WHERE EXISTS (
    SELECT 1 FROM deliveries AS d WHERE d.business_id = value ->> 0 AND d.id = value ->> 4 AND d.mark = value ->> 16
)
ON CONFLICT DO NOTHING;

-- name: revise_waits
-- A revised event waits for nothing any more.
DELETE FROM waits
WHERE (business_id, event_row) IN (
    SELECT d.business_id, d.id
    FROM each(:rows)
    JOIN deliveries AS d ON d.business_id = value ->> 0 AND d.id = value ->> 1 AND d.mark = value ->> 2
);

-- name: revised
-- Whose mark stands.
SELECT value ->> 2
FROM each(:rows)
JOIN deliveries AS d ON d.business_id = value ->> 0 AND d.id = value ->> 1 AND d.mark = value ->> 2;

-- name: land
-- Several visits of one ref in one batch are one row first (PostgreSQL refuses to update a row twice). min(consent) is the strictest
-- word: denied, granted, pending, unknown sort in that order. The same instant again is the same visit, so a second run counts nothing.
INSERT INTO landings (
    business_id, ref, cnct_tracking_id, sendout_id, ctwa_clid, ad_id, first_at, consent, page_url, referrer, last_at, hits
)
SELECT
    value ->> 0, value ->> 1, min(value ->> 2), min(value ->> 3), min(value ->> 4), min(value ->> 5),
    min(CAST(value ->> 6 AS BIGINT)), min(value ->> 7), min(value ->> 8), min(value ->> 9), max(CAST(value ->> 6 AS BIGINT)),
    count(DISTINCT value ->> 6)
FROM each(:rows)
WHERE true
GROUP BY value ->> 0, value ->> 1
ORDER BY 1, 2
ON CONFLICT (business_id, ref) DO UPDATE SET
    hits = landings.hits + CASE WHEN excluded.last_at = landings.last_at THEN 0 ELSE excluded.hits END,
    last_at = CASE WHEN excluded.last_at > landings.last_at THEN excluded.last_at ELSE landings.last_at END,
    first_at = CASE WHEN excluded.first_at < landings.first_at THEN excluded.first_at ELSE landings.first_at END,
    consent = CASE
        WHEN excluded.consent = 'unknown' THEN landings.consent
        WHEN excluded.consent = 'pending' AND landings.consent <> 'unknown' THEN landings.consent
        ELSE excluded.consent
    END;

-- name: link
-- The same pair again changes nothing: the first instant counts.
INSERT INTO links (business_id, kind, id, ref, cnct_tracking_id, sendout_id, ctwa_clid, ad_id, linked_at)
SELECT
    value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
    CAST(value ->> 8 AS BIGINT)
FROM each(:rows)
WHERE true
ON CONFLICT DO NOTHING;

-- name: landing
SELECT business_id, ref, cnct_tracking_id, sendout_id, ctwa_clid, ad_id, first_at, consent, page_url, referrer, last_at, hits
FROM landings
WHERE business_id = :business_id AND ref = :ref;

-- name: links
-- Anyone can post links, so their number is bounded; the first ones decide anyway.
SELECT business_id, kind, id, ref, cnct_tracking_id, sendout_id, ctwa_clid, ad_id, linked_at
FROM links
WHERE business_id = :business_id AND kind = :kind AND id = :id
ORDER BY linked_at, ref
LIMIT 100;

-- name: waiting
-- Unmatched events that this ref or link would resolve.
SELECT s.*
FROM waits AS w
JOIN stored_events AS s ON s.business_id = w.business_id AND s.id = w.event_row
WHERE w.business_id = :business_id AND w.kind = :kind AND w.id = :id AND s.state = 'unmatched'
ORDER BY w.event_row
LIMIT 1000;

-- name: resolvable
-- Across businesses: the housekeeping's backstop for a click that came while its event was being stored.
SELECT w.kind, w.id, s.*
FROM waits AS w
JOIN stored_events AS s ON s.business_id = w.business_id AND s.id = w.event_row
WHERE s.state = 'unmatched' AND (
    (w.kind = 'ref' AND EXISTS (
        SELECT 1 FROM landings AS l WHERE l.business_id = w.business_id AND l.ref = w.id
    )) OR EXISTS (
        SELECT 1 FROM links AS l WHERE l.business_id = w.business_id AND l.kind = w.kind AND l.id = w.id
    )
)
LIMIT :limit;

-- name: event
SELECT * FROM stored_events AS s WHERE s.business_id = :business_id AND s.id = :id;

-- name: find
SELECT * FROM stored_events AS s
WHERE s.business_id = :business_id AND s.event_name = :event_name AND s.event_id = :event_id;

-- name: events
-- Newest first. NULL means any.
SELECT * FROM stored_events AS s
WHERE s.business_id = :business_id
    AND s.id < :before
    AND (CAST(:event_name AS TEXT) IS NULL OR s.event_name = CAST(:event_name AS TEXT))
    AND (CAST(:event_id AS TEXT) IS NULL OR s.event_id = CAST(:event_id AS TEXT))
    AND (CAST(:state AS TEXT) IS NULL OR s.state = CAST(:state AS TEXT))
ORDER BY s.id DESC
LIMIT :limit;

-- name: attempts
SELECT
    business_id, delivery_id, number, trigger, at, outcome, http_status, code, subcode, duration_ms, reference, answer
FROM attempts
WHERE business_id = :business_id AND delivery_id = :id
ORDER BY number;

-- name: event_records
-- Oldest first.
SELECT
    id, received_at, success, failure_stage, error, event_id, event_name, event_row, duplicate, revision, forward_reference_id,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, payload
FROM record_view
WHERE business_id = :business_id AND event_row = :id
ORDER BY id;

-- name: records
-- Newest first.
SELECT
    id, received_at, success, failure_stage, error, event_id, event_name, event_row, duplicate, revision, forward_reference_id,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, payload
FROM record_view
WHERE business_id = :business_id AND id < :before
ORDER BY id DESC
LIMIT :limit;

-- name: forget_landings
-- Retention, across businesses.
WITH old AS MATERIALIZED (
    SELECT business_id, ref FROM landings WHERE last_at < :before ORDER BY last_at LIMIT :limit FOR UPDATE SKIP LOCKED
)
DELETE FROM landings WHERE (business_id, ref) IN (SELECT old.business_id, old.ref FROM old)
RETURNING 1;
