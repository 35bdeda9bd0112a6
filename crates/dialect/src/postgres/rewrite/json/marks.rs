//! Marks of JSON on expressions whose type the engine forgets. A value of `json` is a text with a
//! mark, which subqueries, `CASE` and `coalesce` do not pass on.
//!
//! ```text
//! (SELECT json_agg(x) FROM t)        $json_kept((SELECT $json_agg(…) FROM t))
//! coalesce(to_jsonb(x), '[]')        $jsonb_kept(coalesce(to_jsonb(x), '[]'::jsonb))
//! CASE WHEN c THEN x::json END       $json_kept(CASE WHEN c THEN x::json END)
//! to_json(array_agg(x::json))        $json_list(array_agg(x::json))
//! ```
//!
//! The form of an expression says whether it is JSON. A column alone does not.

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, SelectItem, Value,
};

use super::ROW;
use crate::postgres::output_names::items_of;
use crate::postgres::rewrite::{build, last_part};

/// Functions that return `json`, as they are named after the rewrite of their calls.
const RETURN_JSON: &[&str] = &[
    "$json_agg",
    "$json_build_array_of",
    "$json_build_object_of",
    "$json_kept",
    "$json_list",
    "$json_object_agg",
    ROW,
    "array_to_json",
    "json_build_array",
    "json_build_object",
    "json_strip_nulls",
    "row_to_json",
    "to_json",
];

/// The same for `jsonb`.
const RETURN_JSONB: &[&str] = &[
    "$jsonb_agg",
    "$jsonb_build_array_of",
    "$jsonb_build_object_of",
    "$jsonb_kept",
    "$jsonb_object_agg",
    "jsonb_build_array",
    "jsonb_build_object",
    "jsonb_delete_path",
    "jsonb_insert",
    "jsonb_object",
    "jsonb_path_query_array",
    "jsonb_path_query_array_tz",
    "jsonb_path_query_first",
    "jsonb_path_query_first_tz",
    "jsonb_set",
    "jsonb_strip_nulls",
    "to_jsonb",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Json,
    Jsonb,
}

impl Mark {
    /// Returns the mark that the form of an expression shows. Its parts have been rewritten.
    fn of(expr: &Expr) -> Option<Self> {
        match expr {
            Expr::Nested(inner) => Self::of(inner),
            Expr::Cast { data_type, .. } => Self::of_type(data_type),
            Expr::TypedString(typed) => Self::of_type(&typed.data_type),
            Expr::Function(function) => {
                let name = last_part(&function.name)?;
                if RETURN_JSON.contains(&name.as_str()) {
                    return Some(Self::Json);
                }
                if RETURN_JSONB.contains(&name.as_str()) {
                    return Some(Self::Jsonb);
                }
                // The part of a value is of its type.
                if !matches!(name.as_str(), "$json_get" | "$json_get_path") {
                    return None;
                }
                let arguments = build::arguments(&function.args)?;
                Self::of(arguments.first()?)
            }
            Expr::Subquery(query) => match items_of(&query.body)? {
                [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => {
                    Self::of(expr)
                }
                _ => None,
            },
            _ => None,
        }
    }

    fn of_type(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::JSON => Some(Self::Json),
            DataType::JSONB => Some(Self::Jsonb),
            _ => None,
        }
    }

    /// Casts a constant beside values of this type to it, as PostgreSQL reads it.
    fn cast(self, expr: &mut Expr) {
        let is_text = matches!(expr, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_)));
        if is_text {
            let data_type = match self {
                Self::Json => DataType::JSON,
                Self::Jsonb => DataType::JSONB,
            };
            *expr = build::cast(build::taken(expr), data_type);
        }
    }

    fn put_on(self, expr: &mut Expr) {
        let kept = match self {
            Self::Json => "$json_kept",
            Self::Jsonb => "$jsonb_kept",
        };
        *expr = build::call(kept, vec![build::taken(expr)]);
    }
}

/// Returns whether an expression that is cast to a number is `jsonb` by its form: there is no such cast
/// of `json`. Its parts have been rewritten.
pub(super) fn is_jsonb(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_jsonb(inner),
        Expr::Function(function) => {
            let name = last_part(&function.name);
            let is_part = matches!(name.as_deref(), Some("$json_get" | "$json_get_path"));
            is_part || Mark::of(expr) == Some(Mark::Jsonb)
        }
        _ => Mark::of(expr) == Some(Mark::Jsonb),
    }
}

/// Returns whether an expression is an array of JSON values by its form. Its parts have been rewritten.
pub(super) fn is_list(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_list(inner),
        Expr::Array(array) => {
            let is_null =
                |item: &Expr| matches!(item, Expr::Value(value) if value.value == Value::Null);
            let is_json = |item: &Expr| Mark::of(item).is_some();
            let mut items = array.elem.iter();
            array.elem.iter().any(is_json) && items.all(|item| is_json(item) || is_null(item))
        }
        Expr::Function(function) if last_part(&function.name).as_deref() == Some("array_agg") => {
            let FunctionArguments::List(list) = &function.args else {
                return false;
            };
            let argument = list.args.first().and_then(build::argument);
            argument.is_some_and(|argument| Mark::of(&argument).is_some())
        }
        _ => false,
    }
}

/// Marks an expression that is JSON and would lose its mark. Its parts have been rewritten.
pub(super) fn put(expr: &mut Expr) {
    let mark = match expr {
        Expr::Subquery(_) => Mark::of(expr),
        Expr::Case {
            conditions,
            else_result,
            ..
        } => {
            let mut results: Vec<&mut Expr> = conditions
                .iter_mut()
                .map(|branch| &mut branch.result)
                .chain(else_result.as_deref_mut())
                .collect();
            of_any(&mut results)
        }
        Expr::Function(function) if last_part(&function.name).as_deref() == Some("coalesce") => {
            let FunctionArguments::List(list) = &mut function.args else {
                return;
            };
            let mut arguments: Vec<&mut Expr> = list
                .args
                .iter_mut()
                .filter_map(|argument| match argument {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Some(argument),
                    _ => None,
                })
                .collect();
            of_any(&mut arguments)
        }
        // The subquery of ANY is not a value.
        Expr::AnyOp { right, .. } | Expr::AllOp { right, .. } => {
            take_off(right);
            None
        }
        _ => None,
    };
    if let Some(mark) = mark {
        mark.put_on(expr);
    }
}

/// Returns the mark of values of which one is the result, and casts the constants among them.
fn of_any(values: &mut [&mut Expr]) -> Option<Mark> {
    let mark = values.iter().find_map(|value| Mark::of(value))?;
    for value in values.iter_mut() {
        mark.cast(value);
    }
    Some(mark)
}

/// Removes the mark of a subquery.
fn take_off(expr: &mut Expr) {
    let Expr::Function(function) = expr else {
        return;
    };
    if !matches!(
        last_part(&function.name).as_deref(),
        Some("$json_kept" | "$jsonb_kept")
    ) {
        return;
    }
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    if let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_mut_slice()
        && matches!(argument, Expr::Subquery(_))
    {
        let subquery = build::taken(argument);
        *expr = subquery;
    }
}
