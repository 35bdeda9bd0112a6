//! Text literals beside values of another type, which they take in PostgreSQL.
//!
//! ```text
//! coalesce(day, '2024-01-01')        coalesce(day, typed_text('2024-01-01', day))
//! CASE WHEN c THEN '0' ELSE n END    CASE WHEN c THEN typed_text('0', n) ELSE n END
//!                                    likewise greatest, least, nullif, ARRAY[…], and what lag
//!                                    and lead return without a row
//! tags = '{}', tags < '{a,b}'        tags = typed_text('{}', tags), …
//! flags & '4'                        flags & typed_text('4', flags), likewise | and #
//! coalesce((SELECT array_agg(x) …), '{}')
//!                                    coalesce((SELECT array_agg(x) …), ARRAY[])
//! array_append('{1,2}', 3)           array_append(typed_text('{1,2}', ARRAY[3]), 3)
//!                                    likewise array_cat('{1,2}', tags)
//! greatest(day, moment, '2024-01-01 10:00')
//!                                    greatest(day, moment, typed_text('…', day, moment))
//! ```
//!
//! The further arguments only tell the type, and are not evaluated. `columns.rs` has VALUES and set
//! operations.

mod columns;

use std::ops::ControlFlow;

pub(super) use columns::{each_column, set_operation, values, values_of_set_operation};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    SelectItem, SetExpr, Value,
};
use lakegate_engine::untyped_texts::{TYPED_TEXT, may_have_type};
use lakegate_sql::walk::walk_expressions;

use super::build;
use super::calls::text_of;

/// Functions whose arguments have one type.
const OF_ONE_TYPE: [&str; 8] = [
    "array_cat",
    "array_concat",
    "coalesce",
    "greatest",
    "ifnull",
    "least",
    "nullif",
    "nvl",
];

/// Functions of an array and an item, with the places of both. Either may be a literal.
const OF_ITEMS: [(&str, usize, usize); 6] = [
    ("array_append", 0, 1),
    ("array_position", 0, 1),
    ("array_positions", 0, 1),
    ("array_prepend", 1, 0),
    ("array_remove", 0, 1),
    ("array_replace", 0, 1),
];

/// Functions of a value of another row, with what they return without one.
const OF_ROWS: [&str; 2] = ["lag", "lead"];

/// The maximum number of expressions in a value that tells a type, since it is written again.
const MAX_TELLING: usize = 16;

/// The maximum number of values beside a literal that tell its type.
const MAX_TYPES: usize = 4;

/// Gives the text literals among values of one type a type.
pub(super) fn rewrite(expr: &mut Expr) {
    match expr {
        Expr::Case {
            conditions,
            else_result,
            ..
        } => {
            let results = conditions.iter_mut().map(|when| &mut when.result);
            of_one_type(results.chain(else_result.as_deref_mut()).collect());
        }
        Expr::Array(array) => of_one_type(array.elem.iter_mut().collect()),
        Expr::Function(function) => of_function(function),
        // The engine gives other literals the type of what they are compared with.
        Expr::BinaryOp {
            left,
            op:
                BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq,
            right,
        } if is_array_text(left) || is_array_text(right) => {
            of_one_type(vec![left.as_mut(), right.as_mut()]);
        }
        Expr::BinaryOp {
            left,
            op:
                BinaryOperator::BitwiseAnd | BinaryOperator::BitwiseOr | BinaryOperator::PGBitwiseXor,
            right,
        } => of_one_type(vec![left.as_mut(), right.as_mut()]),
        // `<<` of network addresses takes texts that are not numbers.
        Expr::BinaryOp {
            op: BinaryOperator::PGBitwiseShiftLeft | BinaryOperator::PGBitwiseShiftRight,
            right,
            ..
        } => {
            let bits = text_of(right).and_then(|text| text.trim().parse::<i32>().ok());
            if let Some(bits) = bits {
                **right = build::cast(build::integer(bits.into()), DataType::Integer(None));
            }
        }
        _ => {}
    }
}

