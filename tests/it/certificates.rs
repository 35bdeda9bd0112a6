//! The server's own certificate is presented, and reloaded when its files change.

use std::path::Path;

use crate::harness::tls::Tls;
use crate::harness::{Client, Server, eventually};

/// Writes a certificate for the server as a renewal tool does: each file as a whole, one after the
/// other.
fn write_new(dir: &Path) {
    let certified =
        rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
            .unwrap();
    for (name, pem) in [
        ("key.pem", certified.signing_key.serialize_pem()),
        ("cert.pem", certified.cert.pem()),
    ] {
        std::fs::write(dir.join("new"), pem).unwrap();
        std::fs::rename(dir.join("new"), dir.join(name)).unwrap();
    }
}

async fn value_over(server: &Server, tls: Tls) -> Option<String> {
    let config = server.config("admin", server.password("admin"), "awsdatacatalog");
    let client = Client::connect(&config, tls).await.ok()?;
    Some(client.value("SELECT 1").await)
}

#[tokio::test]
async fn certificate_is_read_again_when_its_files_change_and_open_connections_go_on() {
    let temp = tempfile::tempdir().unwrap();
    let (certificate, key) = (temp.path().join("cert.pem"), temp.path().join("key.pem"));
    write_new(temp.path());
    let server = Server::private(&[
        ("LAKEGATE_TLS__CERT_FILE", certificate.to_str().unwrap()),
        ("LAKEGATE_TLS__KEY_FILE", key.to_str().unwrap()),
    ]);
    let first = Tls::trusting(&certificate);
    let config = server.config("admin", server.password("admin"), "awsdatacatalog");
    let open = Client::connect(&config, first.clone()).await.unwrap();

    write_new(temp.path());
    let second = Tls::trusting(&certificate);
    eventually("the new certificate", async || {
        value_over(&server, second.clone()).await
    })
    .await;
    assert_eq!(value_over(&server, first).await, None);
    assert_eq!(open.value("SELECT 1").await, "1");

    // After half a file is written, the last good certificate stays in use.
    std::fs::write(&certificate, "-----BEGIN CERTIFICATE-----\nMIIB").unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(value_over(&server, second).await.as_deref(), Some("1"));
}
