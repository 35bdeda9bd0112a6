//! Refuses what Trino refuses: values of different kinds are not compared, combined or given one
//! type, and no argument of a function changes its kind. The engine would cast one of them.
//!
//! ```text
//! varchar_column = 5                    Cannot apply operator: varchar = integer
//! date_column < '2020-01-01'            Cannot apply operator: date < varchar(10)
//! coalesce('a', 1)                      coalesce needs values of one type, not varchar(1) and integer
//! SELECT 'a' UNION SELECT 1             UNION needs columns of one type, …
//! upper(5)                              Unexpected parameters (integer) for function upper
//! ```
//!
//! NULL literals have any type.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator};
use lakegate_error::{Code, Error};

use super::{frames, names};
use crate::json::{is_json, is_text};

/// Functions whose arguments have one type.
const OF_ONE_TYPE: [&str; 6] = [
    "coalesce",
    "greatest",
    "least",
    "make_array",
    "nullif",
    "array_constructor",
];

/// Checks the expressions, joins and unions of a plan.
///
/// # Errors
///
/// Values of different kinds meet.
pub(super) fn check(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                checked(expr, &schema)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        relations(node)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// Checks the keys of a join and the columns of a union.
fn relations(node: &LogicalPlan) -> Result<()> {
    match node {
        LogicalPlan::Join(join) => {
            for (left, right) in &join.on {
                let left = Operand::of(left, join.left.schema());
                let right = Operand::of(right, join.right.schema());
                compared(left.as_ref(), Operator::Eq, right.as_ref())?;
            }
        }
        LogicalPlan::Union(union) => {
            let columns = |of: &LogicalPlan| of.schema().fields().clone();
            let mut inputs = union.inputs.iter();
            let first = inputs.next().map(|first| columns(first));
            for input in inputs {
                for (one, other) in first
                    .iter()
                    .flat_map(|first| first.iter())
                    .zip(&columns(input))
                {
                    if !is_alike(one, other) {
                        return Err(mismatch(format!(
                            "UNION needs columns of one type, not {} and {}",
                            names::of_field(one),
                            names::of_field(other)
                        )));
                    }
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// A value with its type.
struct Operand<'a> {
    expr: &'a Expr,
    field: FieldRef,
}

impl<'a> Operand<'a> {
    /// Returns `None` for a parameter without a type.
    fn of(expr: &'a Expr, schema: &DFSchema) -> Option<Self> {
        let (_, field) = expr.to_field(schema).ok()?;
        Some(Self { expr, field })
    }

    fn name(&self) -> String {
        names::of_expr(self.expr, &self.field)
    }
}

fn mismatch(message: String) -> datafusion::error::DataFusionError {
    Error::new(Code::TypeMismatch, message)
        .with_hint("cast one of the values, or write a literal of the other's type")
        .into()
}

fn compared(left: Option<&Operand<'_>>, op: Operator, right: Option<&Operand<'_>>) -> Result<()> {
    match (left, right) {
        (Some(left), Some(right)) if !is_alike(&left.field, &right.field) => {
            let (left, right) = (left.name(), right.name());
            Err(mismatch(format!(
                "Cannot apply operator: {left} {op} {right}"
            )))
        }
        _ => Ok(()),
    }
}

fn checked<'e>(expr: &'e Expr, schema: &DFSchema) -> Result<()> {
    let of = |expr: &'e Expr| Operand::of(expr, schema);
    match expr {
        Expr::BinaryExpr(binary) => {
            let is_comparison = binary.op.supports_propagation()
                || matches!(
                    binary.op,
                    Operator::IsDistinctFrom | Operator::IsNotDistinctFrom
                );
            if is_comparison {
                let (left, right) = (of(&binary.left), of(&binary.right));
                return compared(left.as_ref(), binary.op, right.as_ref());
            }
            match binary.op {
                Operator::Plus
                | Operator::Minus
                | Operator::Multiply
                | Operator::Divide
                | Operator::Modulo => calculated(binary.op, of(&binary.left), of(&binary.right)),
                Operator::StringConcat => joined(of(&binary.left), of(&binary.right)),
                _ => Ok(()),
            }
        }
        Expr::Between(between) => {
            let value = of(&between.expr);
            compared(value.as_ref(), Operator::GtEq, of(&between.low).as_ref())?;
            compared(value.as_ref(), Operator::LtEq, of(&between.high).as_ref())
        }
        Expr::InList(list) => {
            let value = of(&list.expr);
            let mut items = list.list.iter();
            items.try_for_each(|item| compared(value.as_ref(), Operator::Eq, of(item).as_ref()))
        }
        Expr::InSubquery(within) => {
            let rows = &within.subquery.subquery;
            subquery(of(&within.expr), Operator::Eq, rows)
        }
        Expr::SetComparison(comparison) => {
            let rows = &comparison.subquery.subquery;
            subquery(of(&comparison.expr), comparison.op, rows)
        }
        Expr::Case(case) => {
            if let Some(operand) = &case.expr {
                let operand = of(operand);
                for (when, _) in &case.when_then_expr {
                    compared(operand.as_ref(), Operator::Eq, of(when).as_ref())?;
                }
            } else {
                for (when, _) in &case.when_then_expr {
                    of(when).as_ref().map_or(Ok(()), condition)?;
                }
            }
            let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
            let results = results.chain(case.else_expr.as_deref());
            of_one_type("CASE", results.filter_map(of))
        }
        Expr::Like(like) => {
            let operands = [of(&like.expr), of(&like.pattern)];
            for operand in operands.iter().flatten() {
                let kind = Kind::of(&operand.field);
                if !matches!(kind, Kind::Text | Kind::Any) {
                    let name = operand.name();
                    return Err(mismatch(format!("LIKE takes varchar values, not {name}")));
                }
            }
            Ok(())
        }
        Expr::ScalarFunction(call) if OF_ONE_TYPE.contains(&call.func.name()) => {
            of_one_type(call.func.name(), call.args.iter().filter_map(of))
        }
        Expr::ScalarFunction(call) => arguments(call, schema),
        Expr::WindowFunction(window) => frames::check(&window.params, schema),
        // In PostgreSQL's dialect, count takes several values.
        Expr::AggregateFunction(call)
            if call.func.name() == "count" && call.params.args.len() > 1 =>
        {
            let types = call.params.args.iter().filter_map(of);
            let types: Vec<String> = types.map(|operand| operand.name()).collect();
            Err(mismatch(format!(
                "Unexpected parameters ({}) for function count",
                types.join(", ")
            )))
        }
        _ => Ok(()),
    }
}

/// Checks the condition of a CASE or an IF.
fn condition(when: &Operand<'_>) -> Result<()> {
    match Kind::of(&when.field) {
        Kind::Boolean | Kind::Any => Ok(()),
        _ => Err(mismatch(format!(
            "CASE WHEN needs a boolean, not {}",
            when.name()
        ))),
    }
}

/// Checks an operator that calculates: texts are not numbers.
fn calculated(op: Operator, left: Option<Operand<'_>>, right: Option<Operand<'_>>) -> Result<()> {
    let (Some(left), Some(right)) = (left, right) else {
        return Ok(());
    };
    let is_wrong =
        |operand: &Operand<'_>| matches!(Kind::of(&operand.field), Kind::Text | Kind::Boolean);
    match is_wrong(&left) || is_wrong(&right) {
        true => {
            let (left, right) = (left.name(), right.name());
            Err(mismatch(format!(
                "Cannot apply operator: {left} {op} {right}"
            )))
        }
        false => Ok(()),
    }
}

/// Checks `||`, which joins texts, bytes and arrays.
fn joined(left: Option<Operand<'_>>, right: Option<Operand<'_>>) -> Result<()> {
    let (Some(left), Some(right)) = (left, right) else {
        return Ok(());
    };
    let kinds = [Kind::of(&left.field), Kind::of(&right.field)];
    let is_list = kinds.iter().any(|kind| matches!(kind, Kind::List));
    let one_kind = kinds[0].meets(kinds[1]);
    let joins = |kind: &Kind| matches!(kind, Kind::Text | Kind::Bytes | Kind::Any);
    match is_list || (one_kind && kinds.iter().all(joins)) {
        true => Ok(()),
        false => {
            let (left, right) = (left.name(), right.name());
            Err(mismatch(format!(
                "Cannot apply operator: {left} || {right}"
            )))
        }
    }
}

fn subquery(value: Option<Operand<'_>>, op: Operator, rows: &LogicalPlan) -> Result<()> {
    let (Some(value), [column]) = (value, rows.schema().fields().as_ref()) else {
        return Ok(());
    };
    if is_alike(&value.field, column) {
        return Ok(());
    }
    let (left, right) = (value.name(), names::of_field(column));
    Err(mismatch(format!(
        "Cannot apply operator: {left} {op} {right}"
    )))
}

fn of_one_type<'a>(what: &str, operands: impl Iterator<Item = Operand<'a>>) -> Result<()> {
    let mut first: Option<Operand<'_>> = None;
    for operand in operands {
        match &first {
            Some(first) if !is_alike(&first.field, &operand.field) => {
                let (one, other) = (first.name(), operand.name());
                return Err(mismatch(format!(
                    "{what} needs values of one type, not {one} and {other}"
                )));
            }
            None if !operand.field.data_type().is_null() => first = Some(operand),
            _ => {}
        }
    }
    Ok(())
}

/// Checks that no argument of a function changes from a text or to one.
fn arguments(call: &ScalarFunction, schema: &DFSchema) -> Result<()> {
    let operands: Option<Vec<Operand<'_>>> = call
        .args
        .iter()
        .map(|arg| Operand::of(arg, schema))
        .collect();
    let Some(operands) = operands else {
        return Ok(());
    };
    let fields: Vec<FieldRef> = operands.iter().map(|of| of.field.clone()).collect();
    // A call that no types fit has an error of its own.
    let Ok(coerced) = fields_with_udf(&fields, call.func.as_ref()) else {
        return Ok(());
    };
    let changes = |(from, to): (&FieldRef, &FieldRef)| {
        let (from, to) = (from.data_type(), to.data_type());
        is_text(from) != is_text(to) && !from.is_null() && !to.is_null()
    };
    match fields.iter().zip(&coerced).any(changes) && !takes_any_types(call.func.name()) {
        true => {
            let types: Vec<String> = operands.iter().map(Operand::name).collect();
            Err(mismatch(format!(
                "Unexpected parameters ({}) for function {}",
                types.join(", "),
                call.func.name()
            )))
        }
        false => Ok(()),
    }
}

/// Whether rewrites call a function with arguments of any type.
fn takes_any_types(name: &str) -> bool {
    name.starts_with('$') && name != super::casts::TRUNCATED_NAME
}

/// The kinds of values that are not converted to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Boolean,
    /// Dates and timestamps.
    Moment,
    TimeOfDay,
    Interval,
    Bytes,
    List,
    Map,
    Row,
    /// NULL, and types that are not checked.
    Any,
}

impl Kind {
    fn of(field: &Field) -> Self {
        if is_json(field) {
            return Self::Any;
        }
        Self::of_type(field.data_type())
    }

    fn of_type(data_type: &DataType) -> Self {
        match data_type {
            DataType::Dictionary(_, values) => Self::of_type(values),
            DataType::Boolean => Self::Boolean,
            DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => Self::Moment,
            DataType::Time32(_) | DataType::Time64(_) => Self::TimeOfDay,
            DataType::Interval(_) | DataType::Duration(_) => Self::Interval,
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => Self::Bytes,
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => Self::List,
            DataType::Map(..) => Self::Map,
            DataType::Struct(_) => Self::Row,
            other if is_text(other) => Self::Text,
            other if other.is_numeric() => Self::Number,
            _ => Self::Any,
        }
    }

    fn meets(self, other: Self) -> bool {
        self == other || self == Self::Any || other == Self::Any
    }
}

/// Whether values of two types have a common type.
fn is_alike(one: &Field, other: &Field) -> bool {
    if !Kind::of(one).meets(Kind::of(other)) {
        return false;
    }
    match (one.data_type(), other.data_type()) {
        (DataType::List(one), DataType::List(other)) => is_alike(one, other),
        (DataType::Map(one, _), DataType::Map(other, _)) => is_alike(one, other),
        (DataType::Struct(one), DataType::Struct(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| is_alike(one, other))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::trino::{error, rows};

    #[tokio::test]
    async fn values_of_different_kinds_do_not_meet() {
        for (expression, expected) in [
            ("'5' = 5", "Cannot apply operator: varchar(1) = integer"),
            ("5 <> '5'", "Cannot apply operator: integer != varchar(1)"),
            (
                "'a' < DATE '2020-01-01'",
                "Cannot apply operator: varchar(1) < date",
            ),
            (
                "TIMESTAMP '2020-01-01 00:00:00' > '2020-01-01'",
                "Cannot apply operator: timestamp > varchar(10)",
            ),
            (
                "'5' IN (1, 2)",
                "Cannot apply operator: varchar(1) = integer",
            ),
            (
                "'5' BETWEEN 1 AND 9",
                "Cannot apply operator: varchar(1) >= integer",
            ),
            ("'a' || 1", "Cannot apply operator: varchar(1) || integer"),
            ("coalesce('a', 1)", "coalesce needs values of one type"),
            (
                "CASE WHEN true THEN 'a' ELSE 1 END",
                "CASE needs values of one type",
            ),
            (
                "CASE 1 WHEN 'a' THEN 1 END",
                "Cannot apply operator: integer = varchar(1)",
            ),
            ("IF(true, 1, 'a')", "CASE needs values of one type"),
            ("IF(1, 2, 3)", "CASE WHEN needs a boolean, not integer"),
            ("CASE WHEN 'a' THEN 1 END", "CASE WHEN needs a boolean"),
            (
                "(SELECT count(1, 'a'))",
                "Unexpected parameters (integer, varchar(1)) for function count",
            ),
            (
                "ARRAY['a'] = ARRAY[1]",
                "Cannot apply operator: array(varchar) = array(bigint)",
            ),
            (
                "'a' IN (SELECT 1)",
                "Cannot apply operator: varchar(1) = bigint",
            ),
            ("5 LIKE '5'", "LIKE takes varchar values, not integer"),
        ] {
            let error = error(expression).await;
            // The engine refuses some of them while it plans, in its own words.
            let by_engine = error.contains("to valid types") || error.contains("common argument");
            assert!(
                by_engine || error.contains(expected),
                "{expression}: {error}"
            );
        }
        for query in [
            "SELECT 'a' UNION SELECT 1",
            "SELECT 1 FROM (VALUES 'a') t(x) JOIN (VALUES 1) u(y) ON x = y",
            "SELECT 1 FROM (VALUES 'a') t(x) JOIN (VALUES 1) u(x) USING (x)",
            "SELECT 'a' INTERSECT SELECT 1",
        ] {
            assert!(rows(query).await.is_err(), "{query}");
        }
    }

    #[tokio::test]
    async fn values_of_one_kind_and_nulls_meet() {
        for query in [
            "SELECT '5' = NULL",
            "SELECT 5 = 5.0 AND 5 = DOUBLE '5' AND 5 IN (1.0, NULL)",
            "SELECT DATE '2020-01-01' = TIMESTAMP '2020-01-01 00:00:00'",
            "SELECT coalesce(NULL, 'a')",
            "SELECT CASE WHEN true THEN NULL ELSE 1 END",
            "SELECT IF(NULL, 1, 2)",
            "SELECT ARRAY[1] = ARRAY[NULL]",
            "SELECT ARRAY[1] || 2",
            "SELECT 'a' || NULL",
            "SELECT NULL UNION SELECT 'a'",
            "SELECT NULL + 1",
            "SELECT upper(NULL)",
        ] {
            let result = rows(query).await;
            assert!(result.is_ok(), "{query}: {result:?}");
        }
    }
}
