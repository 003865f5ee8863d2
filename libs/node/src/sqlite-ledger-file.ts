/** The SQLite file that a ledger lives in. */
import type { SqliteConnection } from "./sqlite-connection.ts"
import { connectToSqliteFile, createSqliteFile } from "./sqlite-file.ts"
import type { SqliteFormat } from "./sqlite-file.ts"

/** A commit that was answered and lost with the power would leave a receipt which proves that the server lied. */
const format: SqliteFormat = {
    /** "TLIT". */
    applicationId: 0x544c4954,
    version: 1,
    mode: 0o644,
    named: (path) => `the ledger file ${path}`,
    foreign: (path) => `${path} is not a ledger file`,
    tables: `
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
    `,
}

export function createLedgerFile(path: string): Promise<void> {
    return createSqliteFile(path, format, "a ledger is never begun over another one")
}

export function connectToLedger(path: string, mode: "write" | "read"): Promise<SqliteConnection> {
    const missing = `there is no ledger ${path}; “Backup” in docs/OPERATING.md says what may take its place`
    return connectToSqliteFile(path, format, mode, missing)
}
