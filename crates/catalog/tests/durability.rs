//! What was acknowledged is there after the process is killed; one process at a time; backups.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use lakegate_catalog::CatalogError;
use lakegate_catalog::access::{ADMINISTRATORS, By, Grant, Privilege, Resource, ScramVerifier};
use lakegate_catalog::partition::PartitionInput;
use lakegate_catalog::store::{Control, Coordinator, Metastore, SqliteStore};
use support::{database, table, verifier, with_orders, with_users};

const STORE: &str = "LAKEGATE_TEST_STORE";
const ROLE: &str = "LAKEGATE_TEST_ROLE";
const PARTITIONS_PER_STEP: usize = 25;

/// Runs [`as_another_process`] as another process.
fn spawn(role: &str, path: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_another_process", "--nocapture"])
        .env(ROLE, role)
        .env(STORE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}

/// Not a test of its own: what the other process does, which says what it wants and ends at once in
/// a normal run.
#[tokio::test]
async fn as_another_process() {
    let (Ok(role), Ok(path)) = (std::env::var(ROLE), std::env::var(STORE)) else {
        return;
    };
    let store = SqliteStore::open(path).unwrap();
    say("open");
    match role.as_str() {
        "hold" => {
            // Until the other end is killed or closes.
            std::io::stdin().read_line(&mut String::new()).unwrap();
            std::thread::sleep(std::time::Duration::from_secs(600));
        }
        "write" => {
            let first = store.tables("sales").await.unwrap().len();
            for step in first.. {
                write_step(&store, step).await;
                say(&format!("done {step}"));
            }
        }
        "own" => {
            let ann = By::User(store.snapshot().users["ann"].id);
            let first = store.tables("sales").await.unwrap().len();
            for step in first.. {
                let new = table(&format!("t{step}"), &[("a", "int")], &[]);
                store
                    .create_table_by("sales", new, false, ann)
                    .await
                    .unwrap();
                say(&format!("done {step}"));
            }
        }
        other => panic!("{other}"),
    }
}

/// One of every kind of change; the table is the first, the role the last.
async fn write_step(store: &SqliteStore, step: usize) {
    let name = format!("t{step}");
    store
        .create_table(
            "sales",
            table(&name, &[("a", "int")], &[("k", "int")]),
            false,
        )
        .await
        .unwrap();
    let partitions = (0..PARTITIONS_PER_STEP)
        .map(|k| PartitionInput::new([k.to_string()]))
        .collect();
    store
        .add_partitions("sales", &name, partitions, false)
        .await
        .unwrap();
    store
        .create_user(&format!("u{step}"), verifier(), false)
        .await
        .unwrap();
    store
        .grant(&[Grant::new(
            format!("u{step}"),
            Privilege::All,
            Resource::table("sales", &name),
        )])
        .await
        .unwrap();
}

async fn check_step(store: &SqliteStore, step: usize) {
    let name = format!("t{step}");
    let partitions = store.partitions("sales", &name).await.unwrap();
    assert_eq!(partitions.len(), PARTITIONS_PER_STEP, "{name}");
    let access = store
        .snapshot()
        .access(&format!("u{step}"))
        .expect("the user is there");
    assert!(
        access
            .table("sales", &name, &["a", "k"])
            .unwrap()
            .selects_all()
    );
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    {
        let store = SqliteStore::open(&path).unwrap();
        store
            .create_database(database("sales"), false)
            .await
            .unwrap();
    }
    for round in 0..4 {
        let (mut child, output) = spawn("write", &path);
        let mut acknowledged = Vec::new();
        let mut lines = output.lines().map_while(Result::ok);
        for line in lines.by_ref() {
            if let Some(step) = line.strip_prefix("done ") {
                acknowledged.push(step.parse::<usize>().unwrap());
            }
            if acknowledged.len() == 5 + round {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died, it had done.
        acknowledged.extend(lines.filter_map(|line| {
            line.strip_prefix("done ")
                .and_then(|step| step.parse::<usize>().ok())
        }));
        assert!(acknowledged.len() >= 5 + round, "the writer got that far");
        let store = SqliteStore::open(&path).unwrap();
        for step in 0..=*acknowledged.last().unwrap() {
            check_step(&store, step).await;
        }
        // What was under way is there whole or not at all, and the next round goes on from a
        // complete step.
        let step = acknowledged.last().unwrap() + 1;
        if let Ok(partitions) = store.partitions("sales", &format!("t{step}")).await {
            assert!([0, PARTITIONS_PER_STEP].contains(&partitions.len()));
            store
                .drop_table("sales", &format!("t{step}"), false)
                .await
                .unwrap();
            store.drop_user(&format!("u{step}"), true).await.unwrap();
        }
    }
}

#[tokio::test]
async fn every_table_has_its_owners_grant_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    {
        let store = SqliteStore::open(&path).unwrap();
        with_users(&store, &["ann"]).await;
        store
            .create_database(database("sales"), false)
            .await
            .unwrap();
    }
    let mut tables = 0;
    for round in 0..6 {
        let (mut child, output) = spawn("own", &path);
        // Read from until the process is killed, which would otherwise end by its closed output.
        let mut lines = output.lines().map_while(Result::ok);
        let done = lines.by_ref().filter(|line| line.starts_with("done "));
        assert_eq!(done.take(3).count(), 3);
        // At different points of the creation of the next one.
        std::thread::sleep(std::time::Duration::from_micros(300 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = SqliteStore::open(&path).unwrap();
        let access = store.snapshot().access("ann").unwrap();
        let found = store.tables("sales").await.unwrap();
        assert!(found.len() >= tables + 3);
        tables = found.len();
        for table in found {
            let on_table = access.on_table(&table).expect("the owner's grant");
            assert!(on_table.drop, "{}", table.name);
        }
    }
}

#[tokio::test]
async fn a_second_process_is_refused_by_the_name_of_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let (mut child, output) = spawn("hold", &path);
    assert!(
        output
            .lines()
            .map_while(Result::ok)
            .any(|line| line == "open")
    );
    let error = SqliteStore::open(&path).unwrap_err();
    let holder = format!("process {}", child.id());
    assert!(
        matches!(&error, CatalogError::Locked { holder: found, .. } if *found == holder),
        "{error}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    SqliteStore::open(&path).expect("the lock went with the process");
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_the_store_has_the_same_lock() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (
        folder.path().join("catalog.db"),
        folder.path().join("link.db"),
    );
    let store = SqliteStore::open(&path).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(
        SqliteStore::open(&link).unwrap_err(),
        CatalogError::Locked { .. }
    ));
    let clone = store.clone();
    drop(store);
    assert!(SqliteStore::open(&path).is_err(), "a clone holds it too");
    drop(clone);
    SqliteStore::open(&link).unwrap();
}

#[tokio::test]
async fn a_backup_is_a_whole_store_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (
        folder.path().join("catalog.db"),
        folder.path().join("copy.db"),
    );
    let store = SqliteStore::open(&path).unwrap();
    with_orders(&store).await;
    with_users(&store, &["root"]).await;
    store.grant_role(ADMINISTRATORS, "root").await.unwrap();
    store
        .add_partitions(
            "sales",
            "orders",
            vec![PartitionInput::new(["2024", "a"])],
            false,
        )
        .await
        .unwrap();
    // The store is in use, and stays so.
    SqliteStore::backup(&path, &copy, false).unwrap();
    store.drop_database("sales", false, true).await.unwrap();
    let restored = SqliteStore::open_existing(&copy).unwrap();
    assert_eq!(
        restored.partitions("sales", "orders").await.unwrap().len(),
        1
    );
    assert_eq!(restored.snapshot().administrators(), ["root"]);
    assert_eq!(
        restored.snapshot().server_secret(),
        store.snapshot().server_secret()
    );
    drop(restored);
    // Again over the first one, if that is wanted; and no working files stay behind.
    let exists = SqliteStore::backup(&path, &copy, false).unwrap_err();
    assert!(exists.to_string().contains("exists already"), "{exists}");
    SqliteStore::backup(&path, &copy, true).unwrap();
    assert!(
        SqliteStore::open(&copy)
            .unwrap()
            .databases()
            .await
            .unwrap()
            .is_empty()
    );
    let itself = SqliteStore::backup(&path, &path, true).unwrap_err();
    assert!(itself.to_string().contains("the catalog itself"));
    assert!(SqliteStore::backup(&path, folder.path().join("no/such/folder.db"), false).is_err());
    let other = folder.path().join("other.db");
    assert!(SqliteStore::backup(&other, &copy, true).is_err());
    std::fs::write(&other, "not a catalog").unwrap();
    assert!(SqliteStore::backup(&other, &copy, true).is_err());
    // What was there is still there, and the store can still be written.
    assert!(SqliteStore::open_existing(&copy).is_ok());
    with_orders(&store).await;
    // Of a store that nobody has open, too.
    drop(store);
    SqliteStore::backup(&path, &copy, true).unwrap();
    let restored = SqliteStore::open(&copy).unwrap();
    assert_eq!(restored.databases().await.unwrap().len(), 1);
    let left = std::fs::read_dir(folder.path()).unwrap().filter(|f| {
        f.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".tmp")
    });
    assert_eq!(left.count(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_store_and_its_backup() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (
        folder.path().join("catalog.db"),
        folder.path().join("copy.db"),
    );
    let store = SqliteStore::open(&path).unwrap();
    with_users(&store, &["ann"]).await;
    SqliteStore::backup(&path, &copy, false).unwrap();
    for file in [path, folder.path().join("catalog.db-wal"), copy] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_password_is_reset_offline() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    {
        let store = SqliteStore::open(&path).unwrap();
        with_users(&store, &["root"]).await;
    }
    {
        let store = SqliteStore::open_existing(&path).unwrap();
        store
            .set_password("ROOT", ScramVerifier::with_iterations("new", 2).unwrap())
            .await
            .unwrap();
        assert!(store.set_password("nobody", verifier()).await.is_err());
    }
    let store = SqliteStore::open(&path).unwrap();
    let snapshot = store.snapshot();
    assert!(snapshot.scram_verifier("root").verify_password("new"));
    assert!(!snapshot.scram_verifier("root").verify_password("secret"));
    assert_eq!(
        snapshot.scram_verifier("nobody"),
        snapshot.scram_verifier("nobody")
    );
    assert!(
        !format!("{snapshot:?} {store:?}").contains(&snapshot.users["root"].verifier.to_string())
    );
}
