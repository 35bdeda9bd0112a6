//! Results that are stored until their clients fetch them: where, for which users, and how long.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use arrow_flight::{FlightInfo, PollInfo};

use super::*;
use crate::harness::folder::files;

/// Its result has 64 MiB.
const LARGE: &str =
    "SELECT x, repeat(md5(CAST(x AS VARCHAR)), 10) FROM generate_series(1, 200000) t(x)";

fn command(sql: &str) -> FlightDescriptor {
    let command = CommandStatementQuery {
        query: sql.to_owned(),
        transaction_id: None,
    };
    FlightDescriptor::new_cmd(command.as_any().encode_to_vec())
}

async fn poll(
    flight: &mut Flight,
    descriptor: FlightDescriptor,
) -> Result<PollInfo, tonic::Status> {
    let request = flight.request(descriptor);
    let answer = flight.sql.inner_mut().poll_flight_info(request).await?;
    Ok(answer.into_inner())
}

/// Returns the FlightInfo of a query that was polled until it was done.
async fn polled(flight: &mut Flight, sql: &str) -> FlightInfo {
    let mut descriptor = command(sql);
    loop {
        let polled = poll(flight, descriptor).await.unwrap();
        match polled.flight_descriptor {
            Some(next) => descriptor = next,
            None => return polled.info.unwrap(),
        }
    }
}

async fn rows(flight: &mut Flight, info: &FlightInfo) -> usize {
    let mut rows = 0;
    for endpoint in &info.endpoint {
        let ticket = endpoint.ticket.clone().unwrap();
        rows += flight.fetch(ticket).await.unwrap().rows().len();
    }
    rows
}

/// Returns the files of the spill directory with their folders.
fn spilled(server: &Server) -> Vec<PathBuf> {
    files(&server.dir.join(".lakegate/spill"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_result_is_spilled_to_a_private_file_and_read_until_its_session_ends() {
    let server = Server::private(&[]);
    let mut flight = server.flight("admin").await;
    let info = polled(&mut flight, LARGE).await;
    assert_eq!(info.total_records, 200_000);
    assert!(info.endpoint.len() > 1);
    let files = spilled(&server);
    assert_eq!(files.len(), 1, "{files:?}");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&files[0]), 0o600);
    assert_eq!(mode(files[0].parent().unwrap()), 0o700);
    assert!(files[0].metadata().unwrap().len() > 60 << 20);
    for _ in 0..2 {
        assert_eq!(rows(&mut flight, &info).await, 200_000);
    }
    flight.act("CloseSession", Vec::new()).await.unwrap();
    eventually("the file to be deleted", async || {
        spilled(&server).is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_result_that_nobody_reads_expires_with_its_file() {
    let server = Server::private(&[
        ("LAKEGATE_FLIGHT__TICKET_LIFETIME", "3s"),
        ("LAKEGATE_RESULTS__STORED_MEMORY", "0"),
    ]);
    let mut flight = server.flight("admin").await;
    let info = polled(&mut flight, "SELECT 'kept for three seconds'").await;
    assert_eq!(spilled(&server).len(), 1);
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    eventually("the file to be deleted", async || {
        spilled(&server).is_empty().then_some(())
    })
    .await;
    let gone = flight.fetch(ticket).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stored_results_of_one_user_leave_the_store_to_others() {
    let server = Server::private(&[("LAKEGATE_RESULTS__MAX_STORED_SIZE_PER_USER", "100MiB")]);
    let mut greedy = server.flight("admin").await;
    let mut other = server.flight("analyst").await;
    let first = polled(&mut greedy, LARGE).await;
    assert_eq!(first.total_records, 200_000);
    let second = polled(&mut greedy, LARGE).await;
    assert_eq!(second.total_records, -1, "it is read once");
    let others = polled(&mut other, LARGE).await;
    assert_eq!(others.total_records, 200_000);
    for _ in 0..2 {
        assert_eq!(rows(&mut other, &others).await, 200_000);
    }
    // Small results, up to their maximum number.
    let mut stored = 2;
    let refused = loop {
        match poll(&mut greedy, command("SELECT 1")).await {
            Ok(_) => stored += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!((stored, refused.code()), (8, Code::ResourceExhausted));
    assert!(refused.message().contains("8 of this user"), "{refused:?}");
    polled(&mut other, "SELECT 1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_query_of_another_is_not_found_and_its_own_user_stops_it_at_once() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let mut owner = server.flight("analyst").await;
    let mut stranger = server.flight("admin").await;
    let sql = marked(FOREVER, "detached and cancelled");
    let started = poll(&mut owner, command(&sql)).await.unwrap();
    let (info, next) = (started.info.unwrap(), started.flight_descriptor.unwrap());
    let ticket = Ticket {
        ticket: next.cmd.clone(),
    };
    let endpoint = FlightEndpoint {
        ticket: Some(ticket.clone()),
        ..FlightEndpoint::default()
    };
    let renew = RenewFlightEndpointRequest::new(endpoint).encode_to_vec();
    let cancel = CancelFlightInfoRequest::new(info).encode_to_vec();
    eventually("the query to run", async || {
        let state = state_of(&admin, "detached and cancelled").await;
        (state.as_deref() == Some("RUNNING")).then_some(())
    })
    .await;
    let polled = poll(&mut stranger, next.clone()).await.unwrap_err();
    assert_eq!(polled.code(), Code::NotFound);
    let read = stranger.fetch(ticket.clone()).await.unwrap_err();
    assert_eq!(read.code(), Code::NotFound);
    for (action, body) in [
        ("RenewFlightEndpoint", renew),
        ("CancelFlightInfo", cancel.clone()),
    ] {
        let refused = stranger.act(action, body).await.unwrap_err();
        assert_eq!(refused.code(), Code::NotFound, "{action}");
    }
    let early = owner.fetch(ticket).await.unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition, "it still runs");
    let began = Instant::now();
    owner.act("CancelFlightInfo", cancel).await.unwrap();
    let polled = poll(&mut owner, next).await.unwrap_err();
    assert_eq!(polled.code(), Code::Cancelled);
    assert!(began.elapsed() < Duration::from_secs(2));
    eventually("the query to be recorded as cancelled", async || {
        let state = state_of(&admin, "detached and cancelled").await;
        (state.as_deref() == Some("CANCELLED")).then_some(())
    })
    .await;
}
