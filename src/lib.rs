//! Lakegate: a self-hosted Athena.
//!
//! `ARCHITECTURE.md` has the map. This package is the server's top floor: its command line and its configuration.

pub mod cli;
pub mod config;
