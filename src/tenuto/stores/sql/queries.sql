-- Every query of the SQLite store, by name. A query begins with its name between dashes.

-- create --
-- An empty journal, leased to its owner. No row comes back when a session of that id exists.
INSERT INTO session
    (session, tenant, user, epoch, position, created, updated, minute, fence, owner, url, boot, expires)
VALUES (:session, :tenant, :user, :epoch, 0, :at, :at, :minute, 1, :owner, :url, :boot, :expires)
ON CONFLICT (session) DO NOTHING
RETURNING fence;

-- advance --
-- The heart of an append: compare fence and head, and move the head. No row comes back when either differs.
UPDATE session SET position = position + ?1, updated = ?2
WHERE session = ?3 AND fence = ?4 AND position = ?5
RETURNING id, minute, due, ended;

-- insert --
-- One row of a journal whose head was advanced in the same transaction.
INSERT INTO journal (session, position, type, body) VALUES (?1, ?2, ?3, ?4);

-- schedule --
-- What an append changes now and then; apart from `advance`, because these columns are indexed.
UPDATE session SET minute = ?2, due = ?3, ended = ?4 WHERE id = ?1;

-- standing --
-- Why an append or an erasure was refused.
SELECT fence, position FROM session WHERE session = ?1;

-- save_snapshot --
-- The newest fold takes the place of the older one, if the fence holds and the journal has come that far.
INSERT INTO snapshot (session, position, body)
SELECT id, :position, :body FROM session
WHERE session = :session AND fence = :fence AND position >= :position
ON CONFLICT (session) DO UPDATE SET position = excluded.position, body = excluded.body
WHERE excluded.position >= snapshot.position;

-- claim --
-- Take the lease if it is ours, has run out, or is of another boot. No row comes back when somebody else holds it.
UPDATE session SET
    fence = fence + (owner <> :owner OR boot <> :boot OR expires <= :now),
    owner = :owner, url = :url, boot = :boot, expires = :now + :ttl
WHERE session = :session AND (owner = :owner OR boot <> :boot OR expires <= :now)
RETURNING fence;

-- holder --
-- Who holds the lease, when `claim` was refused.
SELECT owner, url, boot, expires FROM session WHERE session = ?1;

-- renew --
-- All leases of one host in one write. Only those come back that it still holds.
UPDATE session SET expires = :now + :ttl
WHERE session IN (SELECT value FROM json_each(:sessions))
    AND owner = :owner AND boot = :boot AND expires > :now
RETURNING session;

-- release --
UPDATE session SET expires = 0 WHERE session = ?1 AND owner = ?2;

-- forget_find --
SELECT id FROM session WHERE session = ?1 AND fence = ?2;

-- forget_rows --
DELETE FROM journal WHERE session = ?1;

-- forget_snapshot --
DELETE FROM snapshot WHERE session = ?1;

-- forget_session --
DELETE FROM session WHERE id = ?1;

-- head --
SELECT session, tenant, user, epoch, position, created, updated, ended, due, fence, owner, url, boot, expires, id
FROM session WHERE session = ?1;

-- snapshot --
SELECT position, body FROM snapshot WHERE session = ?1;

-- tail --
-- The rows after a snapshot.
SELECT position, type, body FROM journal
WHERE session = ?1 AND position > ?2 ORDER BY position;

-- read_forward --
SELECT position, type, body FROM journal
WHERE session = (SELECT id FROM session WHERE session = :session)
    AND position > :after AND position < :before
    AND (:types IS NULL OR type IN (SELECT value FROM json_each(:types)))
ORDER BY position LIMIT :limit;

-- read_backward --
SELECT position, type, body FROM journal
WHERE session = (SELECT id FROM session WHERE session = :session)
    AND position > :after AND position < :before
    AND (:types IS NULL OR type IN (SELECT value FROM json_each(:types)))
ORDER BY position DESC LIMIT :limit;

-- sessions_of_tenant --
-- The index gives the minutes in order; only the sessions of one minute are sorted. A name with a tilde is no session's.
SELECT session, tenant, user, epoch, position, created, updated, ended, due, fence, owner, url, boot, expires, id
FROM session
WHERE tenant = :tenant AND session NOT GLOB '~*'
    AND minute <= :minute AND (updated, session) < (:updated, :last)
ORDER BY minute DESC, updated DESC, session DESC LIMIT :limit;

-- sessions_of_user --
SELECT session, tenant, user, epoch, position, created, updated, ended, due, fence, owner, url, boot, expires, id
FROM session
WHERE tenant = :tenant AND user = :user AND session NOT GLOB '~*'
    AND minute <= :minute AND (updated, session) < (:updated, :last)
ORDER BY minute DESC, updated DESC, session DESC LIMIT :limit;

-- due --
SELECT session, tenant, user, epoch, position, created, updated, ended, due, fence, owner, url, boot, expires, id
FROM session
WHERE due IS NOT NULL AND due <= ?1
ORDER BY due, id LIMIT ?2;
