//! Query lifecycle events, and the listeners that record them.

use std::fmt;
use std::sync::Arc;

use super::record::QueryRecord;

/// A step in the life of a query, with the query's record at that time.
#[derive(Debug, Clone, Copy)]
pub enum QueryEvent<'a> {
    /// The query exists and can be cancelled. Not sent of a query that ends as it is submitted.
    Submitted(&'a QueryRecord),
    /// The query has left the queue. Not sent of a query that ends before.
    Started(&'a QueryRecord),
    /// The query has ended. Sent once per query.
    Finished(&'a QueryRecord),
}

impl<'a> QueryEvent<'a> {
    pub fn record(&self) -> &'a QueryRecord {
        match self {
            Self::Submitted(record) | Self::Started(record) | Self::Finished(record) => record,
        }
    }
}

/// Receives the events of every query.
pub trait QueryListener: fmt::Debug + Send + Sync {
    /// Called on the thread where the event happens, so it must not block.
    fn on(&self, event: &QueryEvent<'_>);
}

/// Dispatches each query event to all listeners, in their order.
#[derive(Debug, Default)]
pub struct QueryEvents {
    listeners: Vec<Arc<dyn QueryListener>>,
}

impl QueryEvents {
    pub fn new(listeners: Vec<Arc<dyn QueryListener>>) -> Self {
        Self { listeners }
    }

    pub fn send(&self, event: &QueryEvent<'_>) {
        for listener in &self.listeners {
            listener.on(event);
        }
    }
}
