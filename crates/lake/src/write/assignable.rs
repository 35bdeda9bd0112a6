//! Which values may be stored in a column: by the types of both.

use arrow::datatypes::{DataType, FieldRef};

use crate::decimal_scale;

/// Whether values of one type may be stored in a column of another, as SQL's INSERT has it: within
/// numbers, texts, bytes, dates and times, and nothing that has to be parsed. A value that is out
/// of range is an error when it comes.
pub(super) fn assignable(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    is_stored(from, to, &|from, to| match (from, to) {
        (T::Timestamp(..) | T::Date32 | T::Date64, T::Timestamp(..)) => true,
        _ if is_decimal(from) => is_decimal(to) || to.is_floating() || is_whole(from, to),
        _ if from.is_floating() => to.is_floating(),
        _ => false,
    })
}

/// Whether values of one type may be stored in a column of another: texts, bytes, booleans, dates and
/// integers in their own kind, integers in any numeric column, and nested values field by field.
/// `others` decides on times, decimals and floating-point numbers, at any depth.
pub fn is_stored(
    from: &DataType,
    to: &DataType,
    others: &dyn Fn(&DataType, &DataType) -> bool,
) -> bool {
    use DataType as T;
    let of_fields =
        |from: &FieldRef, to: &FieldRef| is_stored(from.data_type(), to.data_type(), others);
    match (from, to) {
        (T::Null, _) => true,
        (T::Dictionary(_, values), _) => is_stored(values, to, others),
        (T::RunEndEncoded(_, values), _) => is_stored(values.data_type(), to, others),
        (T::Utf8 | T::LargeUtf8 | T::Utf8View, T::Utf8)
        | (T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_), T::Binary)
        | (T::Boolean, T::Boolean)
        | (T::Date32 | T::Date64, T::Date32) => true,
        (
            T::List(from)
            | T::LargeList(from)
            | T::FixedSizeList(from, _)
            | T::ListView(from)
            | T::LargeListView(from),
            T::List(to),
        ) => of_fields(from, to),
        (T::Map(from, _), T::Map(to, _)) => match (from.data_type(), to.data_type()) {
            // Whatever the two fields are called.
            (T::Struct(from), T::Struct(to)) => {
                from.iter().zip(to).all(|(from, to)| of_fields(from, to))
            }
            _ => false,
        },
        (T::Struct(from), T::Struct(to)) => {
            let same = |(from, to): (&FieldRef, &FieldRef)| {
                from.name().eq_ignore_ascii_case(to.name()) && of_fields(from, to)
            };
            from.len() == to.len() && from.iter().zip(to).all(same)
        }
        _ if from.is_integer() => to.is_numeric(),
        _ => others(from, to),
    }
}

/// Whether a decimal without fractional digits, such as a sum of integers, may be stored in a column of
/// integers.
pub fn is_whole(from: &DataType, to: &DataType) -> bool {
    decimal_scale(from) == Some(0) && to.is_integer()
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..)
    )
}