fn of_function(function: &mut Function) {
    let name = function.name.to_string().to_lowercase();
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    if let Some((_, array, item)) = OF_ITEMS.iter().find(|(known, ..)| *known == name) {
        return of_items(&mut list.args, *array, *item);
    }
    let has_one_type = OF_ONE_TYPE.contains(&name.as_str());
    if !has_one_type && !OF_ROWS.contains(&name.as_str()) {
        return;
    }
    let args = list.args.iter_mut().enumerate();
    // The second argument of the others counts rows.
    let args = args.filter(|(place, _)| has_one_type || *place != 1);
    let values = args.filter_map(|(_, arg)| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value),
        _ => None,
    });
    of_one_type(values.collect());
}

/// Gives the text of an array the type of the item beside it.
fn of_items(args: &mut [FunctionArg], array: usize, item: usize) {
    let value = |place: usize| match args.get(place) {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(value))) => Some(value),
        _ => None,
    };
    let text = value(array).filter(|text| is_array_text(text)).cloned();
    let told = value(item).filter(|item| tells_type(item)).cloned();
    if let Some((text, item)) = text.zip(told)
        && let Some(place) = args.get_mut(array)
    {
        let typed = build::call(TYPED_TEXT, vec![text, build::array(vec![item])]);
        *place = FunctionArg::Unnamed(FunctionArgExpr::Expr(typed));
    }
}

/// Gives the text literals among values of one type the type of the others.
pub(super) fn of_one_type(mut values: Vec<&mut Expr>) {
    // A subquery is not written again to tell a type, which an empty array does not need.
    if values.iter().any(|value| is_query_of_array(value)) {
        for value in values.iter_mut().filter(|value| is_empty_array(value)) {
            **value = build::array(Vec::new());
        }
    }
    of_type(values, tells_type);
}

/// Returns whether an expression is the text of an array without items.
fn is_empty_array(expr: &Expr) -> bool {
    text_of(expr).is_some_and(|text| text.trim() == "{}")
}

/// Returns whether an expression is a subquery whose SELECT list is an array.
fn is_query_of_array(expr: &Expr) -> bool {
    let query = match expr {
        Expr::Nested(inner) => return is_query_of_array(inner),
        Expr::Subquery(query) => query,
        _ => return false,
    };
    let SetExpr::Select(select) = query.body.as_ref() else {
        return false;
    };
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
        select.projection.as_slice()
    else {
        return false;
    };
    match value {
        Expr::Array(_) => true,
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::Array(_)),
        Expr::Function(function) => function.name.to_string().eq_ignore_ascii_case("array_agg"),
        _ => false,
    }
}

/// Gives the text literals among values the type of those that tell one.
fn of_type(mut values: Vec<&mut Expr>, tells: fn(&Expr) -> bool) {
    if !values.iter().any(|value| is_untyped(value)) {
        return;
    }
    let telling = telling(&values, tells);
    if telling.is_empty() {
        return;
    }
    for value in values.iter_mut().filter(|value| is_untyped(value)) {
        let literal = build::taken(value);
        let args = std::iter::once(literal).chain(telling.iter().cloned());
        **value = build::call(TYPED_TEXT, args.collect());
    }
}

/// Returns the values that tell a type, without those that clearly tell the same, and not more than
/// a few.
fn telling(values: &[&mut Expr], tells: fn(&Expr) -> bool) -> Vec<Expr> {
    let mut found: Vec<Expr> = Vec::new();
    for value in values.iter().map(|value| &**value) {
        if found.len() < MAX_TYPES
            && tells(value)
            && !found.iter().any(|known| tells_the_same(known, value))
        {
            found.push(value.clone());
        }
    }
    found
}

fn tells_the_same(one: &Expr, other: &Expr) -> bool {
    match (one, other) {
        (
            Expr::Cast { data_type: one, .. },
            Expr::Cast {
                data_type: other, ..
            },
        ) => one == other,
        (Expr::TypedString(one), Expr::TypedString(other)) => one.data_type == other.data_type,
        (Expr::Value(one), Expr::Value(other)) => match (&one.value, &other.value) {
            (Value::Number(one, _), Value::Number(other, _)) => is_whole(one) == is_whole(other),
            _ => one == other,
        },
        _ => one == other,
    }
}

fn is_whole(number: &str) -> bool {
    number.bytes().all(|digit| digit.is_ascii_digit())
}

/// Returns whether an expression is a text literal in the form of an array. An object of JSON, which
/// begins alike, has colons.
pub(super) fn is_array_text(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => {
                let text = text.trim();
                text.starts_with('{') && text.ends_with('}') && !text.contains(':')
            }
            _ => false,
        },
        _ => false,
    }
}

