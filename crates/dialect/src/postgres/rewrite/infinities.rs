//! Comparisons with `infinity`, which is after all times, and `-infinity`, which is before them. The
//! engine's times are finite, so that the result depends only on whether the other operand is NULL.
//! `infinite_times.rs` of the engine has the literals without a type.
//!
//! ```text
//! x < 'infinity'::timestamptz      (x IS NOT NULL OR NULL)
//! x = 'infinity'::timestamptz      (x IS NULL AND NULL)
//! ```

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr};

use super::build::{self, binary, cast, nested};
use super::calls::text_of;

/// Where an infinite value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

/// Returns the replacement of a comparison of a time with an infinite one; `None` if it is another
/// operation, or both are infinite.
pub(super) fn compared(left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Expr> {
    let (operand, infinite, is_mirrored) = match (end(left), end(right)) {
        (None, Some(infinite)) => (left, infinite, false),
        (Some(infinite), None) => (right, infinite, true),
        _ => return None,
    };
    let is_before = infinite == End::Last;
    let holds = match op {
        BinaryOperator::Eq => false,
        BinaryOperator::NotEq => true,
        BinaryOperator::Lt | BinaryOperator::LtEq => is_before != is_mirrored,
        BinaryOperator::Gt | BinaryOperator::GtEq => is_before == is_mirrored,
        _ => return None,
    };
    let operand = Box::new(nested(operand.clone()));
    let unknown = cast(build::null(), DataType::Boolean);
    Some(nested(match holds {
        true => binary(Expr::IsNotNull(operand), BinaryOperator::Or, unknown),
        false => binary(Expr::IsNull(operand), BinaryOperator::And, unknown),
    }))
}

/// Returns which end of time a literal of a date or a timestamp is.
fn end(expr: &Expr) -> Option<End> {
    let text = match expr {
        Expr::Nested(inner) => return end(inner),
        Expr::Cast {
            expr: literal,
            data_type,
            ..
        } if has_ends(data_type) => text_of(literal)?,
        Expr::TypedString(typed) if has_ends(&typed.data_type) => {
            return end_of(&typed.value.clone().into_string()?);
        }
        _ => return None,
    };
    end_of(text)
}

fn has_ends(data_type: &DataType) -> bool {
    match data_type {
        DataType::Date | DataType::Timestamp(..) => true,
        DataType::Custom(name, _) => {
            let name = super::last_part(name);
            name.is_some_and(|name| name == "timestamptz" || name == "timestamp")
        }
        _ => false,
    }
}

fn end_of(text: &str) -> Option<End> {
    match text.trim().to_ascii_lowercase().as_str() {
        "infinity" => Some(End::Last),
        "-infinity" => Some(End::First),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::with_select;
    use super::*;

    fn replaced(condition: &str) -> Option<String> {
        let mut replaced = None;
        with_select(&format!("SELECT 1 WHERE {condition}"), |select| {
            if let Some(Expr::BinaryOp { left, op, right }) = &select.selection {
                replaced = compared(left, op, right).map(|expr| expr.to_string());
            }
        });
        replaced
    }

    #[test]
    fn finite_times_are_between_the_ends() {
        let yes = Some("((x) IS NOT NULL OR NULL::BOOLEAN)");
        let no = Some("((x) IS NULL AND NULL::BOOLEAN)");
        for (condition, expected) in [
            ("x = 'infinity'::timestamptz", no),
            ("x <> 'infinity'::timestamptz", yes),
            ("x < 'infinity'::timestamptz", yes),
            ("x <= ' Infinity '::date", yes),
            ("x > 'infinity'::timestamp", no),
            ("x >= TIMESTAMP 'infinity'", no),
            ("x < '-infinity'::timestamptz", no),
            ("x >= ('-infinity'::timestamptz)", yes),
            ("'infinity'::timestamptz > x", yes),
            ("'infinity'::timestamptz < x", no),
            ("'-infinity'::timestamptz < x", yes),
            ("'-infinity'::timestamptz >= x", no),
            ("'infinity'::timestamptz = x", no),
            ("'infinity'::date = 'infinity'::date", None),
            ("x = '2024-01-01'::date", None),
            ("x = 'infinity'::text", None),
            ("x = 'infinity'::float8", None),
            ("x - 'infinity'::timestamptz", None),
        ] {
            assert_eq!(replaced(condition).as_deref(), expected, "{condition}");
        }
    }
}
