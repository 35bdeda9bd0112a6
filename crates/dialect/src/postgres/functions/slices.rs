//! Slices of arrays of several dimensions.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, UInt32Array, new_null_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use lakegate_engine::stop;
use lakegate_error::{Code, Error};

use crate::postgres::invalid;

/// The function of an array, and of the first and the last subscript in each dimension.
pub(in crate::postgres) const SLICES: &str = "$array_slices";

/// `$array_slices(a, i, j, k, l)`: `a[i:j][k:l]`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Slices {
    signature: Signature,
}

pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(Slices {
        signature: Signature::variadic_any(Volatility::Immutable),
    }))
}

/// Checks the types of the arguments, and returns that of the result.
fn result_type(types: &[DataType]) -> Result<DataType> {
    let (Some(array), bounds) = (types.first(), types.get(1..).unwrap_or_default()) else {
        return Err(DataFusionError::Internal("slices of nothing".to_owned()));
    };
    if !matches!(array, DataType::List(_) | DataType::Null) {
        return Err(invalid("cannot subscript a value that is no array"));
    }
    if !bounds
        .iter()
        .all(|bound| bound.is_integer() || bound.is_null())
    {
        return Err(
            Error::new(Code::TypeMismatch, "array subscript must have type integer").into(),
        );
    }
    Ok(array.clone())
}

