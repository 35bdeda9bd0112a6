//! Lakegate: a self-hosted Athena.
//!
//! `ARCHITECTURE.md` has an overview. This package is the top layer of the server: its command line
//! and its configuration.

pub mod cli;
pub mod config;
