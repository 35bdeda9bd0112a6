//! `x <@ range` of a column and a constant, as the comparisons by which files and partitions are left
//! out:
//!
//! ```text
//! day <@ daterange('2024-01-01', '2024-02-01')    day >= '2024-01-01' AND day < '2024-02-01'
//! ```

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable};

use super::kind::RangeType;
use super::point::RangePoint;
use super::value::{RangeBound, RangeValue};

/// Returns the comparisons that a call is, whose arguments are a range and a value; `None` if the range
/// is not known, or if they need other literals than the type of the value has.
pub(super) fn of_constant(of: RangeType, args: &[Expr], schema: &DFSchema) -> Option<Expr> {
    let [range, value] = args else { return None };
    if !is_column(value) {
        return None;
    }
    let Expr::Literal(range, _) = range else {
        return None;
    };
    let range = RangeValue::read(of, range.try_as_str().flatten()?).ok()?;
    let RangeValue::Span { lower, upper } = range else {
        return None;
    };
    let data_type = value.get_type(schema).ok()?;
    let mut conditions = Vec::with_capacity(2);
    if let Some(RangeBound {
        point,
        is_inclusive,
    }) = lower
    {
        let least = literal(of, &point, &data_type)?;
        conditions.push(match is_inclusive {
            true => value.clone().gt_eq(least),
            false => value.clone().gt(least),
        });
    }
    if let Some(RangeBound {
        point,
        is_inclusive,
    }) = upper
    {
        let most = literal(of, &point, &data_type)?;
        conditions.push(match is_inclusive {
            true => value.clone().lt_eq(most),
            false => value.clone().lt(most),
        });
    }
    conditions.into_iter().reduce(Expr::and)
}

fn is_column(value: &Expr) -> bool {
    match value {
        Expr::Column(_) => true,
        Expr::Cast(cast) => is_column(&cast.expr),
        _ => false,
    }
}

/// Returns the value of a bound as one of a type of the engine; `None` if the type lacks it.
fn literal(of: RangeType, point: &RangePoint, data_type: &DataType) -> Option<Expr> {
    if point.is_infinite(of) {
        return None;
    }
    let value = match (point, data_type) {
        (RangePoint::Whole(whole), DataType::Int16) => {
            ScalarValue::Int16(Some(i16::try_from(*whole).ok()?))
        }
        (RangePoint::Whole(whole), DataType::Int32) => {
            ScalarValue::Int32(Some(i32::try_from(*whole).ok()?))
        }
        (RangePoint::Whole(whole), DataType::Int64) => ScalarValue::Int64(Some(*whole)),
        (RangePoint::Whole(days), DataType::Date32) if of == RangeType::Date => {
            ScalarValue::Date32(Some(i32::try_from(*days).ok()?))
        }
        (RangePoint::Whole(micros), DataType::Timestamp(TimeUnit::Microsecond, zone))
            if matches!(of, RangeType::Ts | RangeType::Tstz) =>
        {
            ScalarValue::TimestampMicrosecond(Some(*micros), zone.clone())
        }
        (RangePoint::Number(number), DataType::Decimal128(precision, scale)) => {
            let scaled = number.scaled(u8::try_from(*scale).ok()?)?;
            let limit = 10_u128.checked_pow(u32::from(*precision))?;
            if scaled.unsigned_abs() >= limit {
                return None;
            }
            ScalarValue::Decimal128(Some(scaled), *precision, *scale)
        }
        _ => return None,
    };
    Some(Expr::Literal(value, None))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{Field, Schema};
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn constants_are_compared_with_columns() {
        let fields = vec![
            Field::new("d", DataType::Date32, true),
            Field::new("i", DataType::Int32, true),
            Field::new("n", DataType::Decimal128(5, 1), true),
        ];
        let schema = DFSchema::try_from(Schema::new(fields)).unwrap();
        for (of, range, column, expected) in [
            (
                RangeType::Date,
                "[2024-01-01,2024-02-01)",
                "d",
                Some("d >= Date32(\"2024-01-01\") AND d < Date32(\"2024-02-01\")"),
            ),
            (
                RangeType::Int4,
                "[1,10)",
                "i",
                Some("i >= Int32(1) AND i < Int32(10)"),
            ),
            (RangeType::Int4, "(,10)", "i", Some("i < Int32(10)")),
            (RangeType::Int4, "(,)", "i", None),
            (RangeType::Int4, "empty", "i", None),
            (RangeType::Int8, "[1,10000000000)", "i", None),
            (
                RangeType::Num,
                "(1.50,2]",
                "n",
                Some("n > Decimal128(Some(15),5,1) AND n <= Decimal128(Some(20),5,1)"),
            ),
            (RangeType::Num, "(1.55,2]", "n", None),
            (RangeType::Num, "(1,100000)", "n", None),
            (RangeType::Date, "[2024-01-01,infinity)", "d", None),
        ] {
            let args = [lit(range), col(column)];
            let found = of_constant(of, &args, &schema).map(|expr| expr.to_string());
            assert_eq!(found.as_deref(), expected, "{range}");
        }
        assert_eq!(
            of_constant(RangeType::Int4, &[col("i"), col("i")], &schema),
            None
        );
    }
}
