//! The tables of the file, and how an older file becomes a current one.
//!
//! `user_version` is how many of [`MIGRATIONS`] a file has had. A migration that has been released
//! is never edited: a change is one more. Each runs in a transaction together with its
//! `user_version`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::access::SERVER_SECRET;
use crate::access::{ADMINISTRATORS, PRIMARY_WORKGROUP};
use crate::error::{CatalogError, Result};
use crate::model::now;

/// `LAKE`, in SQLite's header, so that no other program's file is taken for a catalog.
const APPLICATION_ID: i64 = 0x4C41_4B45;

/// The schema that this program knows.
pub(super) const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

const MIGRATIONS: [&str; 5] = [
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
        key TEXT NOT NULL,            -- canonical values
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
    // 3: writes that are not committed, and what commits have discarded. `locations` is a JSON array of folders.
    "
    CREATE TABLE writes (number INTEGER PRIMARY KEY, table_name TEXT NOT NULL, locations TEXT NOT NULL, created INTEGER NOT NULL) STRICT;
    CREATE TABLE discarded (id INTEGER PRIMARY KEY AUTOINCREMENT, locations TEXT NOT NULL, created INTEGER NOT NULL) STRICT;
    INSERT INTO counters VALUES ('write', 0), ('write_tag', abs(random() % 4294967296));
    ",
    // 4: how old results may be that a workgroup reuses.
    "ALTER TABLE workgroups ADD COLUMN max_staleness_ms INTEGER NOT NULL DEFAULT 0;",
    // 5: users that cannot log in, and how often the sessions of a user were ended.
    "
    ALTER TABLE principals ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE principals ADD COLUMN session_epoch INTEGER NOT NULL DEFAULT 0;
    ",
];

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
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::model::{Column, DatabaseInput, TableInput};
    use crate::store::{Metastore, SqliteStore};

    /// What a v1 program left behind: a database and a table.
    fn version_1(path: &std::path::Path) {
        let mut connection = Connection::open(path).unwrap();
        migrate_to(&mut connection, 1).unwrap();
        connection
            .execute_batch(
                r#"INSERT INTO databases VALUES (7, 'old', '{"Name":"old","CreateTime":1.5}');
                INSERT INTO tables VALUES (9, 7, 't', 3, '{"DatabaseName":"old","Name":"t","CreateTime":1,"UpdateTime":1,
                    "StorageDescriptor":{"Columns":[{"Name":"a","Type":"int"}]},"VersionId":"4"}');"#,
            )
            .unwrap();
    }

    #[tokio::test]
    async fn a_file_of_the_first_schema_is_migrated_and_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        version_1(&path);
        let store = SqliteStore::open(&path).unwrap();
        let table = store.table("old", "t").await.unwrap().unwrap();
        assert_eq!((table.id, table.version_id), (9, 4));
        // What the second schema brought works on the migrated file.
        let mut input = table.to_input();
        input.description = Some("changed".into());
        store.update_table("old", input, Some(4)).await.unwrap();
        let versions: Vec<u64> = store
            .table_versions("old", "t")
            .await
            .unwrap()
            .iter()
            .map(|t| t.version_id)
            .collect();
        assert_eq!(versions, [5, 4]);
        let new = TableInput {
            name: "u".into(),
            storage_descriptor: crate::model::StorageDescriptor {
                columns: vec![Column::new("a", "int")],
                ..Default::default()
            },
            ..TableInput::default()
        };
        assert!(
            store
                .create_table("old", new, false)
                .await
                .unwrap()
                .value
                .id
                > 9
        );
    }

    #[tokio::test]
    async fn a_newer_schema_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        drop(SqliteStore::open(&path).unwrap());
        let newer = SCHEMA_VERSION + 1;
        Connection::open(&path)
            .unwrap()
            .pragma_update(None, "user_version", newer)
            .unwrap();
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(
            matches!(error, CatalogError::NewerSchema { found, supported, .. } if found == newer && supported == SCHEMA_VERSION),
            "{error}"
        );
        assert_eq!(
            pragma(&Connection::open(&path).unwrap(), "user_version").unwrap(),
            newer
        );
    }

    #[tokio::test]
    async fn other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other.db");
        Connection::open(&other)
            .unwrap()
            .execute_batch("CREATE TABLE theirs (a INTEGER)")
            .unwrap();
        assert!(
            SqliteStore::open(&other)
                .unwrap_err()
                .to_string()
                .contains("another program's SQLite file")
        );
        let text = folder.path().join("text.db");
        std::fs::write(
            &text,
            "not a database at all, but long enough to be read as one ".repeat(40),
        )
        .unwrap();
        assert!(matches!(
            SqliteStore::open(&text).unwrap_err(),
            CatalogError::Storage(_)
        ));
        assert!(
            SqliteStore::open_existing(folder.path().join("absent.db"))
                .unwrap_err()
                .to_string()
                .contains("no catalog")
        );
        assert!(!folder.path().join("absent.db").exists());
    }

    #[tokio::test]
    async fn ids_are_not_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        let input = DatabaseInput {
            name: "d".into(),
            ..DatabaseInput::default()
        };
        let first = {
            let store = SqliteStore::open(&path).unwrap();
            let id = store
                .create_database(input.clone(), false)
                .await
                .unwrap()
                .value
                .id;
            store.drop_database("d", false, false).await.unwrap();
            id
        };
        let store = SqliteStore::open(&path).unwrap();
        assert!(store.create_database(input, false).await.unwrap().value.id > first);
    }
}
