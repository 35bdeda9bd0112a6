//! Planning: on threads of its own, for a bounded time, and within the places of the user.

use std::sync::Arc;
use std::time::Duration;

use super::Gateway;
use super::session::Session;
use crate::engine::Stop;
use crate::error::{Code, Error, Result};

/// Plannings of one user at once; the others of the same user wait. So statements that take long to plan keep only their own user waiting.
pub(super) const PLACES_OF_USER: usize = 8;

impl Gateway {
    /// Plans on a thread of its own. Dropping the future stops the planning.
    ///
    /// `stop`: of this planning alone. `held`: until its thread is done.
    ///
    /// # Errors
    /// Those of the work; it takes longer than any planning may.
    pub(super) async fn plan<T: Send + 'static>(
        &self,
        user: &str,
        stop: &Arc<Stop>,
        held: impl Send + 'static,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let limit = self.max_planning_time;
        let planning = async {
            let place = self.planning_places.admit(user).await;
            let held = (place, held);
            self.engine.planners().plan(stop, held, work).await
        };
        tokio::select! {
            biased;
            reason = stop.stopped() => Err(reason),
            planned = planning => planned,
            () = tokio::time::sleep(limit) => {
                let error = too_long(limit);
                stop.stop(error.clone());
                Err(error)
            }
        }
    }
}

impl Session {
    /// Plans what is not a query yet, such as a statement that is prepared. What cancels the session's query stops it too.
    ///
    /// # Errors
    /// Those of the work; it takes longer than any planning may, or than the session's statements may.
    pub(super) async fn plan<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let stop = Arc::new(Stop::default());
        let timeout = {
            let mut state = self.state.lock();
            state.planning = Some(Arc::clone(&stop));
            state.settings.statement_timeout()
        };
        let planning = self.gateway.plan(&self.user, &stop, (), work);
        let planned = match timeout {
            None => planning.await,
            Some(timeout) => match tokio::time::timeout(timeout, planning).await {
                Ok(planned) => planned,
                Err(_) => Err(super::query::timed_out(timeout)),
            },
        };
        self.state.lock().planning = None;
        planned
    }
}

fn too_long(limit: Duration) -> Error {
    Error::new(
        Code::StatementTimeout,
        format!(
            "canceling statement: planning it takes longer than {} ms, the most that queries.max_planning_time allows",
            limit.as_millis()
        ),
    )
    .with_hint("split it into simpler statements, or ask for a higher limit")
}
