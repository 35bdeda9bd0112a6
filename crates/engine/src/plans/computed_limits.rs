//! LIMIT and OFFSET of a number that a subquery computes, which the engine refuses.
//!
//! ```text
//! SELECT x FROM t ORDER BY y LIMIT (SELECT count(*) / 2 FROM t)
//!
//!   Projection: x
//!     Sort: " place"
//!       Filter: " place" > 0 AND " place" <= limit_count((SELECT count(*) / 2 FROM t))
//!         Projection: x, row_number() OVER () - offset_count(…) AS " place"
//!           the ordered query
//! ```
//!
//! An analyzer rule that runs before [`InputOrder`](crate::plans::input_order::InputOrder), which numbers the
//! rows in the order of the query. Without an order, any rows are kept, as in PostgreSQL.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array};
use arrow::compute::cast as cast_array;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::functions_window::row_number::row_number;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, Limit, LogicalPlan, LogicalPlanBuilder, Operator,
    ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility, binary_expr, cast, lit,
};
use datafusion::optimizer::AnalyzerRule;
use lakegate_error::{Code, Error};

use crate::plans::expressions;

/// Names of the columns that number rows. No user's column has a name with a leading blank.
const ROW: &str = " row";
const PLACE: &str = " place";

/// Numbers the rows of limited queries. Not for Trino's dialects, whose limits are constants.
#[derive(Debug)]
pub(crate) struct ComputedLimits;

impl AnalyzerRule for ComputedLimits {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !expressions::has_operator(&plan, is_computed)? {
            return Ok(plan);
        }
        plan.transform_up_with_subqueries(|node| match node {
            LogicalPlan::Limit(limit) if is_computed_limit(&limit)? => {
                Ok(Transformed::yes(numbered(limit)?))
            }
            node => Ok(Transformed::no(node)),
        })
        .data()
    }

    fn name(&self) -> &str {
        "computed_limits"
    }
}

fn is_computed(node: &LogicalPlan) -> Result<bool> {
    match node {
        LogicalPlan::Limit(limit) => is_computed_limit(limit),
        _ => Ok(false),
    }
}

fn is_computed_limit(limit: &Limit) -> Result<bool> {
    for count in [&limit.skip, &limit.fetch].into_iter().flatten() {
        if count.exists(|part| Ok(matches!(part, Expr::ScalarSubquery(_))))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn numbered(limit: Limit) -> Result<LogicalPlan> {
    let input = Arc::unwrap_or_clone(limit.input);
    let columns: Vec<Expr> = input
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let mut place = cast(Expr::Column(Column::new_unqualified(ROW)), DataType::Int64);
    if let Some(skip) = limit.skip {
        place = binary_expr(place, Operator::Minus, Clause::Offset.count(*skip)?);
    }
    let mut with_place = columns.clone();
    with_place.push(place.alias(PLACE));
    let place = || Expr::Column(Column::new_unqualified(PLACE));
    let mut kept = place().gt(lit(0_i64));
    if let Some(fetch) = limit.fetch {
        kept = kept.and(place().lt_eq(Clause::Limit.count(*fetch)?));
    }
    LogicalPlanBuilder::from(input)
        .window([row_number().alias(ROW)])?
        .project(with_place)?
        .filter(kept)?
        .sort([place().sort(true, false)])?
        .project(columns)?
        .build()
}

/// The clause that has a number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Clause {
    Limit,
    Offset,
}

impl Clause {
    fn name(self) -> &'static str {
        match self {
            Self::Limit => "LIMIT",
            Self::Offset => "OFFSET",
        }
    }

    /// Returns the number that stands for NULL.
    fn of_null(self) -> i64 {
        match self {
            Self::Limit => i64::MAX,
            Self::Offset => 0,
        }
    }

    /// Returns the number of rows, which is not NULL.
    ///
    /// # Errors
    ///
    /// The expression is not a number.
    fn count(self, expr: Expr) -> Result<Expr> {
        let of = expr.get_type(&DFSchema::empty())?;
        if !of.is_numeric() && !of.is_null() {
            let message = format!("argument of {} must be type bigint", self.name());
            return Err(Error::new(Code::TypeMismatch, message).into());
        }
        let function = Count {
            clause: self,
            signature: Signature::any(1, Volatility::Immutable),
        };
        Ok(expressions::call(
            function,
            vec![cast(expr, DataType::Int64)],
        ))
    }
}

