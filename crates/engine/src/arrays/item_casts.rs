//! Casts of arrays whose items DataFusion casts in another way than values that are not items.
//!
//! ```text
//! CAST(timestamptz[] AS timestamp[])   what the zone's clock shows     DataFusion: the time in UTC
//! CAST(float8[] AS text[])             {1,1e+20}                       {1.0,1e20}
//! CAST(interval[] AS text[])           {26:00:00}                      {26 hours}
//! CAST(timestamp[] AS text[])          {"2024-02-29 10:00:00"}         {2024-02-29T10:00:00}
//! CAST(numeric[] AS int[])             rounded                         truncated
//! ```
//!
//! Numbers are rounded as in PostgreSQL: the dialect that has other casts does not use these.
//!
//! Delete this when DataFusion casts items as the rules of the engine cast values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{ArrowNativeType, DataType};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_lake::decimal_scale;

use crate::numbers::rounding;
use crate::plans::expressions;
use crate::text::texts::{is_written, texts};
use crate::time::{is_utc, moved_by_the_clock};

/// Returns the cast of an array from a type to another one; `None` if DataFusion's own is right.
pub fn item_cast(array: &Expr, from: &DataType, to: &DataType) -> Option<Expr> {
    if !has_other_items(from, to) {
        return None;
    }
    let function = ItemCast {
        to: to.clone(),
        signature: Signature::any(1, Volatility::Immutable),
    };
    Some(expressions::call(function, vec![array.clone()]))
}

/// Returns whether both are types of arrays whose items are cast here.
fn has_other_items(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::List(from), DataType::List(to)) => {
            let (from, to) = (from.data_type(), to.data_type());
            is_other_cast(from, to) || has_other_items(from, to)
        }
        _ => false,
    }
}

/// Returns whether items of a type, which are not arrays, are cast to another type here.
pub fn is_other_cast(from: &DataType, to: &DataType) -> bool {
    becomes_text(from, to) || is_moved(from, to) || is_rounded(from, to)
}

fn is_rounded(from: &DataType, to: &DataType) -> bool {
    let has_digits = from.is_floating() || decimal_scale(from).is_some_and(|scale| scale > 0);
    to.is_integer() && has_digits
}

fn becomes_text(from: &DataType, to: &DataType) -> bool {
    to.is_string() && !from.is_nested() && is_written(from)
}

/// Returns whether a cast gives a time a zone, or takes it away, and the zone's clock does not show
/// UTC.
fn is_moved(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Timestamp(_, Some(zone)), DataType::Timestamp(_, None))
        | (DataType::Timestamp(_, None) | DataType::Date32, DataType::Timestamp(_, Some(zone))) => {
            !is_utc(zone)
        }
        _ => false,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ItemCast {
    to: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for ItemCast {
    fn name(&self) -> &str {
        "cast_items"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |values| casted(values, &self.to))
    }
}

/// DataFusion's casts: what has no value of the type is an error.
fn strictly(values: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    Ok(cast_with_options(values, to, &options)?)
}

