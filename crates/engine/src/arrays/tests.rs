#![allow(clippy::unwrap_used)]
use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray};
use arrow::datatypes::Float64Type;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Accumulator;

use super::*;

fn arrays(items: Vec<Option<Vec<Option<f64>>>>) -> ArrayRef {
    Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(items))
}

#[test]
fn keys_are_in_the_order_of_arrays() {
    let nan = f64::NAN;
    let ordered = arrays(vec![
        Some(vec![]),
        Some(vec![Some(f64::NEG_INFINITY)]),
        Some(vec![Some(-1.0)]),
        Some(vec![Some(0.0)]),
        Some(vec![Some(0.0), Some(1.0)]),
        Some(vec![Some(0.0), None]),
        Some(vec![Some(f64::INFINITY)]),
        Some(vec![Some(nan)]),
        Some(vec![Some(nan), None]),
        Some(vec![None]),
        Some(vec![None, Some(0.0)]),
        Some(vec![None, None]),
        None,
    ]);
    let keys = keys_of(&ordered).unwrap();
    for row in 1..ordered.len() {
        assert!(keys.row(row - 1) < keys.row(row), "row {row}");
    }
    let equal = arrays(vec![
        Some(vec![Some(-0.0), Some(-nan), None]),
        Some(vec![Some(0.0), Some(nan), None]),
    ]);
    let keys = keys_of(&equal).unwrap();
    assert_eq!(keys.row(0), keys.row(1));
}

#[test]
fn the_key_of_null_is_null() {
    let keys = comparable(&arrays(vec![None, Some(vec![None])])).unwrap();
    assert!(keys.is_null(0));
    assert!(keys.is_valid(1));
}

#[test]
fn extremes_of_moving_rows_are_those_of_their_rows() {
    // The numbers are generated without a library, so that each run is the same.
    let mut seed = 7u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let items: Vec<Option<Vec<Option<f64>>>> = (0..200)
        .map(|_| {
            (next(8) > 0).then(|| {
                let length = next(3);
                (0..length)
                    .map(|_| (next(4) > 0).then(|| next(3) as f64))
                    .collect()
            })
        })
        .collect();
    let values = arrays(items);
    for wanted in [Ordering::Less, Ordering::Greater] {
        let mut moving = MovingArrayExtreme::new(wanted, values.data_type());
        let (mut first, mut end) = (0, 0);
        while end < values.len() {
            let more = usize::try_from(next(5)).unwrap().min(values.len() - end);
            moving.update_batch(&[values.slice(end, more)]).unwrap();
            end += more;
            let less = usize::try_from(next(5)).unwrap().min(end - first);
            moving.retract_batch(&[values.slice(first, less)]).unwrap();
            first += less;
            let mut all = ArrayExtreme::new(wanted, values.data_type());
            all.update_batch(&[values.slice(first, end - first)])
                .unwrap();
            assert_eq!(moving.evaluate().unwrap(), all.evaluate().unwrap());
        }
        let nothing = ScalarValue::try_from(values.data_type()).unwrap();
        let mut none = ArrayExtreme::new(wanted, values.data_type());
        assert_eq!(none.evaluate().unwrap(), nothing);
    }
}
