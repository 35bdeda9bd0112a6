//! End-to-end tests: the real binary, through its doors, with real clients.
//!
//! `./test` runs them with everything else and makes the Python venv that some of them need. To
//! rewrite golden files from the server's answers, set `LAKEGATE_UPDATE_GOLDEN=1`, then read the
//! diff.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::large_futures
)]

mod harness;

mod access_matrix;
mod archived;
mod cancel;
mod certificates;
mod client_certificates;
mod clients;
mod copying;
mod crashes;
mod cutoff;
mod dbt;
mod differential;
mod flight;
mod flight_clients;
mod floors;
mod formats;
mod freshness;
mod golden;
mod governance;
mod hidden;
mod hostile_memory;
mod hot_columns;
mod http;
mod identities;
mod lifecycle;
mod limits;
mod locations;
mod manifests;
mod newcomer;
mod orc_avro;
mod packaging;
mod parameters;
mod partition_folders;
mod passwords;
mod pipelines;
mod postgres_clients;
mod postgres_errors;
mod projection;
mod pruning;
mod queries;
mod removals;
mod serdes;
mod staleness;
mod statement_states;
mod statistics;
mod stopping;
mod temporary;
mod tpc;
mod transactions;
mod verbatim;
mod views;
mod wire;
mod write_faults;
mod writing;
