//! An `extract` is a `numeric` in PostgreSQL, and an integer here. Where it is divided, the
//! difference would show:
//!
//! ```text
//! extract(year FROM day) / 10                            CAST(extract(year FROM day) AS DECIMAL(10,0)) / 10
//! y / 10 FROM (SELECT extract(year FROM day) AS y …)     CAST(y AS DECIMAL(10,0)) / 10
//! ```
//!
//! The first is made while a query is planned (`operand_types.rs`), when only the types of columns
//! are known. [`ExtractedColumns`] makes the second.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::numbers::quotients;
use super::origins::{Origin, origin};
use super::{expressions, time};

/// How many parts of an operand, and operators that compute its columns, are looked at.
const MAX_PARTS: usize = 256;

/// Makes an operand of a division that is calculated from an `extract` a decimal, or a
/// floating-point number if it may have a fraction. Elsewhere integers are as good.
pub(crate) fn divided(operand: Expr, schema: &DFSchema) -> Expr {
    divided_over(operand, schema, &[])
}

/// Returns whether a value is calculated from an `extract`, as far as its own expression tells.
pub(crate) fn is_extracted(operand: &Expr) -> bool {
    let mut parts = MAX_PARTS;
    extracted(operand, &[], &mut parts).is_some()
}

/// `inputs`: the plans that columns of the operand are looked up in.
fn divided_over(operand: Expr, schema: &DFSchema, inputs: &[&LogicalPlan]) -> Expr {
    let mut parts = MAX_PARTS;
    let Some(has_fraction) = extracted(&operand, inputs, &mut parts) else {
        return operand;
    };
    match operand.get_type(schema) {
        Ok(of) if of.is_integer() && has_fraction => cast(operand, DataType::Float64),
        Ok(DataType::Int32) => cast(operand, DataType::Decimal128(10, 0)),
        Ok(DataType::Int64) => cast(operand, DataType::Decimal128(20, 0)),
        _ => operand,
    }
}

/// Returns whether a value that is calculated from an `extract` may have a fraction; `None` for
/// other values. Only an `extract` is a `date_part` here: the dialect casts the results of that
/// function.
fn extracted(expr: &Expr, inputs: &[&LogicalPlan], parts: &mut usize) -> Option<bool> {
    *parts = parts.checked_sub(1)?;
    match expr {
        Expr::ScalarFunction(call) => match (call.func.name(), call.args.as_slice()) {
            ("date_part", [Expr::Literal(unit, _), _]) => {
                let unit = unit.try_as_str().flatten()?;
                Some(time::has_fraction(unit))
            }
            ("abs" | "coalesce" | "greatest" | "least" | "nullif", args) => {
                any_of(args.iter(), inputs, parts)
            }
            _ => None,
        },
        Expr::AggregateFunction(call) => match call.func.name() {
            "max" | "min" | "sum" => any_of(call.params.args.iter(), inputs, parts),
            _ => None,
        },
        Expr::BinaryExpr(binary) => match binary.op {
            Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Modulo => {
                any_of([&*binary.left, &*binary.right].into_iter(), inputs, parts)
            }
            _ => None,
        },
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, result)| &**result);
            any_of(results.chain(case.else_expr.as_deref()), inputs, parts)
        }
        Expr::Negative(inner) => extracted(inner, inputs, parts),
        Expr::Alias(alias) => extracted(&alias.expr, inputs, parts),
        Expr::Column(column) => {
            let (input, place) = inputs.iter().find_map(|input| {
                let place = input.schema().maybe_index_of_column(column)?;
                Some((input, place))
            })?;
            computed(input, place, parts)
        }
        Expr::ScalarSubquery(subquery) => computed(&subquery.subquery, 0, parts),
        _ => None,
    }
}

/// Returns it for the values of which one is calculated from others.
fn any_of<'a>(
    exprs: impl Iterator<Item = &'a Expr>,
    inputs: &[&LogicalPlan],
    parts: &mut usize,
) -> Option<bool> {
    let found = exprs.filter_map(|expr| extracted(expr, inputs, parts));
    found.reduce(|one, other| one || other)
}

/// Returns it for the column at a place of a plan.
fn computed(plan: &LogicalPlan, place: usize, parts: &mut usize) -> Option<bool> {
    *parts = parts.checked_sub(1)?;
    match origin(plan, place)? {
        Origin::Expression(expr, input) => extracted(expr, &[input], parts),
        Origin::Columns(columns) => {
            let columns = columns.into_iter();
            let found = columns.filter_map(|(plan, place)| computed(plan, place, parts));
            found.reduce(|one, other| one || other)
        }
    }
}

/// Makes columns that a subquery calculates from an `extract` decimals where they are divided. Not
/// for Trino's dialects.
#[derive(Debug)]
pub(crate) struct ExtractedColumns;

impl AnalyzerRule for ExtractedColumns {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !expressions::has(&plan, is_division)? || !expressions::has(&plan, is_extract)? {
            return Ok(plan);
        }
        let keep = &|expr: Expr, _: &DFSchema| Ok(Transformed::no(expr));
        expressions::retyped(plan, keep, &with_numerics)
    }

    fn name(&self) -> &str {
        "extracted_columns"
    }
}

