-- Statements of the Directory. Each change is followed by raise_version in the same commit; a hold of a channel, or its end, by raise_holds.

-- name: version
-- every business: there is one directory.
SELECT version FROM directory;

-- name: raise_version
-- every business: there is one directory.
UPDATE directory SET version = version + 1;

-- name: editions
-- every business: there is one directory.
SELECT version, holds FROM directory;

-- name: raise_holds
-- every business: there is one directory.
UPDATE directory SET holds = holds + 1;

-- name: held_channels
-- every business: the serving processes hold them all in memory. One row at least, with the edition that it is of.
SELECT directory.version, directory.holds, channels.business_id, channels.channel, channels.held
FROM directory
LEFT JOIN channels ON channels.held IS NOT NULL;

-- name: businesses
-- every business: the serving processes hold them all in memory.
SELECT
    business_id, name, origins, destination, cookie_name, cookie_domain, timezone, region, mode, test_event_code,
    consent_required, policy, created_at
FROM businesses
ORDER BY business_id;

-- name: channels
-- every business: the serving processes hold them all in memory.
SELECT business_id, channel, asset_id, dataset_id, sealed_token, credential, held, updated_at
FROM channels
ORDER BY business_id, channel;

-- name: credentials
-- every business: a credential belongs to none.
SELECT name, sealed_token, updated_at FROM credentials ORDER BY name;

-- name: put_credential
-- every business: a credential belongs to none.
-- rows: :name, :sealed_token, :updated_at BIGINT
INSERT INTO credentials (name, sealed_token, updated_at)
SELECT *
FROM each
WHERE true
ON CONFLICT (name) DO UPDATE SET sealed_token = excluded.sealed_token, updated_at = excluded.updated_at;

-- name: api_keys
-- every business: the serving processes hold them all in memory; a key tells its business.
SELECT business_id, key_id, name, digest, hint, created_at, expires_at, revoked_at FROM api_keys ORDER BY business_id, key_id;

-- name: put_business
-- rows: :business_id, :name, :origins, :destination, :cookie_name, :cookie_domain, :timezone, :region, :mode, :test_event_code,
-- rows: :consent_required BIGINT, :policy, :created_at BIGINT
-- Not where the cookie's name is taken on its domain: the two would read each other's cookie.
INSERT INTO businesses (
    business_id, name, origins, destination, cookie_name, cookie_domain, timezone, region, mode, test_event_code,
    consent_required, policy, created_at
)
SELECT *
FROM each
WHERE NOT EXISTS (
    SELECT 1 FROM businesses AS b
    WHERE b.cookie_domain = each.cookie_domain AND b.cookie_name = each.cookie_name AND b.business_id <> each.business_id
)
ON CONFLICT (business_id) DO UPDATE SET
    name = excluded.name,
    origins = excluded.origins,
    destination = excluded.destination,
    cookie_name = excluded.cookie_name,
    cookie_domain = excluded.cookie_domain,
    timezone = excluded.timezone,
    region = excluded.region,
    mode = excluded.mode,
    test_event_code = excluded.test_event_code,
    consent_required = excluded.consent_required,
    policy = excluded.policy
RETURNING business_id;

-- name: put_channel
-- rows: :business_id, :channel, :asset_id, :dataset_id, :sealed_token, :credential, :updated_at BIGINT
-- A channel that is set anew runs.
INSERT INTO channels (business_id, channel, asset_id, dataset_id, sealed_token, credential, held, updated_at)
SELECT each.business_id, each.channel, each.asset_id, each.dataset_id, each.sealed_token, each.credential, NULL, each.updated_at
FROM each
WHERE true
ON CONFLICT (business_id, channel) DO UPDATE SET
    asset_id = excluded.asset_id,
    dataset_id = excluded.dataset_id,
    sealed_token = excluded.sealed_token,
    credential = excluded.credential,
    held = NULL,
    updated_at = excluded.updated_at;

-- name: mark_channel
-- Held with a reason, or running again with NULL.
UPDATE channels SET held = CAST(:reason AS TEXT) WHERE business_id = :business_id AND channel = :channel;

-- name: run_credential
-- every business: whose channels use it.
UPDATE channels SET held = NULL WHERE credential = :credential RETURNING business_id, channel;

-- name: put_key
-- rows: :business_id, :key_id, :name, :digest, :hint, :created_at BIGINT, :expires_at BIGINT, :revoked_at BIGINT
INSERT INTO api_keys (business_id, key_id, name, digest, hint, created_at, expires_at, revoked_at)
SELECT *
FROM each
WHERE true
ON CONFLICT (business_id, key_id) DO UPDATE SET
    name = excluded.name,
    expires_at = excluded.expires_at,
    revoked_at = excluded.revoked_at;

-- name: revoke_key
UPDATE api_keys SET revoked_at = :at
WHERE business_id = :business_id AND key_id = :key_id AND revoked_at IS NULL
RETURNING key_id;

-- name: pulse
-- every business: it belongs to none. The value always changes, so that SQLite writes it.
UPDATE pulse SET at = at + 1;
