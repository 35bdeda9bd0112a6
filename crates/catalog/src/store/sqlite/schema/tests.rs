//! Files of older schemas, and files that are not catalogs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::time::Duration;

use super::*;
use crate::access::QueryLimits;
use crate::model::{Column, DatabaseInput, TableInput, TableStatistics};
use crate::store::{Control, Metastore, SqliteStore};

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
async fn a_file_without_statistics_is_migrated_and_keeps_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    version_1(&path);
    migrate_to(&mut Connection::open(&path).unwrap(), 11).unwrap();
    let known = {
        let store = SqliteStore::open(&path).unwrap();
        let table = store.table("old", "t").await.unwrap().unwrap();
        assert_eq!(store.table_statistics(&table).await.unwrap(), None);
        let found = TableStatistics {
            row_count: 3,
            file_bytes: 10,
            version: table.version_id,
            analyzed_time: now(),
            columns: Vec::new(),
        };
        store
            .update_table_statistics(&table, found.clone())
            .await
            .unwrap();
        found
    };
    let store = SqliteStore::open(&path).unwrap();
    let table = store.table("old", "t").await.unwrap().unwrap();
    let found = store.table_statistics(&table).await.unwrap();
    assert_eq!(found.as_deref(), Some(&known));
    // There are none of partitions.
    let found = vec![(vec!["1".to_owned()], known)];
    let refused = store.update_partition_statistics(&table, found);
    assert!(refused.await.is_err());
    store.drop_table("old", "t", false).await.unwrap();
    drop(store);
    let sql =
        "SELECT (SELECT count(*) FROM statistics) + (SELECT count(*) FROM partition_statistics)";
    let left: i64 = Connection::open(&path)
        .unwrap()
        .query_row(sql, [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn partitions_of_old_are_found_by_their_spelling_after_migration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    version_1(&path);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            r#"INSERT INTO tables VALUES (10, 7, 'p', 3, '{"DatabaseName":"old","Name":"p","CreateTime":1,"UpdateTime":1,
                "StorageDescriptor":{"Columns":[{"Name":"a","Type":"int"}],"Location":"s3://lake/p"},
                "PartitionKeys":[{"Name":"month","Type":"int"}],"VersionId":"1"}');
            INSERT INTO descriptors VALUES (1, 10, x'00', '{"Columns":[{"Name":"a","Type":"int"}],"Location":"s3://lake/p"}');
            INSERT INTO partitions VALUES (10, '7', '["07"]', NULL, 1, NULL, 1), (10, '8', '["8"]', NULL, 1, NULL, 1);"#,
        )
        .unwrap();
    drop(connection);
    let store = SqliteStore::open(&path).unwrap();
    let added = store
        .add_partitions(
            "old",
            "p",
            ["07", "7", "8"]
                .map(|month| crate::partition::PartitionInput::new([month]))
                .to_vec(),
            true,
        )
        .await
        .unwrap();
    assert_eq!((added.added, added.existing), (1, vec![0, 2]));
    let all = store.partitions("old", "p").await.unwrap();
    let names: Vec<String> = all.items.iter().map(|p| p.name(&all.keys)).collect();
    assert_eq!(names, ["month=7", "month=07", "month=8"]);
}

#[tokio::test]
async fn a_new_catalog_limits_queries_and_one_in_use_goes_on_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let limits = |path: &std::path::Path| {
        let store = SqliteStore::open(path).unwrap();
        store.snapshot().workgroups[PRIMARY_WORKGROUP].limits
    };
    let new = limits(&folder.path().join("new.db"));
    assert_eq!(
        (new.cpu_time, new.run_time, new.rows_returned),
        (
            Some(Duration::from_secs(4 * 3600)),
            Some(Duration::from_secs(1800)),
            None
        )
    );
    let used = folder.path().join("used.db");
    version_1(&used);
    Connection::open(&used)
        .unwrap()
        .execute(
            "INSERT INTO principals (name, kind, verifier, created) VALUES ('ann', 'user', ?1, 0)",
            [
                crate::access::ScramVerifier::with_iterations("a password", 1)
                    .unwrap()
                    .to_string(),
            ],
        )
        .unwrap();
    assert_eq!(limits(&used), QueryLimits::default());
}

