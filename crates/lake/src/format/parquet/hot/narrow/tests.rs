#![allow(clippy::unwrap_used)]
use arrow::array::{
    BinaryViewArray, Date32Array, Decimal128Array, Float64Array, Int16Array, Int32Array,
    Int64Array, StringViewArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::buffer::ScalarBuffer;

use super::*;

/// In place of the bytes of a value: it is kept otherwise.
const OTHERWISE: usize = 99;

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
    let small = match &chunk {
        Chunk::Plain(_) | Chunk::Decoded(_) | Chunk::Texts(Texts::Listed(_)) => return OTHERWISE,
        Chunk::Texts(texts) => texts.places().unwrap(),
        Chunk::Numbers(numbers) => &numbers.distances,
    };
    match small.values() {
        Values::Zeros(_) => 0,
        Values::Bytes1(_) => 1,
        Values::Bytes2(_) => 2,
        Values::Bytes3(_) => 3,
        Values::Bytes4(_) => 4,
        Values::Bytes8(_) => 8,
    }
}

fn bytes<A: Array + 'static>(array: A) -> usize {
    bytes_of_value(&(Arc::new(array) as ArrayRef))
}

#[test]
fn numbers_take_the_bytes_of_their_range() {
    let between = |least: i64, span: i64| Int64Array::from(vec![least, least + span, least + 1]);
    for least in [0, -1000, i64::MIN, i64::MAX - u32::MAX as i64 - 1] {
        assert_eq!(bytes(Int64Array::from(vec![least; 3])), 0, "{least}");
        assert_eq!(bytes(between(least, 255)), 1, "{least}");
        assert_eq!(bytes(between(least, 256)), 2, "{least}");
        assert_eq!(bytes(between(least, 65_535)), 2, "{least}");
        assert_eq!(bytes(between(least, 65_536)), 3, "{least}");
        assert_eq!(bytes(between(least, 0xFF_FFFF)), 3, "{least}");
        assert_eq!(bytes(between(least, 0x100_0000)), 4, "{least}");
        assert_eq!(bytes(between(least, u32::MAX.into())), 4, "{least}");
        assert_eq!(bytes(between(least, i64::from(u32::MAX) + 1)), 8, "{least}");
    }
    assert_eq!(bytes(Int64Array::from(vec![i64::MIN, i64::MAX, 0])), 8);
    assert_eq!(bytes(Int32Array::from(vec![i32::MIN, i32::MAX, 0])), 4);
    assert_eq!(bytes(Int32Array::from(vec![-1, 0xABCDE, 0])), 3);
    assert_eq!(bytes(Int16Array::from(vec![-100, 155, 0])), 1);
    assert_eq!(bytes(Int16Array::from(vec![i16::MIN, i16::MAX, 0])), 2);
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
    assert_eq!(bytes(decimals(vec![-1, far, 7])), OTHERWISE);
    let most = 10_i128.pow(38) - 1;
    assert_eq!(bytes(decimals(vec![most, most - 3, most])), 1);
    assert_eq!(bytes(decimals(vec![-most, most, 0])), OTHERWISE);
}

#[test]
fn nulls_have_no_part_in_the_range() {
    let values = ScalarBuffer::from(vec![i64::MAX, 5, 6, i64::MIN]);
    let nulls = NullBuffer::from(vec![false, true, true, false]);
    assert_eq!(bytes(Int64Array::new(values, Some(nulls))), 1);
    assert_eq!(bytes(Int64Array::new_null(5)), 0);
    let values = ScalarBuffer::from(vec![i64::MAX, 5, 70_000, i64::MIN]);
    let nulls = NullBuffer::from(vec![false, true, true, false]);
    assert_eq!(bytes(Int64Array::new(values, Some(nulls))), 3);
    let sliced: ArrayRef = Arc::new(Int32Array::from(vec![
        Some(1 << 30),
        None,
        Some(3),
        Some(4),
    ]));
    assert_eq!(bytes_of_value(&sliced.slice(1, 3)), 1);
}

#[test]
fn texts_that_repeat_take_a_byte_or_two() {
    let kinds = |count: usize| {
        let rows = (0..5000).map(|row| match row % 7 {
            0 => None,
            _ => Some(format!("a text that is not short {}", row / 2 % count)),
        });
        rows.collect::<StringViewArray>()
    };
    assert_eq!(bytes(kinds(3)), 1);
    assert_eq!(bytes(kinds(256)), 1);
    assert_eq!(bytes(kinds(257)), 2);
    assert_eq!(bytes(kinds(1250)), 2);
    assert_eq!(bytes(kinds(1251)), OTHERWISE);
    assert_eq!(bytes(StringViewArray::new_null(5)), 0);
    assert_eq!(bytes(kinds(1)), 0);
    let blobs = vec![Some(&b""[..]), None, Some(&b"\xff\x00"[..]), Some(&b""[..])];
    assert_eq!(bytes(BinaryViewArray::from(blobs)), 1);
    assert_eq!(
        bytes(Float64Array::from(vec![0.0, -0.0, f64::NAN])),
        OTHERWISE
    );
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
    assert!(matches!(kept, Chunk::Texts(Texts::Listed(_))));
    // 1000 offsets, and texts of 100 bytes.
    assert!(kept.bytes() < 106_000, "{}", kept.bytes());
    let short = (0..5000).map(|row| Some(format!("{row}")));
    let short: ArrayRef = Arc::new(short.collect::<StringViewArray>());
    assert!(Chunk::of(&short).unwrap().bytes() < 16 * 5000 + 500);
}

