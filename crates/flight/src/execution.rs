//! Runs a prepared statement for its rows of parameters: once, or once a row with the results one after the other.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::ScalarValue;
use futures::{FutureExt, StreamExt, TryStreamExt};
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::{BatchStream, Execution, Prepared, QueryWatch, Rows};
use parking_lot::Mutex;
use serde::Serialize;

use super::sessions::FlightSession;

/// The values of `$1`, `$2` … for one execution.
pub(super) type Values = Vec<ScalarValue>;

/// A statement with what it will run with.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub session: Arc<FlightSession>,
    pub prepared: Arc<Prepared>,
    /// One execution each.
    pub rows: Arc<Vec<Values>>,
}

/// A statement that runs.
pub(super) struct Started {
    /// As the engine has it; empty for a command.
    pub schema: SchemaRef,
    pub batches: BatchStream,
    pub tally: Arc<Tally>,
}

/// What the executions of one call cost.
#[derive(Debug, Default)]
pub(super) struct Tally {
    state: Mutex<TallyState>,
}

#[derive(Debug, Default)]
struct TallyState {
    before: Usage,
    current: Option<QueryWatch>,
}

/// What the last message of a stream tells.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Usage {
    /// Of the last execution.
    pub query_id: Option<String>,
    pub bytes_scanned: u64,
    /// Whether every execution was answered from a stored result.
    pub cache_hit: bool,
    pub rows: u64,
}

impl Tally {
    fn begins(&self, query: Option<QueryWatch>) {
        let mut state = self.state.lock();
        state.before = state.usage();
        state.current = query;
    }

    /// The execution that runs, or ran last.
    pub fn query(&self) -> Option<QueryWatch> {
        self.state.lock().current.clone()
    }

    pub fn usage(&self) -> Usage {
        self.state.lock().usage()
    }
}

impl TallyState {
    fn usage(&self) -> Usage {
        let Some(query) = &self.current else {
            return self.before.clone();
        };
        let record = query.record();
        let first = self.before.query_id.is_none();
        Usage {
            query_id: Some(query.id().to_string()),
            bytes_scanned: self.before.bytes_scanned + record.bytes_scanned,
            cache_hit: record.cache_hit && (first || self.before.cache_hit),
            rows: self.before.rows + record.rows,
        }
    }
}

/// Runs a statement and gives its rows, which none are of a command.
///
/// Errors: what the first execution fails with before its first row. What fails later is in the stream.
pub(super) async fn run(bound: &Bound) -> Result<Started> {
    let tally = Arc::new(Tally::default());
    let Some((first, rest)) = bound.rows.split_first() else {
        let columns = bound.prepared.columns.clone();
        return Ok(Started {
            schema: columns.unwrap_or_else(|| Arc::new(Schema::empty())),
            batches: futures::stream::empty().boxed(),
            tally,
        });
    };
    let session = &bound.session.session;
    let rows = match session
        .execute(&bound.prepared, first.clone())
        .boxed()
        .await?
    {
        Execution::Rows(rows) => rows,
        Execution::Command { .. } => {
            for values in rest {
                session
                    .execute(&bound.prepared, values.clone())
                    .boxed()
                    .await?;
            }
            return Ok(Started {
                schema: Arc::new(Schema::empty()),
                batches: futures::stream::empty().boxed(),
                tally,
            });
        }
    };
    Ok(concatenated(rows, bound.clone(), tally))
}

/// The stored result of a statement, which does not run.
///
/// Errors: [`Code::ResultNotStored`].
pub(super) async fn replay(bound: &Bound) -> Result<Started> {
    let [values] = bound.rows.as_slice() else {
        return Err(Error::new(
            Code::ResultNotStored,
            "results of several executions are not stored",
        ));
    };
    let session = &bound.session.session;
    let rows = session
        .stored(&bound.prepared, values.clone())
        .boxed()
        .await?;
    let once = Bound {
        rows: Arc::new(Vec::new()),
        ..bound.clone()
    };
    Ok(concatenated(rows, once, Arc::default()))
}

/// The first execution's rows, then those of the executions that follow, each run when the one before it has ended.
fn concatenated(first: Rows, bound: Bound, tally: Arc<Tally>) -> Started {
    tally.begins(first.query);
    let schema = first.schema;
    if bound.rows.len() <= 1 {
        return Started {
            schema,
            batches: first.stream,
            tally,
        };
    }
    let counted = Arc::clone(&tally);
    let rest = futures::stream::iter(1..bound.rows.len()).then(move |index| {
        let (bound, tally) = (bound.clone(), Arc::clone(&counted));
        async move {
            let values = bound.rows.get(index).cloned().unwrap_or_default();
            let session = &bound.session.session;
            match session.execute(&bound.prepared, values).boxed().await? {
                Execution::Rows(rows) => {
                    tally.begins(rows.query);
                    Ok::<BatchStream, Error>(rows.stream)
                }
                Execution::Command { .. } => {
                    Err(Error::internal("a statement gave rows and then none"))
                }
            }
        }
    });
    Started {
        schema,
        batches: first.stream.chain(rest.try_flatten()).boxed(),
        tally,
    }
}

/// Runs a statement for what it changes; the number of rows that all its executions changed, -1 where it gave rows instead, which are not
/// kept: drivers run queries so when they are given many rows of parameters.
///
/// Errors: what an execution fails with, after which none follows.
pub(super) async fn update(bound: &Bound) -> Result<i64> {
    let mut changed: u64 = 0;
    let mut counted = true;
    for values in bound.rows.iter() {
        let session = &bound.session.session;
        match session
            .execute(&bound.prepared, values.clone())
            .boxed()
            .await?
        {
            Execution::Command { rows, .. } => changed += rows.unwrap_or(0),
            Execution::Rows(rows) => {
                counted = false;
                rows.stream.try_for_each(|_| async { Ok(()) }).await?;
            }
        }
    }
    if counted {
        Ok(i64::try_from(changed).unwrap_or(i64::MAX))
    } else {
        Ok(-1)
    }
}
