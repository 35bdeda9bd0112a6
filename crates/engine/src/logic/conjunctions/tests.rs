#![allow(clippy::unwrap_used)]

use arrow::array::{Int64Array, StringArray};
use arrow::datatypes::Field;
use arrow::util::pretty::pretty_format_batches;
use datafusion::physical_expr::conjunction;
use datafusion::physical_expr::expressions::{is_not_null, is_null, like, lit};
use datafusion::physical_plan::{collect, displayable};
use datafusion::prelude::SessionContext;

use super::*;
use crate::limits::stop::stoppable;

/// Numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn column(&mut self, rows: usize, nulls: bool) -> Vec<Option<i64>> {
        let value = |_| (!nulls || self.below(8) > 0).then(|| self.below(100) as i64);
        (0..rows).map(value).collect()
    }
}

fn schema() -> Schema {
    Schema::new(vec![
        Field::new("unread", DataType::Int64, true),
        Field::new("a", DataType::Int64, true),
        Field::new("t", DataType::Utf8, true),
        // Names need not be unique.
        Field::new("a", DataType::Int64, true),
    ])
}

fn batch(numbers: &mut Numbers, rows: usize, nulls: bool) -> RecordBatch {
    let texts = numbers.column(rows, nulls).into_iter();
    let texts: StringArray = texts.map(|text| text.map(|n| n.to_string())).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(numbers.column(rows, nulls))),
        Arc::new(Int64Array::from(numbers.column(rows, nulls))),
        Arc::new(texts),
        Arc::new(Int64Array::from(numbers.column(rows, nulls))),
    ];
    RecordBatch::try_new(Arc::new(schema()), columns).unwrap()
}

fn number(place: usize) -> Arc<dyn PhysicalExpr> {
    Arc::new(Column::new("a", place))
}

fn binary(
    left: Arc<dyn PhysicalExpr>,
    op: Operator,
    right: Arc<dyn PhysicalExpr>,
) -> Arc<dyn PhysicalExpr> {
    Arc::new(BinaryExpr::new(left, op, right))
}

fn condition(numbers: &mut Numbers) -> Arc<dyn PhysicalExpr> {
    let bound = lit(numbers.below(100) as i64);
    let text: Arc<dyn PhysicalExpr> = Arc::new(Column::new("t", 2));
    match numbers.below(12) {
        0 | 1 => binary(number(1), Operator::Lt, bound),
        2 | 3 => binary(number(3), Operator::GtEq, bound),
        4 => binary(number(1), Operator::Lt, number(3)),
        5 => like(false, false, text, lit("%7%"), &schema()).unwrap(),
        6 => is_not_null(number(3)).unwrap(),
        7 => is_null(number(1)).unwrap(),
        8 => {
            let sum = binary(number(1), Operator::Plus, number(3));
            binary(sum, Operator::Lt, bound)
        }
        9 => {
            let left = binary(number(1), Operator::Gt, lit(95_i64));
            let right = binary(number(3), Operator::Lt, bound);
            binary(left, Operator::Or, right)
        }
        10 => binary(number(1), Operator::Lt, lit(10_i64)),
        _ => match numbers.below(3) {
            0 => lit(ScalarValue::Boolean(None)),
            _ => lit(true),
        },
    }
}

/// Returns the rows that a predicate keeps.
fn kept(predicate: &dyn PhysicalExpr, batch: &RecordBatch) -> Vec<bool> {
    let rows = batch.num_rows();
    let value = predicate.evaluate(batch).unwrap();
    let values = value.into_array(rows).unwrap();
    let values = as_boolean_array(&values).unwrap();
    assert_eq!(values.len(), rows);
    let kept = values.iter().map(|value| value == Some(true));
    kept.collect()
}

#[test]
fn a_conjunction_keeps_the_rows_that_and_keeps() {
    let mut numbers = Numbers(11);
    let mut some = 0;
    for round in 0..3_000 {
        let rows = [0, 1, 7, 64, 65, 500][round % 6];
        let batch = batch(&mut numbers, rows, round % 4 < 2);
        let mut parts: Vec<_> = (0..2 + numbers.below(4))
            .map(|_| condition(&mut numbers))
            .collect();
        // The ANDs nest on either side.
        let last = parts.split_off(1 + numbers.below(parts.len() - 1));
        let written = binary(conjunction(parts), Operator::And, conjunction(last));
        let quick = Conjunction::of(&written).unwrap().unwrap();
        let expected = kept(written.as_ref(), &batch);
        some += usize::from(expected.contains(&true));
        assert_eq!(kept(&quick, &batch), expected, "{written} of {rows} rows");
        assert_eq!(quick.to_string(), written.to_string());
    }
    assert!(some > 100, "{some} rounds kept a row");
}

