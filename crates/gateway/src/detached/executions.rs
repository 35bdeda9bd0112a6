//! A statement with its parameter values: executed once, or once per row of values with the results
//! concatenated.

use futures::future::BoxFuture;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::ScalarValue;
use futures::{FutureExt, StreamExt, TryStreamExt};
use lakegate_error::{Code, Error, Result};
use parking_lot::Mutex;
use serde::Serialize;

use crate::write::many::{rows_at_once, together};
use crate::{BatchStream, Execution, Prepared, QueryWatch, Rows, Session};

/// The values of `$1`, `$2` … for one execution.
pub type Values = Vec<ScalarValue>;

/// A prepared statement and the values of each of its executions.
#[derive(Debug, Clone)]
pub struct Executions {
    pub session: Arc<Session>,
    pub prepared: Arc<Prepared>,
    /// The values of each execution.
    pub rows: Arc<Vec<Values>>,
}

/// A running statement and its results.
pub struct Started {
    /// The schema as reported by the engine; empty for a command.
    pub schema: SchemaRef,
    pub batches: BatchStream,
    pub usage: Arc<UsageTotal>,
}

/// The total cost of the executions of one call.
#[derive(Debug, Default)]
pub struct UsageTotal {
    state: Mutex<UsageState>,
}

#[derive(Debug, Default)]
struct UsageState {
    before: Usage,
    current: Option<QueryWatch>,
}

/// The cost of executions so far.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Usage {
    /// The id of the last execution.
    pub query_id: Option<String>,
    pub bytes_scanned: u64,
    /// Whether all executions were answered from stored results.
    pub cache_hit: bool,
    pub rows: u64,
}

impl UsageTotal {
    fn begins(&self, query: Option<QueryWatch>) {
        let mut state = self.state.lock();
        state.before = state.usage();
        state.current = query;
    }

    /// Returns the running execution, or the last one.
    pub fn query(&self) -> Option<QueryWatch> {
        self.state.lock().current.clone()
    }

    pub fn usage(&self) -> Usage {
        self.state.lock().usage()
    }
}

impl UsageState {
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

impl Executions {
    async fn execute(&self, values: Values) -> Result<Execution> {
        self.session.execute(&self.prepared, values).await
    }

    /// Runs the statement and returns its rows; a command has none.
    ///
    /// # Errors
    ///
    /// The first execution fails before its first row, or any execution of a command fails. Later
    /// errors are part of the stream.
    pub fn run<'a>(&'a self) -> BoxFuture<'a, Result<Started>> {
        async move {
            let usage = Arc::new(UsageTotal::default());
            let Some((first, rest)) = self.rows.split_first() else {
                let columns = self.prepared.columns.clone();
                return Ok(Started {
                    schema: columns.unwrap_or_else(|| Arc::new(Schema::empty())),
                    batches: futures::stream::empty().boxed(),
                    usage,
                });
            };
            let rows = match self.execute(first.clone()).await? {
                Execution::Rows(rows) => rows,
                Execution::Command { .. } => {
                    for values in rest {
                        self.execute(values.clone()).await?;
                    }
                    return Ok(Started {
                        schema: Arc::new(Schema::empty()),
                        batches: futures::stream::empty().boxed(),
                        usage,
                    });
                }
            };
            Ok(self.clone().concatenated(rows, usage))
        }
        .boxed()
    }

    /// Returns the stored result of the statement without running it.
    ///
    /// # Errors
    ///
    /// [`Code::ResultNotStored`].
    pub fn replay<'a>(&'a self) -> BoxFuture<'a, Result<Started>> {
        async move {
            let [values] = self.rows.as_slice() else {
                return Err(Error::new(
                    Code::ResultNotStored,
                    "results of several executions are not stored",
                ));
            };
            let stored = self.session.stored(&self.prepared, values.clone());
            let rows = stored.await?;
            let once = Self {
                rows: Arc::new(Vec::new()),
                ..self.clone()
            };
            Ok(once.concatenated(rows, Arc::default()))
        }
        .boxed()
    }

    /// Returns the rows of the first execution followed by those of the others. Each execution
    /// starts when the previous one has ended.
    fn concatenated(self, first: Rows, usage: Arc<UsageTotal>) -> Started {
        usage.begins(first.query);
        let schema = first.schema;
        if self.rows.len() <= 1 {
            return Started {
                schema,
                batches: first.stream,
                usage,
            };
        }
        let counted = Arc::clone(&usage);
        let rest = futures::stream::iter(1..self.rows.len()).then(move |index| {
            let (executions, usage) = (self.clone(), Arc::clone(&counted));
            async move {
                let values = executions.rows.get(index).cloned().unwrap_or_default();
                match executions.execute(values).await? {
                    Execution::Rows(rows) => {
                        usage.begins(rows.query);
                        Ok::<BatchStream, Error>(rows.stream)
                    }
                    Execution::Command { .. } => Err(Error::internal(
                        "a statement returned rows, and none the next time",
                    )),
                }
            }
        });
        Started {
            schema,
            batches: first.stream.chain(rest.try_flatten()).boxed(),
            usage,
        }
    }

    /// Runs the statement for its changes; the rows of an INSERT .. VALUES are written together, up
    /// to a thousand at once. Returns the number of rows changed by all executions, or `None` if the
    /// statement returned rows, which are discarded: drivers run queries this way when they are
    /// given many rows of parameters.
    ///
    /// # Errors
    ///
    /// An execution fails; the later ones do not run.
    pub fn update<'a>(&'a self) -> BoxFuture<'a, Result<Option<u64>>> {
        async move {
            let mut changed = Some(0_u64);
            for rows in self.rows.chunks(rows_at_once(&self.prepared)) {
                let several = (rows.len() > 1).then(|| together(&self.prepared, rows));
                let execution = match several.flatten() {
                    Some((prepared, values)) => self.session.execute(&prepared, values).await?,
                    None => {
                        let values = rows.first().cloned().unwrap_or_default();
                        self.execute(values).await?
                    }
                };
                match execution {
                    Execution::Command { rows, .. } => {
                        changed = changed.map(|changed| changed.saturating_add(rows.unwrap_or(0)));
                    }
                    Execution::Rows(rows) => {
                        changed = None;
                        rows.stream.try_for_each(|_| async { Ok(()) }).await?;
                    }
                }
            }
            Ok(changed)
        }
        .boxed()
    }
}

impl std::fmt::Debug for Started {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Started")
            .field("schema", &self.schema)
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}
