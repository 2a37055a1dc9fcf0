-- Statements of the Ledger, for both engines. `each` holds any number of rows, whose columns the lines "rows" declare (TEXT where
-- nothing else is said); see engine.py. `WHERE true` tells SQLite's parser that ON CONFLICT does not belong to a join.

-- name: take sqlite
-- rows: :business_id, :id, :event_name, :event_id, :event_at BIGINT, :received_at BIGINT, :channel, :source, :cnct_tracking_id,
-- rows: :sendout_id, :ctwa_clid, :ad_id, :consent, :custom_data, :currency, :value_micros BIGINT, :user_data, :page_url,
-- rows: :order_id, :test BIGINT, :digest, :revision BIGINT, :options, :destination, :lane, :state, :reason, :attempts BIGINT,
-- rows: :due_at BIGINT, :deadline_at BIGINT, :reference, :error, :lease_ms BIGINT, :record_id, :recorded_at BIGINT, :payload
-- An event with its delivery and its record, where the unique key is free: a trigger of the view `takes` writes the three rows. One
-- statement, because the thread that writes must ask for the interpreter's lock before and after each; alone in its batch it is the
-- whole transaction, so it looks at the directory's version itself. The trigger tells who lost; an event that an uncertain commit has
-- stored before is among them.
INSERT INTO takes (
    business_id, id, event_name, event_id, event_at, received_at, channel, source,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, consent, custom_data, currency, value_micros,
    user_data, page_url, order_id, test, digest, revision, options,
    destination, lane, state, reason, attempts, due_at, deadline_at, reference, error, lease_until, record_id, recorded_at, payload,
    expected
)
SELECT
    business_id, id, event_name, event_id, event_at, received_at, channel, source,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, consent, custom_data, currency, value_micros,
    user_data, page_url, order_id, test, digest, revision, options,
    destination, lane, state, reason, attempts, due_at, deadline_at, reference, error, :now + lease_ms,
    record_id, recorded_at, payload, :version
FROM each;

-- name: take postgres
-- rows: :business_id, :id, :event_name, :event_id, :event_at BIGINT, :received_at BIGINT, :channel, :source, :cnct_tracking_id,
-- rows: :sendout_id, :ctwa_clid, :ad_id, :consent, :custom_data, :currency, :value_micros BIGINT, :user_data, :page_url,
-- rows: :order_id, :test BIGINT, :digest, :revision BIGINT, :options, :destination, :lane, :state, :reason, :attempts BIGINT,
-- rows: :due_at BIGINT, :deadline_at BIGINT, :reference, :error, :lease_ms BIGINT, :record_id, :recorded_at BIGINT, :payload
-- The same in one round trip: a function. Who won is told by both columns of the key. (Where all did, nobody is looked up.)
WITH stored AS (
    INSERT INTO events (
        business_id, id, event_name, event_id, event_at, received_at, channel, source, cnct_tracking_id, sendout_id, ctwa_clid, ad_id,
        consent, custom_data, currency, value_micros, user_data, page_url, order_id, test, digest, revision, options
    )
    SELECT
        business_id, id, event_name, event_id, event_at, received_at, channel, source, cnct_tracking_id, sendout_id, ctwa_clid, ad_id,
        consent, custom_data, currency, value_micros, user_data, page_url, order_id, test, digest, revision, options
    FROM each
    ON CONFLICT DO NOTHING
    RETURNING business_id, id
)
SELECT array_agg(id || ' ' || business_id) INTO won
FROM stored;
INSERT INTO deliveries (
    business_id, id, destination, lane, state, reason, revision, attempts, due_at, deadline_at, reference, error, lease_until
)
SELECT
    business_id, id, destination, lane, state, reason, revision, attempts, due_at, deadline_at, reference, error,
    (SELECT now_ms()) + lease_ms
FROM each
WHERE cardinality(:won) = :count OR id || ' ' || business_id = ANY (:won);
INSERT INTO records (
    business_id, id, received_at, source, event_row, event_name, event_id, duplicate, revision,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, payload
)
SELECT
    business_id, record_id, recorded_at, source, id, event_name, event_id, 0, revision,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, payload
FROM each
WHERE cardinality(:won) = :count OR id || ' ' || business_id = ANY (:won);
SELECT business_id, id
FROM each
WHERE cardinality(:won) IS DISTINCT FROM :count AND (id || ' ' || business_id = ANY (:won)) IS NOT TRUE;

-- name: take_waits
-- rows: :business_id, :event_row, :kind, :id
-- Only with its event: a loser leaves nothing.
INSERT INTO waits (business_id, event_row, kind, id)
SELECT *
FROM each
WHERE EXISTS (SELECT 1 FROM events AS e WHERE e.business_id = each.business_id AND e.id = each.event_row)
ON CONFLICT DO NOTHING;

