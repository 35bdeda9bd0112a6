//! Lakegate: a self-hosted Athena.
//!
//! `ARCHITECTURE.md` has the map; the rooms below are its floors, lowest first.

pub mod config;
pub mod engine;
pub mod error;
pub mod lake;
pub mod results;
pub mod telemetry;
pub mod view;
pub mod workgroup;
