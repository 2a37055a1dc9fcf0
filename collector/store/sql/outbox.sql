-- Statements of the Outbox: the dispatcher's, across businesses. FOR UPDATE … is PostgreSQL's; in SQLite the one writer holds all.

-- name: clock
SELECT now_ms();

-- name: due
-- A skip scan: one step in the index per lane, however many deliveries wait in it.
WITH RECURSIVE lanes (lane) AS (
    SELECT min(d.lane) FROM deliveries AS d WHERE d.state IN ('pending', 'retrying')
    UNION ALL
    SELECT (SELECT min(d.lane) FROM deliveries AS d WHERE d.state IN ('pending', 'retrying') AND d.lane > lanes.lane)
    FROM lanes
    WHERE lanes.lane IS NOT NULL
)
SELECT lanes.lane, (
    SELECT min(d.due_at) FROM deliveries AS d WHERE d.state IN ('pending', 'retrying') AND d.lane = lanes.lane
)
FROM lanes
WHERE lanes.lane IS NOT NULL;

-- name: claim sqlite
-- rows: :lane, :since BIGINT, :most BIGINT, :lease_ms BIGINT, :lease
-- The head of the index deliveries_due, whatever stands behind it.
UPDATE deliveries SET
    state = 'sending',
    attempts = attempts + 1,
    lease_until = (SELECT now_ms()) + (SELECT lease_ms FROM each),
    lease = (SELECT lease FROM each)
FROM (
    SELECT d.business_id, d.id
    FROM deliveries AS d
    WHERE d.state IN ('pending', 'retrying') AND d.lane = (SELECT lane FROM each)
        AND d.due_at >= (SELECT since FROM each) AND d.due_at <= (SELECT now_ms())
    ORDER BY d.due_at
    LIMIT (SELECT most FROM each)
) AS due
WHERE deliveries.business_id = due.business_id AND deliveries.id = due.id
RETURNING deliveries.business_id, deliveries.id;

-- name: claimed sqlite
-- rows: :business_id, :id
-- What was just claimed, with its events.
SELECT s.*
FROM each
JOIN stored_events AS s ON s.business_id = each.business_id AND s.id = each.id
ORDER BY s.due_at, s.id;

-- name: claim postgres
-- rows: :lane, :since BIGINT, :most BIGINT, :lease_ms BIGINT, :lease
-- Both in one. Rows that another process is claiming are passed over, and so are those that moved before they were locked: their old
-- event must not meet their new delivery. The next round has them.
WITH due AS MATERIALIZED (
    SELECT d.ctid AS place
    FROM deliveries AS d
    WHERE d.state IN ('pending', 'retrying') AND d.lane = (SELECT lane FROM each)
        AND d.due_at >= (SELECT since FROM each) AND d.due_at <= (SELECT now_ms())
    ORDER BY d.due_at
    LIMIT (SELECT most FROM each)
    FOR UPDATE SKIP LOCKED
),
taken AS (
    UPDATE deliveries AS d SET
        state = 'sending',
        attempts = d.attempts + 1,
        lease_until = (SELECT now_ms()) + (SELECT lease_ms FROM each),
        lease = (SELECT lease FROM each)
    FROM due
    WHERE d.ctid = due.place
    RETURNING
        d.business_id, d.id, d.destination, d.lane, d.state, d.reason, d.revision, d.attempts, d.due_at, d.deadline_at, d.reference, d.error,
        CASE WHEN d.trigger_number >= d.attempts THEN d.trigger END AS trigger
)
SELECT
    e.business_id, e.id, e.event_name, e.event_id, e.event_at, e.received_at, e.channel, e.source,
    e.cnct_tracking_id, e.sendout_id, e.ctwa_clid, e.ad_id, e.consent, e.custom_data, e.currency, e.value_micros,
    e.user_data, e.page_url, e.order_id, e.test, e.digest, e.revision, e.options,
    t.destination, t.lane, t.state, t.reason, t.revision, t.attempts, t.due_at, t.deadline_at, t.reference, t.error, t.trigger
FROM taken AS t
JOIN events AS e ON e.business_id = t.business_id AND e.id = t.id
ORDER BY t.due_at, t.id;

-- name: claimed_before
-- What this very claim took, when its commit's answer was lost.
SELECT s.*
FROM deliveries AS d
JOIN stored_events AS s ON s.business_id = d.business_id AND s.id = d.id
WHERE d.state = 'sending' AND d.lease = :lease
ORDER BY s.due_at, s.id;

