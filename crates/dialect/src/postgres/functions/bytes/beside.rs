//! Text literals beside bytes, which are bytes in their text form in PostgreSQL, `LIKE` of bytes,
//! and bytes beside texts, which are written in hex.
//!
//! ```text
//! b = '\x01', b || '\x01'         b = X'01', b || X'01'
//! b IN ('\x01', 'a')              b IN (X'01', X'61')
//! b BETWEEN '\x00' AND '\x02'     b BETWEEN X'00' AND X'02'
//! CASE b WHEN '\x01' THEN …       CASE b WHEN X'01' THEN …
//! '\x01' = ANY (ARRAY[b])         X'01' = ANY (ARRAY[b])
//! ARRAY[X'01', NULL]              ARRAY[X'01', CAST(NULL AS bytea)]
//! b LIKE 'a%'                     $bytea_like(b, X'6125')
//! concat(b, x), b || x            concat(CAST(b AS text), x), CAST(b AS text) || x
//! string_agg(b, ',')              decode(string_agg(encode(b, 'hex'), '2c'), 'hex')
//! ```
//!
//! Operators are planned so, since they give the result its type; the rest is an analyzer rule
//! before type coercion, which would make texts of the bytes.

use std::iter::once;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, Alias, Between, InList, Like};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    Aggregate, Case, Expr, ExprSchemable, LogicalPlan, Operator, Projection, ScalarUDF, cast, lit,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use lakegate_engine::quantified::{ALL, ANY};
use lakegate_engine::{has_values, is_comparison, retyped};

use super::forms::Form;
use super::{Kind, function, is_bytes, like};
use crate::postgres::bytea::bytea_of;
use crate::postgres::functions::refused_operators::is_short;

/// Functions that return bytes of other values, whose plans the rule looks at: PostgreSQL's and those of
/// Trino's language that its sessions have.
const OF_BYTES: [&str; 28] = [
    "bytea_in",
    "convert_to",
    "decode",
    "from_base32",
    "from_base64",
    "from_base64url",
    "from_hex",
    "hmac_md5",
    "hmac_sha1",
    "hmac_sha256",
    "hmac_sha512",
    "murmur3",
    "set_bit",
    "set_byte",
    "sha1",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "spooky_hash_v2_32",
    "spooky_hash_v2_64",
    "st_asbinary",
    "to_big_endian_32",
    "to_big_endian_64",
    "to_ieee754_32",
    "to_ieee754_64",
    "to_utf8",
    "xxhash64",
];

/// Functions of values of any type that write them as texts.
const WRITING: [&str; 5] = [
    "concat",
    "concat_ws",
    "format",
    "quote_literal",
    "quote_nullable",
];

/// Gives the literals in operators of bytes their type.
#[derive(Debug)]
struct ByteOperators;

/// Returns the planner to register, before the engine's own.
pub(crate) fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(ByteOperators)
}

impl ExprPlanner for ByteOperators {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator as Op;
        let concerns = matches!(
            expr.op,
            Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq | Op::StringConcat
        );
        if !concerns {
            return Ok(PlannerResult::Original(expr));
        }
        let RawBinaryExpr {
            op,
            mut left,
            mut right,
        } = expr;
        if is_of_bytes(&left, schema) {
            beside(&mut left, &mut right, op == Op::StringConcat, schema)?;
        } else if is_of_bytes(&right, schema) {
            beside(&mut right, &mut left, op == Op::StringConcat, schema)?;
        }
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }

    /// Gives NULLs beside bytes their type, which the engine finds no common one for.
    fn plan_array_literal(
        &self,
        items: Vec<Expr>,
        schema: &DFSchema,
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let bytes = items.iter().find(|item| is_of_bytes(item, schema));
        let Some(of) = bytes.and_then(|item| item.get_type(schema).ok()) else {
            return Ok(PlannerResult::Original(items));
        };
        let is_null = |item: &Expr| matches!(item.get_type(schema), Ok(DataType::Null));
        let items = items.into_iter().map(|item| match is_null(&item) {
            true => cast(item, of.clone()),
            false => item,
        });
        Ok(PlannerResult::Original(items.collect()))
    }
}

/// Makes a literal beside bytes bytes. Where they are joined, bytes beside a text become one.
fn beside(bytes: &mut Expr, other: &mut Expr, joins: bool, schema: &DFSchema) -> Result<()> {
    if let Some(literal) = literal(other)? {
        *other = literal;
        return Ok(());
    }
    let is_text = || other.get_type(schema).is_ok_and(|of| of.is_string());
    if joins && is_short(other) && is_text() {
        *bytes = cast(std::mem::take(bytes), DataType::Utf8);
    }
    Ok(())
}

