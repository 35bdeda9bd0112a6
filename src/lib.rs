//! Lakegate: a self-hosted Athena.
//!
//! `ARCHITECTURE.md` has the map; the rooms below are its floors, lowest first.

pub mod cli;
pub mod config;
pub mod endpoints;
pub mod engine;
pub mod error;
pub mod gateway;
pub mod lake;
pub mod results;
pub mod statement;
pub mod telemetry;
pub mod view;
pub mod workgroup;
