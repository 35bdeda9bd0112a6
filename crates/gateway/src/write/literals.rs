//! The literals and parameters that INSERT writes as they are take the types of their columns: the
//! cells of VALUES and the items of a SELECT list.

use std::collections::BTreeMap;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, Schema};
use lakegate_dialect::Dialect;
use sqlparser::ast::{self, Expr, SelectItem, SetExpr, UnaryOperator, Value};

use crate::query::parameters::{number, placeholder, sql_type};

/// Visits the cells of VALUES, or the items of a SELECT list without `*`, with their columns.
fn visit(body: &mut SetExpr, columns: &Schema, cell: &mut dyn FnMut(&mut Expr, &Field)) {
    match body {
        SetExpr::Query(query) => visit(&mut query.body, columns, cell),
        SetExpr::Values(values) => {
            for row in &mut values.rows {
                for (expr, column) in row.content.iter_mut().zip(columns.fields()) {
                    cell(expr, column);
                }
            }
        }
        SetExpr::Select(select) => {
            let items = &mut select.projection;
            let is_expression = |item: &SelectItem| {
                matches!(
                    item,
                    SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
                )
            };
            if !items.iter().all(is_expression) {
                return;
            }
            for (item, column) in items.iter_mut().zip(columns.fields()) {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                {
                    cell(expr, column);
                }
            }
        }
        _ => {}
    }
}

/// Casts literals to the types of the columns that they are written to: numbers to decimals and
/// REAL, where all digits fit, and in PostgreSQL's dialect numbers with more digits after the point,
/// which are rounded, also to integers, texts to any type, and literals of any type to texts.
pub(super) fn cast_literals(query: &mut ast::Query, columns: &Schema, dialect: Dialect) {
    let texts = dialect == Dialect::Postgres;
    visit(&mut query.body, columns, &mut |cell, column| {
        cast_literal(cell, column.data_type(), texts);
    });
}

fn cast_literal(cell: &mut Expr, data_type: &DataType, texts: bool) {
    if texts && data_type.is_string() {
        cast_to_text(cell, data_type);
        return;
    }
    if texts && data_type.is_integer() {
        let whole = number_of(cell).and_then(|digits| rounded(&digits));
        if let Some(whole) = whole {
            *cell = whole;
            return;
        }
    }
    let text = match (number_of(cell), text_of(cell)) {
        (Some(digits), _) if is_written(&digits, data_type, texts) => digits,
        (None, Some(text)) if texts && !data_type.is_string() => text.to_owned(),
        _ => return,
    };
    let Some(data_type) = sql_type(&holding(&text, data_type)) else {
        return;
    };
    *cell = Expr::Cast {
        kind: ast::CastKind::Cast,
        expr: Box::new(Expr::Value(Value::SingleQuotedString(text).into())),
        data_type,
        array: false,
        format: None,
    };
}

/// Makes a literal the text that PostgreSQL writes to a column of texts. Numbers that are not texts of
/// themselves, such as `.5`, stay as they are.
fn cast_to_text(cell: &mut Expr, data_type: &DataType) {
    let literal = match &*cell {
        Expr::Value(value) => match value.value {
            Value::Boolean(boolean) => Some(boolean.to_string()),
            _ => None,
        },
        _ => None,
    };
    if let Some(text) = literal.or_else(|| number_of(cell).filter(|digits| is_plain(digits))) {
        *cell = Expr::Value(Value::SingleQuotedString(text).into());
        return;
    }
    // As drivers write dates and bytes: `'2024-01-01'::date`.
    let is_typed = matches!(&*cell, Expr::Cast { expr, .. } if text_of(expr).is_some());
    let Some(data_type) = sql_type(data_type).filter(|_| is_typed) else {
        return;
    };
    *cell = Expr::Cast {
        kind: ast::CastKind::Cast,
        expr: Box::new(cell.clone()),
        data_type,
        array: false,
        format: None,
    };
}

/// Returns a number with a point as the nearest whole one, halves away from zero; `None` for other
/// numbers, and for one that is too large for any column.
fn rounded(digits: &str) -> Option<Expr> {
    let (is_negative, digits) = match digits.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, digits),
    };
    let (whole, fraction) = digits.split_once('.')?;
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_plain(whole) || !is_plain(fraction) {
        return None;
    }
    let is_up = fraction.bytes().next().is_some_and(|digit| digit >= b'5');
    let whole: i128 = match whole {
        "" => 0,
        whole => whole.parse().ok()?,
    };
    let whole = whole.checked_add(i128::from(is_up))?;
    let number = Expr::Value(Value::Number(whole.to_string(), false).into());
    Some(match is_negative && whole != 0 {
        true => Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: Box::new(number),
        },
        false => number,
    })
}

