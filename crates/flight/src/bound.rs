//! A statement of a session, ready to run.

use std::sync::Arc;

use lakegate_error::Result;
use lakegate_gateway::Prepared;
use lakegate_gateway::detached::executions::{Executions, Values};

use super::sessions::FlightSession;

/// A statement with the values that it will run with.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub session: Arc<FlightSession>,
    pub executions: Executions,
}

impl Bound {
    pub(crate) fn new(
        session: &Arc<FlightSession>,
        prepared: Arc<Prepared>,
        rows: Arc<Vec<Values>>,
    ) -> Self {
        Self {
            session: Arc::clone(session),
            executions: Executions {
                session: Arc::clone(&session.session),
                prepared,
                rows,
            },
        }
    }

    pub(crate) fn prepared(&self) -> &Prepared {
        &self.executions.prepared
    }

    /// Runs the statement for its changes. Returns the number of changed rows, or -1 for a
    /// statement that returns rows.
    ///
    /// # Errors
    ///
    /// The statement fails.
    pub(crate) async fn update(&self) -> Result<i64> {
        let changed = self.executions.update().await?;
        Ok(changed.map_or(-1, |rows| i64::try_from(rows).unwrap_or(i64::MAX)))
    }
}
