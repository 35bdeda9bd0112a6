#![allow(clippy::unwrap_used)]

mod filters;
mod keys;
mod limits;
mod order;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{JoinSide, JoinType, NullEquality};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use datafusion::physical_plan::joins::utils::{ColumnIndex, JoinFilter};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionConfig;

use crate::limits::stop::stoppable;
use crate::testing::sorted_lines;

const LARGE: usize = 256 << 20;

const TYPES: &[JoinType] = &[
    JoinType::Inner,
    JoinType::Left,
    JoinType::Right,
    JoinType::Full,
    JoinType::LeftSemi,
    JoinType::RightSemi,
    JoinType::LeftAnti,
    JoinType::RightAnti,
    JoinType::LeftMark,
    JoinType::RightMark,
];

/// How a join is divided: its mode, and the partitions of its probe side.
const MODES: &[(PartitionMode, usize)] = &[
    (PartitionMode::CollectLeft, 1),
    (PartitionMode::CollectLeft, 3),
    (PartitionMode::Partitioned, 2),
];

type Keys = Vec<Option<i64>>;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("k", DataType::Int64, true),
        Field::new("n", DataType::Int64, false),
        Field::new("t", DataType::Utf8View, false),
    ]))
}

/// Rows with these keys, their numbers, and texts of some 50 bytes.
fn batch(rows: &[(Option<i64>, i64)]) -> RecordBatch {
    let keys: ArrayRef = Arc::new(Int64Array::from_iter(rows.iter().map(|(key, _)| *key)));
    let numbers = rows.iter().map(|(_, number)| *number);
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
    let texts = rows
        .iter()
        .map(|(_, number)| format!("a text that is not kept in its view, number {number:09}"));
    let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values(texts));
    RecordBatch::try_new(schema(), vec![keys, numbers, texts]).unwrap()
}

/// A table whose partitions are those of its keys.
fn table(keys: &[Option<i64>], partitions: usize) -> Arc<dyn ExecutionPlan> {
    let mut divided = vec![Vec::new(); partitions];
    for (number, key) in keys.iter().enumerate() {
        let place = key.unwrap_or_default() as usize % partitions;
        divided[place].push((*key, number as i64));
    }
    let divided: Vec<Vec<RecordBatch>> = divided
        .iter()
        .map(|rows| rows.chunks(256).map(batch).collect())
        .collect();
    MemorySourceConfig::try_new_exec(&divided, schema(), None).unwrap()
}

/// Joins tables by `k`. `is_narrow`: with a condition on both sides, and some of the columns.
fn join(
    sides: (&Keys, &Keys),
    join_type: JoinType,
    (mode, partitions): (PartitionMode, usize),
    nulls: NullEquality,
    is_narrow: bool,
) -> HashJoinExec {
    let of_build = match mode {
        PartitionMode::Partitioned => partitions,
        _ => 1,
    };
    let (left, right) = (table(sides.0, of_build), table(sides.1, partitions));
    let key = || -> Arc<dyn PhysicalExpr> { Arc::new(Column::new("k", 0)) };
    let number = |place| -> Arc<dyn PhysicalExpr> { Arc::new(Column::new("n", place)) };
    let condition = || {
        let number_of = |side| ColumnIndex { index: 1, side };
        let numbers = Schema::new(vec![
            Field::new("n", DataType::Int64, false),
            Field::new("n", DataType::Int64, false),
        ]);
        JoinFilter::new(
            Arc::new(BinaryExpr::new(number(0), Operator::Lt, number(1))),
            vec![number_of(JoinSide::Left), number_of(JoinSide::Right)],
            Arc::new(numbers),
        )
    };
    let last = match join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => 5,
        JoinType::LeftMark | JoinType::RightMark => 3,
        _ => 2,
    };
    HashJoinExec::try_new(
        left,
        right,
        vec![(key(), key())],
        is_narrow.then(condition),
        &join_type,
        is_narrow.then(|| vec![last, 1]),
        mode,
        nulls,
        false,
    )
    .unwrap()
}

fn context_with(memory: usize, mode: DiskManagerMode) -> Arc<TaskContext> {
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
        .build_arc()
        .unwrap();
    let config = SessionConfig::new()
        .with_target_partitions(2)
        .with_batch_size(256);
    let task = TaskContext::default().with_session_config(config);
    Arc::new(task.with_runtime(runtime))
}

fn context(memory: usize) -> Arc<TaskContext> {
    context_with(memory, DiskManagerMode::OsTmpDirectory)
}

