//! Parameters of the type `numeric` whose values have more digits than the type that a statement was
//! prepared with. PostgreSQL keeps all digits of a value, so the statement is planned for that value
//! with a type that has room for them:
//!
//! ```text
//! price = $1, $1 = 0.25                price = CAST($1 AS DECIMAL(38,10))
//! price = $1, $1 = 0.00000000001       price = CAST($1 AS DECIMAL(11,11))
//! ```

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

use crate::query::parameters::list_of;
use crate::session::prepared::Prepared;

/// Returns a statement with types of its parameters that have room for the digits of their values;
/// `None` if its own types have. It has no plan yet, and its columns may have other digits.
pub(crate) fn with_room(prepared: &Prepared, values: &[ScalarValue]) -> Option<Prepared> {
    let mut roomy: Option<Vec<DataType>> = None;
    let parameters = prepared.parameters.iter().zip(values).enumerate();
    for (index, (data_type, value)) in parameters {
        if let Some(wider) = wider(data_type, value) {
            let types = roomy.get_or_insert_with(|| prepared.parameters.clone());
            if let Some(of_parameter) = types.get_mut(index) {
                *of_parameter = wider;
            }
        }
    }
    Some(Prepared {
        parameters: roomy?,
        plan: None,
        ..prepared.clone()
    })
}

/// Returns the type that has room for the digits of a value; `None` if `data_type` has.
fn wider(data_type: &DataType, value: &ScalarValue) -> Option<DataType> {
    match (data_type, value) {
        (DataType::Decimal128(..), ScalarValue::Decimal128(Some(number), _, scale @ 0..)) => {
            let log = number.unsigned_abs().checked_ilog10();
            let digits = u8::try_from(log.map_or(1, |log| log + 1)).ok()?;
            let precision = digits.max(scale.unsigned_abs());
            let needed = DataType::Decimal128(precision, *scale);
            (!has_room(data_type, &needed)).then_some(needed)
        }
        // More digits than the other decimals have. The parameter is not cast.
        (DataType::Decimal128(..), ScalarValue::Decimal256(Some(_), precision, scale)) => {
            Some(DataType::Decimal256(*precision, *scale))
        }
        (DataType::List(item), ScalarValue::List(list)) => {
            let needed = list.value_type();
            let is_wider = item.data_type().is_decimal()
                && needed.is_decimal()
                && !has_room(item.data_type(), &needed);
            is_wider.then(|| list_of(&needed))
        }
        _ => None,
    }
}

/// Returns whether a decimal has all digits of another one.
fn has_room(data_type: &DataType, needed: &DataType) -> bool {
    match (data_type, needed) {
        (DataType::Decimal128(precision, scale), DataType::Decimal128(digits, places)) => {
            let whole = |digits: &u8, places: &i8| i16::from(*digits) - i16::from(*places);
            places <= scale && whole(digits, places) <= whole(precision, scale)
        }
        (data_type, needed) => data_type == needed,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::i256;

    use super::*;

    const NUMERIC: DataType = DataType::Decimal128(38, 10);

    fn decimal(number: i128, scale: i8) -> ScalarValue {
        ScalarValue::Decimal128(Some(number), 38, scale)
    }

    #[test]
    fn values_with_more_digits_have_types_of_their_own() {
        let of = DataType::Decimal128;
        for (data_type, value, expected) in [
            (NUMERIC, decimal(1, 11), Some(of(11, 11))),
            (NUMERIC, decimal(-12_345, 11), Some(of(11, 11))),
            (NUMERIC, decimal(150_000_000_001, 11), Some(of(12, 11))),
            (NUMERIC, decimal(10_i128.pow(30), 1), Some(of(31, 1))),
            (NUMERIC, decimal(25, 2), None),
            (NUMERIC, decimal(0, 0), None),
            (of(10, 2), decimal(5, 3), Some(of(3, 3))),
            (
                NUMERIC,
                ScalarValue::Decimal256(Some(i256::ONE), 76, 40),
                Some(DataType::Decimal256(76, 40)),
            ),
            (DataType::Float64, decimal(1, 11), None),
            (NUMERIC, ScalarValue::Decimal128(None, 38, 11), None),
            (NUMERIC, ScalarValue::from(1_i64), None),
        ] {
            assert_eq!(wider(&data_type, &value), expected, "{data_type} {value}");
        }
    }

    #[test]
    fn lists_have_the_type_of_their_values() {
        let small = DataType::Decimal128(38, 11);
        let list = ScalarValue::new_list_nullable(&[decimal(1, 11)], &small);
        let list = ScalarValue::List(list);
        assert_eq!(wider(&list_of(&NUMERIC), &list), Some(list_of(&small)));
        assert_eq!(wider(&list_of(&small), &list), None);
        assert_eq!(wider(&list_of(&DataType::Utf8), &list), None);
    }
}