-- name: note_records
-- rows: :business_id, :id, :received_at BIGINT, :source, :event_row, :event_name, :event_id, :duplicate BIGINT, :revision BIGINT,
-- rows: :failure_stage, :error, :cnct_tracking_id, :sendout_id, :ctwa_clid, :ad_id, :payload
-- The record of a call that stored no event, or of a repeat. Its id was minted before, so a second run changes nothing.
INSERT INTO records (
    business_id, id, received_at, source, event_row, event_name, event_id, duplicate, revision, failure_stage, error,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, payload
)
SELECT *
FROM each
WHERE true
ON CONFLICT DO NOTHING;

-- name: revise_deliveries
-- rows: :business_id, :id, :old_state, :old_revision BIGINT, :old_attempts BIGINT, :destination, :lane, :state, :reason,
-- rows: :revision BIGINT, :attempts BIGINT, :due_at BIGINT, :deadline_at BIGINT, :reference, :error, :lease_ms BIGINT, :trigger, :mark
-- A corrected or released event: fenced by what the caller saw; the mark tells which of several wrote it.
UPDATE deliveries SET
    destination = each.destination,
    lane = each.lane,
    state = each.state,
    reason = each.reason,
    revision = each.revision,
    attempts = each.attempts,
    due_at = each.due_at,
    deadline_at = each.deadline_at,
    reference = each.reference,
    error = each.error,
    lease_until = (SELECT now_ms()) + each.lease_ms,
    trigger = each.trigger,
    lease = CASE WHEN deliveries.state = 'sending' THEN deliveries.lease END,
    trigger_number = each.attempts + CASE WHEN each.lease_ms IS NULL THEN 1 ELSE 0 END,
    mark = each.mark
FROM each
WHERE deliveries.business_id = each.business_id
    AND deliveries.id = each.id
    AND deliveries.state = each.old_state
    AND deliveries.revision = each.old_revision
    AND deliveries.attempts = each.old_attempts;

-- name: revise_events
-- rows: :business_id, :id, :mark, :event_at BIGINT, :channel, :source, :cnct_tracking_id, :sendout_id, :ctwa_clid, :ad_id,
-- rows: :consent, :custom_data, :currency, :value_micros BIGINT, :user_data, :page_url, :order_id, :test BIGINT, :digest,
-- rows: :revision BIGINT, :options
-- Whoever's mark stands writes the event's new content. The key and the arrival stay.
UPDATE events SET
    event_at = each.event_at,
    channel = each.channel,
    source = each.source,
    cnct_tracking_id = each.cnct_tracking_id,
    sendout_id = each.sendout_id,
    ctwa_clid = each.ctwa_clid,
    ad_id = each.ad_id,
    consent = each.consent,
    custom_data = each.custom_data,
    currency = each.currency,
    value_micros = each.value_micros,
    user_data = each.user_data,
    page_url = each.page_url,
    order_id = each.order_id,
    test = each.test,
    digest = each.digest,
    revision = each.revision,
    options = each.options
FROM each
JOIN deliveries AS d ON d.business_id = each.business_id AND d.id = each.id AND d.mark = each.mark
WHERE events.business_id = d.business_id AND events.id = d.id;

-- name: revise_records
-- rows: :business_id, :id, :received_at BIGINT, :source, :event_row, :event_name, :event_id, :duplicate BIGINT, :revision BIGINT,
-- rows: :failure_stage, :error, :cnct_tracking_id, :sendout_id, :ctwa_clid, :ad_id, :payload, :mark
-- The record that came with a revision, where that revision stands.
INSERT INTO records (
    business_id, id, received_at, source, event_row, event_name, event_id, duplicate, revision, failure_stage, error,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, payload
)
SELECT
    each.business_id, each.id, each.received_at, each.source, each.event_row, each.event_name, each.event_id, each.duplicate,
    each.revision, each.failure_stage, each.error, each.cnct_tracking_id, each.sendout_id, each.ctwa_clid, each.ad_id, each.payload
FROM each
WHERE EXISTS (
    SELECT 1 FROM deliveries AS d WHERE d.business_id = each.business_id AND d.id = each.event_row AND d.mark = each.mark
)
ON CONFLICT DO NOTHING;

-- name: revise_waits
-- rows: :business_id, :id, :mark
-- A revised event no longer waits for what it waited for.
DELETE FROM waits
WHERE (business_id, event_row) IN (
    SELECT d.business_id, d.id
    FROM each
    JOIN deliveries AS d ON d.business_id = each.business_id AND d.id = each.id AND d.mark = each.mark
);

