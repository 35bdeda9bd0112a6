//! Refuses the implicit casts of arrays, structs, maps and bytes to text and numbers that DataFusion
//! makes.
//!
//! ```text
//! length(ARRAY[1, 2])                DataFusion: 6, the length of '[1, 2]'
//! left('\xc3a4'::bytea, 1)           DataFusion: 'ä', the text that the bytes are in UTF-8
//! CAST('[1, 2]' AS TEXT[])           DataFusion: an array with one text
//! CAST(ARRAY[ARRAY[1]] AS TEXT[])    DataFusion: an array with the text '[1]'
//! min(a struct of arrays)            DataFusion: an internal error, if there are two
//! CAST(1.5 AS TIMESTAMP)             DataFusion: a millionth of CAST(1 AS TIMESTAMP)
//! ```
//!
//! An analyzer rule that runs before type coercion, when all casts are explicit. All of these are
//! errors, as in PostgreSQL and Athena.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, TryCast};
use datafusion::optimizer::AnalyzerRule;
use lakegate_error::{Code, Error};

/// Functions of text that accept anything that can be cast to text.
const OF_TEXT: [&str; 12] = [
    "btrim",
    "character_length",
    "find_in_set",
    "left",
    "lpad",
    "ltrim",
    "overlay",
    "regexp_replace",
    "right",
    "rpad",
    "substr_index",
    "translate",
];

/// Refuses implicit casts of nested values, and casts to arrays and timestamps that PostgreSQL does
/// not have.
#[derive(Debug)]
pub(crate) struct NestedAreNoTexts;

impl AnalyzerRule for NestedAreNoTexts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.apply_with_subqueries(|node| {
            let mut schema = None;
            node.apply_expressions(|expr| {
                expr.apply(|expr| {
                    if concerns(expr) {
                        let schema = schema.get_or_insert_with(|| merge_schema(&node.inputs()));
                        check(expr, schema)?;
                    }
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })?;
        Ok(plan)
    }

    fn name(&self) -> &str {
        "nested_are_no_texts"
    }
}

fn concerns(expr: &Expr) -> bool {
    match expr {
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => {
            is_list(field.data_type()) || matches!(field.data_type(), DataType::Timestamp(..))
        }
        Expr::ScalarFunction(call) => OF_TEXT.contains(&call.func.name()),
        Expr::AggregateFunction(call) => matches!(call.func.name(), "min" | "max"),
        _ => false,
    }
}

fn is_list(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)
    )
}

/// Returns how deep arrays are nested.
fn depth(data_type: &DataType) -> usize {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            1 + depth(item.data_type())
        }
        _ => 0,
    }
}

/// Returns an error if an expression is refused.
fn check(expr: &Expr, schema: &DFSchema) -> Result<()> {
    match expr {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
            // The type of an expression that is not coerced yet may be unknown.
            let Ok(from) = expr.get_type(schema) else {
                return Ok(());
            };
            match field.data_type() {
                to if is_list(to) && !is_list(&from) && !from.is_null() => Err(Error::new(
                    Code::TypeMismatch,
                    format!("cannot cast {} to an array", described(&from)),
                )
                .with_hint("write ARRAY[x], or string_to_array(x, ',') for a text of several items")
                .into()),
                to if is_list(to) && depth(&from) > depth(to) => Err(Error::new(
                    Code::CannotCoerce,
                    "cannot cast an array of arrays to an array",
                )
                .with_hint("write a pair of brackets for each level, such as text[][]")
                .into()),
                DataType::Timestamp(..) if from.is_floating() || from.is_decimal() => {
                    Err(Error::new(
                        Code::TypeMismatch,
                        format!("cannot cast {} to timestamp", described(&from)),
                    )
                    .with_hint("to_timestamp(x) takes seconds")
                    .into())
                }
                _ => Ok(()),
            }
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            for arg in args {
                let Ok(from) = arg.get_type(schema) else {
                    continue;
                };
                // A function that is one of bytes returns bytes.
                if from.is_binary() && expr.get_type(schema).is_ok_and(|made| made.is_string()) {
                    return Err(Error::new(
                        Code::FunctionNotFound,
                        format!("function {} does not take bytes", func.name()),
                    )
                    .with_hint("encode(x, 'hex') returns a text, and convert_from(x, 'UTF8') that which the bytes are")
                    .into());
                }
                if from.is_nested() {
                    return Err(Error::new(
                        Code::FunctionNotFound,
                        format!(
                            "function {} does not take {}",
                            func.name(),
                            described(&from)
                        ),
                    )
                    .with_hint(
                        "cardinality(x) and similar take arrays; CAST(x AS VARCHAR) returns text",
                    )
                    .into());
                }
            }
            Ok(())
        }
        Expr::AggregateFunction(call) => {
            let of = call.params.args.first();
            match of.and_then(|arg| arg.get_type(schema).ok()) {
                Some(of) if !is_ordered(&of) => Err(Error::new(
                    Code::FunctionNotFound,
                    format!(
                        "function {} does not take {}",
                        call.func.name(),
                        described(&of)
                    ),
                )
                .with_hint("aggregate one of its fields, such as min(x['field'])")
                .into()),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Returns whether DataFusion can order two values. It cannot for arrays within structs or structs
/// within arrays.
fn is_ordered(data_type: &DataType) -> bool {
    match data_type {
        DataType::Map(..) => false,
        DataType::Struct(fields) => fields.iter().all(|field| !field.data_type().is_nested()),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            match item.data_type() {
                item if is_list(item) => is_ordered(item),
                item => !item.is_nested(),
            }
        }
        _ => true,
    }
}

fn described(data_type: &DataType) -> &'static str {
    match data_type {
        list if is_list(list) => "an array",
        DataType::Struct(_) => "a struct",
        DataType::Map(..) => "a map",
        DataType::Boolean => "a boolean",
        number if number.is_numeric() => "a number",
        time if time.is_temporal() => "a time",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "a text",
        _ => "such a value",
    }
}
