//! Casts between types that PostgreSQL has no cast between are errors:
//!
//! ```text
//! 1::date                     cannot cast type integer to date
//! now()::bigint               cannot cast type timestamp with time zone to bigint
//! 1.5::boolean                cannot cast type numeric to boolean
//! x::json, of a date          cannot cast type date to json
//! ```
//!
//! The engine carries most of them out. An analyzer rule that runs before all others, when the only
//! casts are those that are written, and those of the dialect, which PostgreSQL has. Texts may be cast
//! to everything, and everything to text.
//!
//! A view of another dialect is part of a plan with all casts that its dialect has: [`accepted`].

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;
use lakegate_engine::{has_expression, retyped};
use lakegate_error::{Code, Error};
use lakegate_lake::casts::{is_opaque, opaque};

use super::value_types;
use super::{BIT_CAST, TIMETZ_IN, VARBIT_CAST};
use crate::postgres::PG_TYPE;
use crate::postgres::pg_catalog::types::{by_oid, format_type, of_arrow, of_shape};

/// Types and those that they are cast to, besides text and their own.
const CASTS: [(&str, &[&str]); 21] = [
    ("bool", &["int4"]),
    (
        "int2",
        &["int4", "int8", "float4", "float8", "numeric", OBJECT],
    ),
    (
        "int4",
        &[
            "bool", "int2", "int8", "float4", "float8", "numeric", "bit", OBJECT,
        ],
    ),
    (
        "int8",
        &["int2", "int4", "float4", "float8", "numeric", "bit", OBJECT],
    ),
    ("float4", &["int2", "int4", "int8", "float8", "numeric"]),
    ("float8", &["int2", "int4", "int8", "float4", "numeric"]),
    ("numeric", &["int2", "int4", "int8", "float4", "float8"]),
    ("date", &["timestamp", "timestamptz"]),
    ("timestamp", &["date", "time", "timestamptz"]),
    ("timestamptz", &["date", "time", "timetz", "timestamp"]),
    ("time", &["interval", "timetz"]),
    ("timetz", &["time"]),
    ("interval", &["time"]),
    ("json", &["jsonb"]),
    (
        "jsonb",
        &[
            "json", "bool", "int2", "int4", "int8", "float4", "float8", "numeric",
        ],
    ),
    ("inet", &["cidr"]),
    ("cidr", &["inet"]),
    ("bit", &["int4", "int8", "varbit"]),
    ("varbit", &["bit"]),
    (OBJECT, &["int4", "int8"]),
    (ARRAY, &[]),
];

/// `oid` and the types of the catalog's objects, which are cast to each other.
const OBJECT: &str = "oid";

/// All arrays. Casts of their items are checked elsewhere.
const ARRAY: &str = "array";

/// Types without casts to types other than text.
const ALONE: [&str; 9] = [
    "bytea",
    "daterange",
    "int4range",
    "int8range",
    "macaddr",
    "numrange",
    "tsrange",
    "tstzrange",
    "uuid",
];

const INT4: i64 = 23;
const NUMERIC: i64 = 1700;

/// Functions that read their argument as a value of a type: the dialect writes them for casts.
const READERS: [(&str, &str); 27] = [
    ("bytea_in", "bytea"),
    ("regclass_in", "regclass"),
    ("regcollation_in", "regcollation"),
    ("regnamespace_in", "regnamespace"),
    ("regoper_in", "regoper"),
    ("regoperator_in", "regoperator"),
    ("regproc_in", "regproc"),
    ("regprocedure_in", "regprocedure"),
    ("regrole_in", "regrole"),
    ("regtype_in", "regtype"),
    (BIT_CAST, "bit"),
    (VARBIT_CAST, "varbit"),
    ("$bit_in", "bit"),
    ("$cidr_in", "cidr"),
    ("$daterange_in", "daterange"),
    ("$inet_in", "inet"),
    ("$int4range_in", "int4range"),
    ("$int8range_in", "int8range"),
    ("$json_in", "json"),
    ("$jsonb_in", "jsonb"),
    ("$macaddr_in", "macaddr"),
    ("$numrange_in", "numrange"),
    ("$oid_in", "oid"),
    ("$tsrange_in", "tsrange"),
    ("$tstzrange_in", "tstzrange"),
    ("$uuid_in", "uuid"),
    ("$varbit_in", "varbit"),
];

/// Returns the rule to add.
pub(crate) fn rule() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(RefusedCasts)
}

#[derive(Debug)]
struct RefusedCasts;

