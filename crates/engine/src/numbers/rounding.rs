//! Casts of numbers to integers round half away from zero, as in Athena and, for decimals, in
//! PostgreSQL, whose floating-point numbers round half to even (`halves.rs`). DataFusion's casts
//! truncate (`arrow-cast`, 59.3).
//!
//! ```text
//! CAST(1.5 AS INT)      DataFusion: 1; rewritten to CAST(rounded(1.5) AS INT), 2
//! ```
//!
//! A cast to a decimal with fewer fractional digits rounds by itself, but not where it is compared:
//! DataFusion turns `CAST(d AS DECIMAL(10,0)) = 2` into `d = 2.00` (`unwrap_cast`, 55.2). So there
//! the rounding is a function, too.
//!
//! An analyzer rule that runs after type coercion. Delete this when DataFusion's casts can be
//! configured to round.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDFImpl, Signature, TryCast, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use lakegate_lake::decimal_scale;

use crate::plans::expressions;

/// Puts [`Rounded`] into casts to integers, and to decimals with fewer fractional digits.
#[derive(Debug)]
pub(crate) struct RoundingCasts;

impl AnalyzerRule for RoundingCasts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::rewritten(
            plan,
            |expr| matches!(expr, Expr::Cast(_) | Expr::TryCast(_)),
            rewritten,
        )
    }

    fn name(&self) -> &str {
        "rounding_casts"
    }
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expr {
        Expr::Cast(Cast { expr, field }) => match kept(&expr, field.data_type(), schema) {
            Some(scale) => {
                let expr = Box::new(rounded(*expr, scale));
                Transformed::yes(Expr::Cast(Cast { expr, field }))
            }
            None => Transformed::no(Expr::Cast(Cast { expr, field })),
        },
        Expr::TryCast(TryCast { expr, field }) => match kept(&expr, field.data_type(), schema) {
            Some(scale) => {
                let expr = Box::new(rounded(*expr, scale));
                Transformed::yes(Expr::TryCast(TryCast { expr, field }))
            }
            None => Transformed::no(Expr::TryCast(TryCast { expr, field })),
        },
        expr => Transformed::no(expr),
    }
}

/// Returns the number of fractional digits that a cast keeps, if it drops some.
fn kept(expr: &Expr, to: &DataType, schema: &DFSchema) -> Option<i8> {
    let is_rounded = matches!(expr, Expr::ScalarFunction(call)
        if call.func.inner().downcast_ref::<Rounded>().is_some());
    let kept = match to {
        to if to.is_integer() => 0,
        to => decimal_scale(to)?,
    };
    if is_rounded {
        return None;
    }
    let from = expr.get_type(schema).ok()?;
    let loses = match decimal_scale(&from) {
        Some(scale) => scale > kept,
        None => from.is_floating() && to.is_integer(),
    };
    loses.then_some(kept)
}

fn rounded(expr: Expr, scale: i8) -> Expr {
    let function = Rounded {
        scale,
        halves: Halves::Away,
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![expr])
}

/// Rounds a floating-point number to a whole one, halves to the even neighbour.
pub(crate) fn to_even(expr: Expr) -> Expr {
    let function = Rounded {
        scale: 0,
        halves: Halves::Even,
        signature: Signature::any(1, Volatility::Immutable),
    };
    expressions::call(function, vec![expr])
}

/// Where floating-point numbers go that are in the middle of two whole ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Halves {
    /// Away from zero.
    Away,
    /// To the even one.
    Even,
}

impl Halves {
    fn round(self, number: f64) -> f64 {
        match self {
            Self::Away => number.round(),
            Self::Even => number.round_ties_even(),
        }
    }

    fn round_single(self, number: f32) -> f32 {
        match self {
            Self::Away => number.round(),
            Self::Even => number.round_ties_even(),
        }
    }
}

/// Rounds a number to `scale` fractional digits: 0, except for decimals, whose result has the
/// largest precision of their type.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Rounded {
    scale: i8,
    halves: Halves,
    signature: Signature,
}

fn result(of: &DataType, scale: i8) -> DataType {
    match of {
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) => {
            DataType::Decimal128(38, scale)
        }
        DataType::Decimal256(..) => DataType::Decimal256(76, scale),
        other => other.clone(),
    }
}

