//! Starts the real binary, talks to it as clients do, and cleans up in every case.
//!
//! [`server`] runs `lakegate`, [`lake`] makes and copies demo lakes, [`client`] speaks Postgres and
//! [`flight`] Flight SQL over verified TLS, [`door`] is for tests of both, [`files`] writes data
//! files, [`s3`] is an S3 server, [`python`] the pinned venv, [`identity`] an identity provider and
//! an authority for client certificates.

pub mod client;
pub mod cpu;
pub mod door;
pub mod files;
pub mod flight;
pub mod flight_link;
pub mod identity;
pub mod lake;
pub mod memory;
pub mod python;
pub mod render;
pub mod s3;
pub mod server;
pub mod tls;

use std::future::Future;
use std::time::{Duration, Instant};

pub use client::{Client, Failure};
pub use door::Door;
pub(crate) use door::through_each_door;
pub use flight::Flight;
pub use lake::Options;
pub use server::Server;

/// The longest wait for anything that must happen; a test that waits this long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Calls `check` until it returns a value. Panics after [`PATIENCE`].
pub async fn eventually<T, F>(what: &str, mut check: impl FnMut() -> F) -> T
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