impl AnalyzerRule for RefusedCasts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !has_expression(&plan, |expr| asked(expr).is_some())? {
            return Ok(plan);
        }
        plan.apply_with_subqueries(|node| {
            let mut known = None;
            node.apply_expressions(|expr| {
                expr.apply(|part| {
                    if let Some((value, to)) = asked(part) {
                        let schema = known.get_or_insert_with(|| merge_schema(&node.inputs()));
                        check(value, to, schema)?;
                    }
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })?;
        Ok(plan)
    }

    fn name(&self) -> &str {
        "refused_casts"
    }
}

/// Returns an analysed plan of another dialect whose casts the rule accepts.
///
/// # Errors
///
/// Returns an error if the plan cannot be walked.
pub fn accepted(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !has_expression(&plan, |expr| asked(expr).is_some())? {
        return Ok(plan);
    }
    let hidden = |expr: Expr, schema: &DFSchema| {
        let is_refused = asked(&expr).is_some_and(|(value, to)| check(value, to, schema).is_err());
        Ok(match expr {
            Expr::Cast(Cast { expr, field }) if is_refused => {
                let expr = Box::new(opaque(*expr));
                Transformed::yes(Expr::Cast(Cast { expr, field }))
            }
            expr => Transformed::no(expr),
        })
    };
    retyped(plan, &hidden, &|_: &LogicalPlan| Ok(None))
}

/// Returns what a cast reads and the number of its type; `None` for other expressions, and for casts
/// that are not checked.
fn asked(expr: &Expr) -> Option<(&Expr, i64)> {
    let (value, to) = match expr {
        Expr::Cast(cast) => (cast.expr.as_ref(), type_of(&cast.field)?),
        Expr::ScalarFunction(call) => {
            let name = call.func.name();
            let to = match name {
                TIMETZ_IN => "timetz",
                name => match value_types::of_input(name) {
                    Some(of) => of.name,
                    None => READERS.iter().find(|(reader, _)| *reader == name)?.1,
                },
            };
            let value = match call.args.first()? {
                // These read values of several types.
                value if matches!(name, BIT_CAST | VARBIT_CAST) => value,
                // The cast to what the function reads.
                Expr::Cast(cast) if name.starts_with('$') => cast.expr.as_ref(),
                value => value,
            };
            (value, of_shape(to))
        }
        _ => return None,
    };
    (!is_opaque(value) && kind(to).is_some()).then_some((value, to))
}

/// # Errors
///
/// PostgreSQL has no such cast.
fn check(value: &Expr, to: i64, schema: &DFSchema) -> Result<()> {
    // The type of an expression that is not coerced yet may be unknown.
    let Ok((_, field)) = value.to_field(schema) else {
        return Ok(());
    };
    if is_days(value, &field, schema) {
        return Ok(());
    }
    let Some(from) = type_of(&field) else {
        return Ok(());
    };
    let from = type_of_literal(value).unwrap_or(from);
    let names = || [from, to].map(|oid| format_type(oid, None));
    if is_missing(from, to) {
        let [from, to] = names();
        let message = format!("casts from {from} to {to} are not supported");
        return Err(Error::not_supported(message).into());
    }
    match is_refused(from, to) {
        true => {
            let [from, to] = names();
            let message = format!("cannot cast type {from} to {to}");
            Err(Error::new(Code::CannotCoerce, message).into())
        }
        false => Ok(()),
    }
}

/// Returns whether a cast is one that PostgreSQL has, and for which the text of the value will not do:
/// between shapes, and of an address of eight bytes to one of six.
fn is_missing(from: i64, to: i64) -> bool {
    let are_shapes = [from, to]
        .into_iter()
        .all(|oid| by_oid(oid).is_some_and(|known| known.category == "G"));
    let is_shorter = [kind(from), kind(to)] == [Some("macaddr8"), Some("macaddr")];
    are_shapes && from != to || is_shorter
}

/// Returns whether a value is a difference of dates, which is an integer in PostgreSQL.
fn is_days(value: &Expr, field: &Field, schema: &DFSchema) -> bool {
    let is_date = |expr: &Expr| matches!(expr.get_type(schema), Ok(DataType::Date32));
    match value {
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) => {
            matches!(field.data_type(), DataType::Duration(_)) && is_date(left) && is_date(right)
        }
        _ => false,
    }
}

/// Returns the type of a literal, where the planner has another one: all integers have 64 bits, and
/// numbers with a point are floating-point numbers.
pub(super) fn type_of_literal(value: &Expr) -> Option<i64> {
    match value {
        Expr::Literal(ScalarValue::Int64(Some(value)), None) => {
            i32::try_from(*value).is_ok().then_some(INT4)
        }
        Expr::Literal(ScalarValue::Float64(Some(_)), None) => Some(NUMERIC),
        Expr::Negative(value) => type_of_literal(value),
        _ => None,
    }
}

/// Returns the number of the type of a field; `None` for types that PostgreSQL lacks, and for a NULL
/// without a type.
pub(super) fn type_of(field: &Field) -> Option<i64> {
    match (field.metadata().get(PG_TYPE), field.data_type()) {
        (Some(mark), _) => Some(of_shape(mark)),
        (None, DataType::Null | DataType::Struct(_) | DataType::Map(..) | DataType::Union(..)) => {
            None
        }
        (None, of) => {
            let oid = of_arrow(of).oid;
            // Arrays of such types.
            let is_array = by_oid(oid).is_some_and(|known| known.category == "A");
            (is_array || !matches!(of, DataType::List(_) | DataType::LargeList(_))).then_some(oid)
        }
    }
}

/// Returns the name in [`CASTS`] or [`ALONE`] of a type; `None` for types whose casts are not
/// checked, such as text.
fn kind(oid: i64) -> Option<&'static str> {
    let known = by_oid(oid)?;
    if known.category == "A" {
        return Some(ARRAY);
    }
    let name = match known.name.starts_with("reg") {
        true => OBJECT,
        false => known.name,
    };
    let sources = CASTS.iter().map(|(source, _)| *source);
    let values = value_types::all().iter().map(|of| of.name);
    sources
        .chain(ALONE)
        .chain(values)
        .find(|kind| *kind == name)
}

