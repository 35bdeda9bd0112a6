//! Starts the real binary, talks to it as clients do, and cleans up in every case.
//!
//! [`server`] runs `lakegate`, [`lake`] makes and copies demo lakes, [`client`] speaks Postgres and
//! [`flight`] Flight SQL over verified TLS, [`door`] is for tests of both, [`files`] writes data
//! files, [`s3`] is an S3 server, [`faulty`] makes it fail. [`python`] and [`java`] run clients in
//! other languages, and [`page`] compares what they showed with the documentation. [`identity`] is
//! an identity provider and an authority for client certificates.

pub(crate) mod client;
pub(crate) mod cpu;
pub(crate) mod door;
pub(crate) mod faulty;
pub(crate) mod files;
pub(crate) mod flight;
pub(crate) mod flight_link;
pub(crate) mod folder;
pub(crate) mod identity;
pub(crate) mod java;
pub(crate) mod lake;
pub(crate) mod memory;
pub(crate) mod page;
pub(crate) mod python;
pub(crate) mod render;
pub(crate) mod s3;
pub(crate) mod server;
pub(crate) mod tls;

use std::future::Future;
use std::time::{Duration, Instant};

pub(crate) use client::{Client, Failure};
pub(crate) use door::Door;
pub(crate) use door::through_each_door;
pub(crate) use flight::Flight;
pub(crate) use lake::Options;
pub(crate) use server::Server;

/// The longest wait for anything that must happen; a test that waits this long has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Calls `check` until it returns a value. Panics after [`PATIENCE`].
pub(crate) async fn eventually<T, F>(what: &str, mut check: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let start = Instant::now();
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "waited {PATIENCE:?} for: {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
