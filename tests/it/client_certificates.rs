//! Logins by client certificate, over PostgreSQL and Flight SQL.

use tonic::Code;

use crate::harness::identity::{Authority, Certified};
use crate::harness::tls::Tls;
use crate::harness::{Client, Failure, Flight, Server, eventually};

struct Doors {
    server: Server,
    authority: Authority,
    analyst: Certified,
    _dir: tempfile::TempDir,
}

/// Starts both doors with this setting of `client_certificates`, and signs a certificate for the
/// demo's analyst.
fn doors(wanted: &str) -> Doors {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::new(dir.path());
    let analyst = authority.sign("analyst", 1);
    let (ca, crl) = (authority.ca_file(), authority.crl_file());
    let server = Server::private(&[
        ("LAKEGATE_TLS__CLIENT_CA_FILE", ca.to_str().unwrap()),
        ("LAKEGATE_TLS__CLIENT_CRL_FILE", crl.to_str().unwrap()),
        ("LAKEGATE_FLIGHT__CLIENT_CERTIFICATES", wanted),
        ("LAKEGATE_POSTGRES__CLIENT_CERTIFICATES", wanted),
    ]);
    Doors {
        server,
        authority,
        analyst,
        _dir: dir,
    }
}

impl Doors {
    /// Runs `SELECT current_user`; if the handshake fails, returns its text as the error.
    async fn flight(&self, tls: &Tls, authorize: impl Fn(&mut Flight)) -> Result<String, String> {
        let channel = self.server.flight_over(tls).await;
        let mut flight = Flight::over(channel.map_err(|e| format!("{e:?}"))?);
        authorize(&mut flight);
        let fetched = flight.try_run("SELECT current_user").await;
        fetched
            .map(|fetched| fetched.value())
            .map_err(|status| format!("{:?} {}", status.code(), status.message()))
    }

    async fn postgres(&self, tls: &Tls, user: &str, password: &str) -> Result<String, Failure> {
        let config = self.server.config(user, password, "awsdatacatalog");
        let client = Client::connect(&config, tls.clone()).await?;
        Ok(client.value("SELECT current_user").await)
    }
}

#[tokio::test]
async fn certificate_is_its_user_without_a_password() {
    let doors = doors("optional");
    let tls = doors.analyst.over(doors.server.tls());
    assert_eq!(doors.flight(&tls, |_| {}).await.unwrap(), "analyst");
    let shown = doors.postgres(&tls, "analyst", "no password at all").await;
    assert_eq!(shown.unwrap(), "analyst");
}

#[tokio::test]
async fn other_credentials_must_be_of_the_certificates_user() {
    let doors = doors("optional");
    let server = &doors.server;
    let tls = doors.analyst.over(server.tls());
    let basic = |user: &'static str| {
        move |flight: &mut Flight| flight.with_basic(user, server.password(user), true)
    };
    assert_eq!(
        doors.flight(&tls, basic("analyst")).await.unwrap(),
        "analyst"
    );
    let refused = doors.flight(&tls, basic("admin")).await.unwrap_err();
    assert!(
        refused.starts_with("Unauthenticated") && refused.contains("another user"),
        "{refused}"
    );
    let token = server.flight("admin").await.sql.token().unwrap().clone();
    let refused = doors
        .flight(&tls, |flight| flight.with_bearer(&token))
        .await;
    assert!(refused.unwrap_err().contains("another user"));
    let refused = doors
        .postgres(&tls, "admin", server.password("admin"))
        .await
        .unwrap_err();
    assert_eq!(refused.code, "28P01");
    assert!(
        refused
            .message
            .contains("certificate authentication failed"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn where_certificates_are_optional_passwords_still_log_in() {
    let doors = doors("optional");
    let server = &doors.server;
    assert_eq!(
        server
            .flight("admin")
            .await
            .run("SELECT current_user")
            .await
            .value(),
        "admin"
    );
    let refused = doors.flight(server.tls(), |_| {}).await.unwrap_err();
    assert!(refused.contains("no credentials"), "{refused}");
    server.connect("admin").await;
    let wrong = doors.postgres(server.tls(), "admin", "wrong").await;
    assert_eq!(wrong.unwrap_err().code, "28P01");
}

#[tokio::test]
async fn where_certificates_are_required_no_handshake_succeeds_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let doors = doors("required");
    let server = &doors.server;
    let with_password =
        |flight: &mut Flight| flight.with_basic("admin", server.password("admin"), true);
    let refused = doors.flight(server.tls(), with_password).await.unwrap_err();
    assert!(!refused.starts_with("Unauthenticated"), "{refused}");
    let password = server.password("admin");
    assert!(
        doors
            .postgres(server.tls(), "admin", password)
            .await
            .is_err()
    );
    // Nor with one that another authority has signed.
    let stranger = Authority::new(dir.path()).sign("analyst", 1);
    let tls = stranger.over(server.tls());
    assert!(doors.flight(&tls, |_| {}).await.is_err());
    assert!(doors.postgres(&tls, "analyst", "").await.is_err());
    let tls = doors.analyst.over(server.tls());
    assert_eq!(doors.flight(&tls, |_| {}).await.unwrap(), "analyst");
    assert_eq!(
        doors.postgres(&tls, "analyst", "").await.unwrap(),
        "analyst"
    );
}

#[tokio::test]
async fn certificate_of_nobody_logs_nobody_in() {
    let doors = doors("optional");
    for user in ["nobody", "ANALYST"] {
        let tls = doors.authority.sign(user, 2).over(doors.server.tls());
        let refused = doors.flight(&tls, |_| {}).await.unwrap_err();
        assert!(
            refused.starts_with(&format!("{:?}", Code::Unauthenticated)),
            "{refused}"
        );
        assert!(doors.postgres(&tls, user, "x").await.is_err());
    }
}

#[tokio::test]
async fn handshake_with_a_certificate_begins_a_session() {
    let doors = doors("optional");
    let tls = doors.analyst.over(doors.server.tls());
    let mut flight = Flight::over(doors.server.flight_over(&tls).await.unwrap());
    let request = tonic::Request::new(futures::stream::iter([
        arrow_flight::HandshakeRequest::default(),
    ]));
    let answer = flight.sql.inner_mut().handshake(request).await.unwrap();
    let header = answer.metadata().get("authorization").unwrap();
    let token = header.to_str().unwrap().strip_prefix("Bearer ").unwrap();
    flight.with_bearer(token);
    flight.run("SET search_path = curated").await;
    flight.run("SELECT count(*) FROM orders").await;
}

#[tokio::test]
async fn revoked_certificate_is_refused_without_a_restart() {
    let doors = doors("required");
    let tls = doors.analyst.over(doors.server.tls());
    let other = doors.authority.sign("admin", 2).over(doors.server.tls());
    assert_eq!(doors.flight(&tls, |_| {}).await.unwrap(), "analyst");
    doors.authority.revoke(&[1]);
    eventually("the certificate to be refused", async || {
        doors.flight(&tls, |_| {}).await.err()
    })
    .await;
    assert!(doors.postgres(&tls, "analyst", "").await.is_err());
    assert_eq!(doors.flight(&other, |_| {}).await.unwrap(), "admin");
}
