//! Joins that keep the order of their probe side.

use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;

use super::*;

/// A table in the order of its numbers.
fn numbered(keys: &Keys) -> Arc<dyn ExecutionPlan> {
    let rows: Vec<(Option<i64>, i64)> = keys.iter().copied().zip(0..).collect();
    let batches: Vec<RecordBatch> = rows.chunks(256).map(batch).collect();
    let number: Arc<dyn PhysicalExpr> = Arc::new(Column::new("n", 1));
    let order = LexOrdering::new([PhysicalSortExpr::new_default(number)]).unwrap();
    let source = MemorySourceConfig::try_new(&[batches], schema(), None).unwrap();
    DataSourceExec::from_data_source(source.try_with_sort_information(vec![order]).unwrap())
}

#[tokio::test]
async fn an_order_is_given_up_if_nothing_relies_on_it() {
    let (left, right) = (keys(5000, 2100, 0), keys(3000, 1900, 700));
    let key = || -> Arc<dyn PhysicalExpr> { Arc::new(Column::new("k", 0)) };
    for join_type in [JoinType::Inner, JoinType::Right, JoinType::RightAnti] {
        let of = || -> Arc<dyn ExecutionPlan> {
            let join = HashJoinExec::try_new(
                table(&left, 1),
                numbered(&right),
                vec![(key(), key())],
                None,
                &join_type,
                None,
                PartitionMode::CollectLeft,
                NullEquality::NullEqualsNothing,
                false,
            );
            Arc::new(join.unwrap())
        };
        assert!(of().properties().output_ordering().is_some());
        let expected = rows(&of(), &context(LARGE)).await.unwrap();
        let ordered = stoppable(of()).unwrap();
        assert!(!format!("{ordered:?}").contains("SpillingJoinExec"));
        assert!(is_exhausted(rows(&ordered, &context(200 << 10)).await));
        let plan = stoppable(Arc::new(CoalescePartitionsExec::new(of()))).unwrap();
        assert!(format!("{plan:?}").contains("SpillingJoinExec"));
        let got = rows(&plan, &context(200 << 10)).await.unwrap();
        assert!(got == expected, "{join_type}");
    }
}
