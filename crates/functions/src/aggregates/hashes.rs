//! The 64-bit hashes of values that Trino's `checksum` and `approx_distinct` are made of: xxHash64
//! of a value's bytes in Trino's memory.

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, OffsetSizeTrait};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int64Type, TimeUnit};
use datafusion::error::Result;
use lakegate_error::{Code, Error};
use twox_hash::XxHash64;

/// The types that a column may be nested in.
const DEPTH: usize = 64;

fn of_number(number: i64) -> u64 {
    XxHash64::oneshot(0, &number.to_le_bytes())
}

#[inline]
fn of_bytes(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

/// Returns the hash of each value; that of NULL is 0.
///
/// # Errors
///
/// The type has no hash.
pub(crate) fn hashes(array: &ArrayRef) -> Result<Vec<u64>> {
    nested(array, 0)
}

fn nested(array: &ArrayRef, depth: usize) -> Result<Vec<u64>> {
    use DataType as T;
    if depth > DEPTH {
        let message = "the type of a value is nested too deeply to be hashed";
        return Err(Error::new(Code::TooComplex, message).into());
    }
    let mut hashes: Vec<u64> = match array.data_type() {
        T::Null => vec![0; array.len()],
        T::List(_) => {
            let list = array.as_list::<i32>();
            of_lists(list.values(), list.value_offsets(), depth)?
        }
        T::LargeList(_) => {
            let list = array.as_list::<i64>();
            of_lists(list.values(), list.value_offsets(), depth)?
        }
        T::Struct(_) => {
            let mut hashes = vec![1u64; array.len()];
            for column in array.as_struct().columns() {
                for (hash, of) in hashes.iter_mut().zip(nested(column, depth + 1)?) {
                    *hash = hash.wrapping_mul(31).wrapping_add(of);
                }
            }
            hashes
        }
        T::Map(..) => {
            let map = array.as_map();
            let keys = nested(map.keys(), depth + 1)?;
            let values = nested(map.values(), depth + 1)?;
            map.value_offsets()
                .windows(2)
                .map(|ends| {
                    let entries = ends[0] as usize..ends[1] as usize;
                    entries.fold(0u64, |hash, entry| {
                        hash.wrapping_add(keys[entry] ^ values[entry])
                    })
                })
                .collect()
        }
        T::Dictionary(_, values) => return nested(&cast(array, values)?, depth + 1),
        T::Interval(_) | T::Duration(_) => {
            let texts = cast(array, &T::Utf8)?;
            return nested(&texts, depth + 1);
        }
        _ => scalars(array)?,
    };
    if let Some(nulls) = array.logical_nulls() {
        for (row, hash) in hashes.iter_mut().enumerate() {
            if nulls.is_null(row) {
                *hash = 0;
            }
        }
    }
    Ok(hashes)
}

/// Returns the hashes of values that are not nested. That of NULL is any number.
fn scalars(array: &ArrayRef) -> Result<Vec<u64>> {
    use DataType as T;
    Ok(match array.data_type() {
        T::Boolean => {
            let values = array.as_boolean().values().iter();
            values.map(|value| of_number(i64::from(value))).collect()
        }
        T::Int8
        | T::Int16
        | T::Int32
        | T::Int64
        | T::UInt8
        | T::UInt16
        | T::UInt32
        | T::Date32
        | T::Date64 => {
            let numbers = match array.data_type() {
                T::Date32 | T::Date64 => cast(&cast(array, &T::Date32)?, &T::Int32)?,
                _ => std::sync::Arc::clone(array),
            };
            whole(&numbers, of_number)?
        }
        // Zero has one hash, and so has NaN.
        T::Float32 => {
            let values = array.as_primitive::<Float32Type>().values().iter();
            let bits = |x: f32| {
                if x.is_nan() {
                    0x7FC0_0000
                } else {
                    (x + 0.0).to_bits()
                }
            };
            values
                .map(|x| of_number(i64::from(bits(*x).cast_signed())))
                .collect()
        }
        T::Float64 => {
            let values = array.as_primitive::<Float64Type>().values().iter();
            let bits = |x: f64| match x.is_nan() {
                true => 0x7FF8_0000_0000_0000,
                false => (x + 0.0).to_bits(),
            };
            values.map(|x| of_number(bits(*x).cast_signed())).collect()
        }
        T::Decimal128(precision, _) => {
            let short = *precision <= 18;
            let values = array.as_primitive::<Decimal128Type>().values().iter();
            values
                .map(|x| match short {
                    true => of_number(*x as i64),
                    false => of_number((*x >> 64) as i64) ^ of_number(*x as i64),
                })
                .collect()
        }
        T::Time32(_) | T::Time64(_) => {
            // Trino counts picoseconds.
            let nanos = cast(array, &T::Time64(TimeUnit::Nanosecond))?;
            whole(&cast(&nanos, &T::Int64)?, |nanos| {
                of_number(nanos.wrapping_mul(1000))
            })?
        }
        T::Timestamp(_, None) => {
            let micros = cast(array, &T::Timestamp(TimeUnit::Microsecond, None))?;
            whole(&cast(&micros, &T::Int64)?, of_number)?
        }
        T::Timestamp(_, zone) => {
            let micros = T::Timestamp(TimeUnit::Microsecond, zone.clone());
            let micros = cast(&cast(array, &micros)?, &T::Int64)?;
            // Trino hashes milliseconds; what is finer than one is hashed apart.
            whole(&micros, |micros| {
                let hash = of_number(micros.div_euclid(1000));
                match micros.rem_euclid(1000) {
                    0 => hash,
                    rest => hash ^ of_number(rest * 1_000_000),
                }
            })?
        }
        T::Utf8View => of_each(array.as_string_view().bytes_iter()),
        T::BinaryView => of_each(array.as_binary_view().bytes_iter()),
        T::Utf8 | T::LargeUtf8 | T::Binary | T::LargeBinary | T::FixedSizeBinary(_) => {
            let bytes = match array.data_type() {
                T::Utf8 | T::LargeUtf8 => cast(&cast(array, &T::Utf8)?, &T::Binary)?,
                _ => cast(array, &T::Binary)?,
            };
            of_all_bytes(bytes.as_binary::<i32>())
        }
        other => {
            let message = format!("a value of type {other} has no hash");
            return Err(Error::new(Code::TypeMismatch, message).into());
        }
    })
}

fn whole(numbers: &ArrayRef, hash: impl Fn(i64) -> u64) -> Result<Vec<u64>> {
    let numbers = cast(numbers, &DataType::Int64)?;
    let values = numbers.as_primitive::<Int64Type>().values().iter();
    Ok(values.map(|number| hash(*number)).collect())
}

fn of_each<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<u64> {
    values.map(of_bytes).collect()
}

fn of_all_bytes(array: &BinaryArray) -> Vec<u64> {
    (0..array.len())
        .map(|row| of_bytes(array.value(row)))
        .collect()
}

fn of_lists<O: OffsetSizeTrait>(
    values: &ArrayRef,
    offsets: &[O],
    depth: usize,
) -> Result<Vec<u64>> {
    let items = nested(values, depth + 1)?;
    let lists = offsets.windows(2).map(|ends| {
        let items = &items[ends[0].as_usize()..ends[1].as_usize()];
        items
            .iter()
            .fold(0u64, |hash, item| hash.wrapping_mul(31).wrapping_add(*item))
    });
    Ok(lists.collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn views_have_the_hashes_of_their_texts() {
        let values = [
            "",
            "a",
            "twelve bytes",
            "a text of more than twelve bytes",
            "é😀",
        ];
        let values = values.map(Some).into_iter().chain([None, Some("a")]);
        let texts: ArrayRef = Arc::new(StringArray::from_iter(values));
        let expected = hashes(&texts).unwrap();
        for data_type in [
            DataType::Utf8View,
            DataType::LargeUtf8,
            DataType::Binary,
            DataType::BinaryView,
        ] {
            let views = cast(&texts, &data_type).unwrap();
            assert_eq!(hashes(&views).unwrap(), expected, "{data_type}");
            let part = views.slice(3, 3);
            assert_eq!(hashes(&part).unwrap(), expected[3..6], "{data_type}");
        }
    }

    #[test]
    fn bytes_are_hashed_as_by_others() {
        // The vectors of xxHash64 with the seed 0.
        assert_eq!(of_bytes(b""), 0xEF46_DB37_51D8_E999);
        assert_eq!(of_bytes(b"a"), 0xD24E_C4F1_A98C_6E5B);
    }
}
