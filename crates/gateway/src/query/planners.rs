//! Planning: on dedicated threads, with a time limit and a limit per user.

use std::sync::Arc;
use std::time::Duration;

use lakegate_engine::{Stop, metered};
use lakegate_error::{Code, Error, Result};
use sqlparser::ast;

use crate::Gateway;
use crate::moment::Moment;
use crate::query::ending::Unfinished;
use crate::query::life::{Query, timed_out};
use crate::session::Session;

/// The number of plannings that one user may run at once. Further ones of the same user wait, so
/// statements that are slow to plan delay only their own user.
pub(crate) const PERMITS_OF_USER: usize = 8;

impl Gateway {
    /// Runs planning work on a planner thread. Dropping the future stops the work.
    ///
    /// `stop`: the stop handle of this work only. `held`: dropped when the thread is done.
    ///
    /// # Errors
    /// The work fails, or takes longer than the planning time limit.
    pub(crate) async fn plan<T: Send + 'static>(
        &self,
        user: &str,
        stop: &Arc<Stop>,
        held: impl Send + 'static,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let limit = self.max_planning_time;
        let planning = async {
            let permit = self.planning_permits.admit(user).await;
            let held = (permit, held);
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

    /// Runs planning work for a query: the CPU time is charged to the query, and stopping the query
    /// stops the work.
    ///
    /// # Errors
    /// The work fails, or takes longer than the planning time limit.
    pub(crate) async fn plan_for<T: Send + 'static>(
        &self,
        query: &Arc<Query>,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let stop = Arc::new(Stop::default());
        let work = metered(Arc::clone(&query.resources.cpu), work);
        let user = &query.principal().user;
        self.plan(user, &stop, query.working(), work).await
    }
}

/// The maximum number of bytes that the history shows of a text that does not parse.
const SHOWN_BYTES: usize = 64 * 1024;

/// Planning work that belongs to no query is recorded in the history if it takes longer than this,
/// so that it can be found and killed.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// The text of planning work, as recorded in the history.
#[derive(Debug, Clone)]
pub(crate) enum PlannedText<'a> {
    /// A text that does not parse may contain a password anywhere.
    Text(&'a str),
    /// The query and its current database.
    Query(&'a ast::Query, String),
    Substrait(String),
}

impl PlannedText<'_> {
    fn shown(&self) -> (String, String) {
        match self {
            Self::Text(text) => (without_strings(text), String::new()),
            Self::Query(query, database) => (query.to_string(), database.clone()),
            Self::Substrait(database) => ("a Substrait plan".to_owned(), database.clone()),
        }
    }
}

impl Session {
    /// Runs planning work that belongs to no query yet, such as preparing a statement. Cancelling
    /// the session's query stops it. Work that takes long appears as a query in the history until
    /// it is done.
    ///
    /// # Errors
    /// The work fails, or takes longer than the planning time limit or the session's statement
    /// timeout.
    pub(crate) async fn plan<T: Send + 'static>(
        &self,
        moment: &Moment,
        text: PlannedText<'_>,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let planned = self.shown(moment, &text, self.apart(work)).await;
        self.state.lock().planning = None;
        planned
    }

    /// Runs work that comes before planning on a planner thread, so that only its own user waits for
    /// it. Cancelling the session's query stops it.
    ///
    /// # Errors
    /// As of [`Self::plan`].
    pub(crate) async fn apart<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let stop = Arc::new(Stop::default());
        let timeout = {
            let mut state = self.state.lock();
            if let Some(reason) = &state.cancelled {
                return Err(reason.clone());
            }
            state.planning = Some(Arc::clone(&stop));
            state.settings.statement_timeout()
        };
        let planning = self.gateway.plan(&self.user, &stop, (), work);
        let planned = match timeout {
            None => planning.await,
            Some(timeout) => match tokio::time::timeout(timeout, planning).await {
                Ok(planned) => planned,
                Err(_) => Err(timed_out(timeout)),
            },
        };
        self.state.lock().planning = None;
        planned
    }

    /// Waits for planning work, and records it as a query if it takes long. Killing that query
    /// stops the work.
    async fn shown<T>(
        &self,
        moment: &Moment,
        text: &PlannedText<'_>,
        planning: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut planning = Box::pin(planning);
        tokio::select! {
            biased;
            planned = &mut planning => return planned,
            () = tokio::time::sleep(SHOWN_AFTER) => {}
        }
        let (text, database) = text.shown();
        let limits = moment.statement_limits(&self.settings().workgroup());
        let query: Arc<Query> = self.submit(&text, database, limits, Arc::default())?;
        let _unfinished = Unfinished::guard(&query);
        // Dropping the future stops the work.
        let planned = tokio::select! {
            biased;
            reason = query.stopped() => Err(reason),
            planned = planning => planned,
        };
        query.finish(0, planned.as_ref().map(|_| ()));
        planned
    }
}

pub(crate) fn too_long(limit: Duration) -> Error {
    Error::new(
        Code::StatementTimeout,
        format!(
            "canceling statement: planning it takes longer than {} ms, the most that queries.max_planning_time allows",
            limit.as_millis()
        ),
    )
    .with_hint("split it into simpler statements, or ask for a higher limit")
}

/// Returns the text, truncated if it is long, with the contents of single quotes masked.
pub(crate) fn without_strings(text: &str) -> String {
    let text = text
        .get(..text.floor_char_boundary(SHOWN_BYTES))
        .unwrap_or(text);
    let mut shown = String::with_capacity(text.len());
    for (index, part) in text.split('\'').enumerate() {
        shown.push_str(if index % 2 == 1 { "'***'" } else { part });
    }
    shown
}
