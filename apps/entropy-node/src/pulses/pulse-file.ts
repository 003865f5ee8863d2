/** The SQLite file that pulses live in. */
import type { SqliteConnection } from "@tallylight/node/sqlite-connection.js"
import { connectToSqliteFile, createSqliteFile } from "@tallylight/node/sqlite-file.js"
import type { SqliteFormat } from "@tallylight/node/sqlite-file.js"

/** A pulse that somebody saw and that was lost with the power would be made otherwise. */
const format: SqliteFormat = {
    /** "TLPU". */
    applicationId: 0x544c5055,
    version: 1,
    // Local random values lie here before they are public.
    mode: 0o600,
    named: (path) => path,
    foreign: (path) => `${path} is no file of pulses`,
    /**
     * `slot` is what a local random value is for: the ordinal of a beacon, or in a periodic chain the index of a pulse.
     * A draft is the message that is being signed as the chain's next pulse, and none but it ever is.
     */
    tables: `
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
    `,
}

export function createPulseFile(path: string): Promise<void> {
    return createSqliteFile(path, format, "pulses are never begun over others")
}

export function connectToPulses(path: string, mode: "write" | "read"): Promise<SqliteConnection> {
    const missing =
        `there are no pulses in ${path}; put the file back as it was last, since from an older or empty one ` +
        "the node would sign other pulses under the same numbers, or give its chains new numbers"
    return connectToSqliteFile(path, format, mode, missing)
}
