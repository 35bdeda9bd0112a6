//! Text literals in the columns of VALUES and of set operations.
//!
//! ```text
//! SELECT ARRAY[1] UNION SELECT '{2}' SELECT ARRAY[1] UNION SELECT typed_text('{2}', ARRAY[1])
//! VALUES (date '2024-01-01'), ('2024-01-02')
//!                                    VALUES (date '2024-01-01'), (typed_text('2024-01-02', …))
//! SELECT 10 UNION SELECT '9'         SELECT 10 UNION SELECT typed_text('9', 10)
//! SELECT 10 UNION SELECT 'x'         refused
//! SELECT r::int4range UNION SELECT '[1,2]'
//!                                    SELECT r::int4range UNION SELECT '[1,2]'::int4range
//! VALUES (x::uuid), (NULL), ('…')    VALUES (x::uuid), (NULL::uuid), ('…'::uuid)
//! VALUES (1::int), (2)               VALUES (1::int), (2::int)
//! ```

use datafusion::sql::sqlparser::ast::{DataType, Expr, Query, SelectItem, SetExpr, Value};
use lakegate_error::{Code, Error};

use super::super::zoned_times::is_zoned;
use super::super::{bits, build, casts, numbers};
use super::{of_one_type, of_type, tells_type};

/// Gives the text literals in columns of VALUES a type. Not for VALUES that are inserted, where
/// each takes the type of the table's column.
pub(in crate::postgres::rewrite) fn values(query: &mut Query) {
    values_in(&mut query.body);
}

/// Does the same for VALUES that are parts of a set operation, which none inserts as they are.
pub(in crate::postgres::rewrite) fn values_of_set_operation(query: &mut Query) {
    if matches!(query.body.as_ref(), SetExpr::SetOperation { .. }) {
        values_in(&mut query.body);
    }
}

fn values_in(body: &mut SetExpr) {
    each_column(body, |mut cells| {
        let is_disguised = |of: &DataType| casts::is_disguised(of) || is_zoned(of);
        of_shown_type(&mut cells, is_disguised);
        of_integers(&mut cells);
        of_one_type(cells);
    });
}

/// Calls a function with the cells of each column of VALUES, and of VALUES that are parts of a set
/// operation.
pub(in crate::postgres::rewrite) fn each_column(
    body: &mut SetExpr,
    mut each: impl FnMut(Vec<&mut Expr>),
) {
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
                    each(cells.collect());
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
pub(in crate::postgres::rewrite) fn set_operation(query: &mut Query) -> Result<(), Error> {
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
        let mut values: Vec<&mut Expr> = items
            .filter_map(|item| match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    Some(expr)
                }
                _ => None,
            })
            .collect();
        numbers_only(&values)?;
        of_shown_type(&mut values, casts::is_range_or_value);
        of_type(values, is_constant);
    }
    Ok(())
}

/// Rejects a text that is not a number beside the literal of one, which the engine would make a text.
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

/// Gives the literals and NULLs in a column of VALUES or of a set operation the type of one that is cast
/// to a type which is another one in disguise: the engine refuses such a column of VALUES.
fn of_shown_type(cells: &mut [&mut Expr], is_disguised: fn(&DataType) -> bool) {
    let shown = cells.iter().find_map(|cell| match &**cell {
        Expr::Cast { data_type, .. } => Some(bits::type_beside(data_type)),
        Expr::TypedString(typed) => Some(bits::type_beside(&typed.data_type)),
        Expr::Value(value) if bits::is_literal(&value.value) => Some(bits::of_any_length()),
        _ => None,
    });
    let Some(shown) = shown.filter(is_disguised) else {
        return;
    };
    let takes_numbers = casts::takes_numbers(&shown);
    for cell in cells {
        let is_literal = match &**cell {
            Expr::Value(value) => match value.value {
                Value::Null | Value::SingleQuotedString(_) => true,
                Value::Number(..) => takes_numbers,
                _ => false,
            },
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

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
                "SELECT '[1,2]' UNION SELECT x::int4range",
                "SELECT '[1,2]'::int4range UNION SELECT x::int4range",
            ),
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
}
