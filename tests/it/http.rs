//! The HTTP door: TLS, health checks without it, and the bounds on what a client may hold or send.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};

use crate::harness::tls::Tls;
use crate::harness::{PATIENCE, Server};

async fn connect(server: &Server) -> TcpStream {
    let url = server.connection()["http"]["url"].as_str().unwrap();
    let address = url.trim_start_matches("http://");
    TcpStream::connect(address).await.unwrap()
}

/// Returns everything that the server sends until it closes the connection.
async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer));
    let _ = read.await.expect("the connection stays open");
    String::from_utf8(answer).unwrap()
}

fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
}

async fn get(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str) -> String {
    stream
        .write_all(request(path, "").as_bytes())
        .await
        .unwrap();
    rest(stream).await
}

/// Returns the response over TLS to a client that trusts `ca`.
pub(crate) async fn get_over_tls(server: &Server, ca: &Path, path: &str) -> String {
    let tcp = connect(server).await;
    let mut tls = Tls::trusting(ca);
    let handshake = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut tls, "localhost").unwrap();
    let mut stream = handshake.connect(tcp).await.unwrap();
    get(&mut stream, path).await
}

/// Returns whether a response has this status.
pub(crate) fn is(answer: &str, status: u16) -> bool {
    answer.starts_with(&format!("HTTP/1.1 {status} "))
}

#[tokio::test]
async fn health_answers_over_tls_with_the_generated_certificate() {
    let server = Server::shared();
    let ca = Path::new(server.ca_file());
    for path in ["/health/live", "/health/ready"] {
        let answer = get_over_tls(server, ca, path).await;
        assert!(is(&answer, 200), "{answer}");
    }
    let answer = get_over_tls(server, ca, "/nothing").await;
    assert!(is(&answer, 404), "{answer}");
}

#[tokio::test]
async fn health_answers_over_tls_with_a_certificate_of_ones_own() {
    let temp = tempfile::tempdir().unwrap();
    let (certificate, key) = (temp.path().join("cert.pem"), temp.path().join("key.pem"));
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let server = Server::private(&[
        ("LAKEGATE_TLS__CERT_FILE", certificate.to_str().unwrap()),
        ("LAKEGATE_TLS__KEY_FILE", key.to_str().unwrap()),
    ]);
    let answer = get_over_tls(&server, &certificate, "/health/ready").await;
    assert!(is(&answer, 200), "{answer}");
}

#[tokio::test]
async fn without_tls_health_is_answered_and_nothing_else_unless_tls_is_not_required() {
    let server = Server::shared();
    assert_eq!(server.http_get("/health/ready").0, 200);
    let (status, body) = server.http_get("/nothing");
    assert!(
        status == 403 && body.contains("https://"),
        "{status} {body}"
    );

    let server = Server::private(&[("LAKEGATE_HTTP__REQUIRE_TLS", "false")]);
    assert_eq!(server.http_get("/nothing").0, 404);
}

#[tokio::test]
async fn a_client_that_sends_its_head_slowly_or_stays_silent_is_cut_off() {
    let server = Server::private(&[("LAKEGATE_HTTP__HEAD_TIMEOUT", "1s")]);
    let begun = Instant::now();
    let slow = async {
        let mut stream = connect(&server).await;
        stream
            .write_all(b"GET /health/live HTTP/1.1\r\n")
            .await
            .unwrap();
        while stream.write_all(b"X: y\r\n").await.is_ok() {
            assert!(begun.elapsed() < PATIENCE, "the head may take for ever");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let silent = async {
        let mut stream = connect(&server).await;
        stream
            .write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        assert!(is(&rest(&mut stream).await, 200));
    };
    tokio::join!(slow, silent);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.http_get("/health/live").0, 200);
}

#[tokio::test]
async fn heads_and_bodies_that_are_too_long_are_refused() {
    let server = Server::private(&[("LAKEGATE_HTTP__MAX_HEADER_SIZE", "8KiB")]);
    for (headers, status) in [
        (format!("X-Long: {}\r\n", "x".repeat(4 * 1024)), 200),
        (format!("X-Long: {}\r\n", "x".repeat(9 * 1024)), 431),
        ("Content-Length: 1048577\r\n".to_owned(), 413),
    ] {
        let mut stream = connect(&server).await;
        let request = request("/health/live", &headers);
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(is(&answer, status), "{status}: {answer}");
    }
}

#[tokio::test]
async fn of_more_connections_than_there_may_be_the_oldest_is_closed() {
    // Two connections from one address.
    let server = Server::private(&[("LAKEGATE_HTTP__MAX_CONNECTIONS", "4")]);
    let mut oldest = connect(&server).await;
    let mut second = connect(&server).await;
    let mut third = connect(&server).await;
    assert_eq!(rest(&mut oldest).await, "");
    assert!(is(&get(&mut second, "/health/live").await, 200));
    assert!(is(&get(&mut third, "/health/live").await, 200));
}
