//! `CAST(x AS ARRAY(T) | MAP(K, V) | ROW(a T, …))`: rows are cast field by field, by position.
//!
//! The parser makes such a cast the call `"$cast"(x, CAST(NULL AS T))`, because the engine's own
//! cast takes fields by name.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, MapArray, StructArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type};
use arrow::util::display::FormatOptions;
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;
use lakegate_error::{Code, Error};

use crate::docs::Page;
use crate::entry::Entry;
use crate::json::{self, has_json, is_json};
use crate::kernel::{Kernel, Returns};
use crate::work::Work;

/// The function that the parser makes of a cast to a nested type.
pub(crate) const NAME: &str = "$cast";

static CAST: Page = Page {
    name: NAME,
    section: "Conversion",
    syntax: "$cast(value, type)",
    sentence: "Casts a value to an array, a map or a row.",
    example: "CAST(ROW(1, '2') AS ROW(x VARCHAR, y BIGINT))",
    result: "{x=1, y=2}",
};

/// How deeply types may be nested.
const MAX_DEPTH: usize = 32;

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        Entry::scalar(Kernel::new(
            &CAST,
            vec![TypeSignature::Any(2)],
            Returns::Field(|fields| match fields {
                [value, target] => {
                    refuse_texts_as_json(value, target)?;
                    Ok(Arc::new(target.as_ref().clone().with_nullable(true)))
                }
                _ => Err(Error::invalid("a cast takes a value and a type").into()),
            }),
            |call| {
                let value = &call.columns[0];
                let array = cast(&value.array, call.returns, &call.work, plain)?;
                spread(array, value.constant, call.rows)
            },
        ))
        .unlisted(),
    ]
}

/// Fails where a cast would take texts for JSON values.
///
/// # Errors
///
/// There are JSON values within the target, and the value is not JSON.
pub(crate) fn refuse_texts_as_json(value: &Field, target: &Field) -> Result<()> {
    let same = value.data_type() == target.data_type();
    if same || is_json(value) || value.data_type().is_null() || !has_json(target.data_type()) {
        return Ok(());
    }
    Err(Error::new(
        Code::TypeMismatch,
        format!(
            "cannot cast {} to {}",
            json::type_name(value),
            json::type_name(target)
        ),
    )
    .with_hint("cast a JSON value: CAST(CAST(x AS JSON) AS …), or json_parse of a text")
    .into())
}

/// Returns the array, with its only value in all rows if that is a constant.
///
/// # Errors
///
/// The value cannot be repeated.
pub(crate) fn spread(array: ArrayRef, constant: bool, rows: usize) -> Result<ArrayRef> {
    match constant && rows != array.len() {
        true => {
            let indexes = arrow::array::UInt64Array::from(vec![0; rows]);
            Ok(arrow::compute::take(&array, &indexes, None)?)
        }
        false => Ok(array),
    }
}

/// Casts an array of scalars.
pub(crate) type OfScalars = fn(&ArrayRef, &DataType, &Work) -> Result<ArrayRef>;

/// Casts all values of an array, and those of nested arrays, which `scalars` casts.
///
/// # Errors
///
/// A value does not fit, or the types cannot be cast.
pub(crate) fn cast(
    array: &ArrayRef,
    target: &DataType,
    work: &Work,
    scalars: OfScalars,
) -> Result<ArrayRef> {
    cast_at(array, target, work, scalars, 0)
}

fn cast_at(
    array: &ArrayRef,
    target: &DataType,
    work: &Work,
    scalars: OfScalars,
    depth: usize,
) -> Result<ArrayRef> {
    if array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    if depth > MAX_DEPTH {
        return Err(Error::new(Code::TooComplex, "the type of a cast is nested too deeply").into());
    }
    work.builds(array.len().saturating_mul(8))?;
    let down =
        |array: &ArrayRef, target: &DataType| cast_at(array, target, work, scalars, depth + 1);
    match (array.data_type(), target) {
        (DataType::Null, _) => Ok(arrow::array::new_null_array(target, array.len())),
        (DataType::List(_), DataType::List(item)) => {
            let lists = array.as_list::<i32>();
            // Items below NULL lists and outside of the offsets must not fail.
            let lists = compacted(lists)?;
            let items = down(lists.values(), item.data_type())?;
            let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
            let item = Arc::new(item.as_ref().clone().with_nullable(true));
            let cast = ListArray::try_new(item, offsets, items, nulls)?;
            Ok(arrow_cast(&(Arc::new(cast) as ArrayRef), target)?)
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let maps = array.as_map();
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(cannot(array, target));
            };
            let [key, value] = fields.as_ref() else {
                return Err(cannot(array, target));
            };
            let keys = down(maps.keys(), key.data_type())?;
            let values = down(maps.values(), value.data_type())?;
            let entries_of = StructArray::try_new(fields.clone(), vec![keys, values], None)?;
            Ok(Arc::new(MapArray::try_new(
                Arc::clone(entries),
                maps.offsets().clone(),
                entries_of,
                maps.nulls().cloned(),
                *sorted,
            )?))
        }
        (DataType::Struct(from), DataType::Struct(to)) => {
            if from.len() != to.len() {
                return Err(cannot(array, target));
            }
            let rows = array.as_struct();
            let columns = rows
                .columns()
                .iter()
                .zip(to.iter())
                .map(|(column, field)| down(&below(column, rows)?, field.data_type()))
                .collect::<Result<Vec<_>>>()?;
            let to = to
                .iter()
                .map(|field| Arc::new(field.as_ref().clone().with_nullable(true)))
                .collect::<Vec<_>>();
            let cast = StructArray::try_new_with_length(
                to.into(),
                columns,
                rows.nulls().cloned(),
                rows.len(),
            )?;
            Ok(arrow_cast(&(Arc::new(cast) as ArrayRef), target)?)
        }
        (from, _) if from.is_nested() || target.is_nested() => Err(cannot(array, target)),
        _ => scalars(array, target, work),
    }
}