-- name: settle sqlite
-- rows: :business_id, :id, :number BIGINT, :state, :reason, :due_at BIGINT, :reference, :error, :trigger, :at BIGINT, :outcome,
-- rows: :http_status BIGINT, :code BIGINT, :subcode BIGINT, :duration_ms BIGINT, :attempt_reference, :answer
-- The new state, while the lease is held by this number, and the try that was made: a trigger of the view `settlements` writes both.
-- It tells whose lease was lost, or who was settled before, by an uncertain commit.
INSERT INTO settlements (
    business_id, id, number, state, reason, due_at, reference, error, trigger, at, outcome, http_status, code, subcode,
    duration_ms, attempt_reference, answer
)
SELECT *
FROM each
WHERE true;

-- name: settle postgres
-- rows: :business_id, :id, :number BIGINT, :state, :reason, :due_at BIGINT, :reference, :error, :trigger, :at BIGINT, :outcome,
-- rows: :http_status BIGINT, :code BIGINT, :subcode BIGINT, :duration_ms BIGINT, :attempt_reference, :answer
-- The same.
WITH changed AS (
    UPDATE deliveries SET
        state = each.state,
        reason = each.reason,
        due_at = each.due_at,
        reference = each.reference,
        error = each.error,
        lease_until = NULL
    FROM each
    WHERE deliveries.business_id = each.business_id
        AND deliveries.id = each.id
        AND deliveries.lease_until IS NOT NULL
        AND deliveries.attempts = each.number
    RETURNING each.*, deliveries.revision
),
tries AS (
    INSERT INTO attempts (
        business_id, delivery_id, number, trigger, at, outcome, http_status, code, subcode, duration_ms, reference, answer, error,
        revision
    )
    SELECT
        business_id, id, number, trigger, at, outcome, http_status, code, subcode, duration_ms, attempt_reference, answer, error, revision
    FROM changed
)
SELECT business_id, id
FROM each
WHERE ((business_id, id, number) IN (SELECT business_id, id, number FROM changed)) IS NOT TRUE;

-- name: settled
-- rows: :business_id, :id, :number BIGINT, :at BIGINT, :outcome, :trigger
-- Whose attempt stands as it was written: an uncertain commit that was run again.
SELECT each.business_id, each.id, a.number
FROM each
JOIN attempts AS a
    ON a.business_id = each.business_id AND a.delivery_id = each.id AND a.number = each.number
WHERE a.at = each.at AND a.outcome = each.outcome AND a.trigger = each.trigger;

-- name: release_claims
-- rows: :business_id, :id, :number BIGINT, :lease, :due_at BIGINT
-- Claimed but not sent: the attempt number is taken back. The next claim has it again, so the number alone is no fence for a second run.
UPDATE deliveries SET
    state = 'pending',
    attempts = attempts - 1,
    due_at = each.due_at,
    lease_until = NULL
FROM each
WHERE deliveries.business_id = each.business_id
    AND deliveries.id = each.id
    AND deliveries.lease_until IS NOT NULL
    AND COALESCE(deliveries.lease, '') = each.lease
    AND deliveries.attempts = each.number;