fn is_division(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryExpr(binary) if binary.op == Operator::Divide)
}

fn is_extract(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.func.name() == "date_part")
}

/// Returns the operator with numerics in its divisions; `None` if it has no such division.
fn with_numerics(node: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let inputs = node.inputs();
    if inputs.is_empty() || !expressions::reads(node, is_division)? {
        return Ok(None);
    }
    let schema = merge_schema(&inputs);
    let names = NamePreserver::new(node);
    let divide = |expr: Expr| Ok(quotient(expr, &schema, &inputs));
    let changed = node
        .clone()
        .map_expressions(|expr| expressions::named(expr, &names, &divide))?;
    match changed.transformed {
        true => changed.data.recompute_schema().map(Some),
        false => Ok(None),
    }
}

fn quotient(expr: Expr, schema: &DFSchema, inputs: &[&LogicalPlan]) -> Transformed<Expr> {
    let (left, right) = match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Divide,
            right,
        }) => (left, right),
        expr => return Transformed::no(expr),
    };
    let (first, second) = (
        divided_over(left.as_ref().clone(), schema, inputs),
        divided_over(right.as_ref().clone(), schema, inputs),
    );
    let is_changed = first != *left || second != *right;
    // A quotient within it may have become a decimal.
    let is_nested = [&first, &second]
        .iter()
        .any(|operand| quotients::left_operand(operand).is_some());
    if !is_changed && !is_nested {
        return Transformed::no(Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Divide,
            right,
        }));
    }
    let planned = match (first.get_type(schema), second.get_type(schema)) {
        (Ok(left), Ok(right)) => {
            quotients::planned(&BinaryOperator::Divide, (&first, &left), (&second, &right))
        }
        _ => None,
    };
    Transformed::yes(planned.unwrap_or_else(|| {
        Expr::BinaryExpr(BinaryExpr {
            left: Box::new(first),
            op: Operator::Divide,
            right: Box::new(second),
        })
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::util::display::array_value_to_string;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::optimizer::Analyzer;
    use datafusion::prelude::SessionContext;

    use super::*;

    /// Returns the only value.
    async fn value(sql: &str) -> String {
        let mut rules = Analyzer::new().rules;
        rules.insert(0, Arc::new(ExtractedColumns));
        let state = SessionStateBuilder::new()
            .with_default_features()
            .with_analyzer_rules(rules)
            .build();
        let frame = SessionContext::new_with_state(state).sql(sql).await;
        let batches = frame.unwrap().collect().await.unwrap();
        let batch = batches.iter().find(|batch| batch.num_rows() > 0).unwrap();
        array_value_to_string(batch.column(0), 0).unwrap()
    }

    #[tokio::test]
    async fn columns_of_subqueries_are_numeric_where_they_are_divided() {
        const DAYS: &str =
            "SELECT extract(month FROM day) AS m, extract(year FROM day) AS y, 7 AS n
            FROM (VALUES (DATE '2024-05-05')) t(day)";
        for (select, expected) in [
            (format!("m / 2 FROM ({DAYS}) s"), "2.5000000000000000"),
            (format!("1 / m FROM ({DAYS}) s"), "0.2000000000000000"),
            (format!("(m - 1) / 8 FROM ({DAYS}) s"), "0.5000000000000000"),
            (format!("m / 2 / 2 FROM ({DAYS}) s"), "1.2500000000000000"),
            (
                format!("m / 2 FROM (SELECT m FROM ({DAYS}) s WHERE n > 3 ORDER BY y LIMIT 1) t"),
                "2.5000000000000000",
            ),
            (
                format!("m / 2 FROM (SELECT max(m) AS m FROM ({DAYS}) s GROUP BY y) t"),
                "2.5000000000000000",
            ),
            (
                format!(
                    "m / 2 FROM (SELECT n, m FROM ({DAYS}) s UNION ALL SELECT 1, 1 WHERE false) t"
                ),
                "2.5000000000000000",
            ),
            (
                format!("b.m / 2 FROM ({DAYS}) a JOIN ({DAYS}) b ON a.m = b.m"),
                "2.5000000000000000",
            ),
            (
                format!("sum(m / 2) FROM ({DAYS}) s GROUP BY m / 2"),
                "2.5000000000000000",
            ),
            (
                format!("(SELECT m FROM ({DAYS}) s) / 2"),
                "2.5000000000000000",
            ),
            // Others stay integers.
            (format!("n / 2 FROM ({DAYS}) s"), "3"),
            (format!("CAST(m AS INT) / 2 FROM ({DAYS}) s"), "2"),
            (
                format!("c / 2 FROM (SELECT count(m) AS c FROM ({DAYS}) s) t"),
                "0",
            ),
            (format!("m + 1 FROM ({DAYS}) s WHERE m / 2 > 2"), "6"),
        ] {
            let sql = format!("SELECT {select}");
            assert_eq!(value(&sql).await, expected, "{sql}");
        }
    }
}
