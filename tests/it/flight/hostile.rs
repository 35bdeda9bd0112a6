//! Clients that send nonsense or other users' handles, and a server that stops.

use arrow_flight::FlightData;
use bytes::{Buf, BufMut};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;

use super::*;

#[tokio::test]
async fn nonsense_is_refused_and_the_server_goes_on() {
    let mut flight = Server::shared().flight("admin").await;
    let mut state: u64 = 42;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        u8::try_from(state >> 56).unwrap()
    };
    for length in [0, 1, 5, 31, 32, 33, 34, 100, 1000] {
        let bytes: Vec<u8> = (0..length).map(|_| random()).collect();
        assert!(flight.fetch(Ticket::new(bytes.clone())).await.is_err());
        let ticket = TicketStatementQuery {
            statement_handle: bytes.clone().into(),
        };
        let ticket = Ticket::new(ticket.as_any().encode_to_vec());
        assert!(flight.fetch(ticket).await.is_err());
        for action in [
            "CreatePreparedStatement",
            "CancelFlightInfo",
            "RenewFlightEndpoint",
            "SetSessionOptions",
            "NoSuchAction",
        ] {
            // By chance, bytes may be a valid message that requests nothing.
            let _ = flight.act(action, bytes.clone()).await;
        }
    }
    flight.run("SELECT 1").await;
}

/// A codec that sends raw bytes in place of protobuf messages.
#[derive(Clone, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}

#[tokio::test]
async fn calls_whose_protobuf_is_cut_off_are_refused() {
    let server = Server::shared();
    let mut flight = server.flight("admin").await;
    let command = CommandStatementQuery {
        query: "SELECT 1".to_owned(),
        transaction_id: None,
    };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec()).encode_to_vec();
    let mut raw = tonic::client::Grpc::new(server.flight_channel().await);
    for (call, bytes) in [
        ("GetFlightInfo", &descriptor),
        ("GetSchema", &descriptor),
        ("PollFlightInfo", &descriptor),
    ] {
        let path = format!("/arrow.flight.protocol.FlightService/{call}");
        let path: PathAndQuery = path.parse().unwrap();
        for (length, fits) in [(bytes.len() - 1, false), (bytes.len(), true)] {
            raw.ready().await.unwrap();
            let request = flight.request(bytes[..length].to_vec());
            let answer = raw.unary(request, path.clone(), Raw).await;
            assert_eq!(answer.is_ok(), fits, "{call}: {answer:?}");
        }
    }
    flight.run("SELECT 1").await;
}

#[tokio::test]
async fn descriptors_that_name_no_command_are_refused_with_what_is_wrong() {
    let mut flight = Server::shared().flight("admin").await;
    let unknown = Any {
        type_url: "type.googleapis.com/google.protobuf.Empty".to_owned(),
        value: bytes::Bytes::new(),
    };
    for (descriptor, part) in [
        (
            FlightDescriptor::new_path(vec!["curated".to_owned(), "orders".to_owned()]),
            "paths name nothing here",
        ),
        (FlightDescriptor::default(), "no command"),
        (
            FlightDescriptor::new_cmd(unknown.encode_to_vec()),
            "google.protobuf.Empty",
        ),
        (
            FlightDescriptor::new_cmd("SELECT 1"),
            "not a Flight SQL message",
        ),
    ] {
        let data = FlightData::new().with_descriptor(descriptor.clone());
        let put = flight.sql.do_put(futures::stream::iter([data])).await;
        let request = flight.request(descriptor.clone());
        let info = flight.sql.inner_mut().get_flight_info(request).await;
        let request = flight.request(descriptor);
        let schema = flight.sql.inner_mut().get_schema(request).await;
        for refused in [
            put.map_err(status).map(drop),
            info.map(drop),
            schema.map(drop),
        ] {
            let refused = refused.unwrap_err();
            assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
            // A path names the table of an ingestion, which begins with a schema.
            let message = refused.message();
            assert!(
                message.contains(part) || message.contains("no schema was sent"),
                "{refused:?}"
            );
        }
    }
    let nothing = flight.sql.do_put(futures::stream::empty()).await;
    let nothing = nothing.map_err(status).unwrap_err();
    assert_eq!(nothing.code(), Code::InvalidArgument, "{nothing:?}");
}