/// Whether a number is written as PostgreSQL shows it.
fn is_plain(digits: &str) -> bool {
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    is_number(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(is_number)
}

/// Returns the type that a literal is cast to: its column's, or a wider decimal if it has too many
/// digits before the point, or may have them when it is rounded. The write refuses it then, and
/// names the column.
fn holding(text: &str, data_type: &DataType) -> DataType {
    let &DataType::Decimal128(precision, scale) = data_type else {
        return data_type.clone();
    };
    let whole = text.trim().trim_start_matches(['-', '+', '0']);
    let whole = whole.bytes().take_while(u8::is_ascii_digit).count();
    let most = i16::from(precision) - i16::from(scale);
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    let is_rounded = usize::try_from(scale).is_ok_and(|scale| fraction.len() > scale);
    let is_held = usize::try_from(most).is_ok_and(|most| whole + usize::from(is_rounded) <= most);
    match is_held {
        true => data_type.clone(),
        false => DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale),
    }
}

/// Returns the digits of a number with its sign.
fn number_of(cell: &Expr) -> Option<String> {
    match cell {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => Some(digits.clone()),
            _ => None,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match expr.as_ref() {
            Expr::Value(_) => number_of(expr).map(|digits| format!("-{digits}")),
            _ => None,
        },
        _ => None,
    }
}

