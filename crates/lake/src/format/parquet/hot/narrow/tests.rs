#![allow(clippy::unwrap_used)]
use arrow::array::{
    BinaryViewArray, Date32Array, Decimal128Array, Float64Array, Int16Array, Int32Array,
    Int64Array, StringViewArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::buffer::ScalarBuffer;
use arrow::compute::concat;

use super::*;

/// Asserts that all rows of a chunk, and chosen ones, are those of the array, and returns the bytes
/// of a value.
fn bytes_of_value(array: &ArrayRef) -> usize {
    let chunk = Chunk::of(array).unwrap();
    assert_eq!(chunk.len(), array.len());
    for (from, count) in [(0, array.len()), (1, array.len() - 1), (2, 1), (1, 0)] {
        let rows = chunk.rows(from, count).unwrap();
        assert_eq!(rows.data_type(), array.data_type());
        assert_eq!(&rows, &array.slice(from, count), "{from} {count}");
        for step in [1, 2, 3] {
            let chosen: BooleanArray = (0..count).map(|row| Some(row % step == 0)).collect();
            let expected = filter(&array.slice(from, count), &chosen).unwrap();
            assert_eq!(
                &chunk.chosen(from, &chosen).unwrap(),
                &expected,
                "{from} {count}"
            );
        }
    }
    assert!(chunk.rows(1, array.len()).is_err());
    let all = BooleanArray::from(vec![true; array.len()]);
    assert!(chunk.chosen(1, &all).is_err());
    match chunk {
        Chunk::Plain(_) => 0,
        Chunk::Texts(_) => 1,
        Chunk::Numbers(numbers) => match numbers.distances {
            Distances::Bytes1(_) => 1,
            Distances::Bytes2(_) => 2,
            Distances::Bytes4(_) => 4,
            Distances::Bytes8(_) => 8,
        },
    }
}

fn bytes<A: Array + 'static>(array: A) -> usize {
    bytes_of_value(&(Arc::new(array) as ArrayRef))
}

#[test]
fn numbers_take_the_bytes_of_their_range() {
    let between = |least: i64, span: i64| Int64Array::from(vec![least, least + span, least + 1]);
    for least in [0, -1000, i64::MIN, i64::MAX - u32::MAX as i64 - 1] {
        assert_eq!(bytes(between(least, 255)), 1, "{least}");
        assert_eq!(bytes(between(least, 256)), 2, "{least}");
        assert_eq!(bytes(between(least, 65_535)), 2, "{least}");
        assert_eq!(bytes(between(least, 65_536)), 4, "{least}");
        assert_eq!(bytes(between(least, u32::MAX.into())), 4, "{least}");
        assert_eq!(bytes(between(least, i64::from(u32::MAX) + 1)), 0, "{least}");
    }
    assert_eq!(bytes(Int64Array::from(vec![i64::MIN, i64::MAX, 0])), 0);
    assert_eq!(bytes(Int32Array::from(vec![i32::MIN, i32::MAX, 0])), 0);
    assert_eq!(bytes(Int16Array::from(vec![-100, 155, 0])), 1);
    assert_eq!(
        bytes(UInt64Array::from(vec![u64::MAX, u64::MAX - 9, u64::MAX])),
        1
    );
    assert_eq!(bytes(Date32Array::from(vec![10_000, 19_000, 12_000])), 2);
    let times = TimestampMicrosecondArray::from(vec![1 << 50, 1 << 50, (1 << 50) + 7]);
    assert_eq!(bytes(times.with_timezone("Europe/Berlin")), 1);
}

#[test]
fn decimals_keep_their_type() {
    let decimals = |values: Vec<i128>| {
        let values = Decimal128Array::from(values);
        values.with_precision_and_scale(38, 3).unwrap()
    };
    assert_eq!(bytes(decimals(vec![-5, 5, 0])), 1);
    assert_eq!(bytes(decimals(vec![0, 1 << 40, 7])), 8);
    let far = i128::from(u64::MAX);
    assert_eq!(bytes(decimals(vec![-1, far - 1, 7])), 8);
    assert_eq!(bytes(decimals(vec![-1, far, 7])), 0);
    let most = 10_i128.pow(38) - 1;
    assert_eq!(bytes(decimals(vec![most, most - 3, most])), 1);
    assert_eq!(bytes(decimals(vec![-most, most, 0])), 0);
    // Of these, one has more than 64 bits.
    let edge = i128::from(i64::MAX);
    assert_eq!(bytes(decimals(vec![edge, edge + 1, edge - 200])), 1);
    assert_eq!(bytes(decimals(vec![-edge, -edge - 2, -edge - 1])), 1);
    assert_eq!(bytes(decimals(vec![1 << 64, (1 << 64) + 5, 1 << 64])), 1);
    assert_eq!(bytes(decimals(vec![0, 1 << 64, 0])), 0);
}

