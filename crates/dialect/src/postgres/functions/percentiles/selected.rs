//! The numbers at places of a list in its order, which may have as many as the memory of a query
//! holds. Only a short list is copied to be sorted: of a long one, the digits of a number are found one
//! after the other, by counting the numbers that begin with those known so far.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::{DataFusionError, Result};
use lakegate_engine::stop;

/// The maximum number of items that are copied at once.
const ITEMS: usize = 65_536;

/// The bits of a digit.
const BITS: u32 = 16;

/// The number of digits that there are.
const DIGITS: usize = 1 << BITS;

/// Returns the numbers at two places, from 0, in ascending order. NaN is the greatest number.
///
/// # Errors
///
/// The list has fewer items, or its items are not numbers; the query must stop.
pub(super) fn pair(items: &ArrayRef, one: usize, other: usize) -> Result<(f64, f64)> {
    if items.len() <= ITEMS {
        let mut keys = keys(items)?;
        keys.sort_unstable();
        let at = |place: usize| keys.get(place).map(|key| number(*key)).ok_or_else(beyond);
        return Ok((at(one)?, at(other)?));
    }
    let found = selected(items, one)?;
    match one == other {
        true => Ok((found, found)),
        false => Ok((found, selected(items, other)?)),
    }
}

/// Returns the number at a place of a long list.
fn selected(items: &ArrayRef, place: usize) -> Result<f64> {
    let (mut known, mut prefix, mut before) = (0u64, 0u64, place);
    for digit in 1..=u64::BITS / BITS {
        let shift = u64::BITS - digit * BITS;
        let mut counts = vec![0usize; DIGITS];
        for start in (0..items.len()).step_by(ITEMS) {
            stop::check()?;
            let part = items.slice(start, ITEMS.min(items.len() - start));
            for key in keys(&part)? {
                let place = usize::try_from((key >> shift) % DIGITS as u64).unwrap_or(0);
                if key & known == prefix
                    && let Some(count) = counts.get_mut(place)
                {
                    *count += 1;
                }
            }
        }
        let mut digits = (0u64..).zip(counts);
        let found = digits.find(|(_, count)| match before.checked_sub(*count) {
            Some(behind) => {
                before = behind;
                false
            }
            None => true,
        });
        let (found, _) = found.ok_or_else(beyond)?;
        prefix |= found << shift;
        known |= (DIGITS as u64 - 1) << shift;
    }
    Ok(number(prefix))
}

fn beyond() -> DataFusionError {
    DataFusionError::Internal("a place beyond a list".to_owned())
}

/// Returns the keys of items, which have the order of the numbers.
fn keys(items: &ArrayRef) -> Result<Vec<u64>> {
    let numbers = cast(items, &DataType::Float64)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    Ok(numbers.iter().flatten().map(key).collect())
}

const SIGN: u64 = 1 << 63;

fn key(number: f64) -> u64 {
    let number = match number {
        // Both zeros are equal, and so are all NaNs.
        0.0 => 0.0,
        number if number.is_nan() => f64::NAN,
        number => number,
    };
    let bits = number.to_bits();
    match bits & SIGN {
        0 => bits | SIGN,
        _ => !bits,
    }
}

fn number(key: u64) -> f64 {
    f64::from_bits(match key & SIGN {
        0 => !key,
        _ => key & !SIGN,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Float64Array, Int64Array};

    use super::*;

    #[test]
    fn numbers_are_found_at_their_places() {
        let numbers = [f64::NAN, 2.0, f64::NEG_INFINITY, -0.0, f64::INFINITY, -2.5];
        let items: ArrayRef = Arc::new(Float64Array::from(numbers.to_vec()));
        let sorted = [f64::NEG_INFINITY, -2.5, 0.0, 2.0, f64::INFINITY];
        for (place, number) in sorted.into_iter().enumerate() {
            assert_eq!(pair(&items, place, place).unwrap(), (number, number));
            assert_eq!(selected(&items, place).unwrap(), number);
        }
        assert!(pair(&items, 0, 5).unwrap().1.is_nan());
        assert!(selected(&items, 5).unwrap().is_nan());
        assert!(pair(&items, 0, 6).is_err());
        assert!(selected(&items, 6).is_err());
        let decimals = Decimal128Array::from(vec![250, 125]);
        let decimals = decimals.with_precision_and_scale(10, 2).unwrap();
        let decimals: ArrayRef = Arc::new(decimals);
        assert_eq!(pair(&decimals, 0, 1).unwrap(), (1.25, 2.5));
    }

    #[test]
    fn a_long_list_is_not_copied() {
        let count = 3 * ITEMS as i64 + 5;
        // Each number from -5 once, in no order.
        let numbers = (0..count).map(|row| row * 7919 % count - 5);
        let items: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
        for place in [0, 4, 5, 6, ITEMS, 2 * ITEMS, 3 * ITEMS + 3] {
            let found = pair(&items, place, place + 1).unwrap();
            let expected = place as f64 - 5.0;
            assert_eq!(found, (expected, expected + 1.0));
        }
        let equal: ArrayRef = Arc::new(Int64Array::from(vec![7; 2 * ITEMS]));
        assert_eq!(pair(&equal, 0, 2 * ITEMS - 1).unwrap(), (7.0, 7.0));
        assert!(pair(&equal, 0, 2 * ITEMS).is_err());
    }
}
