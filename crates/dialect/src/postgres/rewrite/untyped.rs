//! Text literals beside values of another type, which they take in PostgreSQL.
//!
//! ```text
//! coalesce(day, '2024-01-01')        coalesce(day, typed_text('2024-01-01', day))
//! CASE WHEN c THEN '0' ELSE n END    CASE WHEN c THEN typed_text('0', n) ELSE n END
//!                                    likewise greatest, least, nullif, ARRAY[…], and what lag
//!                                    and lead return without a row
//! tags = '{}', tags < '{a,b}'        tags = typed_text('{}', tags), …
//! SELECT ARRAY[1] UNION SELECT '{2}' SELECT ARRAY[1] UNION SELECT typed_text('{2}', ARRAY[1])
//! coalesce((SELECT array_agg(x) …), '{}')
//!                                    coalesce((SELECT array_agg(x) …), ARRAY[])
//! VALUES (date '2024-01-01'), ('2024-01-02')
//!                                    VALUES (date '2024-01-01'), (typed_text('2024-01-02', …))
//! SELECT 10 UNION SELECT '9'         SELECT 10 UNION SELECT typed_text('9', 10)
//! SELECT 10 UNION SELECT 'x'         refused
//! greatest(day, moment, '2024-01-01 10:00')
//!                                    greatest(day, moment, typed_text('…', day, moment))
//! VALUES (x::uuid), (NULL), ('…')    VALUES (x::uuid), (NULL::uuid), ('…'::uuid)
//! VALUES (1::int), (2)               VALUES (1::int), (2::int)
//! ```
//!
//! The further arguments only tell the type, and are not evaluated.

use lakegate_engine::untyped_texts::{TYPED_TEXT, may_have_type};
use lakegate_sql::walk::walk_expressions;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Query, SelectItem, SetExpr, TimezoneInfo, Value,
};

use lakegate_error::{Code, Error};

use super::calls::text_of;
use super::{build, numbers};

/// Functions whose arguments have one type.
const OF_ONE_TYPE: [&str; 6] = ["coalesce", "greatest", "ifnull", "least", "nullif", "nvl"];

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
        _ => {}
    }
}

/// Gives the text literals in columns of VALUES a type. Not for VALUES that are inserted, where
/// each takes the type of the table's column.
pub(super) fn values(query: &mut Query) {
    values_in(&mut query.body);
}

/// Does the same for VALUES that are parts of a set operation, which none inserts as they are.
pub(super) fn values_of_set_operation(query: &mut Query) {
    if matches!(query.body.as_ref(), SetExpr::SetOperation { .. }) {
        values_in(&mut query.body);
    }
}

fn values_in(body: &mut SetExpr) {
    let mut bodies = vec![body];
    while let Some(body) = bodies.pop() {
        match body {
            SetExpr::SetOperation { left, right, .. } => {
                bodies.push(left.as_mut());
                bodies.push(right.as_mut());
            }
            SetExpr::Values(values) => {
                let width = values.rows.first().map_or(0, |row| row.content.len());
                for column in 0..width {
                    let rows = values.rows.iter_mut();
                    let cells = rows.filter_map(|row| row.content.get_mut(column));
                    let mut cells: Vec<&mut Expr> = cells.collect();
                    of_shown_type(&mut cells);
                    of_integers(&mut cells);
                    of_one_type(cells);
                }
            }
            _ => {}
        }
    }
}