fn text_of(cell: &Expr) -> Option<&str> {
    match cell {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a number is written to a column of the type: without losing digits, or rounded to a
/// decimal's.
fn is_written(digits: &str, data_type: &DataType, rounded: bool) -> bool {
    let plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
    let fraction = digits.split_once('.').map_or("", |(_, fraction)| fraction);
    match data_type {
        DataType::Decimal128(_, scale) => {
            let fraction = fraction.trim_end_matches('0');
            let fits = usize::try_from(*scale).is_ok_and(|scale| fraction.len() <= scale);
            plain && (fits || rounded)
        }
        DataType::Float32 => true,
        _ => false,
    }
}

/// Returns the types of the parameters that are written as they are, by their numbers from 1.
pub(super) fn parameter_types(
    query: &mut ast::Query,
    columns: &Schema,
) -> BTreeMap<usize, DataType> {
    let mut types = BTreeMap::new();
    visit(&mut query.body, columns, &mut |cell, column| {
        if let Some(number) = placeholder(cell).and_then(number) {
            types
                .entry(number)
                .or_insert_with(|| column.data_type().clone());
        }
    });
    types
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use arrow::datatypes::Field;
    use lakegate_sql::Statement;

    use super::*;

    fn insert(sql: &str) -> ast::Query {
        match lakegate_sql::parse(sql).unwrap().remove(0).statement {
            Statement::Insert(insert) => *insert.query,
            other => panic!("{other:?}"),
        }
    }

    fn columns() -> Schema {
        Schema::new(vec![
            Field::new("id", DataType::Int32, true),
            Field::new("price", DataType::Decimal128(10, 2), true),
            Field::new("day", DataType::Date32, true),
            Field::new("name", DataType::Utf8, true),
        ])
    }

    #[test]
    fn literals_take_the_types_of_their_columns() {
        let sql = "INSERT INTO t VALUES (1, 1.5, '2024-01-01', 'a'), (-2, -0.125, NULL, 5)";
        for (dialect, small, day, name) in [
            (
                Dialect::Postgres,
                "CAST('-0.125' AS DECIMAL(10,2))",
                "CAST('2024-01-01' AS DATE)",
                "'5'",
            ),
            (Dialect::Trino, "-0.125", "'2024-01-01'", "5"),
        ] {
            let mut query = insert(sql);
            cast_literals(&mut query, &columns(), dialect);
            assert_eq!(
                query.to_string(),
                // The last number has more digits than the column, to which PostgreSQL rounds it.
                format!(
                    "VALUES (1, CAST('1.5' AS DECIMAL(10,2)), {day}, 'a'), (-2, {small}, NULL, {name})"
                )
            );
        }
        for (sql, cast) in [
            (
                "INSERT INTO t (SELECT id, 2, '2024-01-01' AS day FROM u)",
                "(SELECT id, CAST('2' AS DECIMAL(10,2)), CAST('2024-01-01' AS DATE) AS day FROM u)",
            ),
            (
                "INSERT INTO t VALUES (1, -99999999.5), (2, 123456789), (3, '0123456789.5')",
                "VALUES (1, CAST('-99999999.5' AS DECIMAL(10,2))), (2, CAST('123456789' AS DECIMAL(38,2))), (3, CAST('0123456789.5' AS DECIMAL(38,2)))",
            ),
            (
                "INSERT INTO t VALUES (1, 9999999.999), (2, 99999999.999), (3, 1.5e0)",
                "VALUES (1, CAST('9999999.999' AS DECIMAL(10,2))), (2, CAST('99999999.999' AS DECIMAL(38,2))), (3, 1.5e0)",
            ),
            (
                "INSERT INTO t SELECT *, '2024-01-01' FROM u",
                "SELECT *, '2024-01-01' FROM u",
            ),
            (
                "INSERT INTO t SELECT '1' UNION SELECT '2'",
                "SELECT '1' UNION SELECT '2'",
            ),
        ] {
            let mut query = insert(sql);
            cast_literals(&mut query, &columns(), Dialect::Postgres);
            assert_eq!(query.to_string(), cast);
        }
    }

    #[test]
    fn literals_with_a_point_are_rounded_to_integers_in_postgres() {
        let columns = Schema::new(vec![Field::new("n", DataType::Int32, true)]);
        for (literal, whole) in [
            ("1.5", "2"),
            ("2.5", "3"),
            ("-1.5", "-2"),
            ("1.4999999999999999999999", "1"),
            ("-0.4", "0"),
            (".5", "1"),
            ("9223372036854775807.5", "9223372036854775808"),
            // Left to the planner.
            ("1.5e0", "1.5e0"),
            ("7", "7"),
            ("NULL", "NULL"),
            (
                "999999999999999999999999999999999999999.5",
                "999999999999999999999999999999999999999.5",
            ),
        ] {
            let mut query = insert(&format!("INSERT INTO t VALUES ({literal})"));
            cast_literals(&mut query, &columns, Dialect::Postgres);
            assert_eq!(query.to_string(), format!("VALUES ({whole})"));
        }
        let mut query = insert("INSERT INTO t VALUES (1.5)");
        cast_literals(&mut query, &columns, Dialect::Trino);
        assert_eq!(query.to_string(), "VALUES (1.5)");
    }

    #[test]
    fn literals_of_other_types_become_texts_as_in_postgres() {
        let columns = Schema::new(vec![Field::new("name", DataType::Utf8, true)]);
        for (literal, text) in [
            ("12", "'12'"),
            ("-1.50", "'-1.50'"),
            ("0.5", "'0.5'"),
            ("true", "'true'"),
            ("NULL", "NULL"),
            ("'x'", "'x'"),
            // PostgreSQL writes 0.5, 7 and 1000.
            (".5", ".5"),
            ("007", "007"),
            ("1e3", "1e3"),
            ("1 + 1", "1 + 1"),
        ] {
            let mut query = insert(&format!("INSERT INTO t VALUES ({literal})"));
            cast_literals(&mut query, &columns, Dialect::Postgres);
            assert_eq!(query.to_string(), format!("VALUES ({text})"));
        }
        let mut query = insert("INSERT INTO t VALUES ('2024-01-01'::date)");
        cast_literals(&mut query, &columns, Dialect::Postgres);
        let shown = query.to_string();
        assert!(
            shown.starts_with("VALUES (CAST('2024-01-01'::DATE AS "),
            "{shown}"
        );
        let mut query = insert("INSERT INTO t VALUES (12)");
        cast_literals(&mut query, &columns, Dialect::Trino);
        assert_eq!(query.to_string(), "VALUES (12)");
    }

    #[test]
    fn parameters_take_the_types_of_their_columns() {
        let mut query = insert("INSERT INTO t VALUES ($1, $2, ($3), $4), (5, $1, $6 + 1, $5)");
        let types = parameter_types(&mut query, &columns());
        let expected = [
            (1, DataType::Int32),
            (2, DataType::Decimal128(10, 2)),
            (3, DataType::Date32),
            (4, DataType::Utf8),
            (5, DataType::Utf8),
        ];
        assert_eq!(types, expected.into());
    }
}
