//! What happens to queries, for those that keep record of it.

use std::fmt;
use std::sync::Arc;

use super::record::QueryRecord;

/// A step in the life of a query, with the query as of then.
#[derive(Debug, Clone, Copy)]
pub enum QueryEvent<'a> {
    /// The query exists and can be cancelled.
    Submitted(&'a QueryRecord),
    /// It has left the queue.
    Started(&'a QueryRecord),
    /// It has ended. Sent once a query.
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

/// The one sink of query events: hands each to every listener, in their order.
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
