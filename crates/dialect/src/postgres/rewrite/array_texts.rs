//! Texts in the form of arrays, which are arrays beside one.
//!
//! ```text
//! '{1,2}' = $1::int[]            '{1,2}'::int[] = $1::int[]        also in IN, BETWEEN, CASE … WHEN
//!                                                                  and IS DISTINCT FROM, @>, <@, &&
//! x IS DISTINCT FROM '{1,2}'     x IS DISTINCT FROM typed_text('{1,2}', x)
//! x IN ('{1}', '{2}')            x IN (typed_text('{1}', x), …)
//! ```

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr};

use super::build;
use super::untyped::{is_array_text, of_one_type};

/// Gives texts the type of an array that a value beside them is cast to. This comes before the casts
/// themselves are rewritten.
pub(super) fn beside_casts(expr: &mut Expr) {
    let values = compared(expr, true);
    let known = values.iter().find_map(|value| type_of_cast(value).cloned());
    let Some(known) = known else {
        return;
    };
    for value in values {
        if is_array_text(value) {
            let text = build::taken(value);
            *value = build::cast(text, known.clone());
        }
    }
}

/// Gives texts the type of other values beside them, where these may be arrays.
pub(super) fn beside_values(expr: &mut Expr) {
    let values = compared(expr, false);
    if values.iter().any(|value| is_array_text(value)) {
        of_one_type(values);
    }
}

/// Returns the values of which one is compared with the others.
///
/// `of_operators`: whether operators with two operands count.
fn compared(expr: &mut Expr, of_operators: bool) -> Vec<&mut Expr> {
    match expr {
        Expr::BinaryOp { left, op, right } => match of_operators && compares(op) {
            true => vec![left.as_mut(), right.as_mut()],
            false => Vec::new(),
        },
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
            vec![left.as_mut(), right.as_mut()]
        }
        Expr::Between {
            expr, low, high, ..
        } => vec![expr.as_mut(), low.as_mut(), high.as_mut()],
        Expr::InList { expr, list, .. } => std::iter::once(expr.as_mut())
            .chain(list.iter_mut())
            .collect(),
        Expr::Case {
            operand: Some(operand),
            conditions,
            ..
        } => {
            let conditions = conditions.iter_mut().map(|when| &mut when.condition);
            std::iter::once(operand.as_mut())
                .chain(conditions)
                .collect()
        }
        _ => Vec::new(),
    }
}

fn compares(op: &BinaryOperator) -> bool {
    use BinaryOperator as B;
    matches!(
        op,
        B::Eq
            | B::NotEq
            | B::Lt
            | B::LtEq
            | B::Gt
            | B::GtEq
            | B::AtArrow
            | B::ArrowAt
            | B::PGOverlap
    )
}

/// Returns the type of an array that a value is cast to; `None` for other values.
fn type_of_cast(expr: &Expr) -> Option<&DataType> {
    match expr {
        Expr::Nested(inner) => type_of_cast(inner),
        Expr::Cast { data_type, .. } => {
            Some(data_type).filter(|of| matches!(of, DataType::Array(_)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn rewritten(sql: &str, rewrite: fn(&mut Expr)) -> String {
        let parser = Parser::new(&PostgreSqlDialect {});
        let mut parser = parser.try_with_sql(sql).unwrap();
        let mut expr = parser.parse_expr().unwrap();
        rewrite(&mut expr);
        expr.to_string()
    }

    #[test]
    fn texts_beside_a_cast_are_cast() {
        for (sql, expected) in [
            ("'{1,2}' = $1::INT[]", "'{1,2}'::INT[] = $1::INT[]"),
            ("($1::INT[]) <> '{1}'", "($1::INT[]) <> '{1}'::INT[]"),
            ("$1::TEXT[] @> '{a}'", "$1::TEXT[] @> '{a}'::TEXT[]"),
            (
                "$1::INT[] IS DISTINCT FROM '{}'",
                "$1::INT[] IS DISTINCT FROM '{}'::INT[]",
            ),
            (
                "x IN ('{1}', $1::INT[], '2')",
                "x IN ('{1}'::INT[], $1::INT[], '2')",
            ),
            ("$1 = '{1,2}'", "$1 = '{1,2}'"),
            ("$1::JSON = '{1}'", "$1::JSON = '{1}'"),
            ("$1::INT[] || '{1}'", "$1::INT[] || '{1}'"),
        ] {
            assert_eq!(rewritten(sql, beside_casts), expected);
        }
    }

    #[test]
    fn texts_beside_values_take_their_type() {
        for (sql, expected) in [
            (
                "x IS NOT DISTINCT FROM '{1}'",
                "x IS NOT DISTINCT FROM typed_text('{1}', x)",
            ),
            (
                "x BETWEEN '{1}' AND y",
                "x BETWEEN typed_text('{1}', x, y) AND y",
            ),
            (
                "x IN ('{a}', '{b}')",
                "x IN (typed_text('{a}', x), typed_text('{b}', x))",
            ),
            (
                "CASE x WHEN '{1}' THEN '{2}' END",
                "CASE x WHEN typed_text('{1}', x) THEN '{2}' END",
            ),
            ("x IN ('a', '1')", "x IN ('a', '1')"),
            ("x = '{1}'", "x = '{1}'"),
        ] {
            assert_eq!(rewritten(sql, beside_values), expected);
        }
    }
}
