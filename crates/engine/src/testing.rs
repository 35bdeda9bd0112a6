//! What tests of several modules share.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::optimize::physical_rules;
use crate::{Engine, EngineOptions, Library};

/// The same numbers for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns a number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    pub(crate) fn of<'a>(&mut self, among: &[&'a str]) -> &'a str {
        among[self.below(among.len())]
    }
}

/// A session with two partitions, DataFusion's rules for logical plans and the engine's for physical ones.
pub(crate) fn with_physical_rules() -> SessionContext {
    let state = SessionStateBuilder::new()
        .with_config(SessionConfig::new().with_target_partitions(2))
        .with_default_features()
        .with_physical_optimizer_rules(physical_rules())
        .build();
    SessionContext::new_with_state(state)
}

/// Returns the physical plan of a query.
pub(crate) async fn physical_plan(context: &SessionContext, sql: &str) -> Arc<dyn ExecutionPlan> {
    let frame = context.sql(sql).await.unwrap();
    frame.create_physical_plan().await.unwrap()
}

/// Returns each row as a line: `1|NULL|a text|`.
pub(crate) fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let mut lines = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let mut line = String::new();
            for column in batch.columns() {
                let cell = match column.is_null(row) {
                    true => "NULL".to_owned(),
                    false => array_value_to_string(column, row).unwrap(),
                };
                write!(line, "{cell}|").unwrap();
            }
            lines.push(line);
        }
    }
    lines
}

/// Returns the rows as [`lines`] does, sorted.
pub(crate) fn sorted_lines(batches: &[RecordBatch]) -> Vec<String> {
    let mut lines = lines(batches);
    lines.sort();
    lines
}

/// An engine with one thread and a megabyte, which spills into this directory.
pub(crate) fn small_engine(directory: &Path) -> Engine {
    Engine::open(
        &EngineOptions {
            memory_limit: 1 << 20,
            spill_dir: directory.to_owned(),
            spill_limit: 1 << 20,
            threads: 1,
            batch_size: 8192,
        },
        Library::none(),
    )
    .unwrap()
}
