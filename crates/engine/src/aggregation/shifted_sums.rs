//! Several sums of one value and constants become one sum and one count.
//!
//! ```text
//! sum(x), sum(x + 1), sum(x - 2)      s, s + 1 * n, s + -2 * n   of sum(x) AS s, count(x) AS n
//! ```
//!
//! DataFusion does so for integers of any size (`linear_aggregates.rs` of `datafusion-optimizer`,
//! 55.2), where `x + 1` may be out of range and the sum is not. Here `x` and the constant have at
//! most 32 bits each, and are added as 64 bits: `x + 1` is always in range. Of fewer than 2^32 rows,
//! `s` and `1 * n` are in range too; of more, it is an error (22003) if one of them is not.
//!
//! A literal of 32 bits makes `x + 1` one of 32 bits. It is in range if `x` has at most 16 bits and
//! the constant at most 30; sums of other values stay as they are, and are checked.
//!
//! An analyzer rule that runs after type coercion, which gives both operands their 64 bits, and
//! before [`CheckedIntegers`](crate::numbers::checked::CheckedIntegers), which checks what is calculated
//! above the sum.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan,
    LogicalPlanBuilder, Operator,
};
use datafusion::optimizer::AnalyzerRule;

use crate::plans::expressions::has_operator;

/// How many sums of one value become a sum and a count.
const ENOUGH: usize = 3;

/// The largest constant that no value of 16 bits leaves the range of 32 with.
const LARGEST_BESIDE_16: u64 = 1 << 30;

/// How the names of the columns of sums and counts begin.
const SUM: &str = "__sum_of_shifted_";
const COUNT: &str = "__count_of_shifted_";

/// The analyzer rule.
#[derive(Debug)]
pub(crate) struct ShiftedSums;

impl AnalyzerRule for ShiftedSums {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        match has_operator(&plan, |node| Ok(has_shifts(node)))? {
            // Subqueries of expressions hardly have several sums.
            true => plan.transform_up(rewritten).data(),
            false => Ok(plan),
        }
    }

    fn name(&self) -> &str {
        "shifted_sums"
    }
}

/// `sum(value + by)`.
struct Shift<'a> {
    function: &'a Arc<AggregateUDF>,
    /// 64 bits, cast from something narrower.
    value: Cow<'a, Expr>,
    /// At most 32 bits.
    by: i64,
}

impl<'a> Shift<'a> {
    /// Reads an aggregate function. A sum of a value alone is one with 0.
    fn of(aggregate: &'a Expr, schema: &DFSchema) -> Option<Self> {
        let call = match aggregate {
            Expr::Alias(alias) => alias.expr.as_ref(),
            call => call,
        };
        let Expr::AggregateFunction(AggregateFunction { func, params }) = call else {
            return None;
        };
        let AggregateFunctionParams {
            args,
            distinct: false,
            filter: None,
            order_by,
            null_treatment: None,
        } = params
        else {
            return None;
        };
        // After type coercion, integers are not added to a sum that is a decimal.
        if func.name() != "sum"
            || crate::aggregation::sum::is_numeric_sum(func)
            || !order_by.is_empty()
        {
            return None;
        }
        let [argument] = args.as_slice() else {
            return None;
        };
        let (value, by) = match argument {
            Expr::BinaryExpr(binary) => {
                let (value, by) = operands(binary)?;
                (Cow::Borrowed(value), by)
            }
            Expr::Cast(cast) => match of_32_bits(cast, schema) {
                Some((value, by)) => (Cow::Owned(value), by),
                None => (Cow::Borrowed(argument), 0),
            },
            value => (Cow::Borrowed(value), 0),
        };
        let is_narrow = i32::try_from(by).is_ok();
        (is_narrow && matches!(&*value, Expr::Cast(_))).then_some(Self {
            function: func,
            value,
            by,
        })
    }
}

/// Returns the value and the constant of `value + by`, `value - -by` or `by + value`.
fn operands(binary: &BinaryExpr) -> Option<(&Expr, i64)> {
    let BinaryExpr { left, op, right } = binary;
    match (constant(left), op, constant(right)) {
        (None, Operator::Plus, Some(by)) => Some((left.as_ref(), by)),
        (None, Operator::Minus, Some(by)) => Some((left.as_ref(), by.checked_neg()?)),
        (Some(by), Operator::Plus, None) => Some((right.as_ref(), by)),
        _ => None,
    }
}