#[tokio::test]
async fn what_is_anothers_can_be_neither_renewed_nor_cancelled_nor_polled() {
    let server = Server::shared();
    let mut owner = server.flight("analyst").await;
    let mut stranger = server.flight("admin").await;
    let info = owner.info("SELECT 'mine'").await.unwrap();
    let endpoint = info.endpoint[0].clone();
    let renew = RenewFlightEndpointRequest::new(endpoint.clone()).encode_to_vec();
    let cancel = CancelFlightInfoRequest::new(info).encode_to_vec();
    for (action, body) in [("RenewFlightEndpoint", renew), ("CancelFlightInfo", cancel)] {
        let refused = stranger.act(action, body).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{refused:?}");
    }
    let ticket = endpoint.ticket.unwrap();
    let descriptor = FlightDescriptor::new_cmd(ticket.ticket.clone());
    let request = stranger.request(descriptor);
    let polled = stranger.sql.inner_mut().poll_flight_info(request).await;
    assert_eq!(polled.unwrap_err().code(), Code::NotFound);
    assert_eq!(owner.fetch(ticket).await.unwrap().value(), "mine");
}

#[tokio::test]
async fn messages_that_are_too_long_are_refused() {
    let server = Server::private(&[("LAKEGATE_FLIGHT__MAX_MESSAGE_SIZE", "64KiB")]);
    let mut flight = server.flight("admin").await;
    let long = format!("SELECT '{}'", "x".repeat(100_000));
    let refused = flight.fails(&long).await;
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
    flight.run("SELECT 1").await;
}

#[tokio::test]
async fn headers_have_a_limit_that_is_configured() {
    for (size, fits) in [("16KiB", false), ("128KiB", true)] {
        let server = Server::private(&[("LAKEGATE_FLIGHT__MAX_HEADER_SIZE", size)]);
        let mut long = server.flight("admin").await;
        for n in 0..10 {
            long.sql
                .set_header(format!("x-property-{n}"), "x".repeat(5_000));
        }
        match long.try_run("SELECT 1").await {
            Ok(fetched) => assert!(fits && fetched.value() == "1", "{size}"),
            Err(refused) => assert!(!fits && refused.code() == Code::Unknown, "{refused:?}"),
        }
        server.flight("admin").await.run("SELECT 1").await;
    }
}

#[tokio::test]
async fn messages_of_results_have_the_size_that_is_configured() {
    const SIZE: usize = 64 * 1024;
    let server = Server::private(&[("LAKEGATE_FLIGHT__RESULT_MESSAGE_SIZE", "64KiB")]);
    let mut flight = server.flight("admin").await;
    let text = "x".repeat(100);
    let sql = format!("SELECT x, '{text}' FROM generate_series(1, 20000) a(x)");
    let ticket = flight.ticket(&sql).await.unwrap();
    let request = flight.request(ticket);
    let answer = flight.sql.inner_mut().do_get(request).await.unwrap();
    let mut sizes: Vec<usize> = answer
        .into_inner()
        .map(|message| message.unwrap().data_body.len())
        .collect()
        .await;
    sizes.sort_unstable();
    assert!(*sizes.last().unwrap() < 2 * SIZE, "{sizes:?}");
    assert!(sizes.iter().sum::<usize>() > 30 * SIZE, "{sizes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_lets_streams_end_and_refuses_new_calls_clearly() {
    let mut server = Server::private(&[("LAKEGATE_SERVER__GRACE_PERIOD", "50s")]);
    let admin = server.connect("admin").await;
    let mut busy = server.flight("admin").await;
    let mut idle = server.flight("admin").await;
    let slow = "SELECT /* flight drained */ count(*) FROM generate_series(1, 30000) a(x), generate_series(1, 30000) b(y) WHERE x + y > 100";
    let (answer, ()) = tokio::join!(busy.run(slow), async {
        eventually("the query to run", async || {
            (state_of(&admin, "flight drained").await.as_deref() == Some("RUNNING")).then_some(())
        })
        .await;
        server.signal("TERM");
        // Repeated until the server has begun to stop.
        let mut refused = idle.try_run("SELECT 1").await.err();
        while refused.is_none() {
            refused = idle.try_run("SELECT 1").await.err();
        }
        let refused = refused.unwrap();
        assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    });
    assert_eq!(answer.rows().len(), 1, "the running query got its answer");
    assert!(server.wait().success(), "{}", server.log());
}
