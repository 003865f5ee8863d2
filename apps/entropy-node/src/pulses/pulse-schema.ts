/** Written to the file's header ("TLPU"), so that another program's database is not taken for pulses. */
export const applicationId = 0x544c5055

/** Counted up with every change of the tables. */
export const schemaVersion = 1

/**
 * `slot` is what a local random value is for: the ordinal of a beacon, or in a periodic chain the index of a pulse.
 * A draft is the message that is being signed as the chain's next pulse, and none but it ever is.
 */
export const pulseSchema = `
    PRAGMA journal_mode = WAL;
    BEGIN;
    CREATE TABLE chains (
        chain INTEGER PRIMARY KEY CHECK (chain >= 1),
        followed TEXT NOT NULL
    ) STRICT;
    CREATE TABLE pulses (
        chain INTEGER NOT NULL REFERENCES chains,
        idx INTEGER NOT NULL CHECK (idx >= 1),
        time INTEGER NOT NULL,
        slot INTEGER NOT NULL,
        message BLOB NOT NULL,
        links TEXT NOT NULL,
        simulated INTEGER NOT NULL,
        signature BLOB NOT NULL,
        output BLOB NOT NULL,
        PRIMARY KEY (chain, idx),
        UNIQUE (chain, time),
        UNIQUE (chain, slot)
    ) STRICT;
    CREATE INDEX pulses_by_time ON pulses (time, chain);
    CREATE TABLE drafts (
        chain INTEGER PRIMARY KEY REFERENCES chains,
        idx INTEGER NOT NULL,
        time INTEGER NOT NULL,
        slot INTEGER NOT NULL,
        message BLOB NOT NULL,
        links TEXT NOT NULL,
        simulated INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE local_values (
        chain INTEGER NOT NULL REFERENCES chains,
        slot INTEGER NOT NULL,
        value BLOB NOT NULL CHECK (LENGTH(value) = 64),
        sources TEXT NOT NULL,
        simulated INTEGER NOT NULL,
        PRIMARY KEY (chain, slot)
    ) STRICT;
    CREATE TABLE certificates (
        id BLOB PRIMARY KEY,
        der BLOB NOT NULL,
        added INTEGER NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE external_sources (
        id BLOB PRIMARY KEY,
        text TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER pulses_never_change BEFORE UPDATE ON pulses
        BEGIN SELECT RAISE(ABORT, 'a pulse never changes'); END;
    CREATE TRIGGER pulses_never_go BEFORE DELETE ON pulses
        BEGIN SELECT RAISE(ABORT, 'a pulse never goes'); END;
    CREATE TRIGGER pulses_leave_no_hole BEFORE INSERT ON pulses
        WHEN NEW.idx <> 1 + (SELECT COALESCE(MAX(idx), 0) FROM pulses WHERE chain = NEW.chain)
        BEGIN SELECT RAISE(ABORT, 'the pulses of a chain are counted one by one'); END;
    CREATE TRIGGER local_values_never_change BEFORE UPDATE ON local_values
        BEGIN SELECT RAISE(ABORT, 'a local random value never changes'); END;
    PRAGMA application_id = ${applicationId};
    PRAGMA user_version = ${schemaVersion};
    COMMIT;
`

/** For every connection. Without FULL a pulse that somebody saw could be lost with the power, and made otherwise. */
export const connectionSettings = `
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA busy_timeout = 5000;
`