fn round(array: &ArrayRef, scale: i8, halves: Halves) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Float64 => Arc::new(
            array
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|number| halves.round(number)),
        ),
        DataType::Float32 => Arc::new(
            array
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|number| halves.round_single(number)),
        ),
        // Through f32, which represents all of these values.
        DataType::Float16 => {
            let wide = cast(array, &DataType::Float32)?;
            let rounded = wide
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|number| halves.round_single(number));
            cast(&rounded, &DataType::Float16)?
        }
        // Casts between decimals round.
        from => cast(array, &result(from, scale))?,
    })
}

/// Rounds numbers to whole ones as PostgreSQL's casts to integers do: floating-point numbers to the even
/// neighbour, decimals away from zero.
///
/// # Errors
///
/// Returns an error if a decimal has too many digits.
pub(crate) fn whole(numbers: &ArrayRef) -> Result<ArrayRef> {
    round(numbers, 0, Halves::Even)
}

impl ScalarUDFImpl for Rounded {
    fn name(&self) -> &str {
        "rounded"
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(expressions::name_of_first(args))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types
            .first()
            .map_or(DataType::Null, |of| result(of, self.scale)))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(match args.arg_fields.first() {
            Some(field) => Arc::new(Field::new(
                self.name(),
                result(field.data_type(), self.scale),
                field.is_nullable(),
            )),
            None => Arc::new(Field::new(self.name(), DataType::Null, true)),
        })
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |values| {
            round(values, self.scale, self.halves)
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::optimizer::Analyzer;
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn row(sql: &str) -> Vec<String> {
        rounded(Analyzer::new().rules, sql).await
    }

    /// Returns the first row of a query, with these rules before the one of this module.
    pub(crate) async fn rounded(
        mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>>,
        sql: &str,
    ) -> Vec<String> {
        rules.push(Arc::new(RoundingCasts));
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rules(rules)
            .build();
        let frame = SessionContext::new_with_state(state)
            .sql(sql)
            .await
            .unwrap();
        let batches = frame.collect().await.unwrap();
        let batch = batches.first().unwrap();
        let cells = batch.columns().iter();
        cells
            .map(|column| array_value_to_string(column, 0).unwrap())
            .collect()
    }

    #[tokio::test]
    async fn casts_to_whole_numbers_round() {
        for kind in ["DOUBLE", "REAL", "DECIMAL(10,4)", "DECIMAL(38,4)"] {
            let sql = format!(
                "SELECT CAST(a AS INT), CAST(b AS BIGINT), CAST(-a AS SMALLINT), CAST(-b AS TINYINT), TRY_CAST(c AS INT), CAST(NULL::{kind} AS INT)
                 FROM (SELECT 1.5::{kind} AS a, 2.5::{kind} AS b, 2.4375::{kind} AS c)"
            );
            assert_eq!(row(&sql).await, ["2", "3", "-2", "-3", "2", ""], "{sql}");
        }
        let sql = "SELECT CAST(2.5 AS INT), CAST(7 AS INT), CAST('7' AS INT), CAST(9007199254740993 AS BIGINT), CAST(0.5 AS DECIMAL(4,2))";
        assert_eq!(row(sql).await, ["3", "7", "7", "9007199254740993", "0.50"]);
    }

    #[tokio::test]
    async fn conditions_and_groups_round_too() {
        let sql = "SELECT count(*), min(CAST(x AS INT)) FROM (VALUES (1.5), (1.4), (2.4)) t(x) WHERE CAST(x AS INT) = 2";
        assert_eq!(row(sql).await, ["2", "2"]);
        let sql = "SELECT count(*), min(CAST(x AS DECIMAL(4,1))) FROM (VALUES (CAST('1.25' AS DECIMAL(5,2))), (1.31), (1.24)) t(x)
                   WHERE CAST(x AS DECIMAL(4,1)) = 1.3 OR CAST(x AS DECIMAL(10,0)) > 1.2";
        assert_eq!(row(sql).await, ["2", "1.3"]);
        let sql = "SELECT rank() OVER (ORDER BY CAST(x AS INT)) FROM (VALUES (1.5)) t(x)";
        assert_eq!(row(sql).await, ["1"]);
        let sql = "SELECT CAST(x AS INT), count(*) FROM (VALUES (1.5), (2.4)) t(x) GROUP BY CAST(x AS INT)";
        assert_eq!(row(sql).await, ["2", "2"]);
    }
}