#[tokio::test]
async fn grants_and_owners_of_folders_are_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let mut connection = Connection::open(&path).unwrap();
    migrate_to(&mut connection, 4).unwrap();
    let verifier = crate::access::ScramVerifier::with_iterations("x", 1).unwrap();
    connection
        .execute_batch(&format!(
            r#"INSERT INTO principals (id, name, kind, verifier, created) VALUES (10, 'root', 'user', '{verifier}', 0), (11, 'ann', 'user', '{verifier}', 0);
            INSERT INTO principals (id, name, kind, created) VALUES (12, 'chiefs', 'role', 0);
            INSERT INTO memberships SELECT id, 12 FROM principals WHERE name = 'administrators';
            INSERT INTO memberships VALUES (12, 10);
            INSERT INTO databases VALUES (7, 'd', '{{"Name":"d","CreateTime":1.5}}');
            INSERT INTO grants VALUES (11, 'column', 'd', 'roots', 'a', '', 'SELECT', 1);"#
        ))
        .unwrap();
    for (id, name, owner) in [
        (1, "roots", "root"),
        (2, "anns", "ann"),
        (3, "gones", "gone"),
    ] {
        let json = format!(
            r#"{{"DatabaseName":"d","Name":"{name}","Owner":"{owner}","CreateTime":{id},"UpdateTime":1,"StorageDescriptor":{{"Columns":[{{"Name":"a","Type":"int"}}],"Location":"s3://l/{name}/"}},"PartitionKeys":[{{"Name":"p","Type":"int"}}],"VersionId":"0"}}"#
        );
        connection
            .execute(
                "INSERT INTO tables VALUES (?1, 7, ?2, 0, ?3)",
                params![id, name, json],
            )
            .unwrap();
    }
    connection
        .execute_batch(
            r#"INSERT INTO descriptors VALUES (1, 2, x'00', '{"Columns":[],"Location":"s3://l/anns/"}');
            INSERT INTO partitions VALUES (2, '1', '["1"]', 's3://l/elsewhere/', 1, NULL, 0);"#,
        )
        .unwrap();
    drop(connection);
    let store = SqliteStore::open(&path).unwrap();
    let claims: Vec<(String, i64, bool, bool)> = store
        .tables("d")
        .await
        .unwrap()
        .iter()
        .map(|t| {
            (
                t.name.clone(),
                t.claim.since,
                t.claim.by_administrator,
                t.outer_claim.is_some(),
            )
        })
        .collect();
    assert_eq!(
        claims,
        [
            ("anns".to_owned(), 2000, false, true),
            ("gones".to_owned(), 3000, true, false),
            ("roots".to_owned(), 1000, true, false)
        ]
    );
    use crate::store::Control;
    let access = store.snapshot().access("ann").unwrap();
    assert!(
        access
            .table("d", "roots", &["a", "b"])
            .unwrap()
            .can_select("a")
    );
    let columns = crate::access::Resource::columns("d", "roots", ["a"]);
    assert!(access.can_grant(crate::access::Privilege::Select, &columns));
}

