//! Query events, the query history and the `system` schema.

pub mod events;
pub mod history;
mod history_store;
mod history_writer;
pub mod record;
pub mod system;