/// Returns a text literal as bytes; `None` for other expressions.
///
/// # Errors
///
/// The text is not a text form of bytes.
fn literal(expr: &Expr) -> Result<Option<Expr>> {
    let Expr::Literal(value, _) = expr else {
        return Ok(None);
    };
    Ok(match value.try_as_str().flatten() {
        Some(text) => {
            let bytes = ScalarValue::Binary(Some(bytea_of(text)?));
            Some(Expr::Literal(bytes, None))
        }
        None => None,
    })
}

fn is_of_bytes(expr: &Expr, schema: &DFSchema) -> bool {
    match expr {
        // No other operator returns bytes.
        Expr::BinaryExpr(binary) if binary.op != Operator::StringConcat => false,
        _ => is_short(expr) && expr.get_type(schema).is_ok_and(|of| is_bytes(&of)),
    }
}

/// Returns the rule to add.
pub(crate) fn rule() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(TextsBesideBytes)
}

#[derive(Debug)]
struct TextsBesideBytes;

impl AnalyzerRule for TextsBesideBytes {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        match has_bytes(&plan)? {
            true => retyped(plan, &rewritten, &gathered),
            false => Ok(plan),
        }
    }

    fn name(&self) -> &str {
        "texts_beside_bytes"
    }
}

/// Returns whether a plan has bytes.
fn has_bytes(plan: &LogicalPlan) -> Result<bool> {
    let makes_bytes = |part: &Expr| match part {
        Expr::Literal(value, _) => is_bytes(&value.data_type()),
        Expr::ScalarFunction(call) => OF_BYTES.contains(&call.func.name()),
        _ => false,
    };
    has_values(plan, |field| is_bytes(field.data_type()), makes_bytes)
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::InList(list) if are_bytes_among(once(&*list.expr).chain(&list.list), schema) => {
            let InList {
                expr,
                list,
                negated,
            } = list;
            let expr = Box::new(typed(*expr)?);
            let items = list.into_iter().map(typed).collect::<Result<Vec<Expr>>>()?;
            Transformed::yes(Expr::InList(InList::new(expr, items, negated)))
        }
        Expr::Between(between)
            if are_bytes_among([&*between.expr, &*between.low, &*between.high], schema) =>
        {
            let Between {
                expr,
                negated,
                low,
                high,
            } = between;
            let expr = Box::new(typed(*expr)?);
            let (low, high) = (Box::new(typed(*low)?), Box::new(typed(*high)?));
            Transformed::yes(Expr::Between(Between::new(expr, negated, low, high)))
        }
        Expr::Case(mut case) if compares_bytes(&case, schema) => {
            if let Some(operand) = case.expr.take() {
                case.expr = Some(Box::new(typed(*operand)?));
            }
            for (when, _) in &mut case.when_then_expr {
                **when = typed(std::mem::take(when.as_mut()))?;
            }
            Transformed::yes(Expr::Case(case))
        }
        Expr::ScalarFunction(mut call) if [ANY, ALL].contains(&call.func.name()) => {
            let [_, value, array] = call.args.as_mut_slice() else {
                return Ok(Transformed::no(Expr::ScalarFunction(call)));
            };
            let of_bytes = match array.get_type(schema) {
                Ok(DataType::List(item)) => is_bytes(item.data_type()),
                _ => false,
            };
            if of_bytes {
                *value = typed(std::mem::take(value))?;
            }
            Transformed::new_transformed(Expr::ScalarFunction(call), of_bytes)
        }
        // What was a text when it was planned may be bytes now, such as `string_agg`.
        Expr::BinaryExpr(mut binary) if concerns(binary.op) => {
            let joins = binary.op == Operator::StringConcat;
            if is_of_bytes(&binary.left, schema) {
                beside(&mut binary.left, &mut binary.right, joins, schema)?;
            } else if is_of_bytes(&binary.right, schema) {
                beside(&mut binary.right, &mut binary.left, joins, schema)?;
            } else {
                return Ok(Transformed::no(Expr::BinaryExpr(binary)));
            }
            Transformed::yes(Expr::BinaryExpr(binary))
        }
        Expr::Like(like) if is_like_of_bytes(&like, schema) => {
            let args = vec![*like.expr, typed(*like.pattern)?];
            let matches = like::matches(args);
            Transformed::yes(match like.negated {
                true => Expr::Not(Box::new(matches)),
                false => matches,
            })
        }
        Expr::ScalarFunction(mut call) if WRITING.contains(&call.func.name()) => {
            let args = call.args.into_iter();
            let args = args.map(|arg| match is_of_bytes(&arg, schema) {
                true => cast(arg, DataType::Utf8),
                false => arg,
            });
            call.args = args.collect();
            Transformed::yes(Expr::ScalarFunction(call))
        }
        other => Transformed::no(other),
    })
}

