//! Query events, the query history and the `system` schema.

pub mod events;
pub mod history;
mod history_store;
pub mod record;
pub mod system;