#[test]
fn texts_of_few_kinds_take_little_more_than_a_byte() {
    for kind in ["AIR", "a text that is longer than a view"] {
        let rows = (0..8192).map(|row| (row % 9 != 0).then(|| format!("{kind} {}", row % 7)));
        let rows: ArrayRef = Arc::new(rows.collect::<StringViewArray>());
        let kept = Chunk::of(&rows).unwrap();
        // The places, the NULLs and the seven texts.
        assert!(kept.bytes() < 8192 + 1024 + 1024, "{}", kept.bytes());
    }
}

#[test]
fn long_and_short_texts_that_repeat_are_kept_beside_each_other() {
    let rows = (0..4000_u32).map(|row| {
        let text = format!("{}", row % 3000);
        let is_long = row % 2 == 0;
        (row % 11 != 0).then(|| if is_long { text.repeat(5) } else { text })
    });
    assert_eq!(bytes(rows.collect::<StringViewArray>()), OTHERWISE);
    let twice = (0..4000_u32).map(|row| (row % 900).to_be_bytes().repeat(row as usize % 900 % 6));
    assert_eq!(bytes(BinaryViewArray::from_iter_values(twice)), 2);
}

#[test]
fn column_in_a_piece_has_the_same_rows() {
    let numbers = |from: i64, step: i64| -> ArrayRef {
        let values = (0..1000).map(|row| (row % 3 != 0).then_some(from + row * step));
        Arc::new(values.collect::<Int64Array>())
    };
    let texts: ArrayRef = {
        let values = (0..1000).map(|row| (row % 5 != 0).then(|| format!("text {}", row % 9)));
        Arc::new(values.collect::<StringViewArray>())
    };
    let whole: ArrayRef = Arc::new(Int64Array::from_iter_values(0..17));
    let far: ArrayRef = Arc::new(Decimal128Array::from(vec![0, 1 << 40, 7, 8, 9, 1, 2, 3]));
    let wide: ArrayRef = Arc::new(Float64Array::from(vec![0.5; 10]));
    let arrays = [
        numbers(7, 0),
        numbers(5, 9),
        numbers(-9, 100),
        numbers(-9, 1000),
        whole,
        far,
        numbers(1 << 50, 1 << 30),
        wide,
        texts,
        numbers(0, 1 << 40),
    ];
    let mut chunks: Vec<Chunk> = arrays
        .iter()
        .map(|array| Chunk::of(array).unwrap())
        .collect();
    let bytes: usize = chunks.iter().map(Chunk::bytes).sum();
    Chunk::pack(&mut chunks);
    assert_eq!(chunks.iter().map(Chunk::bytes).sum::<usize>(), bytes);
    for (chunk, array) in chunks.iter().zip(&arrays) {
        let count = array.len();
        assert_eq!(&chunk.rows(0, count).unwrap(), array);
        assert_eq!(&chunk.rows(1, 7).unwrap(), &array.slice(1, 7));
        let chosen: BooleanArray = (0..count).map(|row| Some(row % 2 == 0)).collect();
        let expected = filter(array, &chosen).unwrap();
        assert_eq!(&chunk.chosen(0, &chosen).unwrap(), &expected);
        // What is returned does not hold the column.
        let rows = chunk.rows(0, count.min(8)).unwrap();
        let held = rows.get_array_memory_size();
        assert!(matches!(chunk, Chunk::Plain(_)) || held < 1200, "{held}");
    }
    // In any order, and again.
    chunks.reverse();
    Chunk::pack(&mut chunks);
    for (chunk, array) in chunks.iter().rev().zip(&arrays) {
        assert_eq!(&chunk.rows(0, array.len()).unwrap(), array);
    }
    Chunk::pack(&mut []);
}

#[test]
fn bounds_are_those_of_all_numbers() {
    let mut state = 7_u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state
    };
    for count in 1..40 {
        for shift in [0, 20, 60] {
            let numbers: Vec<i64> = (0..count).map(|_| random() as i64 >> shift).collect();
            let expected = numbers
                .iter()
                .copied()
                .min()
                .zip(numbers.iter().copied().max());
            assert_eq!(i64::bounds(&numbers), expected);
            for factor in [1, 1 << 60] {
                let wide = |number: i64| i128::from(number) * factor;
                let decimals: Vec<i128> = numbers.iter().map(|number| wide(*number)).collect();
                let expected = expected.map(|(least, most)| (wide(least), wide(most)));
                assert_eq!(i128::bounds(&decimals), expected);
            }
        }
    }
    assert_eq!(i128::bounds(&[]), None);
    let edges = [i64::MAX as i128 + 1, i64::MIN as i128 - 1, 0];
    assert_eq!(i128::bounds(&edges), Some((edges[1], edges[0])));
}

#[test]
fn large_column_is_in_several_pieces() {
    let numbers = |from: i64| -> ArrayRef {
        let rows = 0..8192;
        Arc::new(Int64Array::from_iter_values(
            rows.map(|row| (from + row) * 100),
        ))
    };
    let arrays: Vec<ArrayRef> = (0..100).map(|at| numbers(at * 8192)).collect();
    let chunks = arrays.iter().map(|array| Chunk::of(array).unwrap());
    let mut chunks: Vec<Chunk> = chunks.collect();
    // 24 KiB each.
    assert!(chunks.iter().map(Chunk::bytes).sum::<usize>() > 2 * PIECE);
    Chunk::pack(&mut chunks);
    for (chunk, array) in chunks.iter().zip(&arrays) {
        assert_eq!(&chunk.rows(0, 8192).unwrap(), array);
    }
}