fn are_bytes_among<'a>(exprs: impl IntoIterator<Item = &'a Expr>, schema: &DFSchema) -> bool {
    exprs.into_iter().any(|expr| is_of_bytes(expr, schema))
}

/// Returns whether a CASE compares its operand, and one of the compared values is bytes.
fn compares_bytes(case: &Case, schema: &DFSchema) -> bool {
    let whens = case.when_then_expr.iter().map(|(when, _)| when.as_ref());
    case.expr
        .as_deref()
        .is_some_and(|operand| are_bytes_among(once(operand).chain(whens), schema))
}

fn concerns(op: Operator) -> bool {
    is_comparison(op) || op == Operator::StringConcat
}

/// Returns the expression, as bytes if it is a text literal.
fn typed(expr: Expr) -> Result<Expr> {
    Ok(literal(&expr)?.unwrap_or(expr))
}

/// Returns whether bytes are matched with bytes, or with a literal.
fn is_like_of_bytes(like: &Like, schema: &DFSchema) -> bool {
    let is_literal = |expr: &Expr| matches!(expr, Expr::Literal(..));
    !like.case_insensitive
        && like.escape_char.is_none()
        && is_of_bytes(&like.expr, schema)
        && (is_literal(&like.pattern) || is_of_bytes(&like.pattern, schema))
}

/// The functions that `string_agg` of bytes is made with.
static FORMS: LazyLock<[Arc<ScalarUDF>; 2]> =
    LazyLock::new(|| [function(Kind::Encode), function(Kind::Decode)]);

/// Replaces an operator that joins bytes with `string_agg`: the texts that the engine joins are
/// those of the bytes in hex, in which bytes have the same order.
fn gathered(node: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::Aggregate(aggregate) = node else {
        return Ok(None);
    };
    let input = aggregate.input.schema();
    let mut aggregates = Vec::with_capacity(aggregate.aggr_expr.len());
    let mut joined = Vec::with_capacity(aggregate.aggr_expr.len());
    for expr in &aggregate.aggr_expr {
        let in_hex = in_hex(expr, input)?;
        joined.push(in_hex.is_some());
        aggregates.push(in_hex.unwrap_or_else(|| expr.clone()));
    }
    if !joined.contains(&true) {
        return Ok(None);
    }
    let input = Arc::clone(&aggregate.input);
    let made = Aggregate::try_new(input, aggregate.group_expr.clone(), aggregates)?;
    let schema = Arc::clone(&made.schema);
    // The aggregates are the last columns.
    let first = schema.fields().len().saturating_sub(joined.len());
    let columns = schema.iter().enumerate().map(|(place, (of, field))| {
        let column = Expr::Column(Column::new(of.cloned(), field.name()));
        let is_joined = place
            .checked_sub(first)
            .and_then(|place| joined.get(place))
            .is_some_and(|is| *is);
        match is_joined {
            true => {
                let [_, decode] = &*FORMS;
                let text = cast(column, DataType::Utf8);
                let bytes = decode.call(vec![text, lit("hex")]);
                bytes.alias_qualified(of.cloned(), field.name())
            }
            false => column,
        }
    });
    let columns = columns.collect();
    let made = Arc::new(LogicalPlan::Aggregate(made));
    Projection::try_new(columns, made).map(|made| Some(LogicalPlan::Projection(made)))
}

/// Returns `string_agg` of bytes, with a literal as the delimiter, as one of texts in hex under the
/// same name; `None` for other aggregates.
fn in_hex(expr: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    let (call, name) = match expr {
        Expr::AggregateFunction(call) => (call, (None, expr.schema_name().to_string())),
        Expr::Alias(Alias {
            expr,
            relation,
            name,
            ..
        }) => match expr.as_ref() {
            Expr::AggregateFunction(call) => (call, (relation.clone(), name.clone())),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let [value, delimiter] = call.params.args.as_slice() else {
        return Ok(None);
    };
    if call.func.name() != "string_agg" || !is_of_bytes(value, schema) {
        return Ok(None);
    }
    let delimiter = match typed(delimiter.clone())? {
        Expr::Literal(ScalarValue::Binary(Some(bytes)), _) => lit(Form::Hex.encode(&bytes)),
        Expr::Literal(value, metadata) if value.is_null() => Expr::Literal(value, metadata),
        _ => return Ok(None),
    };
    let [encode, _] = &*FORMS;
    let text = encode.call(vec![value.clone(), lit("hex")]);
    let mut params = call.params.clone();
    for key in &mut params.order_by {
        // The keys of distinct values are the values.
        if key.expr == *value {
            key.expr = text.clone();
        }
    }
    params.args = vec![text, delimiter];
    let call = AggregateFunction {
        func: Arc::clone(&call.func),
        params,
    };
    let (relation, name) = name;
    Ok(Some(
        Expr::AggregateFunction(call).alias_qualified(relation, name),
    ))
}