-- name: revise_new_waits
-- rows: :business_id, :id, :kind, :wait_id, :mark
-- Unless it has its click by now and waits for the visitor's consent.
INSERT INTO waits (business_id, event_row, kind, id)
SELECT each.business_id, each.id, each.kind, each.wait_id
FROM each
JOIN deliveries AS d ON d.business_id = each.business_id AND d.id = each.id AND d.mark = each.mark
WHERE true
ON CONFLICT DO NOTHING;

-- name: revised
-- rows: :business_id, :id, :mark
-- Whose mark stands.
SELECT each.mark
FROM each
JOIN deliveries AS d ON d.business_id = each.business_id AND d.id = each.id AND d.mark = each.mark;

-- name: land
-- rows: :business_id, :ref, :cnct_tracking_id, :sendout_id, :ctwa_clid, :ad_id, :at BIGINT, :consent, :page_url, :referrer,
-- rows: :visitor
-- Several visits of one ref in one batch are one row first (PostgreSQL refuses to update a row twice). min(consent) is the strictest
-- word: denied, granted, pending, unknown sort in that order. The same instant again is the same visit, so a second run counts nothing.
INSERT INTO landings (
    business_id, ref, cnct_tracking_id, sendout_id, ctwa_clid, ad_id, first_at, consent, page_url, referrer, last_at, hits, visitor
)
SELECT
    each.business_id, each.ref, min(each.cnct_tracking_id), min(each.sendout_id), min(each.ctwa_clid), min(each.ad_id),
    min(each.at), min(each.consent), min(each.page_url), min(each.referrer), max(each.at),
    count(DISTINCT each.at), CASE WHEN min(each.consent) = 'denied' THEN NULL ELSE max(each.visitor) END
FROM each
WHERE true
GROUP BY each.business_id, each.ref
ORDER BY 1, 2
ON CONFLICT (business_id, ref) DO UPDATE SET
    hits = landings.hits + CASE WHEN excluded.last_at = landings.last_at THEN 0 ELSE excluded.hits END,
    last_at = CASE WHEN excluded.last_at > landings.last_at THEN excluded.last_at ELSE landings.last_at END,
    first_at = CASE WHEN excluded.first_at < landings.first_at THEN excluded.first_at ELSE landings.first_at END,
    consent = CASE
        WHEN excluded.consent = 'unknown' THEN landings.consent
        WHEN excluded.consent = 'pending' AND landings.consent <> 'unknown' THEN landings.consent
        ELSE excluded.consent
    END,
    visitor = CASE
        WHEN excluded.consent = 'denied' THEN NULL
        ELSE COALESCE(excluded.visitor, landings.visitor)
    END;

-- name: link
-- rows: :business_id, :kind, :id, :ref, :cnct_tracking_id, :sendout_id, :ctwa_clid, :ad_id, :linked_at BIGINT
-- The same pair again changes nothing: the first instant counts.
INSERT INTO links (business_id, kind, id, ref, cnct_tracking_id, sendout_id, ctwa_clid, ad_id, linked_at)
SELECT *
FROM each
WHERE true
ON CONFLICT DO NOTHING;

-- name: converse
-- rows: :business_id, :kind, :id, :message_id, :asset_id, :ctwa_clid, :ad_id, :at BIGINT
-- Meta delivers a message at least once: the first counts.
INSERT INTO conversations (business_id, kind, id, message_id, asset_id, ctwa_clid, ad_id, at)
SELECT *
FROM each
WHERE true
ON CONFLICT DO NOTHING;

-- name: awaited
-- rows: :business_id, :kind, :id
-- Which of these an event waits for.
SELECT business_id, kind, id
FROM each
WHERE EXISTS (
    SELECT 1 FROM waits AS w WHERE w.business_id = each.business_id AND w.kind = each.kind AND w.id = each.id
);

-- name: conversations
SELECT business_id, kind, id, message_id, asset_id, ctwa_clid, ad_id, at
FROM conversations
WHERE business_id = :business_id AND kind = :kind AND id = :id
ORDER BY at DESC, message_id DESC
LIMIT 100;

-- name: landing
SELECT business_id, ref, cnct_tracking_id, sendout_id, ctwa_clid, ad_id, first_at, consent, page_url, referrer, last_at, hits, visitor
FROM landings
WHERE business_id = :business_id AND ref = :ref;

-- name: denied
-- every business: the serving processes hold the denials of all in memory.
SELECT business_id, ref, ctwa_clid FROM landings WHERE consent = 'denied' AND last_at >= :since;