#[test]
fn bounds_of_wide_numbers_are_those_of_all() {
    let edge = i128::from(i64::MAX);
    for values in [
        vec![3, -7, 5],
        vec![edge, -edge - 1],
        vec![edge + 1, 0],
        vec![0, i128::MIN, i128::MAX],
        vec![1 << 64, 7],
    ] {
        let first = *values.first().unwrap();
        let expected = (*values.iter().min().unwrap(), *values.iter().max().unwrap());
        assert_eq!(bounds_of_wide(first, &values), expected, "{values:?}");
    }
}

#[test]
fn nulls_have_no_part_in_the_range() {
    let values = ScalarBuffer::from(vec![i64::MAX, 5, 6, i64::MIN]);
    let nulls = NullBuffer::from(vec![false, true, true, false]);
    assert_eq!(bytes(Int64Array::new(values, Some(nulls))), 1);
    assert_eq!(bytes(Int64Array::new_null(5)), 1);
    let sliced: ArrayRef = Arc::new(Int32Array::from(vec![
        Some(1 << 30),
        None,
        Some(3),
        Some(4),
    ]));
    assert_eq!(bytes_of_value(&sliced.slice(1, 3)), 1);
}

#[test]
fn texts_of_few_kinds_take_a_byte() {
    let kinds = |count: usize| {
        let rows = (0..5000).map(|row| match row % 7 {
            0 => None,
            _ => Some(format!("a text that is not short {}", row % count)),
        });
        rows.collect::<StringViewArray>()
    };
    assert_eq!(bytes(kinds(3)), 1);
    assert_eq!(bytes(kinds(256)), 1);
    assert_eq!(bytes(kinds(257)), 0);
    assert_eq!(bytes(StringViewArray::new_null(5)), 1);
    // Texts that are within their views, of which some have a slot in common, and one that is empty.
    let short = |count: usize| {
        let rows =
            (0..5000).map(|row| Some("ab".repeat(row % count % 7) + &(row % count).to_string()));
        let nulls = (0..3).map(|_| None);
        let rows = rows.chain(nulls).chain([Some(String::new())]);
        rows.collect::<StringViewArray>()
    };
    assert_eq!(bytes(short(3)), 1);
    assert_eq!(bytes(short(255)), 1);
    assert_eq!(bytes(short(256)), 0);
    // Equal texts in several buffers.
    let half = kinds(9);
    let both = concat(&[&half, &kinds(9)]).unwrap();
    assert_eq!(bytes_of_value(&both), 1);
    let blobs = vec![Some(&b""[..]), None, Some(&b"\xff\x00"[..]), Some(&b""[..])];
    assert_eq!(bytes(BinaryViewArray::from(blobs)), 1);
    assert_eq!(bytes(Float64Array::from(vec![0.0, -0.0, f64::NAN])), 0);
}

#[test]
fn views_own_what_they_show() {
    let long = (0..1000).map(|row| Some(format!("{row} {}", "x".repeat(1000))));
    let shown: StringViewArray = long.chain([None, Some("short".to_owned())]).collect();
    let few: ArrayRef = Arc::new(shown.slice(998, 4));
    assert!(few.get_array_memory_size() > 1_000_000);
    let kept = Chunk::of(&few).unwrap();
    assert!(kept.bytes() < 100_000, "{}", kept.bytes());
    let distinct = (0..5000_u32).map(|row| Some([&row.to_be_bytes()[..], &[7; 96]].concat()));
    let distinct: BinaryViewArray = distinct.collect();
    let few: ArrayRef = Arc::new(distinct.slice(0, 1000));
    let kept = Chunk::of(&few).unwrap();
    assert!(matches!(kept, Chunk::Plain(_)));
    assert!(kept.bytes() < 300_000, "{}", kept.bytes());
}
