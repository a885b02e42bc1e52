-- Sessions, their journals and their newest snapshots.
--
-- `journal` keeps the rows in the order of the commits, with an index for their places. One commit that holds rows of a
-- hundred sessions then writes a handful of full pages, where a table clustered by session writes a hundred: twice the
-- rate at 100 sessions, and the same size.

CREATE TABLE session (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given out again, so that nothing of a forgotten session can be met
    session TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    user TEXT NOT NULL,
    epoch TEXT NOT NULL,
    position INTEGER NOT NULL,             -- of the newest row; 0 for an empty journal
    created REAL NOT NULL,                 -- seconds since 1970-01-01 UTC
    updated REAL NOT NULL,                 -- seconds since 1970-01-01 UTC
    minute INTEGER NOT NULL,               -- `updated`, in whole minutes: indexed in its place, so that an append seldom
                                           -- touches an index
    due REAL,                              -- seconds since 1970-01-01 UTC; NULL when nothing is due
    ended INTEGER NOT NULL DEFAULT 0,
    fence INTEGER NOT NULL,
    owner TEXT NOT NULL,
    url TEXT NOT NULL,
    boot TEXT NOT NULL,                    -- of the machine: a lease of another boot is void
    expires REAL NOT NULL                  -- when the lease runs out, in seconds since that boot; 0 when it was released
) STRICT;

CREATE INDEX session_of_tenant ON session (tenant, minute);
CREATE INDEX session_of_user ON session (tenant, user, minute);
CREATE INDEX session_due ON session (due) WHERE due IS NOT NULL;

CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    position INTEGER NOT NULL,
    type TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (session, position)
) STRICT;

CREATE TABLE snapshot (
    session INTEGER PRIMARY KEY,
    position INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
