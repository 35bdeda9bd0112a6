//! Casts of floating-point numbers to integers, and `round(x)` of them, round halves to the even
//! neighbour in PostgreSQL, those of `numeric` away from zero. Some values that are `numeric` there
//! are floating-point here: constants such as `2.5`, and what is calculated with them. They round as
//! `numeric` does.
//!
//! ```text
//! CAST(d AS INT), d a column of doubles    CAST(rounded_to_even(d) AS INT)
//! round(d)                                 rounded_to_even(d)
//! round(r), r a column of reals            rounded_to_even(CAST(r AS DOUBLE))
//! CAST(coalesce(d, n) AS INT)              CAST(rounded_to_even(CAST(coalesce(d, n) AS DOUBLE)) AS INT)
//! CAST(i * 0.5 AS INT), round(i * 0.5)     unchanged; see rounding.rs
//! ```
//!
//! An analyzer rule that runs before type coercion, so that each cast is one of the statement.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, TryCast, cast};
use datafusion::optimizer::AnalyzerRule;

use super::rounding;
use crate::plans::expressions;
use crate::windows::frames::written_name;

/// How many expressions are read to learn where one value comes from. An operand that is written
/// twice in each of several nested queries would be read exponentially often.
const MAX_STEPS: usize = 1000;

/// Functions that are of double precision in PostgreSQL, whatever their arguments are.
const OF_DOUBLES: [&str; 27] = [
    "acos", "acosd", "acosh", "asin", "asind", "asinh", "atan", "atan2", "atan2d", "atand",
    "atanh", "cbrt", "cos", "cosd", "cosh", "cot", "cotd", "degrees", "pi", "radians", "random",
    "sin", "sind", "sinh", "tan", "tand", "tanh",
];

/// Aggregate and window functions that are so of any numbers.
const OF_ROWS: [&str; 14] = [
    "corr",
    "covar_pop",
    "covar_samp",
    "cume_dist",
    "percent_rank",
    "percentile_cont",
    "regr_avgx",
    "regr_avgy",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
];

/// Rounds halves of floating-point numbers to even. Not for Trino's dialects.
#[derive(Debug)]
pub(crate) struct HalvesToEven;

impl AnalyzerRule for HalvesToEven {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        expressions::of_readers(plan, concerns, of_node)
    }

    fn name(&self) -> &str {
        "halves_to_even"
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let inputs: Vec<LogicalPlan> = node.inputs().into_iter().cloned().collect();
    expressions::of_node(node, concerns, |expr, schema| {
        rewritten(expr, schema, &inputs)
    })
}

fn concerns(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => is_round(call),
        expr => is_to_integer(expr),
    }
}

fn is_round(call: &ScalarFunction) -> bool {
    call.func.name() == "round" && call.args.len() == 1
}

fn is_to_integer(expr: &Expr) -> bool {
    expressions::cast_type(expr).is_some_and(DataType::is_integer)
}

fn rewritten(expr: Expr, schema: &DFSchema, inputs: &[LogicalPlan]) -> Transformed<Expr> {
    let rounds = |inner: &Expr| is_float_value(inner, schema, inputs);
    // The result is a `double precision`; see `floats/wholes.rs`.
    let as_double = |inner: Expr| match inner.get_type(schema) {
        Ok(DataType::Float32) => cast(inner, DataType::Float64),
        _ => as_float(inner, schema),
    };
    match expr {
        Expr::ScalarFunction(call) if is_round(&call) && call.args.iter().all(rounds) => {
            let arg = call.args.into_iter().next().map(as_double);
            Transformed::yes(arg.map_or_else(Expr::default, rounding::to_even))
        }
        expr if is_to_integer(&expr) => expressions::with_operand(expr, rounds, |inner| {
            rounding::to_even(as_float(inner, schema))
        }),
        expr => Transformed::no(expr),
    }
}

/// Returns whether a value is a floating-point number, in PostgreSQL, too. `inputs`: the plans that its
/// columns are looked up in.
pub(super) fn is_float_value(value: &Expr, schema: &DFSchema, inputs: &[LogicalPlan]) -> bool {
    match value.get_type(schema) {
        // No constant and nothing calculated from integers is a `real`.
        Ok(DataType::Float32) => true,
        Ok(of) => {
            let mut steps = MAX_STEPS;
            (of.is_floating() || is_mixed(value, schema, &mut steps))
                && is_float(value, inputs, &mut steps)
        }
        Err(_) => false,
    }
}

