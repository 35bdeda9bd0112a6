//! Authentication of calls: handshakes, tokens, Basic credentials.

use super::*;

/// Creates a user for one test, whose failed logins delay no other test.
async fn user(server: &Server, name: &str) {
    let admin = server.connect("admin").await;
    admin
        .run(&format!(
            "CREATE USER {name} WITH PASSWORD 'a secret phrase'"
        ))
        .await;
}

#[tokio::test]
async fn wrong_password_and_unknown_user_fail_at_the_handshake_with_the_same_words() {
    let server = Server::shared();
    user(server, "flier").await;
    let mut flight = server.flight_anonymous().await;
    let wrong = flight.handshake("flier", "wrong").await.unwrap_err();
    let unknown = flight.handshake("nobody", "wrong").await.unwrap_err();
    for refused in [&wrong, &unknown] {
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert!(refused.message().contains("password authentication failed"));
        assert_eq!(refused.metadata().get("sqlstate").unwrap(), "28P01");
    }
    assert_eq!(
        wrong.message().replace("flier", "x"),
        unknown.message().replace("nobody", "x")
    );
    let right = flight.handshake("flier", "a secret phrase").await.unwrap();
    assert!(right.starts_with("Bearer "), "{right}");
}

#[tokio::test]
async fn calls_without_or_with_unknown_credentials_are_unauthenticated() {
    let server = Server::shared();
    let mut flight = server.flight_anonymous().await;
    assert_eq!(flight.fails("SELECT 1").await.code(), Code::Unauthenticated);
    flight
        .sql
        .set_token("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned());
    let refused = flight.fails("SELECT 1").await;
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.message().contains("log in again"), "{refused:?}");
}

#[tokio::test]
async fn basic_credentials_are_taken_on_each_call_with_padding_and_without() {
    let server = Server::shared();
    user(server, "basicflier").await;
    for padded in [true, false] {
        let mut flight = server.flight_anonymous().await;
        flight.with_basic("basicflier", "a secret phrase", padded);
        assert_eq!(
            flight.run("SELECT current_user").await.value(),
            "basicflier"
        );
    }
    let mut flight = server.flight_anonymous().await;
    flight.with_basic("basicflier", "wrong", true);
    assert_eq!(flight.fails("SELECT 1").await.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn token_of_a_dropped_user_is_worth_nothing() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    admin
        .run("CREATE USER flown WITH PASSWORD 'a secret phrase'")
        .await;
    let mut flight = server.flight_anonymous().await;
    flight
        .sql
        .handshake("flown", "a secret phrase")
        .await
        .unwrap();
    flight.run("SELECT 1").await;
    admin.run("DROP USER flown").await;
    assert_eq!(flight.fails("SELECT 1").await.code(), Code::Unauthenticated);
    admin
        .run("CREATE USER flown WITH PASSWORD 'a secret phrase'")
        .await;
    assert_eq!(
        flight.fails("SELECT 1").await.code(),
        Code::Unauthenticated,
        "a new user of the same name is another"
    );
    admin.run("DROP USER flown").await;
}

#[tokio::test]
async fn changed_password_ends_basic_credentials_at_once() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    admin
        .run("CREATE USER flychanger WITH PASSWORD 'first secret phrase'")
        .await;
    let mut flight = server.flight_anonymous().await;
    flight.with_basic("flychanger", "first secret phrase", true);
    flight.run("SELECT 1").await;
    flight.run("SELECT 1").await;
    admin
        .run("ALTER USER flychanger WITH PASSWORD 'second secret phrase'")
        .await;
    assert_eq!(flight.fails("SELECT 1").await.code(), Code::Unauthenticated);
    admin.run("DROP USER flychanger").await;
}