-- name: links
-- Anyone can post links, so their number is bounded; the first ones decide anyway.
SELECT business_id, kind, id, ref, cnct_tracking_id, sendout_id, ctwa_clid, ad_id, linked_at
FROM links
WHERE business_id = :business_id AND kind = :kind AND id = :id
ORDER BY linked_at, ref
LIMIT 100;

-- name: waiting
-- Unmatched events that this ref or link would resolve, and those that wait for the word of this ref's visitor.
SELECT s.*
FROM waits AS w
JOIN stored_events AS s ON s.business_id = w.business_id AND s.id = w.event_row
WHERE w.business_id = :business_id AND w.kind = :kind AND w.id = :id
    AND (s.state = 'unmatched' OR (s.state = 'held' AND s.reason = 'consent'))
ORDER BY w.event_row
LIMIT 1000;

-- name: resolvable
-- every business: the housekeeping's backstop for a click that came while its event was being stored.
-- Few events wait; CROSS JOIN has SQLite begin with them, and not with all deliveries.
WITH resolved AS MATERIALIZED (
    SELECT w.business_id, w.event_row, w.kind, w.id
    FROM waits AS w
    WHERE (w.business_id, w.event_row) > (:after_business, :after_row) AND ((w.kind = 'ref' AND EXISTS (
        SELECT 1 FROM landings AS l WHERE l.business_id = w.business_id AND l.ref = w.id
    )) OR EXISTS (
        SELECT 1 FROM links AS l WHERE l.business_id = w.business_id AND l.kind = w.kind AND l.id = w.id
    ) OR EXISTS (
        SELECT 1 FROM conversations AS c WHERE c.business_id = w.business_id AND c.kind = w.kind AND c.id = w.id
    ))
)
SELECT resolved.kind, resolved.id, s.*
FROM resolved
CROSS JOIN stored_events AS s
WHERE s.business_id = resolved.business_id AND s.id = resolved.event_row
    AND (s.state = 'unmatched' OR (s.state = 'held' AND s.reason = 'consent' AND resolved.kind = 'ref' AND EXISTS (
        SELECT 1 FROM landings AS l
        WHERE l.business_id = resolved.business_id AND l.ref = resolved.id AND l.consent IN ('granted', 'denied')
    )))
ORDER BY resolved.business_id, resolved.event_row
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
-- Sorted by the caller: an ORDER BY would tempt SQLite to read all records of the business in order.
SELECT
    id, received_at, success, failure_stage, error, event_id, event_name, event_row, duplicate, revision, forward_reference_id,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, payload
FROM record_view
WHERE business_id = :business_id AND event_row = :id;

-- name: records
-- Newest first.
SELECT
    id, received_at, success, failure_stage, error, event_id, event_name, event_row, duplicate, revision, forward_reference_id,
    cnct_tracking_id, sendout_id, ctwa_clid, ad_id, payload
FROM record_view
WHERE business_id = :business_id AND id < :before
ORDER BY id DESC
LIMIT :limit;

-- name: landings
-- Newest first; behind a cursor, the (first_at, ref) of the last one seen. A landing is confirmed by the first message that told the same click.
SELECT
    l.business_id, l.ref, l.cnct_tracking_id, l.sendout_id, l.ctwa_clid, l.ad_id, l.first_at, l.consent, l.page_url, l.referrer,
    l.last_at, l.hits, NULL AS visitor,
    (SELECT min(c.at) FROM conversations AS c
        WHERE c.business_id = l.business_id AND c.ctwa_clid = l.ctwa_clid AND c.ctwa_clid IS NOT NULL) AS confirmed_at
FROM landings AS l
WHERE l.business_id = :business_id AND (l.first_at, l.ref) < (:before, :ref)
ORDER BY l.first_at DESC, l.ref DESC
LIMIT :limit;

-- name: forget_landings
-- every business: retention.
-- Retention, across businesses.
WITH old AS MATERIALIZED (
    SELECT business_id, ref FROM landings WHERE last_at < :before ORDER BY last_at LIMIT :limit FOR UPDATE SKIP LOCKED
)
DELETE FROM landings WHERE (business_id, ref) IN (SELECT old.business_id, old.ref FROM old)
RETURNING 1;

-- name: forget_conversations
-- every business: retention.
WITH old AS MATERIALIZED (
    SELECT business_id, kind, id, message_id FROM conversations WHERE at < :before ORDER BY at LIMIT :limit FOR UPDATE SKIP LOCKED
)
DELETE FROM conversations
WHERE (business_id, kind, id, message_id) IN (SELECT old.business_id, old.kind, old.id, old.message_id FROM old)
RETURNING 1;
