//! The keys of a SELECT DISTINCT are columns of its list: the rows that it leaves have no others.
//!
//! ```text
//! SELECT DISTINCT a FROM t ORDER BY a + 1     an error
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, OrderByExpr, Select, TrimWhereField, VisitorMut,
};
use lakegate_error::{Code, Error};
use lakegate_sql::walk::{walk_expressions, walk_mut};

use super::build;
use super::order_keys::{expr_of, is_column, plain};

/// Checks the keys of a SELECT DISTINCT. One that is an expression of the list in other words becomes
/// its number, since the engine compares the words.
///
/// # Errors
///
/// A key is an expression that the list does not have.
pub(super) fn check(keys: &mut [OrderByExpr], select: &Select) -> Result<(), Error> {
    let items = select.projection.iter();
    let items: Vec<Expr> = items.filter_map(expr_of).cloned().collect();
    let bare: Vec<Expr> = items.iter().map(|item| unqualified(item, select)).collect();
    for key in keys {
        let expr = &key.expr;
        if matches!(expr, Expr::Value(_)) || is_column(expr) || has_window(expr) {
            continue;
        }
        let wanted = unqualified(expr, select);
        if !bare.contains(&wanted) {
            // A cast to the type that a column has is the column in PostgreSQL.
            let of_cast = without_casts(&wanted);
            match is_column(of_cast) || bare.contains(of_cast) {
                true => continue,
                false => return Err(absent()),
            }
        }
        let written = plain(expr, select);
        let known = items.iter().any(|item| plain(item, select) == written);
        let wanted = alike(expr, select);
        let place = items.iter().position(|item| alike(item, select) == wanted);
        let number = place.and_then(|place| i64::try_from(place + 1).ok());
        // The number of an item behind a `*` is not known.
        let is_counted = items.len() == select.projection.len();
        if let Some(number) = number.filter(|_| is_counted && !known) {
            key.expr = build::integer(number);
        }
    }
    Ok(())
}

fn absent() -> Error {
    Error::new(
        Code::InvalidColumnReference,
        "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
    )
}

fn without_casts(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast { expr, .. } => without_casts(expr),
        expr => expr,
    }
}

/// Returns whether an expression calls a window function: the windows that it names are written out by
/// now, and those of the list are not. The engine compares them.
fn has_window(expr: &Expr) -> bool {
    let walked = walk_expressions(expr, |part| match part {
        Expr::Function(call) if call.over.is_some() => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    walked.is_break()
}

/// Returns the expression as [`plain`] does, with one name of each type and one form of each call.
fn alike(expr: &Expr, select: &Select) -> Expr {
    struct Alike;
    impl VisitorMut for Alike {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            match expr {
                Expr::Cast { data_type, .. } => *data_type = in_one_word(data_type.clone()),
                Expr::Substring {
                    special, shorthand, ..
                } => (*special, *shorthand) = (false, false),
                Expr::Trim { trim_where, .. } if trim_where.is_none() => {
                    *trim_where = Some(TrimWhereField::Both);
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut alike = plain(expr, select);
    // The visitor never breaks.
    let _ = walk_mut(&mut alike, &mut Alike);
    alike
}

/// Returns the expression as [`alike`] does, with bare names of columns and without collations.
fn unqualified(expr: &Expr, select: &Select) -> Expr {
    struct Unqualified;
    impl VisitorMut for Unqualified {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            match expr {
                Expr::CompoundIdentifier(parts) => {
                    if let Some(column) = parts.pop() {
                        *expr = Expr::Identifier(column);
                    }
                }
                Expr::Collate { expr: inner, .. } => {
                    let inner = std::mem::replace(inner.as_mut(), build::integer(0));
                    *expr = inner;
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let mut bare = alike(expr, select);
    // The visitor never breaks.
    let _ = walk_mut(&mut bare, &mut Unqualified);
    bare
}

/// Returns a type by the same of its names.
fn in_one_word(data_type: DataType) -> DataType {
    use DataType as T;
    match data_type {
        T::Bool => T::Boolean,
        T::Int2(None) => T::SmallInt(None),
        T::Int(None) | T::Int4(None) => T::Integer(None),
        T::Int8(None) => T::BigInt(None),
        T::Float4 => T::Real,
        T::Float8 => T::DoublePrecision,
        T::Decimal(digits) | T::Dec(digits) => T::Numeric(digits),
        T::CharacterVarying(length) | T::CharVarying(length) => T::Varchar(length),
        data_type => data_type,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use datafusion::sql::sqlparser::ast::{OrderByKind, SetExpr, Statement};
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn checked(sql: &str) -> Result<Vec<OrderByExpr>, Error> {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let Statement::Query(query) = statements.remove(0) else {
            panic!("{sql}");
        };
        let (SetExpr::Select(select), OrderByKind::Expressions(mut keys)) =
            (*query.body, query.order_by.unwrap().kind)
        else {
            panic!("{sql}");
        };
        check(&mut keys, &select)?;
        Ok(keys)
    }

    #[test]
    fn keys_of_a_distinct_are_in_its_list() {
        for sql in [
            "SELECT DISTINCT a FROM t ORDER BY a + 1",
            "SELECT DISTINCT * FROM t ORDER BY a + 1",
            "SELECT DISTINCT a, b FROM t ORDER BY a, upper(b)",
            "SELECT DISTINCT upper(a) FROM t ORDER BY upper(b)::text",
        ] {
            let error = checked(sql).unwrap_err();
            assert_eq!(error.code(), Code::InvalidColumnReference, "{sql}");
        }
        for sql in [
            "SELECT DISTINCT a::int, t.b + u.b FROM t, u ORDER BY CAST(a AS int), b + u.b",
            "SELECT DISTINCT rank() OVER w FROM t WINDOW w AS (ORDER BY a) ORDER BY rank() OVER (ORDER BY a)",
            "SELECT DISTINCT a FROM t ORDER BY a COLLATE \"C\", 1, b",
            "SELECT DISTINCT a, upper(a) FROM t ORDER BY a::int, upper(a)::text",
        ] {
            assert!(checked(sql).is_ok(), "{sql}");
        }
    }

    #[test]
    fn keys_in_other_words_are_numbers() {
        for (item, key) in [
            ("a::int8", "CAST(t.a AS bigint)"),
            ("a::numeric(5,2)", "a::decimal(5,2)"),
            (
                "coalesce(a::varchar, '')",
                "coalesce(a::character varying, '')",
            ),
            ("substring(a, 1, 2)", "substring(a FROM 1 FOR 2)"),
            ("trim(a)", "trim(BOTH a)"),
        ] {
            let keys = checked(&format!("SELECT DISTINCT b, {item} FROM t ORDER BY {key}"));
            assert_eq!(keys.unwrap()[0].to_string(), "2", "{key}");
            let keys = checked(&format!("SELECT DISTINCT b, {item} FROM t ORDER BY {item}"));
            assert_ne!(keys.unwrap()[0].to_string(), "2", "{item}");
        }
        // The columns of different tables are not one.
        let keys = checked("SELECT DISTINCT upper(t.a) FROM t, u ORDER BY upper(u.a)");
        assert_eq!(keys.unwrap()[0].to_string(), "upper(u.a)");
    }
}