/// A tenth of the rows passes the first condition, half of these the second, and the third fails
/// for the others.
#[test]
fn a_condition_is_not_evaluated_for_rows_that_an_earlier_one_leaves_out() {
    let rows = 0..200_i64;
    let first = rows.clone().map(|row| Some(row % 10));
    let divisors = rows.clone().map(|row| Some(row / 10 % 2));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.clone().map(Some).collect::<Int64Array>()),
        Arc::new(first.collect::<Int64Array>()),
        Arc::new(rows.map(|_| None::<&str>).collect::<StringArray>()),
        Arc::new(divisors.collect::<Int64Array>()),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema()), columns).unwrap();
    let quotient = binary(lit(8_i64), Operator::Divide, number(3));
    let fails = binary(quotient, Operator::Eq, lit(8_i64));
    assert!(fails.evaluate(&batch).is_err());
    let written = conjunction(vec![
        binary(number(1), Operator::Eq, lit(3_i64)),
        binary(number(3), Operator::NotEq, lit(0_i64)),
        fails,
    ]);
    let quick = Conjunction::of(&written).unwrap().unwrap();
    let rows = kept(&quick, &batch);
    assert_eq!(rows.iter().filter(|kept| **kept).count(), 10);
    assert_eq!(rows, kept(written.as_ref(), &batch));
}

/// DataFusion evaluates the division for all rows, because half of them are left.
#[test]
fn a_condition_that_may_fail_is_evaluated_for_the_rows_left_however_many() {
    let rows = 0..200_i64;
    let divisors = rows.clone().map(|row| Some(row % 2));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.clone().map(Some).collect::<Int64Array>()),
        Arc::new(rows.clone().map(Some).collect::<Int64Array>()),
        Arc::new(rows.map(|_| None::<&str>).collect::<StringArray>()),
        Arc::new(divisors.collect::<Int64Array>()),
    ];
    let batch = RecordBatch::try_new(Arc::new(schema()), columns).unwrap();
    let quotient = binary(lit(8_i64), Operator::Divide, number(3));
    let written = conjunction(vec![
        binary(number(3), Operator::NotEq, lit(0_i64)),
        binary(quotient, Operator::Eq, lit(8_i64)),
    ]);
    let quick = Conjunction::of(&written).unwrap().unwrap();
    let rows = kept(&quick, &batch);
    assert_eq!(rows.iter().filter(|kept| **kept).count(), 100);
}

#[test]
fn one_condition_and_a_dynamic_filter_stay_as_they_are() {
    let one = binary(number(1), Operator::Lt, lit(5_i64));
    assert!(Conjunction::of(&one).unwrap().is_none());
    let dynamic = DynamicFilterPhysicalExpr::new(vec![number(3)], lit(true));
    let written = binary(one, Operator::And, Arc::new(dynamic));
    assert!(Conjunction::of(&written).unwrap().is_none());
}

/// DataFusion derives what is constant from the predicate; operators above rely on it.
#[test]
fn a_filter_keeps_its_properties() {
    let written = conjunction(vec![
        binary(number(1), Operator::Eq, lit(3_i64)),
        binary(number(3), Operator::Lt, lit(5_i64)),
    ]);
    let input = Arc::new(EmptyExec::new(Arc::new(schema())));
    let filter = FilterExec::try_new(written, input).unwrap();
    let plan: Arc<dyn ExecutionPlan> = Arc::new(filter);
    let quick = stoppable(Arc::clone(&plan)).unwrap();
    assert!(format!("{quick:?}").contains("Conjunction"), "{quick:?}");
    assert!(Arc::ptr_eq(quick.properties(), plan.properties()));
}

#[tokio::test]
async fn a_filter_is_shown_as_it_was_planned() {
    let context = SessionContext::new();
    for condition in ["x > 1 AND y < 40", "x > 1 AND y < 40 AND x + y <> 33"] {
        let sql = format!(
            "SELECT y FROM (VALUES (1, 10), (2, 20), (3, 30), (4, 40)) t(x, y) WHERE {condition}"
        );
        let plan = context.sql(&sql).await.unwrap();
        let plan = plan.create_physical_plan().await.unwrap();
        let quick = stoppable(Arc::clone(&plan)).unwrap();
        assert!(format!("{quick:?}").contains("Conjunction"), "{quick:?}");
        let shown = |plan: &dyn ExecutionPlan| displayable(plan).indent(true).to_string();
        assert_eq!(shown(quick.as_ref()), shown(plan.as_ref()));
        let rows = collect(quick, context.task_ctx()).await.unwrap();
        let expected = collect(plan, context.task_ctx()).await.unwrap();
        assert!(expected.iter().any(|batch| batch.num_rows() > 0));
        assert_eq!(
            pretty_format_batches(&rows).unwrap().to_string(),
            pretty_format_batches(&expected).unwrap().to_string()
        );
    }
}
