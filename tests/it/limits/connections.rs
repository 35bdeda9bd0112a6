//! Limits on connections: those that log in, those of a user, and those kept for administrators.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::{Door, PATIENCE, Server, eventually, through_each_door};

/// A connection that has sent its first packet, and reads.
fn logging_in(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect((server.host(), server.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let parameters = b"\x00\x03\x00\x00user\x00analyst\x00\x00";
    let length = u32::try_from(parameters.len() + 4).unwrap();
    stream.write_all(&length.to_be_bytes()).unwrap();
    stream.write_all(parameters).unwrap();
    let mut kind = [0];
    stream.read_exact(&mut kind).unwrap();
    assert_eq!(&kind, b"R", "authentication is asked for");
    stream
}

#[tokio::test]
async fn of_too_many_connections_that_log_in_the_oldest_is_closed_with_an_error() {
    let server = Server::private(&[("LAKEGATE_POSTGRES__REQUIRE_TLS", "false")]);
    let mut oldest = logging_in(&server);
    let others: Vec<TcpStream> = (0..256).map(|_| logging_in(&server)).collect();
    let mut rest = Vec::new();
    oldest.read_to_end(&mut rest).unwrap();
    let rest = String::from_utf8_lossy(&rest);
    for part in ["SFATAL", "C53300", "too many connections are logging in"] {
        assert!(rest.contains(part), "{part}: {rest:?}");
    }
    assert_eq!(server.connect("analyst").await.value("SELECT 1").await, "1");
    drop(others);
}

async fn administrators_get_in_when_others_have_taken_all_connections(door: Door) {
    let server = Server::private(&[
        ("LAKEGATE_SERVER__MAX_CONNECTIONS", "5"),
        ("LAKEGATE_SERVER__RESERVED_CONNECTIONS", "2"),
    ]);
    let connect = async |user: &str| {
        door.try_connect(&server, user, server.password(user), "awsdatacatalog")
            .await
    };
    let mut open = Vec::new();
    let refused = loop {
        match connect("analyst").await {
            Ok(client) => open.push(client),
            Err(failure) => break failure,
        }
        assert!(open.len() <= 3, "nothing is kept");
    };
    assert_eq!(
        (open.len(), refused.code.as_str()),
        (3, "53300"),
        "{refused:?}"
    );
    refused.names(&["remaining connection slots are reserved for administrators"]);
    let admin = connect("admin").await.unwrap();
    assert_eq!(admin.value("SELECT 1").await, "1");
    let second = connect("admin").await.unwrap();
    assert_eq!(second.value("SELECT 1").await, "1");
    let refused = connect("admin").await.err().unwrap();
    assert_eq!(refused.code, "53300", "{refused:?}");
    refused.names(&["too many clients"]);
    // A slot is free for every user once the server has noticed a disconnect.
    open.pop();
    eventually("a place", async || connect("scientist").await.ok()).await;
}

async fn one_user_does_not_take_all_connections(door: Door) {
    let server = Server::private(&[("LAKEGATE_SERVER__MAX_CONNECTIONS_PER_USER", "2")]);
    let connect = async |user: &str| {
        door.try_connect(&server, user, server.password(user), "awsdatacatalog")
            .await
    };
    let _open = (
        connect("analyst").await.unwrap(),
        connect("analyst").await.unwrap(),
    );
    let refused = connect("analyst").await.err().unwrap();
    assert_eq!(refused.code, "53300", "{refused:?}");
    refused.names(&["user \"analyst\": 2 are open"]);
    assert_eq!(
        connect("scientist").await.unwrap().value("SELECT 1").await,
        "1"
    );
}

through_each_door!(
    administrators_get_in_when_others_have_taken_all_connections,
    one_user_does_not_take_all_connections,
);
