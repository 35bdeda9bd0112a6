//! EXPLAIN. A plain query is `Statement::Query`.

use super::Statement;

/// `EXPLAIN [ANALYZE] [VERBOSE] s`, `EXPLAIN (FORMAT TEXT, TYPE LOGICAL, ANALYZE) s`.
#[derive(Debug, Clone, PartialEq)]
pub struct Explain {
    pub analyze: bool,
    pub verbose: bool,
    /// Whether PostgreSQL's plan has estimates.
    pub costs: bool,
    /// Whether PostgreSQL's plan has times. `None`: if the query runs.
    pub timing: Option<bool>,
    /// Whether PostgreSQL's plan has the times of planning and execution. `None`: if the query runs.
    pub summary: Option<bool>,
    /// PostgreSQL's WAL, which has nothing to show.
    pub wal: bool,
    /// PostgreSQL's GENERIC_PLAN, which every plan is.
    pub generic_plan: bool,
    /// Upper case: `TEXT`, `JSON`, `GRAPHVIZ`, `TREE` …
    pub format: Option<String>,
    /// Athena's TYPE, upper case: `LOGICAL`, `DISTRIBUTED`, `VALIDATE`, `IO`.
    pub plan_type: Option<String>,
    /// A query, or a cursor or EXECUTE of one, a DELETE, or `Unsupported`. With `analyze`, also
    /// another write.
    pub statement: Box<Statement>,
}

impl Explain {
    /// Whether the statement runs, and writes.
    pub fn writes(&self) -> bool {
        self.analyze && self.statement.written_query().is_some()
    }
}