/// Returns `CAST(x AS BIGINT)` and the constant of `CAST(CAST(x AS INT) + by AS BIGINT)`, if the sum
/// of 32 bits is in range for each `x`.
fn of_32_bits(cast: &Cast, schema: &DFSchema) -> Option<(Expr, i64)> {
    let Expr::BinaryExpr(binary) = cast.expr.as_ref() else {
        return None;
    };
    let (value, by) = operands(binary)?;
    let Expr::Cast(Cast { expr, field }) = value else {
        return None;
    };
    let is_small = matches!(expr.get_type(schema), Ok(DataType::Int8 | DataType::Int16));
    let is_in_range =
        field.data_type() == &DataType::Int32 && is_small && by.unsigned_abs() <= LARGEST_BESIDE_16;
    is_in_range.then(|| {
        let wide = Cast::new_from_field(expr.clone(), Arc::clone(&cast.field));
        (Expr::Cast(wide), by)
    })
}

fn constant(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(value), _) => *value,
        Expr::Literal(ScalarValue::Int32(value), _) => value.map(i64::from),
        // As Trino's literals are written.
        Expr::Cast(Cast { expr, field }) if field.data_type() == &DataType::Int32 => {
            match expr.as_ref() {
                Expr::Literal(ScalarValue::Int64(Some(value)), _) => {
                    i32::try_from(*value).ok().map(i64::from)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether there may be something to do: cheap, and sure only if not.
fn has_shifts(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::Aggregate(aggregate) => {
            let schema = aggregate.input.schema();
            let functions = aggregate.aggr_expr.iter();
            let shifts = functions.filter_map(|function| Shift::of(function, schema));
            shifts.count() >= ENOUGH
        }
        _ => false,
    }
}

/// Whether a value is cast to 64 bits from at most 32, and the same whenever it is calculated.
fn is_widened(value: &Expr, schema: &DFSchema) -> bool {
    let Expr::Cast(Cast { expr, field }) = value else {
        return false;
    };
    let narrow = matches!(
        expr.get_type(schema),
        Ok(DataType::Int8 | DataType::Int16 | DataType::Int32)
    );
    narrow
        && field.data_type() == &DataType::Int64
        && !value.is_volatile()
        && !value.contains_outer()
}

fn values(aggregate: &Aggregate) -> Vec<Cow<'_, Expr>> {
    let schema = aggregate.input.schema();
    let functions = aggregate.aggr_expr.iter();
    let shifts = functions.filter_map(|function| Shift::of(function, schema));
    shifts.map(|shift| shift.value).collect()
}

/// Returns the values that enough sums share.
fn shared(aggregate: &Aggregate) -> Vec<Expr> {
    let schema = aggregate.input.schema();
    let mut shared: Vec<Expr> = Vec::new();
    let values = values(aggregate);
    for value in &values {
        let value: &Expr = value;
        let same = values.iter().filter(|other| ***other == *value);
        if !shared.contains(value) && same.count() >= ENOUGH && is_widened(value, schema) {
            shared.push(value.clone());
        }
    }
    shared
}

/// Whether the columns of the sums and counts could be taken for others, or a column is neither a
/// key nor a function, as that of grouping sets is.
fn is_unusual(aggregate: &Aggregate) -> bool {
    let has_sets = matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]);
    let mut names = aggregate.schema.fields().iter().map(|field| field.name());
    has_sets || names.any(|name| name.starts_with(SUM) || name.starts_with(COUNT))
}