/// Returns whether an expression is a text literal that may be a value of another type.
fn is_untyped(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => {
                may_have_type(text)
            }
            _ => false,
        },
        _ => false,
    }
}

/// Returns whether an expression has a type of its own, and can be written again.
fn tells_type(expr: &Expr) -> bool {
    if let Expr::Value(value) = expr {
        return matches!(value.value, Value::Number(..) | Value::Boolean(_));
    }
    if is_typed_parameter(expr) {
        return true;
    }
    let mut count = 0;
    let walked = walk_expressions(expr, |part| {
        count += 1;
        let is_query = matches!(
            part,
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } | Expr::Lambda(_)
        );
        let is_set = match part {
            Expr::Function(function) => function.name.to_string() == "unnest",
            _ => false,
        };
        let is_open = match part {
            Expr::Value(value) => matches!(value.value, Value::Placeholder(_)),
            _ => false,
        };
        match is_query || is_set || is_open || count > MAX_TELLING {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    walked.is_continue()
}

/// Returns whether an expression is a parameter that is cast.
fn is_typed_parameter(expr: &Expr) -> bool {
    let mut operand = expr;
    let mut is_cast = false;
    while let Expr::Cast { expr: inner, .. } | Expr::Nested(inner) = operand {
        is_cast |= matches!(operand, Expr::Cast { .. });
        operand = inner;
    }
    match operand {
        Expr::Value(value) => is_cast && matches!(value.value, Value::Placeholder(_)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    #[test]
    fn literals_are_beside_the_value_that_tells_their_type() {
        for (sql, expected) in [
            ("coalesce(x, '1')", "coalesce(x, typed_text('1', x))"),
            (
                "greatest('1', x, x, y, 2, 2.5, 3)",
                "greatest(typed_text('1', x, y, 2, 2.5), x, x, y, 2, 2.5, 3)",
            ),
            (
                "coalesce('1', NULL, 2)",
                "coalesce(typed_text('1', 2), NULL, 2)",
            ),
            (
                "CASE WHEN c THEN '1' WHEN d THEN NULL ELSE max(y) END",
                "CASE WHEN c THEN typed_text('1', max(y)) WHEN d THEN NULL ELSE max(y) END",
            ),
            ("ARRAY[x, '{}']", "ARRAY[x, typed_text('{}', x)]"),
            ("x = '{}'", "x = typed_text('{}', x)"),
            ("x < '{a,b}'", "x < typed_text('{a,b}', x)"),
            ("'{1}' <> x", "typed_text('{1}', x) <> x"),
            (r#"x = '{"a": 1}'"#, r#"x = '{"a": 1}'"#),
            ("x = '1'", "x = '1'"),
            ("x & '4'", "x & typed_text('4', x)"),
            ("'1' | 2", "typed_text('1', 2) | 2"),
            ("lag(x, 1, '1')", "lag(x, 1, typed_text('1', x))"),
            ("lag(x, '1')", "lag(x, '1')"),
            // Nothing tells a type, or the text has none but its own.
            ("coalesce(NULL, '1')", "coalesce(NULL, '1')"),
            ("coalesce($1, '1')", "coalesce($1, '1')"),
            (
                "coalesce($1::INT[], '{3}')",
                "coalesce($1::INT[], typed_text('{3}', $1::INT[]))",
            ),
            (
                "array_append('{1}', 3)",
                "array_append(typed_text('{1}', ARRAY[3]), 3)",
            ),
            (
                "array_prepend(x, '{}')",
                "array_prepend(x, typed_text('{}', ARRAY[x]))",
            ),
            ("array_append('{1}', '3')", "array_append('{1}', '3')"),
            ("array_append(x, '3')", "array_append(x, '3')"),
            ("array_cat(x, '{1}')", "array_cat(x, typed_text('{1}', x))"),
            ("coalesce((SELECT 1), '1')", "coalesce((SELECT 1), '1')"),
            ("coalesce(x, 'none')", "coalesce(x, 'none')"),
            ("concat(x, '1')", "concat(x, '1')"),
        ] {
            let mut parser = Parser::new(&PostgreSqlDialect {});
            parser = parser.try_with_sql(sql).unwrap();
            let mut expr = parser.parse_expr().unwrap();
            rewrite(&mut expr);
            assert_eq!(expr.to_string(), expected);
        }
    }
}