/// Returns a value that is a floating-point number in PostgreSQL as one.
pub(super) fn as_float(value: Expr, schema: &DFSchema) -> Expr {
    match value.get_type(schema) {
        Ok(of) if of.is_decimal() => cast(value, DataType::Float64),
        _ => value,
    }
}

/// Returns whether a value may be one of floating-point numbers and decimals, which makes it a
/// floating-point number (`common_types`). Until then, its type may be that of decimals. `steps`: how
/// many expressions may still be read.
fn is_mixed(expr: &Expr, schema: &DFSchema, steps: &mut usize) -> bool {
    let Some(left) = steps.checked_sub(1) else {
        return false;
    };
    *steps = left;
    let values: Vec<&Expr> = match expr {
        Expr::Alias(alias) => return is_mixed(&alias.expr, schema, steps),
        Expr::Negative(inner) => return is_mixed(inner, schema, steps),
        Expr::BinaryExpr(binary) => {
            return is_mixed(&binary.left, schema, steps) || is_mixed(&binary.right, schema, steps);
        }
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, result)| &**result);
            results.chain(case.else_expr.as_deref()).collect()
        }
        Expr::ScalarFunction(call)
            if matches!(
                call.func.name(),
                "coalesce" | "greatest" | "least" | "nullif"
            ) =>
        {
            call.args.iter().collect()
        }
        _ => return false,
    };
    values.into_iter().any(|value| {
        value.get_type(schema).is_ok_and(|of| of.is_floating()) || is_mixed(value, schema, steps)
    })
}

/// Returns whether a number is a floating-point one in PostgreSQL, too: it comes from a column of a
/// table, from a cast, or from a function of double precision. `steps`: how many expressions may still
/// be read.
fn is_float(expr: &Expr, inputs: &[LogicalPlan], steps: &mut usize) -> bool {
    let Some(left) = steps.checked_sub(1) else {
        return false;
    };
    *steps = left;
    match expr {
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => {
            field.data_type().is_floating()
        }
        Expr::Column(column) => inputs.iter().any(|input| {
            let place = input.schema().maybe_index_of_column(column);
            place.is_some_and(|place| is_float_column(input, place, steps))
        }),
        Expr::Alias(alias) => is_float(&alias.expr, inputs, steps),
        Expr::Negative(inner) => is_float(inner, inputs, steps),
        // A float and a decimal make a float.
        Expr::BinaryExpr(binary) => {
            is_float(&binary.left, inputs, steps) || is_float(&binary.right, inputs, steps)
        }
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, result)| result);
            let mut results = results.chain(&case.else_expr);
            results.any(|result| is_float(result, inputs, steps))
        }
        // The first argument decides the type in PostgreSQL.
        Expr::ScalarFunction(call) if call.func.name() == "nullif" => {
            let first = call.args.first();
            first.is_some_and(|first| is_float(first, inputs, steps))
        }
        Expr::ScalarFunction(call) if OF_DOUBLES.contains(&call.func.name()) => true,
        Expr::ScalarFunction(call) => {
            let mut args = call.args.iter();
            is_of_integers(call, inputs)
                || args.any(|arg| is_float(arg, inputs, steps)) && !has_no_fraction(expr, inputs)
        }
        Expr::AggregateFunction(call) => {
            let mut args = call.params.args.iter();
            let mut is_of_floats = || args.any(|arg| is_float(arg, inputs, steps));
            OF_ROWS.contains(&call.func.name()) || is_of_floats() && !has_no_fraction(expr, inputs)
        }
        Expr::WindowFunction(call) => {
            let mut args = call.params.args.iter();
            OF_ROWS.contains(&written_name(call.fun.name()))
                || args.any(|arg| is_float(arg, inputs, steps)) && !has_no_fraction(expr, inputs)
        }
        Expr::ScalarSubquery(query) => is_float_column(&query.subquery, 0, steps),
        _ => false,
    }
}

/// Returns whether a function of floats is neither a float nor a decimal, as `count` and `length`.
fn has_no_fraction(call: &Expr, inputs: &[LogicalPlan]) -> bool {
    inputs.iter().any(|input| {
        let schema: &DFSchema = input.schema();
        let of_type = call.get_type(schema);
        of_type.is_ok_and(|of| !of.is_floating() && !of.is_decimal())
    })
}