/// Gives the text literals in the columns of set operations the types of constants in other parts.
///
/// # Errors
///
/// A text is beside a number, and is none.
pub(super) fn set_operation(query: &mut Query) -> Result<(), Error> {
    if !matches!(query.body.as_ref(), SetExpr::SetOperation { .. }) {
        return Ok(());
    }
    let mut lists: Vec<&mut Vec<SelectItem>> = Vec::new();
    let mut bodies = vec![query.body.as_mut()];
    while let Some(body) = bodies.pop() {
        match body {
            SetExpr::Select(select) => lists.push(&mut select.projection),
            SetExpr::SetOperation { left, right, .. } => {
                bodies.push(left.as_mut());
                bodies.push(right.as_mut());
            }
            _ => return Ok(()),
        }
    }
    let is_plain = |item: &SelectItem| {
        matches!(
            item,
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
        )
    };
    if !lists.iter().all(|list| list.iter().all(is_plain)) {
        return Ok(());
    }
    let width = lists.iter().map(|list| list.len()).min().unwrap_or(0);
    for column in 0..width {
        let items = lists.iter_mut().filter_map(|list| list.get_mut(column));
        let values: Vec<&mut Expr> = items
            .filter_map(|item| match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    Some(expr)
                }
                _ => None,
            })
            .collect();
        numbers_only(&values)?;
        of_type(values, is_constant);
    }
    Ok(())
}

/// Rejects a text that is no number beside the literal of one, which the engine would make a text.
fn numbers_only(values: &[&mut Expr]) -> Result<(), Error> {
    let mut literals = values.iter().filter_map(|value| match &**value {
        Expr::Value(value) => Some(&value.value),
        _ => None,
    });
    let number = literals.clone().find_map(|literal| match literal {
        Value::Number(number, _) => Some(number),
        _ => None,
    });
    let text = literals.find_map(|literal| match literal {
        Value::SingleQuotedString(text) if !may_be_number(text) => Some(text),
        _ => None,
    });
    let Some((number, text)) = number.zip(text) else {
        return Ok(());
    };
    let name = match number.bytes().all(|byte| byte.is_ascii_digit()) {
        true if number.parse::<i32>().is_ok() => "integer",
        true if number.parse::<i64>().is_ok() => "bigint",
        _ => "numeric",
    };
    Err(Error::new(
        Code::InvalidCast,
        format!("invalid input syntax for type {name}: \"{text}\""),
    ))
}

/// Returns whether a text may be a number: it has a digit, or is NaN or an infinity.
fn may_be_number(text: &str) -> bool {
    let unsigned = text.trim().trim_start_matches(['+', '-']);
    let is_named = |name: &&str| unsigned.eq_ignore_ascii_case(name);
    text.contains(|part: char| part.is_ascii_digit())
        || ["nan", "inf", "infinity"].iter().any(is_named)
}

/// Returns whether an expression is a constant with a type of its own.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Cast { expr, .. } => match expr.as_ref() {
            Expr::Value(value) => !matches!(value.value, Value::Placeholder(_)),
            _ => false,
        },
        Expr::TypedString(_) => true,
        Expr::Value(_) => tells_type(expr),
        Expr::Array(array) => array.elem.iter().any(is_constant) && tells_type(expr),
        _ => false,
    }
}

