//! The tables of the file, and how an older file becomes a current one.
//!
//! `user_version` is how many of [`MIGRATIONS`] a file has had. A migration that has been released
//! is never edited: a change is one more. Each runs in a transaction together with its
//! `user_version`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::partition_rows::respell;
use crate::access::SERVER_SECRET;
use crate::access::{ADMINISTRATORS, PRIMARY_WORKGROUP};
use crate::error::{CatalogError, Result};
use crate::model::now;

/// `LAKE`, in SQLite's header, so that no other program's file is taken for a catalog.
const APPLICATION_ID: i64 = 0x4C41_4B45;

/// The schema that this program knows.
pub(super) const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

const MIGRATIONS: [&str; 14] = [
    // 1: everything but the archive of table versions.
    "
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO counters VALUES ('catalog', 0), ('control', 0);

    CREATE TABLE databases (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, json TEXT NOT NULL) STRICT;
    CREATE TABLE tables (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        database_id INTEGER NOT NULL REFERENCES databases ON DELETE CASCADE,
        name TEXT NOT NULL,
        partitions_version INTEGER NOT NULL DEFAULT 0,
        json TEXT NOT NULL,
        UNIQUE (database_id, name)
    ) STRICT;
    -- Storage descriptors of partitions, each once per table. `location` in them is the table's, at the time.
    CREATE TABLE descriptors (
        id INTEGER PRIMARY KEY,
        table_id INTEGER NOT NULL REFERENCES tables ON DELETE CASCADE,
        digest BLOB NOT NULL,
        json TEXT NOT NULL,
        UNIQUE (table_id, digest)
    ) STRICT;
    CREATE TABLE partitions (
        table_id INTEGER NOT NULL REFERENCES tables ON DELETE CASCADE,
        key TEXT NOT NULL,            -- canonical values, and since 5 their spelling
        vals TEXT NOT NULL,           -- JSON array of the values as given
        location TEXT,                -- NULL: follows from the values
        descriptor_id INTEGER NOT NULL,
        parameters TEXT,              -- JSON object, NULL: none
        created INTEGER NOT NULL,     -- milliseconds since 1970
        PRIMARY KEY (table_id, key)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE principals (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL CHECK (kind IN ('user', 'role')),
        verifier TEXT CHECK ((verifier IS NOT NULL) = (kind = 'user')),
        default_workgroup TEXT,
        created INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE memberships (
        role_id INTEGER NOT NULL REFERENCES principals ON DELETE CASCADE,
        member_id INTEGER NOT NULL REFERENCES principals ON DELETE CASCADE,
        PRIMARY KEY (role_id, member_id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX memberships_by_member ON memberships (member_id);
    -- One row per grantee, privilege and object; SELECT on columns is one row per column. Names that a kind has not are ''.
    CREATE TABLE grants (
        grantee_id INTEGER NOT NULL REFERENCES principals ON DELETE CASCADE,
        kind TEXT NOT NULL CHECK (kind IN ('catalog', 'database', 'table', 'column', 'workgroup')),
        database_name TEXT NOT NULL,
        table_name TEXT NOT NULL,
        column_name TEXT NOT NULL,
        workgroup_name TEXT NOT NULL,
        privilege TEXT NOT NULL,
        grantable INTEGER NOT NULL,
        PRIMARY KEY (grantee_id, kind, database_name, table_name, column_name, workgroup_name, privilege)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX grants_by_table ON grants (database_name, table_name);

    CREATE TABLE workgroups (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        description TEXT,
        state TEXT NOT NULL,
        bytes_scanned_cutoff_per_query INTEGER,
        created INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    ",
    // 2: former versions of tables.
    "
    CREATE TABLE table_versions (
        table_id INTEGER NOT NULL REFERENCES tables ON DELETE CASCADE,
        version INTEGER NOT NULL,
        json TEXT NOT NULL,
        PRIMARY KEY (table_id, version)
    ) STRICT, WITHOUT ROWID;
    ",
    // 3: writes that are not committed, and what commits have discarded. `locations` is a JSON
    // array of folders.
    "
    CREATE TABLE writes (number INTEGER PRIMARY KEY, table_name TEXT NOT NULL, locations TEXT NOT NULL, created INTEGER NOT NULL) STRICT;
    CREATE TABLE discarded (id INTEGER PRIMARY KEY AUTOINCREMENT, locations TEXT NOT NULL, created INTEGER NOT NULL) STRICT;
    INSERT INTO counters VALUES ('write', 0), ('write_tag', abs(random() % 4294967296));
    ",
    // 4: how old results may be that a workgroup reuses.
    "ALTER TABLE workgroups ADD COLUMN max_staleness_ms INTEGER NOT NULL DEFAULT 0;",
    // 5: partitions that spell the same values in different ways; see `partitions::respell`.
    "",
    // 6: what a query may take beside bytes; NULL is no limit. Only a catalog that nobody uses yet
    // begins with limits: four hours of processor time, and half an hour as Athena has it.
    "
    ALTER TABLE workgroups ADD COLUMN cpu_time_limit_ms INTEGER;
    ALTER TABLE workgroups ADD COLUMN run_time_limit_ms INTEGER;
    ALTER TABLE workgroups ADD COLUMN rows_returned_limit INTEGER;
    UPDATE workgroups SET cpu_time_limit_ms = 14400000, run_time_limit_ms = 1800000
        WHERE NOT EXISTS (SELECT 1 FROM principals WHERE kind = 'user');
    ",
    // 7: grants on folders, and by whom (0: administrators, below 0: it comes with a database); by
    // whose right tables have their folders; the files of each write.
    "
    CREATE TABLE new_grants (
        grantee_id INTEGER NOT NULL REFERENCES principals ON DELETE CASCADE,
        kind TEXT NOT NULL CHECK (kind IN ('catalog', 'database', 'table', 'column', 'workgroup', 'location')),
        database_name TEXT NOT NULL,
        table_name TEXT NOT NULL,
        column_name TEXT NOT NULL,
        workgroup_name TEXT NOT NULL,
        location TEXT NOT NULL,
        privilege TEXT NOT NULL,
        grantor_id INTEGER NOT NULL,
        grantable INTEGER NOT NULL,
        PRIMARY KEY (grantee_id, kind, database_name, table_name, column_name, workgroup_name, location, privilege, grantor_id)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO new_grants
        SELECT grantee_id, kind, database_name, table_name, column_name, workgroup_name, '', privilege, 0, grantable FROM grants;
    DROP TABLE grants;
    ALTER TABLE new_grants RENAME TO grants;
    CREATE INDEX grants_by_table ON grants (database_name, table_name);

    ALTER TABLE tables ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0;            -- milliseconds since 1970
    ALTER TABLE tables ADD COLUMN by_administrator INTEGER NOT NULL DEFAULT 0;
    -- The same of partitions outside of the table's folder; NULL: there are none.
    ALTER TABLE tables ADD COLUMN outer_claimed INTEGER;
    ALTER TABLE tables ADD COLUMN outer_by_administrator INTEGER NOT NULL DEFAULT 0;
    UPDATE tables SET
        claimed = CAST(coalesce(json_extract(json, '$.CreateTime'), 0) * 1000 AS INTEGER),
        -- The creator is known by name only: a name without a user counts as an administrator.
        by_administrator = coalesce(json_extract(json, '$.Owner'), '') NOT IN (
            WITH RECURSIVE administrators (id) AS (
                SELECT id FROM principals WHERE name = 'administrators' AND kind = 'role'
                UNION SELECT m.member_id FROM memberships m JOIN administrators a ON m.role_id = a.id)
            SELECT name FROM principals WHERE kind = 'user' AND id NOT IN (SELECT id FROM administrators));
    UPDATE tables SET outer_claimed = claimed, outer_by_administrator = by_administrator
        WHERE EXISTS (SELECT 1 FROM partitions p WHERE p.table_id = tables.id AND p.location IS NOT NULL)
            OR EXISTS (SELECT 1 FROM descriptors d WHERE d.table_id = tables.id
                       AND json_extract(d.json, '$.Location') IS NOT json_extract(tables.json, '$.StorageDescriptor.Location'));

    -- Writes that were committed and whose files are the table's: they are numbered from 0.
    CREATE TABLE written (
        number INTEGER PRIMARY KEY,
        table_id INTEGER NOT NULL REFERENCES tables ON DELETE CASCADE,
        files INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX written_by_table ON written (table_id);
    ALTER TABLE discarded ADD COLUMN files TEXT NOT NULL DEFAULT '[]';           -- JSON array of [write, files]
    -- Folders whose table a user took away without being allowed to read it.
    CREATE TABLE vacated (folder TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    ",
    // 8: users that cannot log in, and how often the sessions of a user were ended.
    "
    ALTER TABLE principals ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE principals ADD COLUMN session_epoch INTEGER NOT NULL DEFAULT 0;
    ",
    // 9: grants by the id of their database, table or workgroup. Control data and the write log do
    // not refer to the catalog's tables: these may be another store's.
    "
    CREATE TABLE new_grants (
        grantee_id INTEGER NOT NULL REFERENCES principals ON DELETE CASCADE,
        kind TEXT NOT NULL CHECK (kind IN ('catalog', 'database', 'table', 'column', 'workgroup', 'location')),
        resource_id INTEGER NOT NULL,     -- 0 for the catalog and for locations; of a column, its table's
        column_name TEXT NOT NULL,
        location TEXT NOT NULL,
        privilege TEXT NOT NULL,
        grantor_id INTEGER NOT NULL,
        grantable INTEGER NOT NULL,
        PRIMARY KEY (grantee_id, kind, resource_id, column_name, location, privilege, grantor_id)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO new_grants
        SELECT grantee_id, kind, 0, '', location, privilege, grantor_id, grantable
            FROM grants WHERE kind IN ('catalog', 'location')
        UNION ALL SELECT g.grantee_id, g.kind, d.id, '', '', g.privilege, g.grantor_id, g.grantable
            FROM grants g JOIN databases d ON d.name = g.database_name WHERE g.kind = 'database'
        UNION ALL SELECT g.grantee_id, g.kind, t.id, g.column_name, '', g.privilege, g.grantor_id, g.grantable
            FROM grants g JOIN databases d ON d.name = g.database_name
            JOIN tables t ON t.database_id = d.id AND t.name = g.table_name WHERE g.kind IN ('table', 'column')
        UNION ALL SELECT g.grantee_id, g.kind, w.id, '', '', g.privilege, g.grantor_id, g.grantable
            FROM grants g JOIN workgroups w ON w.name = g.workgroup_name WHERE g.kind = 'workgroup';
    DROP TABLE grants;
    ALTER TABLE new_grants RENAME TO grants;
    CREATE INDEX grants_by_resource ON grants (resource_id, kind);

    CREATE TABLE new_written (number INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, files INTEGER NOT NULL) STRICT;
    INSERT INTO new_written SELECT number, table_id, files FROM written;
    DROP TABLE written;
    ALTER TABLE new_written RENAME TO written;
    CREATE INDEX written_by_table ON written (table_id);
    ",
    // 10: the user with whose rights a view runs; NULL: those of the user that queries it.
    "ALTER TABLE tables ADD COLUMN definer_id INTEGER;",
    // 11: the bytes that a query may write; NULL is no limit.
    "ALTER TABLE workgroups ADD COLUMN bytes_written_limit INTEGER;",
    // 12: what ANALYZE found of tables.
    "
    CREATE TABLE statistics (
        table_id INTEGER PRIMARY KEY REFERENCES tables ON DELETE CASCADE,
        json TEXT NOT NULL
    ) STRICT;
    ",
    // 13: what users log in with over PostgreSQL's protocol.
    "ALTER TABLE principals ADD COLUMN authentication TEXT NOT NULL DEFAULT 'scram';",
    // 14: what ANALYZE found of partitions.
    "
    CREATE TABLE partition_statistics (
        table_id INTEGER NOT NULL,
        key TEXT NOT NULL,
        json TEXT NOT NULL,
        PRIMARY KEY (table_id, key),
        FOREIGN KEY (table_id, key) REFERENCES partitions (table_id, key)
            ON DELETE CASCADE ON UPDATE CASCADE
    ) STRICT, WITHOUT ROWID;
    ",
];

/// The migration that gives partitions the keys of their spelling.
const RESPELLED: usize = 5;

/// Refuses a file that is not ours or is newer than this program, without writing to it.
pub(super) fn check(connection: &Connection, path: &str) -> Result<()> {
    let unreadable = |error: rusqlite::Error| {
        CatalogError::Storage(format!("{path} cannot be read as a catalog: {error}"))
    };
    let application = pragma(connection, "application_id").map_err(unreadable)?;
    let found = pragma(connection, "user_version").map_err(unreadable)?;
    let objects: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(unreadable)?;
    let is_new = application == 0 && found == 0 && objects == 0;
    if application != APPLICATION_ID && !is_new {
        return Err(CatalogError::invalid(format!(
            "{path} is another program's SQLite file; give the path of a lakegate catalog"
        )));
    }
    if found > SCHEMA_VERSION {
        return Err(CatalogError::NewerSchema {
            path: path.to_owned(),
            found,
            supported: SCHEMA_VERSION,
        });
    }
    Ok(())
}

/// Brings a checked file to the current schema; a new one also gets the built-in role, workgroup
/// and secret.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    migrate_to(connection, MIGRATIONS.len())
}

fn migrate_to(connection: &mut Connection, target: usize) -> Result<()> {
    let done = usize::try_from(pragma(connection, "user_version")?).unwrap_or(0);
    for (index, statements) in MIGRATIONS.iter().enumerate().take(target).skip(done) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(statements)?;
        if index == 0 {
            seed(&transaction)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        if index + 1 == RESPELLED {
            respell(&transaction)?;
        }
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
        transaction.commit()?;
        tracing::info!(version = index + 1, "catalog schema migrated");
    }
    Ok(())
}

fn seed(transaction: &Transaction<'_>) -> Result<()> {
    let created = now().timestamp_millis();
    transaction.execute(
        "INSERT INTO principals (name, kind, created) VALUES (?1, 'role', ?2)",
        params![ADMINISTRATORS, created],
    )?;
    transaction.execute(
        "INSERT INTO workgroups (name, state, created) VALUES (?1, 'ENABLED', ?2)",
        params![PRIMARY_WORKGROUP, created],
    )?;
    let secret: [u8; 32] = rand::random();
    transaction.execute(
        "INSERT INTO settings VALUES (?1, ?2)",
        params![SERVER_SECRET, BASE64.encode(secret)],
    )?;
    Ok(())
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

#[cfg(test)]
mod tests;