fn rewritten(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = node else {
        return Ok(Transformed::no(node));
    };
    let values = shared(&aggregate);
    if values.is_empty() || is_unusual(&aggregate) {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let mut parts = Parts {
        schema: Arc::clone(aggregate.input.schema()),
        of_value: vec![None; values.len()],
        values,
        functions: Vec::new(),
    };
    let keys = aggregate.group_expr.len();
    let mut columns: Vec<Expr> = Vec::new();
    for (place, (relation, field)) in aggregate.schema.iter().enumerate() {
        let at = place.checked_sub(keys);
        let function = at.and_then(|at| aggregate.aggr_expr.get(at));
        let shifted = function.and_then(|function| parts.shifted(function));
        let column = match (function, shifted) {
            (_, Some(sum)) => sum.alias_qualified(relation.cloned(), field.name()),
            (function, None) => {
                parts.functions.extend(function.cloned());
                Expr::from((relation, field))
            }
        };
        columns.push(column);
    }
    let aggregate = Aggregate::try_new(aggregate.input, aggregate.group_expr, parts.functions)?;
    LogicalPlanBuilder::from(LogicalPlan::Aggregate(aggregate))
        .project(columns)?
        .build()
        .map(Transformed::yes)
}

/// The aggregate functions of the new operator.
struct Parts {
    /// The columns that values are calculated from.
    schema: DFSchemaRef,
    /// Values that several sums share.
    values: Vec<Expr>,
    functions: Vec<Expr>,
    /// The columns of the sum and the count of each value, once they are among the functions.
    of_value: Vec<Option<(Expr, Expr)>>,
}

impl Parts {
    /// Returns what a sum is calculated from, if its value is shared.
    fn shifted(&mut self, aggregate: &Expr) -> Option<Expr> {
        let schema = Arc::clone(&self.schema);
        let shift = Shift::of(aggregate, &schema)?;
        let value: &Expr = &shift.value;
        let place = self.values.iter().position(|known| known == value)?;
        let known = self.of_value.get_mut(place)?;
        let (sum, count) = known.get_or_insert_with(|| {
            let (sum, count) = (format!("{SUM}{place}"), format!("{COUNT}{place}"));
            let value = vec![value.clone()];
            let total = shift.function.call(value.clone()).alias(&sum);
            let number = count_udaf().call(value).alias(&count);
            self.functions.extend([total, number]);
            let column = |name| Expr::Column(Column::new_unqualified(name));
            (column(sum), column(count))
        });
        let (sum, count) = (sum.clone(), count.clone());
        Some(match shift.by {
            0 => sum,
            by => sum + Expr::Literal(ScalarValue::Int64(Some(by)), None) * count,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;
    use lakegate_error::Code;

    use super::*;
    use crate::numbers::checked::CheckedIntegers;

    fn session() -> SessionContext {
        let mut state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rule(Arc::new(ShiftedSums))
            .with_analyzer_rule(Arc::new(CheckedIntegers))
            .build();
        crate::aggregation::sum::register(&mut state).unwrap();
        SessionContext::new_with_state(state)
    }

    async fn run(sql: &str) -> Result<String> {
        let batches = session().sql(sql).await?.collect().await?;
        Ok(pretty_format_batches(&batches)?.to_string())
    }

    async fn is_rewritten(sql: &str) -> bool {
        let plan = session().sql(sql).await.unwrap();
        let plan = plan.into_optimized_plan().unwrap();
        plan.display_indent().to_string().contains(COUNT)
    }

    const ROWS: &str =
        "(SELECT g, CAST(v AS SMALLINT) AS x, CAST(v AS INT) AS i, CAST(v AS BIGINT) AS b
        FROM (VALUES (1, 10), (1, NULL), (1, -3), (2, NULL), (3, 32767)) t(g, v)) u";

    #[tokio::test]
    async fn sums_of_a_value_and_constants_are_calculated_from_one() {
        let sql = format!(
            "SELECT g, sum(x) AS a, sum(x + 1) AS b, sum(x - 2) AS c, sum(100 + x) AS d, max(x) AS e
             FROM {ROWS} GROUP BY g ORDER BY g"
        );
        assert!(is_rewritten(&sql).await);
        let expected = "\
+---+-------+-------+-------+-------+-------+
| g | a     | b     | c     | d     | e     |
+---+-------+-------+-------+-------+-------+
| 1 | 7     | 9     | 3     | 207   | 10    |
| 2 |       |       |       |       |       |
| 3 | 32767 | 32768 | 32765 | 32867 | 32767 |
+---+-------+-------+-------+-------+-------+";
        assert_eq!(run(&sql).await.unwrap(), expected);

        let sql = format!(
            "SELECT sum(i + 2147483647) AS a, sum(i - 2147483648) AS b, sum(i + 1) AS c, sum(x) AS d
             FROM {ROWS} WHERE g <> 2 HAVING sum(i + 1) > 0"
        );
        assert!(is_rewritten(&sql).await);
        let expected = "\
+------------+-------------+-------+-------+
| a          | b           | c     | d     |
+------------+-------------+-------+-------+
| 6442483715 | -6442418170 | 32777 | 32774 |
+------------+-------------+-------+-------+";
        assert_eq!(run(&sql).await.unwrap(), expected);

        let sql = format!(
            "SELECT sum(x) AS a, sum(x + 1) AS b, sum(x + 2) AS c, count(*) AS n
             FROM {ROWS} WHERE g = 5"
        );
        assert!(is_rewritten(&sql).await);
        let expected = "\
+---+---+---+---+
| a | b | c | n |
+---+---+---+---+
|   |   |   | 0 |
+---+---+---+---+";
        assert_eq!(run(&sql).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn sums_of_32_bits_are_calculated_from_one_if_none_is_out_of_range() {
        let one = "CAST(1 AS INT)";
        let sql = format!(
            "SELECT g, sum(x) AS a, sum(x + {one}) AS b, sum(x - CAST(2 AS INT)) AS c, sum(CAST(100 AS INT) + x) AS d
             FROM {ROWS} GROUP BY g ORDER BY g"
        );
        assert!(is_rewritten(&sql).await);
        let expected = "\
+---+-------+-------+-------+-------+
| g | a     | b     | c     | d     |
+---+-------+-------+-------+-------+
| 1 | 7     | 9     | 3     | 207   |
| 2 |       |       |       |       |
| 3 | 32767 | 32768 | 32765 | 32867 |
+---+-------+-------+-------+-------+";
        assert_eq!(run(&sql).await.unwrap(), expected);
        for select in [
            format!("sum(i + {one}), sum(i - {one}), sum({one} + i)"),
            "sum(x + CAST(2147483647 AS INT)), sum(x - CAST(2147483646 AS INT)), sum(x)".to_owned(),
            format!(
                "sum(CAST(b AS INT) + {one}), sum(CAST(b AS INT) - {one}), sum(CAST(b AS INT))"
            ),
        ] {
            let sql = format!("SELECT {select} FROM {ROWS}");
            assert!(!is_rewritten(&sql).await, "{sql}");
        }
    }

    #[tokio::test]
    async fn other_sums_stay() {
        for select in [
            "sum(x + 1), sum(x + 2)",
            "sum(x + 1), sum(x + 2), sum(i + 3)",
            "sum(b + 1), sum(b + 2), sum(b + 3)",
            "sum(x + 3000000000), sum(x + 3000000001), sum(x + 3000000002)",
            "sum(1 - x), sum(2 - x), sum(3 - x)",
            "sum(x + 1) FILTER (WHERE g = 1), sum(x + 2), sum(x + 3)",
            "sum(DISTINCT x + 1), sum(x + 2), sum(x + 3)",
            "avg(x + 1), avg(x + 2), avg(x + 3)",
            "sum(x + 1.5), sum(x + 2.5), sum(x + 3.5)",
        ] {
            let sql = format!("SELECT {select} FROM {ROWS}");
            assert!(!is_rewritten(&sql).await, "{sql}");
        }
        let sets = "SELECT g, sum(x + 1), sum(x + 2), sum(x + 3)";
        let sets = format!("{sets} FROM {ROWS} GROUP BY ROLLUP (g)");
        assert!(!is_rewritten(&sets).await);
    }

    #[tokio::test]
    async fn a_value_out_of_range_is_an_error_though_the_sum_is_not() {
        let sql = "SELECT sum(x + 1), sum(x + 2), sum(x + 3)
                   FROM (VALUES (9223372036854775807), (-9223372036854775807)) t(x)";
        let error = lakegate_error::from_engine(run(sql).await.unwrap_err());
        assert_eq!(error.code(), Code::NumericOutOfRange, "{error}");
    }
}
