//! Passwords can be changed and reset, and are never shown.

use std::fs;

use crate::harness::{Options, Server, lake};

#[tokio::test]
async fn users_change_their_own_password_and_nobody_elses() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    admin
        .run("CREATE USER changer WITH PASSWORD 'first secret phrase'")
        .await;
    let user = server
        .connect_as("changer", "first secret phrase", "awsdatacatalog")
        .await;
    user.run("ALTER USER changer WITH PASSWORD 'second secret phrase'")
        .await;
    assert_eq!(
        server
            .try_connect("changer", "first secret phrase", "awsdatacatalog")
            .await
            .err()
            .unwrap()
            .code,
        "28P01"
    );
    server
        .connect_as("changer", "second secret phrase", "awsdatacatalog")
        .await;
    assert_eq!(
        user.fails("ALTER USER analyst WITH PASSWORD 'third secret phrase'")
            .await
            .code,
        "42501"
    );
}

#[tokio::test]
async fn no_password_shows_in_history_logs_errors_or_state() {
    let server = Server::private(&[("LAKEGATE_LOG", "trace")]);
    let admin = server.connect("admin").await;
    let secret = "S3cr3t-Phrase-Of-This-Test";
    admin
        .run(&format!("CREATE USER quiet WITH PASSWORD '{secret}'"))
        .await;
    admin
        .run(&format!("ALTER USER quiet WITH PASSWORD '{secret}'"))
        .await;
    admin
        .run(&format!("  /* c */ alter user quiet password '{secret}';"))
        .await;
    for sql in [
        "CREATE USER quiet WITH PASSWORD '{}'",
        "CREATE USER quiet2 WITH PASWORD '{}'",
        "ALTER USER nobody WITH PASSWORD '{}'",
        "ALTER USER quiet WITH PASSWORD '{}' VALID",
        "SELECT 1; ALTER USER nobody WITH PASSWORD '{}'",
        "CREATE ROLE quiet2 LOGIN PASSWORD '{}'",
    ] {
        let failure = admin.fails(&sql.replace("{}", secret)).await;
        assert!(!failure.text().contains(secret), "{failure:?}");
    }
    let _ = server
        .try_connect("quiet", &format!("{secret}-wrong"), "awsdatacatalog")
        .await;
    let history = admin.text("SELECT * FROM system.queries").await;
    assert!(history.to_lowercase().contains("create user"), "{history}");
    assert!(!history.contains(secret), "{history}");
    assert!(!server.log().contains(secret), "the log shows a password");
    drop(admin);
    let mut server = server;
    server.signal("TERM");
    server.wait();
    let found = files_with(&server.dir, secret.as_bytes());
    assert!(found.is_empty(), "a password lies in {found:?}");
}

/// Returns the files outside the data zones that contain these bytes.
fn files_with(dir: &std::path::Path, needle: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if entry.file_type().unwrap().is_dir() {
            if name != "raw" && name != "curated" && name != "analytics" {
                found.extend(files_with(&entry.path(), needle));
            }
        } else if fs::read(entry.path())
            .unwrap()
            .windows(needle.len())
            .any(|window| window == needle)
        {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn administrators_lost_password_is_reset_offline() {
    let temp = lake::copy(&Options::small());
    let dir = temp.path().join("lake");
    let mut server = Server::demo(&dir, &Options::small(), &[]);
    let old = server.password("admin").to_owned();
    let state = dir.join(".lakegate");
    let arguments = [
        "reset-password",
        "admin",
        "--state-dir",
        state.to_str().unwrap(),
        "--password-file",
        "-",
    ];
    let (status, stdout, stderr) = Server::command(&arguments, "a new secret phrase\n");
    assert!(
        !status.success(),
        "a reset while the server runs must be refused: {stdout}{stderr}"
    );
    server.signal("TERM");
    server.wait();

    let (status, stdout, stderr) = Server::command(&arguments, "a new secret phrase\n");
    assert!(status.success(), "{stdout}{stderr}");
    let server = Server::demo(&dir, &Options::small(), &[]);
    server
        .connect_as("admin", "a new secret phrase", "awsdatacatalog")
        .await;
    // The demo reports the new password to its users.
    assert_eq!(server.password("admin"), "a new secret phrase");
    assert!(
        server
            .try_connect("admin", &old, "awsdatacatalog")
            .await
            .is_err()
    );
    let (status, _, stderr) = Server::command(
        &["reset-password", "nobody", "--state-dir", "/no/such/state"],
        "",
    );
    assert!(
        !status.success() && stderr.contains("/no/such/state"),
        "{stderr}"
    );
}
