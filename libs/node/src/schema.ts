/** Written to the file's header ("TLIT"), so that another program's database is not taken for a ledger. */
export const applicationId = 0x544c4954

/** Counted up with every change of the tables. */
export const schemaVersion = 1

export const schema = `
    PRAGMA journal_mode = WAL;
    BEGIN;
    CREATE TABLE entries (
        idx INTEGER PRIMARY KEY CHECK (idx >= 0),
        entry BLOB NOT NULL
    ) STRICT;
    CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
        BEGIN SELECT RAISE(ABORT, 'a ledger entry never changes'); END;
    CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
        BEGIN SELECT RAISE(ABORT, 'a ledger entry never goes'); END;
    CREATE TABLE head (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 0),
        size INTEGER NOT NULL,
        checkpoint TEXT NOT NULL
    ) STRICT;
    INSERT INTO head VALUES (0, 0, '');
    PRAGMA application_id = ${applicationId};
    PRAGMA user_version = ${schemaVersion};
    COMMIT;
`

/**
 * For every connection. FULL syncs the write-ahead log at each commit; without it a commit that was answered
 * could be lost with the power, and its receipt would prove that the server lied.
 */
export const connectionSettings = `
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA busy_timeout = 5000;
`
