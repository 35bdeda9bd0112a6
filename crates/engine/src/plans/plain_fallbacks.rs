//! `coalesce` whose further arguments are columns and constants keeps each argument once.
//!
//! DataFusion makes every `coalesce` a CASE, which has each argument twice, so that what is not
//! needed is not evaluated (`coalesce.rs` of `datafusion-functions`, 55.2). It then asks whether the
//! CASE may be NULL by asking that of each copy, so that a `coalesce` in a `coalesce` takes four
//! times as long to plan with every level, and a filter above a chain of subqueries likewise:
//!
//! ```text
//! coalesce(coalesce(coalesce(x + 1, y) + 1, y) + 1, y)
//! ```
//!
//! Columns and constants cost nothing and cannot fail, so nothing is gained by not evaluating them:
//! such a call stays a call. Others remain a CASE, and [`complexity`](crate::limits::complexity) counts
//! them as what they become. So do columns that a subquery computes, because the optimizer may put
//! the expression in their place. Delete this when `Expr::nullable` of a CASE is linear.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Scalar};
use arrow::compute::is_not_null;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, JoinType};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::scalar::ScalarValue;

use crate::plans::expressions;
use crate::plans::scalars::as_the_inner;

/// How many operators are looked at to find what computes a column.
const MAX_OPERATORS: usize = 1000;

/// The analyzer rule. It comes before type coercion, whose casts it does not tell from those of a
/// statement.
#[derive(Debug)]
pub(crate) struct PlainFallbacks;

impl AnalyzerRule for PlainFallbacks {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let concerns =
            |expr: &Expr| matches!(expr, Expr::ScalarFunction(call) if is_coalesce(call));
        expressions::of_readers(plan, concerns, |node| {
            let inputs: Vec<LogicalPlan> = node.inputs().into_iter().cloned().collect();
            expressions::of_node(node, concerns, |expr, _| kept(expr, &inputs))
        })
    }

    fn name(&self) -> &str {
        "plain_fallbacks"
    }
}

/// Puts [`Coalesce`] into a call whose further arguments are plain. `inputs`: of its operator.
fn kept(expr: Expr, inputs: &[LogicalPlan]) -> Transformed<Expr> {
    match expr {
        Expr::ScalarFunction(call)
            if is_coalesce(&call)
                && has_plain_fallbacks(&call, |column| is_computed(column, inputs)) =>
        {
            let func = ScalarUDF::new_from_impl(Coalesce { inner: call.func });
            Transformed::yes(Expr::ScalarFunction(ScalarFunction {
                func: Arc::new(func),
                args: call.args,
            }))
        }
        expr => Transformed::no(expr),
    }
}

/// Returns whether the call is one that the optimizer makes a CASE. `is_computed`: whether a
/// subquery computes a column.
pub(crate) fn becomes_case(call: &ScalarFunction, is_computed: impl Fn(&Column) -> bool) -> bool {
    is_coalesce(call) && !has_plain_fallbacks(call, is_computed)
}

fn is_coalesce(call: &ScalarFunction) -> bool {
    matches!(call.func.name(), "coalesce" | "nvl") && !call.func.inner().is::<Coalesce>()
}

fn has_plain_fallbacks(call: &ScalarFunction, is_computed: impl Fn(&Column) -> bool) -> bool {
    let is_plain = |arg: &Expr| match arg {
        Expr::Literal(..) => true,
        Expr::Column(column) => !is_computed(column),
        _ => false,
    };
    call.args.len() > 1 && call.args.iter().skip(1).all(is_plain)
}

/// Returns whether a projection below computes a column that is read from these inputs.
fn is_computed(column: &Column, inputs: &[LogicalPlan]) -> bool {
    let found = inputs.iter().find_map(|input| {
        let place = input.schema().maybe_index_of_column(column)?;
        Some((input, place))
    });
    let mut left = MAX_OPERATORS;
    found.is_some_and(|(input, place)| computes(input, place, &mut left))
}

/// Returns whether a projection computes the column at a place. `left`: how many operators may
/// still be looked at.
fn computes(plan: &LogicalPlan, place: usize, left: &mut usize) -> bool {
    let Some(fewer) = left.checked_sub(1) else {
        return false;
    };
    *left = fewer;
    match plan {
        LogicalPlan::Projection(projection) => {
            let mut expr = projection.expr.get(place);
            while let Some(Expr::Alias(alias)) = expr {
                expr = Some(alias.expr.as_ref());
            }
            match expr {
                Some(Expr::Column(column)) => {
                    let place = projection.input.schema().maybe_index_of_column(column);
                    place.is_some_and(|place| computes(&projection.input, place, left))
                }
                Some(Expr::Literal(..)) | None => false,
                Some(_) => true,
            }
        }
        LogicalPlan::Aggregate(_) => false,
        LogicalPlan::Union(union) => {
            let mut inputs = union.inputs.iter();
            inputs.any(|input| computes(input, place, left))
        }
        LogicalPlan::Join(join) => {
            use JoinType::{RightAnti, RightMark, RightSemi};
            let of_left = match join.join_type {
                RightSemi | RightAnti | RightMark => 0,
                _ => join.left.schema().fields().len(),
            };
            match place.checked_sub(of_left) {
                None => computes(&join.left, place, left),
                Some(place) => computes(&join.right, place, left),
            }
        }
        // Columns of their own are behind those of their input.
        plan => match plan.inputs().as_slice() {
            [input] if place < input.schema().fields().len() => computes(input, place, left),
            _ => false,
        },
    }
}

