//! Series of decimals: all numbers of one have as many fractional digits as the argument that has the
//! most.

use std::sync::Arc;

use arrow::array::builder::{Decimal128Builder, ListBuilder};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, FieldRef};
use datafusion::common::types::NativeType;
use datafusion::error::Result;
use datafusion::logical_expr::{
    Coercion, ColumnarValue, ScalarFunctionArgs, TypeSignature, TypeSignatureClass,
};
use lakegate_error::{Code, Error};

use super::{forms_of, list_of};
use crate::{limits::bounded, limits::stop, plans::expressions};

/// Digits of the largest integer.
const DIGITS: u8 = 20;

/// Elements between two checks whether the query is still wanted.
const PIECE: usize = 100_000;

/// Returns the arguments of these series: decimals, and integers beside them.
pub(super) fn forms() -> [TypeSignature; 2] {
    let integers = vec![TypeSignatureClass::Integer];
    let type_of_integers = NativeType::Decimal(DIGITS, 0);
    forms_of(&Coercion::new_implicit(
        TypeSignatureClass::Decimal,
        integers,
        type_of_integers,
    ))
}

/// Returns the type of a series of numbers of these types, if they are decimals.
pub(super) fn series_of<'a>(types: impl Iterator<Item = &'a DataType>) -> Option<DataType> {
    let mut most = 0;
    for of in types {
        match of {
            DataType::Decimal128(_, scale) => most = most.max(*scale),
            _ => return None,
        }
    }
    Some(list_of(DataType::Decimal128(
        DECIMAL128_MAX_PRECISION,
        most,
    )))
}

/// Returns how many numbers a series has.
///
/// # Errors
///
/// The step is zero.
fn length(first: i128, last: i128, step: i128) -> Result<i128> {
    if step == 0 {
        return Err(Error::new(Code::InvalidParameter, "step size cannot equal zero").into());
    }
    let turns_back = (step > 0 && first > last) || (step < 0 && first < last);
    Ok(match turns_back {
        true => 0,
        false => {
            // The distance may have a bit more than the numbers.
            let steps = last.abs_diff(first) / step.unsigned_abs();
            i128::try_from(steps).map_or(i128::MAX, |steps| steps.saturating_add(1))
        }
    })
}

/// Returns the lists of a call whose result has this item.
pub(super) fn lists(args: &ScalarFunctionArgs, item: &FieldRef) -> Result<ColumnarValue> {
    let DataType::Decimal128(_, scale) = item.data_type() else {
        return Err(Error::internal("a series of other numbers than decimals").into());
    };
    let constants = expressions::are_constants(&args.args);
    let rows = if constants { 1 } else { args.number_rows };
    let mut columns: Vec<Decimal128Array> = Vec::with_capacity(args.args.len());
    for arg in &args.args {
        let column = arg.cast_to(item.data_type(), None)?.to_array(rows)?;
        columns.push(column.as_primitive::<Decimal128Type>().clone());
    }
    let unit = 10_i128.saturating_pow(u32::from(scale.unsigned_abs()));
    let at = |place: usize, row: usize| match columns.get(place) {
        Some(column) => column.is_valid(row).then(|| column.value(row)),
        None => Some(unit),
    };
    let numbers = Decimal128Builder::new().with_data_type(item.data_type().clone());
    let mut lists = ListBuilder::new(numbers).with_field(Arc::clone(item));
    let mut total = 0_i128;
    for row in 0..rows {
        let (Some(first), Some(last), Some(step)) = (at(0, row), at(1, row), at(2, row)) else {
            lists.append_null();
            continue;
        };
        let length = length(first, last, step)?;
        total = total.saturating_add(length);
        bounded::check_elements(total)?;
        let mut number = first;
        for place in 0..usize::try_from(length).unwrap_or_default() {
            if place.is_multiple_of(PIECE) {
                stop::check()?;
            }
            lists.values().append_value(number);
            number = number.saturating_add(step);
        }
        lists.append(true);
    }
    let lists: ArrayRef = Arc::new(lists.finish());
    expressions::made(lists, constants)
}