#[tokio::test]
async fn grants_by_name_become_grants_by_id() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let mut connection = Connection::open(&path).unwrap();
    migrate_to(&mut connection, 8).unwrap();
    let verifier = crate::access::ScramVerifier::with_iterations("x", 1).unwrap();
    let table = |name: &str| {
        format!(
            r#"{{"DatabaseName":"d","Name":"{name}","CreateTime":1,"UpdateTime":1,"StorageDescriptor":{{"Columns":[{{"Name":"a","Type":"int"}},{{"Name":"b","Type":"int"}}]}},"VersionId":"0"}}"#
        )
    };
    connection
        .execute_batch(&format!(
            r#"INSERT INTO principals (id, name, kind, verifier, created) VALUES (10, 'ann', 'user', '{verifier}', 0), (11, 'ben', 'user', '{verifier}', 0);
            INSERT INTO databases VALUES (7, 'd', '{{"Name":"d","CreateTime":1.5}}'), (8, 'e', '{{"Name":"e","CreateTime":1.5}}');
            INSERT INTO tables (id, database_id, name, json) VALUES (20, 7, 't', '{}'), (21, 7, 'u', '{}');
            INSERT INTO workgroups (id, name, state, created) VALUES (30, 'lab', 'ENABLED', 0);
            INSERT INTO grants (grantee_id, kind, database_name, table_name, column_name, workgroup_name, location, privilege, grantor_id, grantable) VALUES
                (10, 'catalog', '', '', '', '', '', 'CREATE_DATABASE', 0, 0),
                (10, 'database', 'e', '', '', '', '', 'DROP', 0, 1),
                (10, 'table', 'd', 't', '', '', '', 'SELECT', 0, 1),
                (11, 'table', 'd', 't', '', '', '', 'SELECT', 10, 0),
                (11, 'column', 'd', 'u', 'a', '', '', 'SELECT', 0, 0),
                (11, 'column', 'd', 'u', 'gone/dropped', '', '', 'SELECT', 0, 0),
                (11, 'workgroup', '', '', '', 'lab', '', 'USAGE', 0, 0),
                (11, 'location', '', '', '', '', 's3://l/', 'DATA_LOCATION', -7, 0),
                -- On what is not there.
                (11, 'table', 'd', 'none', '', '', '', 'SELECT', 0, 0),
                (11, 'database', 'none', '', '', '', '', 'DROP', 0, 0);"#,
            table("t"),
            table("u")
        ))
        .unwrap();
    drop(connection);
    let store = SqliteStore::open(&path).unwrap();
    let rows = |sql: &str| {
        let connection = Connection::open(&path).unwrap();
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        rows.unwrap()
            .collect::<rusqlite::Result<Vec<(String, i64)>>>()
            .unwrap()
    };
    let kinds = [
        ("catalog", 0),
        ("column", 21),
        ("column", 21),
        ("database", 8),
        ("location", 0),
        ("table", 20),
        ("table", 20),
        ("workgroup", 30),
    ];
    assert_eq!(
        rows("SELECT kind, resource_id FROM grants ORDER BY kind, resource_id"),
        kinds.map(|(kind, id)| (kind.to_owned(), id))
    );
    let snapshot = store.snapshot();
    let (ann, ben) = (
        snapshot.access("ann").unwrap(),
        snapshot.access("ben").unwrap(),
    );
    let (t, u) = (store.table("d", "t"), store.table("d", "u"));
    let (t, u) = (t.await.unwrap().unwrap(), u.await.unwrap().unwrap());
    let on_t = crate::access::Resource::table("d", "t");
    assert!(ann.can_create_database() && ann.on_database("e", crate::access::Privilege::Drop));
    assert!(ann.on_table(&t).unwrap().selects_all());
    assert!(ann.can_grant(crate::access::Privilege::Select, &on_t));
    assert!(ben.on_table(&t).unwrap().selects_all());
    assert!(!ben.can_grant(crate::access::Privilege::Select, &on_t));
    let on_u = ben.on_table(&u).unwrap();
    assert!(on_u.can_select("a") && !on_u.can_select("b"));
    assert!(ben.can_use_workgroup("lab") && ben.can_use_location("s3://l/x/"));
    assert!(ann.on_table(&u).is_none());
    // Grantors are kept: what ann granted is hers to revoke, and the folder goes with its database.
    let granted = crate::access::Grant::new("ben", crate::access::Privilege::Select, on_t);
    let by_ann = crate::access::By::User(10);
    assert_eq!(store.revoke_by(&[granted], by_ann).await.unwrap(), 1);
    store.drop_database("d", false, true).await.unwrap();
    let ben = store.snapshot().access("ben").unwrap();
    assert!(!ben.can_use_location("s3://l/x/"));
    assert!(
        rows("SELECT kind, resource_id FROM grants WHERE kind IN ('table', 'column')").is_empty()
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