/// Returns a number of rows, and fails for a negative one.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Count {
    clause: Clause,
    signature: Signature,
}

impl ScalarUDFImpl for Count {
    fn name(&self) -> &str {
        match self.clause {
            Clause::Limit => "limit_count",
            Clause::Offset => "offset_count",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |counts| {
            let counts = cast_array(counts, &DataType::Int64)?;
            let counts = counts.as_primitive::<Int64Type>().iter();
            let counts: Int64Array = counts
                .map(|count| match count {
                    Some(count @ 0..) => Ok(Some(count)),
                    Some(_) => Err(self.negative()),
                    None => Ok(Some(self.clause.of_null())),
                })
                .collect::<Result<_, Error>>()?;
            let counts: ArrayRef = Arc::new(counts);
            Ok(counts)
        })
    }
}

impl Count {
    fn negative(&self) -> Error {
        let code = match self.clause {
            Clause::Limit => Code::InvalidLimit,
            Clause::Offset => Code::InvalidOffset,
        };
        Error::new(code, format!("{} must not be negative", self.clause.name()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::optimizer::Analyzer;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::plans::input_order::InputOrder;

    /// Returns the values of the only column.
    async fn values(sql: &str) -> Result<Vec<String>> {
        let mut rules = Analyzer::new().rules;
        rules.insert(0, Arc::new(InputOrder));
        rules.insert(0, Arc::new(ComputedLimits));
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rules(rules)
            .build();
        let frame = SessionContext::new_with_state(state).sql(sql).await?;
        let mut values = Vec::new();
        for batch in frame.collect().await? {
            let column = batch.column(0);
            for row in 0..batch.num_rows() {
                values.push(array_value_to_string(column, row)?);
            }
        }
        Ok(values)
    }

    const ROWS: &str = "(VALUES (3, 1), (1, 2), (2, 3), (4, 4)) t(x, y)";

    #[tokio::test]
    async fn limits_may_be_computed() {
        for (clauses, expected) in [
            ("ORDER BY x LIMIT (SELECT 2)", vec!["1", "2"]),
            ("ORDER BY y LIMIT (SELECT 2)", vec!["3", "1"]),
            (
                "ORDER BY x DESC LIMIT (SELECT 1) OFFSET (SELECT 1)",
                vec!["3"],
            ),
            ("ORDER BY x OFFSET (SELECT 3)", vec!["4"]),
            ("ORDER BY x LIMIT 2 OFFSET (SELECT 1)", vec!["2", "3"]),
            ("ORDER BY x LIMIT (SELECT 1) + 1 OFFSET 1", vec!["2", "3"]),
            (
                "ORDER BY x LIMIT (SELECT CAST(NULL AS BIGINT)) OFFSET 2",
                vec!["3", "4"],
            ),
            ("ORDER BY x LIMIT (SELECT 0)", vec![]),
        ] {
            let sql = format!("SELECT x FROM {ROWS} {clauses}");
            assert_eq!(values(&sql).await.unwrap(), expected, "{sql}");
        }
        let within = format!(
            "SELECT sum(x) FROM (SELECT x FROM {ROWS} ORDER BY y LIMIT (SELECT count(*) / 2 FROM {ROWS})) s"
        );
        assert_eq!(values(&within).await.unwrap(), ["4"]);
    }

    #[tokio::test]
    async fn what_is_no_number_of_rows_is_an_error() {
        for (clause, code) in [
            ("LIMIT (SELECT -1)", Code::InvalidLimit),
            ("OFFSET (SELECT -1)", Code::InvalidOffset),
            ("LIMIT (SELECT 'a')", Code::TypeMismatch),
        ] {
            let sql = format!("SELECT x FROM {ROWS} {clause}");
            let error = lakegate_error::from_engine(values(&sql).await.unwrap_err());
            assert_eq!(error.code(), code, "{sql}");
        }
    }
}