/// Returns whether a function is of double precision because its arguments are integers; of decimals it
/// is a `numeric`.
fn is_of_integers(call: &ScalarFunction, inputs: &[LogicalPlan]) -> bool {
    let has_both = match call.func.name() {
        "exp" | "ln" | "log10" | "power" | "sqrt" => true,
        // To a base, it is a `numeric` of integers, too.
        "log" => call.args.len() == 1,
        _ => false,
    };
    has_both && call.args.iter().all(|arg| is_integer(arg, inputs))
}

fn is_integer(expr: &Expr, inputs: &[LogicalPlan]) -> bool {
    let is_so = |schema: &DFSchema| expr.get_type(schema).is_ok_and(|of| of.is_integer());
    match inputs {
        [] => is_so(&DFSchema::empty()),
        inputs => inputs.iter().any(|input| is_so(input.schema())),
    }
}

/// Returns the same about a column of a plan.
fn is_float_column(plan: &LogicalPlan, place: usize, steps: &mut usize) -> bool {
    let Some(left) = steps.checked_sub(1) else {
        return false;
    };
    *steps = left;
    let mut of = |expr: Option<&Expr>, input: &LogicalPlan| {
        expr.is_some_and(|expr| is_float(expr, std::slice::from_ref(input), steps))
    };
    match plan {
        LogicalPlan::TableScan(_) => {
            let field = plan.schema().fields().get(place);
            field.is_some_and(|field| field.data_type().is_floating())
        }
        LogicalPlan::Projection(projection) => of(projection.expr.get(place), &projection.input),
        LogicalPlan::Aggregate(aggregate) => {
            // Before the functions, grouping sets have a column with the number of the set.
            let columns = aggregate.schema.fields().len();
            let functions = columns.saturating_sub(aggregate.aggr_expr.len());
            let column = match place.checked_sub(functions) {
                Some(place) => aggregate.aggr_expr.get(place),
                None => grouping_set_to_exprlist(&aggregate.group_expr)
                    .ok()
                    .and_then(|keys| keys.get(place).copied()),
            };
            of(column, &aggregate.input)
        }
        LogicalPlan::Window(window) => {
            let width = window.input.schema().fields().len();
            match place.checked_sub(width) {
                Some(place) => of(window.window_expr.get(place), &window.input),
                None => is_float_column(&window.input, place, steps),
            }
        }
        LogicalPlan::Join(join) => {
            let width = join.left.schema().fields().len();
            match place.checked_sub(width) {
                Some(place) => is_float_column(&join.right, place, steps),
                None => is_float_column(&join.left, place, steps),
            }
        }
        LogicalPlan::Union(union) => {
            let mut inputs = union.inputs.iter();
            inputs.any(|input| is_float_column(input, place, steps))
        }
        // The first part decides the type in PostgreSQL.
        LogicalPlan::RecursiveQuery(query) => is_float_column(&query.static_term, place, steps),
        LogicalPlan::Values(values) => values.values.iter().any(|row| {
            let cell = row.get(place);
            cell.is_some_and(|cell| is_float(cell, &[], steps))
        }),
        // Those that have the columns of their input.
        other => match other.inputs().as_slice() {
            [input] if input.schema().fields().len() == other.schema().fields().len() => {
                is_float_column(input, place, steps)
            }
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::optimizer::Analyzer;

    use super::*;

    async fn row(sql: &str) -> Vec<String> {
        let mut rules = Analyzer::new().rules;
        rules.insert(0, Arc::new(HalvesToEven));
        rounding::tests::rounded(rules, sql).await
    }

    #[tokio::test]
    async fn floats_round_halves_to_even() {
        for kind in ["DOUBLE", "REAL"] {
            let sql = format!(
                "SELECT CAST(a AS INT), CAST(b AS BIGINT), CAST(-a AS SMALLINT), TRY_CAST(b + 1 AS INT), CAST(c AS INT)
                 FROM (SELECT CAST(2.5 AS {kind}) AS a, CAST('3.5' AS {kind}) AS b, CAST(2.51 AS {kind}) AS c)"
            );
            assert_eq!(row(&sql).await, ["2", "4", "-2", "4", "3"], "{sql}");
        }
        let of_values =
            "SELECT CAST(x AS INT), CAST(max(x) OVER () AS INT), CAST(abs(-x) * 1.0 AS INT)
             FROM (VALUES (CAST(0.5 AS DOUBLE))) t(x) WHERE x < 1";
        assert_eq!(row(of_values).await, ["0", "0", "0"]);
        let of_groups = "SELECT CAST(avg(x) AS INT) FROM (SELECT CAST(2.5 AS DOUBLE) AS x UNION ALL SELECT CAST(2.5 AS DOUBLE)) t";
        assert_eq!(row(of_groups).await, ["2"]);
        let of_sets = "SELECT CAST(x AS INT), CAST(sum(x) AS INT), CAST(max(i) * 0.5 AS INT) FROM (VALUES (1, CAST(2.5 AS DOUBLE))) t(i, x) GROUP BY GROUPING SETS ((i, x))";
        assert_eq!(row(of_sets).await, ["2", "2", "1"]);
        let of_functions = "SELECT CAST(sqrt(i) / 2 AS INT), round(cos(0) / 2), CAST(sqrt(i * 0.25) AS INT), CAST(pi() * 0 + 0.5 AS INT), CAST(cume_dist() OVER (ORDER BY i) / 2 AS INT)
             FROM (VALUES (25)) t(i)";
        assert_eq!(row(of_functions).await, ["2", "0.0", "3", "0", "0"]);
        let of_queries = "WITH RECURSIVE t(x) AS (SELECT CAST(2.5 AS DOUBLE) UNION ALL SELECT x + 1 FROM t WHERE x < 1)
             SELECT CAST(x AS INT), CAST((SELECT CAST(2.5 AS DOUBLE)) AS INT) FROM t";
        assert_eq!(row(of_queries).await, ["2", "2"]);
        let beside_decimals =
            "SELECT CAST(coalesce(x, CAST('0.5' AS DECIMAL(1,1))) AS INT), CAST(coalesce(CAST('2.5' AS DECIMAL(2,1)), 1) AS INT)
             FROM (VALUES (CAST(2.5 AS DOUBLE))) t(x)";
        assert_eq!(row(beside_decimals).await, ["2", "3"]);
        // A count of floats is none.
        let counted =
            "SELECT CAST(CAST('2.5' AS DECIMAL(2,1)) * count(x) AS INT), CAST(CAST('2.5' AS DECIMAL(2,1)) * max(x) AS INT)
             FROM (VALUES (CAST(1 AS DOUBLE))) t(x)";
        assert_eq!(row(counted).await, ["3", "2"]);
    }

    #[tokio::test]
    async fn round_of_floats_is_to_even() {
        let sql = "SELECT round(x), round(-x), round(x + 1), round(x * 2), round(x, 0), round(2.5)
             FROM (VALUES (CAST(2.5 AS DOUBLE))) t(x)";
        assert_eq!(row(sql).await, ["2.0", "-2.0", "4.0", "5.0", "3.0", "3.0"]);
    }

    #[tokio::test]
    async fn a_value_of_floats_and_decimals_is_a_float() {
        let sql = "SELECT CAST(coalesce(d, n) AS INT), CAST(greatest(d, n) AS INT), CAST(nullif(d, n) AS INT), round(coalesce(d, n)),
             CAST(CASE WHEN i > 5 THEN n ELSE d END AS INT), CAST(CASE WHEN i > 5 THEN n ELSE 2.5 END AS INT), CAST(coalesce(n, i) AS INT)
             FROM (VALUES (CAST(2.5 AS DOUBLE), CAST('1.5' AS DECIMAL(3,1)), 5)) t(d, n, i)";
        assert_eq!(row(sql).await, ["2", "2", "2", "2.0", "2", "3", "2"]);
    }

    #[tokio::test]
    async fn what_is_numeric_in_postgres_rounds_away_from_zero() {
        let sql = "SELECT CAST(2.5 AS INT), CAST(i * 0.5 AS INT), CAST(-(i / 2.0) AS INT), CAST(a AS INT), CAST(CAST('2.5' AS DECIMAL(3,1)) AS INT)
             FROM (SELECT max(i) AS i, avg(i - j) AS a FROM (VALUES (5, 2), (5, 3)) t(i, j)) t";
        assert_eq!(row(sql).await, ["3", "3", "-3", "3", "3"]);
    }
}
