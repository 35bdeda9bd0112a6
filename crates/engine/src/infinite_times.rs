//! Comparisons of times with `'infinity'`, which is after all of them, and `'-infinity'`, which is
//! before them. The engine's times are finite, so that the result depends only on whether the time is
//! NULL.
//!
//! ```text
//! t < 'infinity'     t IS NOT NULL OR NULL
//! t = 'infinity'     t IS NULL AND NULL
//! ```

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// Returns the replacement of a comparison of a time with an infinite literal; `None` if it is another
/// operation.
pub(crate) fn compared(
    op: &BinaryOperator,
    left: &Expr,
    right: &Expr,
    schema: &DFSchema,
) -> Option<Expr> {
    let (time, is_last, is_mirrored) = match (is_last(left), is_last(right)) {
        (None, Some(is_last)) => (left, is_last, false),
        (Some(is_last), None) => (right, is_last, true),
        _ => return None,
    };
    let is_time = matches!(
        time.get_type(schema),
        Ok(DataType::Date32 | DataType::Timestamp(..))
    );
    let holds = match op {
        BinaryOperator::Eq => false,
        BinaryOperator::NotEq => true,
        BinaryOperator::Lt | BinaryOperator::LtEq => is_last != is_mirrored,
        BinaryOperator::Gt | BinaryOperator::GtEq => is_last == is_mirrored,
        _ => return None,
    };
    let unknown = Expr::Literal(ScalarValue::Boolean(None), None);
    is_time.then(|| match holds {
        true => time.clone().is_not_null().or(unknown),
        false => time.clone().is_null().and(unknown),
    })
}

/// Returns whether a literal is the last time or the first one; `None` if it is neither.
fn is_last(expr: &Expr) -> Option<bool> {
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    let text = value.try_as_str().flatten()?.trim();
    match text.strip_prefix('-') {
        Some(text) if text.eq_ignore_ascii_case("infinity") => Some(false),
        None if text.eq_ignore_ascii_case("infinity") => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{Field, Schema};
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn every_time_is_between_the_infinite_ones() {
        let fields = [("d", DataType::Date32), ("s", DataType::Utf8)];
        let fields = fields.map(|(name, of)| Field::new(name, of, true));
        let schema = DFSchema::try_from(Schema::new(fields.to_vec())).unwrap();
        let shown = |op: BinaryOperator, left: Expr, right: Expr| {
            compared(&op, &left, &right, &schema).map(|expr| expr.to_string())
        };
        let always = Some("d IS NOT NULL OR Boolean(NULL)".to_owned());
        let never = Some("d IS NULL AND Boolean(NULL)".to_owned());
        for (op, first, last) in [
            (BinaryOperator::Lt, &never, &always),
            (BinaryOperator::LtEq, &never, &always),
            (BinaryOperator::Gt, &always, &never),
            (BinaryOperator::GtEq, &always, &never),
            (BinaryOperator::Eq, &never, &never),
            (BinaryOperator::NotEq, &always, &always),
        ] {
            assert_eq!(
                &shown(op.clone(), col("d"), lit("-infinity")),
                first,
                "{op}"
            );
            assert_eq!(&shown(op.clone(), col("d"), lit(" Infinity")), last, "{op}");
        }
        assert_eq!(shown(BinaryOperator::Lt, lit("infinity"), col("d")), never);
        assert_eq!(shown(BinaryOperator::Lt, col("s"), lit("infinity")), None);
        assert_eq!(shown(BinaryOperator::Lt, col("d"), lit("2024-01-01")), None);
        assert_eq!(shown(BinaryOperator::Plus, col("d"), lit("infinity")), None);
    }
}