/// Casts the items of arrays, or items.
///
/// # Errors
///
/// Returns an error if an item is not a value of the type.
fn casted(values: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    Ok(match (values.data_type(), to) {
        (DataType::List(_), DataType::List(item)) => {
            let lists = values.as_list::<i32>();
            // A slice of arrays has the items of all, which may not be values of the type.
            let offsets = lists.offsets();
            let ends = offsets.first().copied().zip(offsets.last().copied());
            let (first, last) = ends.unwrap_or_default();
            let length = last.saturating_sub(first).as_usize();
            let items = lists.values().slice(first.as_usize(), length);
            let items = casted(&items, item.data_type())?;
            let (offsets, nulls) = (offsets.clone().subtract(first), lists.nulls().cloned());
            Arc::new(ListArray::try_new(Arc::clone(item), offsets, items, nulls)?)
        }
        (from, to) if becomes_text(from, to) => {
            let texts: ArrayRef = Arc::new(texts(values)?);
            strictly(&texts, to)?
        }
        (from, to) if is_moved(from, to) => moved_by_the_clock(values, to)?,
        (from, to) if is_rounded(from, to) => strictly(&rounding::whole(values)?, to)?,
        (_, to) => strictly(values, to)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Decimal128Array, Float64Array, TimestampMicrosecondArray};
    use arrow::buffer::{NullBuffer, OffsetBuffer};
    use arrow::datatypes::{Field, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
    use datafusion::prelude::col;

    use super::*;

    fn list(of: DataType) -> DataType {
        DataType::new_list(of, true)
    }

    /// Returns the arrays `{x}`, NULL and `{}` of an item.
    fn arrays(item: ArrayRef) -> ArrayRef {
        let field = Arc::new(Field::new_list_field(item.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths([1, 0, 0]);
        let nulls = NullBuffer::from(vec![true, false, true]);
        Arc::new(ListArray::try_new(field, offsets, item, Some(nulls)).unwrap())
    }

    #[test]
    fn items_become_texts_as_values_do() {
        let numbers = arrays(Arc::new(Float64Array::from(vec![1e20])));
        let made = casted(&numbers, &list(DataType::Utf8)).unwrap();
        let made = made.as_list::<i32>();
        assert_eq!(made.values().as_string::<i32>().value(0), "1e+20");
        assert_eq!((made.is_null(1), made.value_length(2)), (true, 0));
    }

    #[test]
    fn items_outside_of_a_slice_are_not_cast() {
        let offsets = OffsetBuffer::from_lengths([1, 2, 0, 1]);
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![1e300, 2.5, 3.5, f64::NAN]));
        let field = Arc::new(Field::new_list_field(DataType::Float64, true));
        let all: ArrayRef = Arc::new(ListArray::try_new(field, offsets, numbers, None).unwrap());
        let of_integers = list(DataType::Int32);
        assert!(casted(&all, &of_integers).is_err());
        let made = casted(&all.slice(1, 2), &of_integers).unwrap();
        let made = made.as_list::<i32>();
        assert_eq!(made.value(0).as_primitive::<Int32Type>().values(), &[2, 4]);
        assert_eq!((made.len(), made.value_length(1)), (2, 0));
        assert_eq!(casted(&all.slice(4, 0), &of_integers).unwrap().len(), 0);
    }

    #[test]
    fn items_are_rounded_to_integers() {
        for (number, whole) in [(2.5, 2), (1.7, 2), (-1.7, -2)] {
            let numbers = arrays(Arc::new(Float64Array::from(vec![number])));
            let made = casted(&numbers, &list(DataType::Int32)).unwrap();
            let items = Arc::clone(made.as_list::<i32>().values());
            assert_eq!(items.as_primitive::<Int32Type>().value(0), whole);
        }
        let decimals = Decimal128Array::from(vec![25]);
        let decimals = decimals.with_precision_and_scale(3, 1).unwrap();
        let made = casted(&arrays(Arc::new(decimals)), &list(DataType::Int64)).unwrap();
        let items = Arc::clone(made.as_list::<i32>().values());
        assert_eq!(items.as_primitive::<Int64Type>().value(0), 3);
        for number in [3e9, f64::NAN] {
            let numbers = arrays(Arc::new(Float64Array::from(vec![number])));
            assert!(casted(&numbers, &list(DataType::Int32)).is_err());
        }
    }

    #[test]
    fn items_follow_the_clock() {
        let zone: Arc<str> = Arc::from("Europe/Berlin");
        let micros = |zone| DataType::Timestamp(TimeUnit::Microsecond, zone);
        let noon = 43_200_000_000;
        let instants = TimestampMicrosecondArray::from(vec![noon]);
        let instants = arrays(Arc::new(instants.with_timezone(Arc::clone(&zone))));
        let shown = casted(&instants, &list(micros(None))).unwrap();
        let items = Arc::clone(shown.as_list::<i32>().values());
        let hour = 3_600_000_000;
        let items = items.as_primitive::<TimestampMicrosecondType>();
        assert_eq!(items.value(0), noon + hour);
        let again = casted(&shown, &list(micros(Some(zone)))).unwrap();
        assert_eq!(&again, &instants);
    }

    #[test]
    fn other_casts_are_the_engines() {
        let micros = |zone: Option<&str>| {
            list(DataType::Timestamp(
                TimeUnit::Microsecond,
                zone.map(Into::into),
            ))
        };
        let is_cast = |from: DataType, to: DataType| item_cast(&col("x"), &from, &to).is_some();
        let (numbers, text) = (list(DataType::Float64), list(DataType::Utf8));
        assert!(is_cast(numbers.clone(), text.clone()));
        assert!(is_cast(list(numbers.clone()), list(text.clone())));
        assert!(is_cast(micros(Some("Europe/Berlin")), micros(None)));
        assert!(!is_cast(micros(Some("UTC")), micros(None)));
        assert!(!is_cast(list(DataType::Int64), text.clone()));
        assert!(!is_cast(list(numbers.clone()), text.clone()));
        assert!(is_cast(numbers, list(DataType::Int64)));
        assert!(!is_cast(
            list(DataType::Decimal128(5, 0)),
            list(DataType::Int64)
        ));
        assert!(!is_cast(DataType::Float64, DataType::Utf8));
        assert!(!is_cast(text.clone(), text));
    }
}