/// Casts scalars; casts to integers round.
///
/// # Errors
///
/// A value does not fit, or the types cannot be cast.
pub(crate) fn plain(array: &ArrayRef, target: &DataType, _: &Work) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Float64 if target.is_integer() => {
            let rounded: Float64Array = array.as_primitive::<Float64Type>().unary(f64::round);
            arrow_cast(&(Arc::new(rounded) as ArrayRef), target)
        }
        DataType::Float32 if target.is_integer() => {
            let rounded: arrow::array::Float32Array =
                array.as_primitive::<Float32Type>().unary(f32::round);
            arrow_cast(&(Arc::new(rounded) as ArrayRef), target)
        }
        // Casts between decimals round.
        DataType::Decimal128(..) if target.is_integer() => {
            let rounded = arrow_cast(array, &DataType::Decimal128(38, 0))?;
            arrow_cast(&rounded, target)
        }
        _ => arrow_cast(array, target),
    }
}

/// The list array without items that no row shows.
fn compacted(lists: &ListArray) -> Result<ListArray> {
    let hidden = lists.null_count() > 0 || lists.values().len() != shown_items(lists);
    if !hidden {
        return Ok(lists.clone());
    }
    let indexes = arrow::array::UInt64Array::from_iter(
        (0..lists.len()).map(|row| lists.is_valid(row).then_some(row as u64)),
    );
    let taken = arrow::compute::take(lists, &indexes, None)?;
    Ok(taken.as_list::<i32>().clone())
}

fn shown_items(lists: &ListArray) -> usize {
    let offsets = lists.value_offsets();
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => usize::try_from(last - first).unwrap_or(usize::MAX),
        _ => 0,
    }
}

/// A field's column with NULL where its row is NULL.
pub(crate) fn below(column: &ArrayRef, rows: &StructArray) -> Result<ArrayRef> {
    let Some(nulls) = rows.nulls() else {
        return Ok(Arc::clone(column));
    };
    let hidden = arrow::array::BooleanArray::new(!nulls.inner(), None);
    Ok(arrow::compute::nullif(column, &hidden)?)
}

fn arrow_cast(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    let options = CastOptions {
        safe: false,
        format_options: FormatOptions::default(),
    };
    Ok(cast_with_options(array, target, &options)?)
}

fn cannot(array: &ArrayRef, target: &DataType) -> datafusion::error::DataFusionError {
    Error::new(
        Code::TypeMismatch,
        format!("cannot cast {} to {target}", array.data_type()),
    )
    .with_hint("the types must have the same shape, and rows the same number of fields")
    .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn rows_are_cast_by_position() {
        let cast = "CAST(ROW(1, 'a') AS ROW(x BIGINT, y VARCHAR))";
        assert_eq!(value(cast).await.unwrap(), "{x=1, y=a}");
        let nested = "CAST(ARRAY[ROW(1, ARRAY['2'])] AS ARRAY(ROW(x DOUBLE, y ARRAY(INTEGER))))";
        assert_eq!(value(nested).await.unwrap(), "[{x=1.0, y=[2]}]");
        let query = "SELECT CAST(x AS ROW(n INTEGER)) FROM (VALUES (ROW('1')), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["{n=1}", "NULL"]);
    }

    #[tokio::test]
    async fn values_that_do_not_fit_are_errors_and_null_for_try_cast() {
        assert!(
            error("CAST(ARRAY['x'] AS ARRAY(INTEGER))")
                .await
                .contains("'x'")
        );
        assert_eq!(
            value("TRY_CAST(ARRAY['x'] AS ARRAY(INTEGER))")
                .await
                .unwrap(),
            "NULL"
        );
        assert!(
            error("CAST(ROW(1) AS ROW(x INTEGER, y INTEGER))")
                .await
                .contains("cannot cast")
        );
    }

    #[tokio::test]
    async fn doubles_are_rounded() {
        assert_eq!(
            value("CAST(ARRAY[1.5, -2.5, 0.4] AS ARRAY(INTEGER))")
                .await
                .unwrap(),
            "[2, -3, 0]"
        );
    }
}
