//! The first run: one command, a lake, a login.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::harness::{Options, Server, lake};
use crate::http::{get_over_tls, is};

#[tokio::test]
async fn connection_file_names_every_door_and_every_user() {
    let server = Server::shared();
    let file = server.connection();
    assert!(
        file["postgres"]["host"].is_string() && file["postgres"]["port"].is_u64(),
        "{file}"
    );
    assert!(
        file["http"]["url"].as_str().unwrap().starts_with("http://"),
        "{file}"
    );
    assert!(
        file["flight"]["host"].is_string() && file["flight"]["port"].is_u64(),
        "{file}"
    );
    assert!(
        Path::new(file["tls"]["ca_file"].as_str().unwrap()).is_file(),
        "{file}"
    );
    assert_eq!(file["catalog"], "awsdatacatalog");
    assert!(Path::new("/proc").join(server.pid().to_string()).exists());
    let roles: Vec<(&str, String)> = file["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| (user["name"].as_str().unwrap(), user["roles"].to_string()))
        .collect();
    for (name, role) in [
        ("engineer", "data_engineers"),
        ("analyst", "data_analysts"),
        ("scientist", "data_scientists"),
    ] {
        assert!(
            roles.contains(&(name, format!("[\"{role}\"]"))),
            "{roles:?}"
        );
    }
    for user in ["admin", "engineer", "analyst", "scientist"] {
        assert_eq!(
            server
                .connect(user)
                .await
                .value("SELECT current_user")
                .await,
            user
        );
    }
}

#[test]
fn credentials_can_be_read_by_their_owner_only() {
    let server = Server::shared();
    let credentials = server.dir.join("credentials.json");
    assert_eq!(
        fs::metadata(&credentials).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = fs::read_to_string(credentials).unwrap();
    for user in ["admin", "engineer", "analyst", "scientist"] {
        assert!(
            text.contains(server.password(user)),
            "credentials.json lacks {user}'s password"
        );
    }
}

#[test]
fn passwords_differ_between_users_and_between_lakes() {
    let server = Server::shared();
    let temp = tempfile::tempdir_in(lake::scratch()).unwrap();
    let other = Server::demo(
        &temp.path().join("lake"),
        &Options {
            scale: "0.0001".to_owned(),
            ..Options::default()
        },
        &[],
    );
    assert_ne!(server.password("admin"), other.password("admin"));
    assert_ne!(server.password("admin"), server.password("analyst"));
    assert!(server.password("admin").len() >= 12);
}

#[tokio::test]
async fn health_answers_live_and_ready() {
    let server = Server::shared();
    assert_eq!(server.http_get("/health/live").0, 200);
    assert_eq!(server.http_get("/health/ready").0, 200);
    // Other paths are answered only over TLS.
    let ca = Path::new(server.ca_file());
    let answer = get_over_tls(server, ca, "/nothing/here").await;
    assert!(is(&answer, 404), "{answer}");
}

/// Lists every data file: path, inode, modification time.
fn data_files(dir: &Path) -> Vec<(String, u64, i64)> {
    let mut files = Vec::new();
    let mut folders: Vec<_> = ["raw", "curated", "analytics"]
        .iter()
        .map(|zone| dir.join(zone))
        .collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                files.push((
                    entry.path().display().to_string(),
                    metadata.ino(),
                    metadata.mtime_nsec(),
                ));
            }
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn next_start_reuses_the_lake_its_catalog_and_its_passwords() {
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    let before = data_files(&dir);
    assert!(before.len() > 1000, "only {} files", before.len());
    let mut first = Server::demo(&dir, &Options::small(), &[]);
    let password = first.password("analyst").to_owned();
    first
        .connect("admin")
        .await
        .run("CREATE DATABASE kept COMMENT 'across starts'")
        .await;
    first.signal("TERM");
    assert!(first.wait().success());

    let second = Server::demo(&dir, &Options::small(), &[]);
    assert_eq!(data_files(&dir), before);
    assert_eq!(second.password("analyst"), password);
    assert!(
        second
            .connect("admin")
            .await
            .column("SHOW DATABASES")
            .await
            .contains(&"kept".to_owned())
    );
}

#[tokio::test]
async fn what_was_revoked_and_dropped_on_a_demo_stays_so_after_the_next_start() {
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    let mut first = Server::demo(&dir, &Options::small(), &[]);
    let admin = first.connect("admin").await;
    admin.run("REVOKE SELECT ON TABLE curated.orders FROM data_scientists; DROP TABLE analytics.customer_360").await;
    first.signal("TERM");
    assert!(first.wait().success());

    let second = Server::demo(&dir, &Options::small(), &[]);
    second
        .connect("scientist")
        .await
        .fails("SELECT count(*) FROM curated.orders")
        .await;
    assert_eq!(
        second
            .connect("admin")
            .await
            .fails("SELECT * FROM analytics.customer_360")
            .await
            .code,
        "42P01"
    );
}

#[test]
fn other_arguments_on_an_existing_lake_are_an_error_that_names_both() {
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    let other = Options {
        scale: "0.02".to_owned(),
        ..Options::default()
    };
    let error = Server::try_demo(&dir, &other, &[])
        .err()
        .expect("another scale must be refused");
    assert!(error.contains("0.001") && error.contains("0.02"), "{error}");
    let other = Options {
        until: Some("2023-06-30".to_owned()),
        ..Options::small()
    };
    let error = Server::try_demo(&dir, &other, &[])
        .err()
        .expect("another date must be refused");
    assert!(
        error.contains("2024-12-31") && error.contains("2023-06-30"),
        "{error}"
    );
}

#[test]
fn two_servers_cannot_serve_one_lake() {
    let server = Server::private(&[]);
    let error = Server::try_demo(&server.dir, &Options::small(), &[])
        .err()
        .expect("the second must be refused");
    assert!(
        error.to_lowercase().contains("another") || error.to_lowercase().contains("lock"),
        "{error}"
    );
}

#[test]
fn psql_line_that_the_demo_prints_works_when_pasted() {
    let server = Server::shared();
    let printed = server.stdout();
    let line = printed
        .lines()
        .find(|line| line.contains("psql "))
        .unwrap_or_else(|| panic!("no psql line in:\n{printed}"));
    let output = Command::new("sh")
        .args([
            "-c",
            &format!(
                "{} -XAtc 'SELECT 6 * 7'",
                line.trim().trim_start_matches("$ ")
            ),
        ])
        .current_dir("/")
        .env("PGCONNECT_TIMEOUT", "20")
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "42",
        "{line}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn connection_without_tls_wrong_password_and_unknown_user_are_refused_alike() {
    let server = Server::shared();
    let right = server.config("admin", server.password("admin"), "awsdatacatalog");
    let clear = crate::harness::Client::connect_in_clear(&right)
        .await
        .unwrap_err();
    assert!(clear.code.starts_with("28"), "{clear:?}");
    let wrong = server
        .try_connect("admin", "wrong", "awsdatacatalog")
        .await
        .err()
        .unwrap();
    let unknown = server
        .try_connect("nobody", "wrong", "awsdatacatalog")
        .await
        .err()
        .unwrap();
    assert_eq!(
        (wrong.code.as_str(), unknown.code.as_str()),
        ("28P01", "28P01")
    );
    assert_eq!(
        wrong.message.replace("admin", "x"),
        unknown.message.replace("nobody", "x")
    );
}

#[tokio::test]
async fn database_of_the_connection_is_its_search_path() {
    let server = Server::shared();
    let admin = server.connect_to("admin", "curated").await;
    assert_eq!(admin.value("SELECT current_schema()").await, "curated");
    assert_eq!(
        admin.value("SELECT count(*) FROM orders").await,
        server
            .connect("admin")
            .await
            .value("SELECT count(*) FROM curated.orders")
            .await
    );
    let refused = server
        .try_connect("admin", server.password("admin"), "no_such_database")
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code, "3D000");
    // Objects that a principal cannot see appear not to exist.
    let hidden = server
        .try_connect("scientist", server.password("scientist"), "raw")
        .await
        .err()
        .unwrap();
    assert_eq!(hidden.code, "3D000");
}