/// Returns the rows of a plan as texts, in order.
async fn rows(plan: &Arc<dyn ExecutionPlan>, context: &Arc<TaskContext>) -> Result<Vec<String>> {
    let batches = collect(Arc::clone(plan), Arc::clone(context)).await?;
    Ok(sorted_lines(&batches))
}

/// Returns the same join, which can be stopped and spills.
fn spilling(join: &HashJoinExec) -> Arc<dyn ExecutionPlan> {
    let plan = stoppable(join.builder().build_exec().unwrap()).unwrap();
    assert!(format!("{plan:?}").contains("SpillingJoinExec"));
    plan
}

fn spilled_rows(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let metrics = plan.metrics().unwrap();
    metrics.spilled_rows().unwrap_or_default()
}

fn is_exhausted<T>(rows: Result<T>) -> bool {
    rows.is_err_and(|error| matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)))
}

/// Keys of this many rows, each of which `distinct` rows apart is the same, and few of which are
/// NULL.
fn keys(rows: i64, distinct: i64, from: i64) -> Keys {
    (0..rows)
        .map(|row| (row % 97 != 5).then_some(from + row % distinct))
        .collect()
}

#[tokio::test]
async fn joins_that_spill_return_the_same_rows() {
    let (left, right) = (keys(5000, 2100, 0), keys(3000, 1900, 700));
    for nulls in [
        NullEquality::NullEqualsNothing,
        NullEquality::NullEqualsNull,
    ] {
        for is_narrow in [false, true] {
            for mode in MODES {
                for join_type in TYPES {
                    let of = || join((&left, &right), *join_type, *mode, nulls, is_narrow);
                    let plain: Arc<dyn ExecutionPlan> = Arc::new(of());
                    let expected = rows(&plain, &context(LARGE)).await.unwrap();
                    let plan = spilling(&of());
                    let got = rows(&plan, &context(200 << 10)).await.unwrap();
                    let what = format!("{join_type} {mode:?} {nulls:?} {is_narrow}");
                    assert!(spilled_rows(&plan) >= left.len(), "{what}");
                    assert!(got == expected, "{what}");
                    assert!(!got.is_empty(), "{what}");
                    assert_eq!(
                        plan.metrics().unwrap().output_rows(),
                        Some(got.len()),
                        "{what}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn buckets_that_do_not_fit_are_divided_again() {
    let (left, right) = (keys(12_000, 9000, 0), keys(6000, 7000, 500));
    for join_type in TYPES {
        let nothing = NullEquality::NullEqualsNothing;
        let mode = (PartitionMode::CollectLeft, 1);
        let of = || join((&left, &right), *join_type, mode, nothing, false);
        let plain: Arc<dyn ExecutionPlan> = Arc::new(of());
        let expected = rows(&plain, &context(LARGE)).await.unwrap();
        let plan = spilling(&of());
        let got = rows(&plan, &context(64 << 10)).await.unwrap();
        assert!(spilled_rows(&plan) >= 2 * left.len(), "{join_type}");
        assert!(got == expected, "{join_type}");
    }
}

#[tokio::test]
async fn joins_that_fit_do_not_spill() {
    let (left, right) = (keys(2000, 900, 0), keys(2000, 900, 700));
    for mode in MODES {
        for join_type in TYPES {
            let nothing = NullEquality::NullEqualsNothing;
            let of = || join((&left, &right), *join_type, *mode, nothing, true);
            let plain: Arc<dyn ExecutionPlan> = Arc::new(of());
            let expected = rows(&plain, &context(LARGE)).await.unwrap();
            let plan = spilling(&of());
            assert_eq!(rows(&plan, &context(LARGE)).await.unwrap(), expected);
            assert_eq!(plan.metrics().unwrap().spill_count(), None);
            let again = Arc::clone(&plan).reset_state().unwrap();
            assert_eq!(rows(&again, &context(LARGE)).await.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn empty_sides_are_joined() {
    let (some, none) = (keys(5000, 2100, 0), Keys::new());
    for mode in MODES {
        for join_type in TYPES {
            for sides in [(&some, &none), (&none, &some)] {
                let of = || {
                    let nothing = NullEquality::NullEqualsNothing;
                    join(sides, *join_type, *mode, nothing, false)
                };
                let plain: Arc<dyn ExecutionPlan> = Arc::new(of());
                let expected = rows(&plain, &context(LARGE)).await.unwrap();
                let plan = spilling(&of());
                let got = rows(&plan, &context(200 << 10)).await.unwrap();
                assert!(got == expected, "{join_type} {mode:?}");
                assert_eq!(spilled_rows(&plan) > 0, !sides.0.is_empty());
            }
        }
    }
}