-- name: rescue
-- Left behind by a dead process: the lease is over, or all of them where no other process can be sending.
WITH lost AS MATERIALIZED (
    SELECT d.business_id, d.id
    FROM deliveries AS d
    WHERE d.state = 'sending' AND d.lease_until <= CASE
        WHEN CAST(:all_leases AS BIGINT) = 1 THEN 9223372036854775807 ELSE (SELECT now_ms()) END
    ORDER BY d.lease_until
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE deliveries SET
    state = CAST(:to AS TEXT),
    reason = CAST(:reason AS TEXT),
    due_at = CAST(:due_at AS BIGINT),
    lease_until = NULL
FROM lost
WHERE deliveries.business_id = lost.business_id AND deliveries.id = lost.id
RETURNING deliveries.business_id, deliveries.id;

-- name: rescue_attempts
-- rows: :business_id, :id
-- What became of the lost try is not known, and says so.
INSERT INTO attempts (business_id, delivery_id, number, trigger, at, outcome, revision)
SELECT d.business_id, d.id, d.attempts, 'rescue', (SELECT now_ms()), 'unknown', d.revision
FROM each
JOIN deliveries AS d ON d.business_id = each.business_id AND d.id = each.id
WHERE true
ON CONFLICT DO NOTHING;

-- name: expire
-- Past its deadline at :now and not sending.
WITH late AS MATERIALIZED (
    SELECT d.business_id, d.id
    FROM deliveries AS d
    WHERE d.state > 'delivered' AND d.state <> 'sending' AND d.deadline_at <= CAST(:now AS BIGINT)
    ORDER BY d.deadline_at
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE deliveries SET
    state = 'dead',
    reason = CASE WHEN deliveries.state = 'unmatched' THEN 'unmatched' ELSE 'expired' END
FROM late
WHERE deliveries.business_id = late.business_id AND deliveries.id = late.id
RETURNING deliveries.business_id, deliveries.id;

-- name: expire_waits
-- rows: :business_id, :id
DELETE FROM waits
WHERE (business_id, event_row) IN (SELECT each.business_id, each.id FROM each);

-- name: rewind_due sqlite
-- The clock went back: what nobody would have put off for so long waits for the hour that it was before. One step in the index per lane.
WITH RECURSIVE lanes (lane) AS (
    SELECT min(d.lane) FROM deliveries AS d WHERE d.state IN ('pending', 'retrying')
    UNION ALL
    SELECT (SELECT min(d.lane) FROM deliveries AS d WHERE d.state IN ('pending', 'retrying') AND d.lane > lanes.lane)
    FROM lanes
    WHERE lanes.lane IS NOT NULL
),
ahead AS MATERIALIZED (
    SELECT d.business_id, d.id
    FROM lanes
    CROSS JOIN deliveries AS d
    WHERE d.state IN ('pending', 'retrying') AND d.lane = lanes.lane
        AND d.due_at > (SELECT now_ms()) + CAST(:wait_ms AS BIGINT)
    LIMIT :limit
)
UPDATE deliveries SET due_at = (SELECT now_ms())
FROM ahead
WHERE deliveries.business_id = ahead.business_id AND deliveries.id = ahead.id
RETURNING 1;

-- name: rewind_due postgres
-- The same. Its planner would join the lanes by reading the table whole: each lane's last is looked at by itself.
WITH RECURSIVE lanes (lane) AS (
    SELECT min(d.lane) FROM deliveries AS d WHERE d.state IN ('pending', 'retrying')
    UNION ALL
    SELECT (SELECT min(d.lane) FROM deliveries AS d WHERE d.state IN ('pending', 'retrying') AND d.lane > lanes.lane)
    FROM lanes
    WHERE lanes.lane IS NOT NULL
),
ahead AS MATERIALIZED (
    SELECT last.business_id, last.id
    FROM lanes
    CROSS JOIN LATERAL (
        SELECT d.business_id, d.id
        FROM deliveries AS d
        WHERE d.state IN ('pending', 'retrying') AND d.lane = lanes.lane
            AND d.due_at > (SELECT now_ms()) + CAST(:wait_ms AS BIGINT)
        ORDER BY d.due_at DESC
        LIMIT :limit
        FOR UPDATE SKIP LOCKED
    ) AS last
    LIMIT :limit
)
UPDATE deliveries SET due_at = (SELECT now_ms())
FROM ahead
WHERE deliveries.business_id = ahead.business_id AND deliveries.id = ahead.id
RETURNING 1;

-- name: rewind_leases
-- The same for leases: whoever holds one still has it for all of its time.
WITH ahead AS MATERIALIZED (
    SELECT d.business_id, d.id
    FROM deliveries AS d
    WHERE d.state = 'sending' AND d.lease_until > (SELECT now_ms()) + CAST(:lease_ms AS BIGINT)
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE deliveries SET lease_until = (SELECT now_ms()) + CAST(:lease_ms AS BIGINT)
FROM ahead
WHERE deliveries.business_id = ahead.business_id AND deliveries.id = ahead.id
RETURNING 1;

-- name: hold
-- A bounded number at a time; lanes between :lane and :lane_end are the channel's.
WITH idle AS MATERIALIZED (
    SELECT d.business_id, d.id
    FROM deliveries AS d
    WHERE d.state IN ('pending', 'retrying') AND d.lane >= :lane AND d.lane < :lane_end
    ORDER BY d.lane, d.due_at
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE deliveries SET state = 'held', reason = CAST(:reason AS TEXT)
FROM idle
WHERE deliveries.business_id = idle.business_id AND deliveries.id = idle.id AND deliveries.business_id = :business_id
RETURNING 1;

-- name: resume
-- What a held channel held back is pending and due now. Consent and unknown outcomes are not the channel's to release.
WITH held AS MATERIALIZED (
    SELECT d.business_id, d.id
    FROM deliveries AS d
    WHERE d.state = 'held' AND d.lane >= :lane AND d.lane < :lane_end
        AND d.reason IN ('token', 'permission', 'dataset', 'channel')
    ORDER BY d.lane
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
)
UPDATE deliveries SET state = 'pending', reason = NULL, due_at = (SELECT now_ms())
FROM held
WHERE deliveries.business_id = held.business_id AND deliveries.id = held.id AND deliveries.business_id = :business_id
RETURNING 1;

-- name: held_lanes
-- Lanes of which a channel's hold keeps something back: a skip scan, as for those that are due.
WITH RECURSIVE lanes (lane) AS (
    SELECT min(d.lane) FROM deliveries AS d WHERE d.state = 'held'
    UNION ALL
    SELECT (SELECT min(d.lane) FROM deliveries AS d WHERE d.state = 'held' AND d.lane > lanes.lane)
    FROM lanes
    WHERE lanes.lane IS NOT NULL
)
SELECT lanes.lane
FROM lanes
WHERE lanes.lane IS NOT NULL AND EXISTS (
    SELECT 1
    FROM deliveries AS d
    WHERE d.state = 'held' AND d.lane = lanes.lane AND d.reason IN ('token', 'permission', 'dataset', 'channel')
);

-- name: states
-- rows: :business_id, :id
SELECT
    d.business_id, d.id, d.destination, d.lane, d.state, d.reason, d.revision, d.attempts, d.due_at, d.deadline_at, d.reference,
    d.error
FROM each
JOIN deliveries AS d ON d.business_id = each.business_id AND d.id = each.id;

-- name: oldest_pending
-- The first due of each lane and the first lease: cheap at any backlog.
WITH RECURSIVE lanes (lane) AS (
    SELECT min(d.lane) FROM deliveries AS d WHERE d.state IN ('pending', 'retrying')
    UNION ALL
    SELECT (SELECT min(d.lane) FROM deliveries AS d WHERE d.state IN ('pending', 'retrying') AND d.lane > lanes.lane)
    FROM lanes
    WHERE lanes.lane IS NOT NULL
),
heads (received_at) AS (
    SELECT (
        SELECT e.received_at
        FROM deliveries AS d
        JOIN events AS e ON e.business_id = d.business_id AND e.id = d.id
        WHERE d.state IN ('pending', 'retrying') AND d.lane = lanes.lane
        ORDER BY d.due_at
        LIMIT 1
    )
    FROM lanes
    WHERE lanes.lane IS NOT NULL
    UNION ALL
    SELECT (
        SELECT e.received_at
        FROM deliveries AS d
        JOIN events AS e ON e.business_id = d.business_id AND e.id = d.id
        WHERE d.state = 'sending'
        ORDER BY d.lease_until
        LIMIT 1
    )
)
SELECT min(received_at) FROM heads;

-- name: delivery_count
SELECT count(*) FROM deliveries AS d WHERE d.business_id = :business_id;

-- name: search_page
-- Where the next page of a business's deliveries ends, and how many it holds.
SELECT max(page.id), count(*)
FROM (SELECT d.id FROM deliveries AS d WHERE d.business_id = :business_id AND d.id > :after ORDER BY d.id LIMIT :limit) AS page;

-- name: search
-- What a replay may be about, on one page; the last column says whether an attempt was accepted, or may have been.
SELECT s.*, (
    SELECT min(a.outcome)  -- accepted comes before unknown
    FROM attempts AS a
    WHERE a.business_id = s.business_id AND a.delivery_id = s.id AND a.outcome IN ('accepted', 'unknown')
) AS sent
FROM stored_events AS s
WHERE s.business_id = :business_id AND s.id > :after AND s.id <= :last
    AND (
        CAST(:any_state AS BIGINT) = 1 OR s.state = 'dead' OR (s.state = 'held' AND s.reason = 'unknown')
        OR (s.state = 'delivered' AND CAST(:delivered AS BIGINT) = 1)
    )
    AND (CAST(:id AS TEXT) IS NULL OR s.id = CAST(:id AS TEXT))
    AND (CAST(:reason AS TEXT) IS NULL OR s.reason = CAST(:reason AS TEXT))
    AND (CAST(:channel AS TEXT) IS NULL OR s.channel = CAST(:channel AS TEXT))
    AND (CAST(:received_from AS BIGINT) IS NULL OR s.received_at >= CAST(:received_from AS BIGINT))
    AND (CAST(:received_before AS BIGINT) IS NULL OR s.received_at < CAST(:received_before AS BIGINT))
ORDER BY s.id;