fn of_function(function: &mut Function) {
    let name = function.name.to_string().to_lowercase();
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
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

/// Gives the literals and NULLs in a column of VALUES the type of one that is cast to a type which is
/// another one in disguise: the engine refuses such a column.
fn of_shown_type(cells: &mut [&mut Expr]) {
    let shown = cells.iter().find_map(|cell| match &**cell {
        Expr::Cast { data_type, .. } => Some(data_type),
        Expr::TypedString(typed) => Some(&typed.data_type),
        _ => None,
    });
    let Some(
        shown @ (DataType::Uuid
        | DataType::JSON
        | DataType::JSONB
        | DataType::Time(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz)),
    ) = shown.cloned()
    else {
        return;
    };
    for cell in cells {
        let is_literal = match &**cell {
            Expr::Value(value) => {
                matches!(value.value, Value::Null | Value::SingleQuotedString(_))
            }
            _ => false,
        };
        if is_literal {
            let literal = build::taken(cell);
            **cell = build::cast(literal, shown.clone());
        }
    }
}

/// Makes the literals of integers in a column of VALUES, which would be `bigint`, ones of the type
/// `integer`, if the column has casts to it or to `smallint`. One that does not fit stays a `bigint`,
/// and makes the column one.
fn of_integers(cells: &mut [&mut Expr]) {
    if cells.iter().any(|cell| is_cast_to_integer(cell)) {
        numbers::to_integers(cells);
    }
}

fn is_cast_to_integer(expr: &Expr) -> bool {
    match expr {
        Expr::Cast { data_type, .. } => matches!(
            data_type,
            DataType::Int(None)
                | DataType::Int2(None)
                | DataType::Int4(None)
                | DataType::Integer(None)
                | DataType::SmallInt(None)
        ),
        _ => false,
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    #[test]
    fn constants_tell_the_types_of_other_parts_of_a_set_operation() {
        for (sql, expected) in [
            (
                "SELECT 10, 'a' UNION SELECT '9', 'b'",
                "SELECT 10, 'a' UNION SELECT typed_text('9', 10), 'b'",
            ),
            (
                "SELECT '1', '2' UNION ALL SELECT x, NULL::DATE UNION ALL SELECT 1, NULL",
                "SELECT typed_text('1', 1), typed_text('2', NULL::DATE) UNION ALL SELECT x, NULL::DATE UNION ALL SELECT 1, NULL",
            ),
            (
                "SELECT ARRAY[1] UNION ALL SELECT '{2}'",
                "SELECT ARRAY[1] UNION ALL SELECT typed_text('{2}', ARRAY[1])",
            ),
            ("SELECT '1' UNION SELECT x", "SELECT '1' UNION SELECT x"),
            (
                "SELECT '1', * UNION SELECT 1, 2",
                "SELECT '1', * UNION SELECT 1, 2",
            ),
        ] {
            let parser = Parser::new(&PostgreSqlDialect {});
            let mut query = parser.try_with_sql(sql).unwrap().parse_query().unwrap();
            set_operation(&mut query).unwrap();
            assert_eq!(query.to_string(), expected);
        }
    }

    #[test]
    fn integers_of_values_take_the_type_of_a_cast() {
        for (sql, expected) in [
            (
                "VALUES (1::INT, 2), (-3, 4), (x, 5)",
                "VALUES (1::INT, 2), ((-3)::INTEGER, 4), (x, 5)",
            ),
            (
                "VALUES (1), (2::SMALLINT), (3000000000)",
                "VALUES ((1)::INTEGER), (2::SMALLINT), (3000000000)",
            ),
            (
                "VALUES (1::BIGINT), (2), (2.5)",
                "VALUES (1::BIGINT), (2), (2.5)",
            ),
        ] {
            let parser = Parser::new(&PostgreSqlDialect {});
            let mut query = parser.try_with_sql(sql).unwrap().parse_query().unwrap();
            values(&mut query);
            assert_eq!(query.to_string(), expected);
        }
    }

    #[test]
    fn a_text_beside_a_number_is_a_number() {
        for (sql, expected) in [
            ("SELECT 1.5 UNION SELECT 'a'", Some("numeric: \"a\"")),
            (
                "SELECT '' UNION SELECT x UNION SELECT 2",
                Some("integer: \"\""),
            ),
            ("SELECT 1 UNION SELECT '-Infinity'", None),
            ("SELECT 1, 'a' UNION SELECT 2, 'b'", None),
            ("SELECT x UNION SELECT 'a'", None),
        ] {
            let parser = Parser::new(&PostgreSqlDialect {});
            let mut query = parser.try_with_sql(sql).unwrap().parse_query().unwrap();
            let refused = set_operation(&mut query)
                .err()
                .map(|error| error.to_string());
            let expected = expected.map(|of| format!("invalid input syntax for type {of}"));
            assert_eq!(refused, expected, "{sql}");
        }
    }

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
            ("lag(x, 1, '1')", "lag(x, 1, typed_text('1', x))"),
            ("lag(x, '1')", "lag(x, '1')"),
            // Nothing tells a type, or the text has none but its own.
            ("coalesce(NULL, '1')", "coalesce(NULL, '1')"),
            ("coalesce($1, '1')", "coalesce($1, '1')"),
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