impl ScalarUDFImpl for Slices {
    fn name(&self) -> &str {
        SLICES
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        result_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types = args
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone());
        let types: Vec<DataType> = types.collect();
        Ok(Arc::new(Field::new(
            self.name(),
            self.return_type(&types)?,
            true,
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let columns = args.args.into_iter().map(|arg| arg.into_array(rows));
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let (Some(array), bounds) = (columns.first(), columns.get(1..).unwrap_or_default()) else {
            return Err(DataFusionError::Internal("slices of nothing".to_owned()));
        };
        let Some(list) = array.as_list_opt::<i32>() else {
            return Ok(ColumnarValue::Array(new_null_array(
                array.data_type(),
                rows,
            )));
        };
        let bounds = bounds.iter().map(|bound| cast(bound, &DataType::Int64));
        let bounds: Vec<ArrayRef> = bounds.collect::<Result<_, _>>()?;
        let bounds = bounds.iter().map(|bound| bound.as_primitive::<Int64Type>());
        let bounds: Vec<&Int64Array> = bounds.collect();
        let bounds = Bounds(&bounds);
        let wanted = (0..rows).map(|row| {
            let known = list.is_valid(row) && bounds.are_known(row);
            let place = known.then_some(row);
            let place = place.filter(|place| !has_no_items(list, *place, bounds, row));
            Wanted {
                row,
                is_null: !known,
                place,
            }
        });
        let wanted: Vec<Wanted> = wanted.collect();
        Ok(ColumnarValue::Array(Arc::new(sliced(
            list, &wanted, bounds,
        )?)))
    }
}

/// The columns of bounds: the first and the last subscript in a dimension, then those in the next.
#[derive(Clone, Copy)]
struct Bounds<'a>(&'a [&'a Int64Array]);

impl<'a> Bounds<'a> {
    fn are_known(self, row: usize) -> bool {
        self.0.iter().all(|bound| bound.is_valid(row))
    }

    /// Returns those of the dimensions behind the first.
    fn inner(self) -> Option<Bounds<'a>> {
        let inner = self.0.get(2..)?;
        (!inner.is_empty()).then_some(Bounds(inner))
    }

    /// Returns which of so many items the slice of the first dimension has.
    fn within(self, row: usize, items: usize) -> Range<usize> {
        let [first, last, ..] = self.0 else {
            return 0..items;
        };
        let count = |subscript: i64| usize::try_from(subscript).unwrap_or(0);
        let end = count(last.value(row)).min(items);
        let start = count(first.value(row).saturating_sub(1)).min(end);
        start..end
    }
}

/// A list of which a slice is wanted.
struct Wanted {
    /// The row of its bounds.
    row: usize,
    /// Whether the slice is NULL.
    is_null: bool,
    /// Which list it is of; `None` for a slice without items.
    place: Option<usize>,
}

/// Returns the places of a list's items.
fn items(list: &ListArray, place: usize) -> Range<usize> {
    let offsets = list.value_offsets();
    let at = |place: usize| {
        offsets
            .get(place)
            .and_then(|end| usize::try_from(*end).ok())
    };
    at(place).unwrap_or(0)..at(place + 1).unwrap_or(0)
}

/// Returns whether the slice of a list has no items in some dimension, or has more dimensions than the
/// list. All lists of a dimension have as many items, so that the first one of each decides.
fn has_no_items(list: &ListArray, place: usize, bounds: Bounds<'_>, row: usize) -> bool {
    let items = items(list, place);
    let within = bounds.within(row, items.len());
    if within.is_empty() {
        return true;
    }
    let Some(inner) = bounds.inner() else {
        return false;
    };
    match list.values().as_list_opt::<i32>() {
        Some(lists) => has_no_items(lists, items.start + within.start, inner, row),
        None => true,
    }
}

/// # Errors
///
/// The query must stop.
fn sliced(list: &ListArray, wanted: &[Wanted], bounds: Bounds<'_>) -> Result<ListArray> {
    let mut kept: Vec<Wanted> = Vec::new();
    let mut lengths = Vec::with_capacity(wanted.len());
    for of in wanted {
        stop::check()?;
        let Some(place) = of.place else {
            lengths.push(0);
            continue;
        };
        let items = items(list, place);
        let within = bounds.within(of.row, items.len());
        lengths.push(within.len());
        kept.extend(within.map(|item| Wanted {
            row: of.row,
            is_null: list.values().is_null(items.start + item),
            place: Some(items.start + item),
        }));
    }
    let values: ArrayRef = match (bounds.inner(), list.values().as_list_opt::<i32>()) {
        (Some(inner), Some(lists)) => Arc::new(sliced(lists, &kept, inner)?),
        _ => {
            let places = kept.iter().map(|of| of.place);
            let places = places.map(|place| place.and_then(|place| u32::try_from(place).ok()));
            take(list.values(), &places.collect::<UInt32Array>(), None)?
        }
    };
    let DataType::List(field) = list.data_type() else {
        return Err(DataFusionError::Internal("a list is no list".to_owned()));
    };
    let valid: Vec<bool> = wanted.iter().map(|of| !of.is_null).collect();
    Ok(ListArray::try_new(
        Arc::clone(field),
        OffsetBuffer::from_lengths(lengths),
        values,
        Some(NullBuffer::from(valid)),
    )?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Int32Builder, ListBuilder};

    use super::*;

    /// `{{1,2,3},{4,5,6}}`, NULL, `{}`, `{{7},{8}}`.
    fn lists() -> ListArray {
        let mut lists = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
        for of in [&[1..4, 4..7][..], &[], &[], &[7..8, 8..9]] {
            for items in of {
                items
                    .clone()
                    .for_each(|item| lists.values().values().append_value(item));
                lists.values().append(true);
            }
            lists.append(true);
        }
        let lists = lists.finish();
        let valid = NullBuffer::from(vec![true, false, true, true]);
        let (field, offsets, values, _) = lists.into_parts();
        ListArray::new(field, offsets, values, Some(valid))
    }

    fn slices(bounds: [Option<i64>; 4]) -> Vec<Option<Vec<Vec<i32>>>> {
        let list = lists();
        let columns: Vec<Int64Array> = bounds.map(|bound| Int64Array::from(vec![bound; 4])).into();
        let columns: Vec<&Int64Array> = columns.iter().collect();
        let bounds = Bounds(&columns);
        let wanted = (0..4).map(|row| {
            let known = list.is_valid(row) && bounds.are_known(row);
            let place = (known && !has_no_items(&list, row, bounds, row)).then_some(row);
            Wanted {
                row,
                is_null: !known,
                place,
            }
        });
        let found = sliced(&list, &wanted.collect::<Vec<_>>(), bounds).unwrap();
        let of_row = |row: ArrayRef| -> Vec<Vec<i32>> {
            let lists = row.as_list::<i32>().iter().flatten();
            let values = lists.map(|list| {
                let items = list.as_primitive::<arrow::datatypes::Int32Type>();
                items.values().to_vec()
            });
            values.collect()
        };
        found.iter().map(|row| row.map(of_row)).collect()
    }

    #[test]
    fn slices_have_the_items_within_the_bounds_of_each_dimension() {
        let found = slices([Some(1), Some(1), Some(2), Some(3)]);
        assert_eq!(
            found,
            [Some(vec![vec![2, 3]]), None, Some(vec![]), Some(vec![])]
        );
        let found = slices([Some(2), Some(9), Some(-5), Some(1)]);
        assert_eq!(
            found,
            [Some(vec![vec![4]]), None, Some(vec![]), Some(vec![vec![8]])]
        );
        // Without items in one dimension, there are none in any.
        let found = slices([Some(1), Some(2), Some(4), Some(9)]);
        assert_eq!(found, [Some(vec![]), None, Some(vec![]), Some(vec![])]);
        let found = slices([Some(i64::MIN), Some(i64::MAX), Some(2), Some(1)]);
        assert_eq!(found, [Some(vec![]), None, Some(vec![]), Some(vec![])]);
    }

    #[test]
    fn slices_with_an_unknown_bound_are_null() {
        assert_eq!(
            slices([Some(1), Some(1), None, Some(1)]),
            [None, None, None, None]
        );
    }

    #[test]
    fn lists_of_fewer_dimensions_have_no_slices() {
        let list =
            ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>([Some(vec![
                Some(1),
                Some(2),
            ])]);
        let one = Int64Array::from(vec![1]);
        assert!(has_no_items(&list, 0, Bounds(&[&one, &one, &one, &one]), 0));
        assert!(!has_no_items(&list, 0, Bounds(&[&one, &one]), 0));
    }
}
