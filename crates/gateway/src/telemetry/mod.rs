//! What happened: events of queries, and the history that is kept of them.

pub mod events;
pub mod history;
mod history_store;
pub mod record;
pub mod system;