fn is_refused(from: i64, to: i64) -> bool {
    let (Some(from), Some(to)) = (kind(from), kind(to)) else {
        return false;
    };
    if (from, to) == ("macaddr", "macaddr8") {
        return false;
    }
    let targets = CASTS.iter().find(|(source, _)| *source == from);
    from != to && !targets.is_some_and(|(_, targets)| targets.contains(&to))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{Schema, TimeUnit};
    use datafusion::logical_expr::{cast, col, lit};

    use super::*;

    #[test]
    fn casts_are_those_of_postgresql() {
        for (from, to, is_cast) in [
            ("bool", "int4", true),
            ("bool", "int8", false),
            ("int8", "bool", false),
            ("int4", "bool", true),
            ("numeric", "bool", false),
            ("date", "int4", false),
            ("date", "timestamptz", true),
            ("timestamp", "int8", false),
            ("interval", "time", true),
            ("time", "timestamp", false),
            ("timetz", "interval", false),
            ("json", "int4", false),
            ("jsonb", "int4", true),
            ("json", "text", true),
            ("text", "json", true),
            ("uuid", "bytea", false),
            ("uuid", "uuid", true),
            ("int4", "bit", true),
            ("int2", "bit", false),
            ("int8", "varbit", false),
            ("bit", "int8", true),
            ("bit", "numeric", false),
            ("varbit", "int4", false),
            ("varbit", "bit", true),
            ("regclass", "oid", true),
            ("regproc", "regprocedure", true),
            ("int2", "regclass", true),
            ("regclass", "int2", false),
            ("float8", "oid", false),
            ("int4[]", "json", false),
            ("int4", "int4[]", false),
            ("int4[]", "text[]", true),
            ("text", "int4[]", true),
            ("name", "regclass", true),
            ("char", "int4", true),
            ("int4", "point", false),
            ("point", "text", true),
            ("text", "point", true),
            ("macaddr", "macaddr8", true),
            ("macaddr", "inet", false),
        ] {
            let refused = is_refused(of_shape(from), of_shape(to));
            assert_eq!(refused, !is_cast, "{from} {to}");
        }
    }

    #[test]
    fn casts_are_checked_by_the_types_of_values() {
        let columns = Schema::new(vec![
            Field::new("d", DataType::Date32, true),
            Field::new("t", DataType::Time64(TimeUnit::Nanosecond), true),
            Field::new("x", DataType::Int64, true),
            Field::new("s", DataType::Utf8, true),
        ]);
        let columns = DFSchema::try_from(columns).unwrap();
        for (expr, expected) in [
            (cast(col("d"), DataType::Int32), Some(("date", "integer"))),
            (cast(col("d") - col("d"), DataType::Int32), None),
            (
                cast(col("x"), DataType::Boolean),
                Some(("bigint", "boolean")),
            ),
            (cast(lit(1_i64), DataType::Boolean), None),
            (
                cast(lit(1_i64), DataType::Date32),
                Some(("integer", "date")),
            ),
            (cast(col("s"), DataType::Date32), None),
            (cast(col("t"), DataType::Utf8), None),
            (cast(lit(ScalarValue::Null), DataType::Date32), None),
            (
                cast(col("t"), DataType::Int64),
                Some(("time without time zone", "bigint")),
            ),
            (cast(opaque(col("t")), DataType::Int64), None),
        ] {
            let found = asked(&expr).map(|(value, to)| check(value, to, &columns));
            let found = found.and_then(Result::err);
            let found = found.map(|error| error.to_string());
            match expected {
                Some((from, to)) => {
                    let message = format!("cannot cast type {from} to {to}");
                    assert!(found.unwrap().contains(&message), "{expr}");
                }
                None => assert_eq!(found, None, "{expr}"),
            }
        }
    }
}