/// The session's function, evaluated with all its arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Coalesce {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Coalesce {
    as_the_inner!();

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut found: Option<ArrayRef> = None;
        for arg in args.args {
            found = match (found, arg) {
                (found, ColumnarValue::Scalar(value)) if value.is_null() => found,
                (None, value @ ColumnarValue::Scalar(_)) => return Ok(value),
                (Some(found), ColumnarValue::Scalar(value)) => {
                    let value = Scalar::new(value.to_array()?);
                    let made = zip(&is_not_null(&found)?, &found, &value)?;
                    return Ok(ColumnarValue::Array(made));
                }
                (None, ColumnarValue::Array(values)) => Some(values),
                (Some(found), ColumnarValue::Array(values)) => {
                    Some(zip(&is_not_null(&found)?, &found, &values)?)
                }
            };
            if let Some(found) = &found
                && found.logical_null_count() == 0
            {
                return Ok(ColumnarValue::Array(Arc::clone(found)));
            }
        }
        match found {
            Some(found) => Ok(ColumnarValue::Array(found)),
            None => Ok(ColumnarValue::Scalar(ScalarValue::try_from(
                args.return_field.data_type(),
            )?)),
        }
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;

    use super::*;

    const ROWS: &str = "(VALUES (1, 10, 'x'), (NULL, 20, NULL), (NULL, NULL, 'y')) t (a, b, c)";

    /// Returns the values of the only column.
    async fn values(query: &str) -> Result<Vec<String>> {
        let mut rules = datafusion::optimizer::Analyzer::new().rules;
        rules.insert(0, Arc::new(PlainFallbacks));
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rules(rules)
            .build();
        let frame = SessionContext::new_with_state(state).sql(query).await?;
        let mut values = Vec::new();
        for batch in frame.collect().await? {
            for row in 0..batch.num_rows() {
                let column = batch.column(0);
                values.push(match column.is_null(row) {
                    true => "NULL".to_owned(),
                    false => array_value_to_string(column, row)?,
                });
            }
        }
        Ok(values)
    }

    #[tokio::test]
    async fn the_first_value_that_is_not_null_is_returned() {
        for (expression, expected) in [
            ("coalesce(a, b)", ["1", "20", "NULL"]),
            ("coalesce(a, b, 7)", ["1", "20", "7"]),
            ("coalesce(a, NULL, b)", ["1", "20", "NULL"]),
            ("coalesce(a + 1, 5, b)", ["2", "5", "5"]),
            ("coalesce(NULL, a)", ["1", "NULL", "NULL"]),
            ("coalesce(NULL, a, NULL)", ["1", "NULL", "NULL"]),
            ("coalesce(a, 2.5)", ["1.0", "2.5", "2.5"]),
            ("coalesce(upper(c), c, 'none')", ["X", "none", "Y"]),
            ("coalesce(3, a)", ["3", "3", "3"]),
            ("nvl(a, b)", ["1", "20", "NULL"]),
        ] {
            let query = format!("SELECT {expression} FROM {ROWS}");
            assert_eq!(values(&query).await.unwrap(), expected, "{expression}");
        }
    }

    #[tokio::test]
    async fn computed_columns_are_evaluated_where_they_are_needed() {
        let computed = format!("SELECT a, 1 / (b - 10) AS d FROM {ROWS}");
        for query in [
            format!("SELECT coalesce(a, d) FROM ({computed}) u"),
            format!("SELECT coalesce(a, e) FROM (SELECT a, d AS e FROM ({computed}) u LIMIT 9) v"),
            format!("SELECT coalesce(a, d) FROM ({computed} UNION ALL SELECT 7, 7 WHERE false) u"),
        ] {
            assert_eq!(values(&query).await.unwrap(), ["1", "0", "NULL"], "{query}");
        }
    }

    #[tokio::test]
    async fn other_arguments_are_evaluated_where_they_are_needed() {
        let query = format!("SELECT coalesce(a, 1 / (b - 10)) FROM {ROWS}");
        assert_eq!(values(&query).await.unwrap(), ["1", "0", "NULL"]);
    }

    // Without the rule, this takes hours to plan.
    #[tokio::test]
    async fn nested_calls_are_planned() {
        let mut nested = "a".to_owned();
        for _ in 0..24 {
            nested = format!("coalesce({nested} + 1, b)");
        }
        let query = format!("SELECT {nested} FROM {ROWS}");
        assert_eq!(values(&query).await.unwrap(), ["25", "43", "NULL"]);
    }
}
