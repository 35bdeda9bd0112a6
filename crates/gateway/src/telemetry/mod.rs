//! What happened: the history of queries.

pub mod history;
mod history_store;
pub mod system;
