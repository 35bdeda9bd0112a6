#![allow(clippy::unwrap_used, clippy::panic)]
//! Rows written block by block against the same rows one by one.

use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::datatypes::{Field, Int8Type, Int32Type, Schema, i256};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::encode::{RowEncoder, Zone};

/// Values in bits of any number, so that those of few digits are as frequent as those of many.
fn bits(random: &mut StdRng) -> u64 {
    let bits: u64 = random.random();
    bits >> random.random_range(0..64u32)
}

fn integer(random: &mut StdRng) -> i64 {
    match random.random_range(0..20) {
        0 => i64::MIN,
        1 => i64::MAX,
        2 => 0,
        3 => 10i64.pow(random.random_range(0..19)) - 1,
        4 => -(10i64.pow(random.random_range(0..19))),
        n if n % 2 == 0 => bits(random) as i64,
        _ => (bits(random) as i64).wrapping_neg(),
    }
}

fn float(random: &mut StdRng) -> f64 {
    let whole = integer(random) as f64;
    match random.random_range(0..8) {
        0 => f64::NAN,
        1 => f64::NEG_INFINITY,
        2 => -0.0,
        3 => 0.0,
        4 => f64::from_bits(random.random()),
        5 => whole / 100.0,
        6 => whole / 10_000.0,
        _ => whole,
    }
}

/// Text without and with the bytes that COPY escapes and quotes.
fn text(random: &mut StdRng) -> String {
    const PLAIN: &str = "abc xyz 0123-.ä€🦆\u{1}";
    const ALL: &str = "ab,;|'\"\\\t\n\r\u{8}\u{b}\u{c}\u{7}\u{e}é";
    let kinds = if random.random_range(0..3) == 0 {
        ALL
    } else {
        PLAIN
    };
    let kinds: Vec<char> = kinds.chars().collect();
    let length = match random.random_range(0..10) {
        0 => 0,
        1 => random.random_range(0..200),
        _ => random.random_range(0..40),
    };
    let text = (0..length).map(|_| kinds[random.random_range(0..kinds.len())]);
    let text: String = text.collect();
    match random.random_range(0..40) {
        0 => "\\.".to_owned(),
        1 => "\\N".to_owned(),
        _ => text,
    }
}

/// Makes values of which some are NULL.
fn some<T>(random: &mut StdRng, rows: usize, make: impl Fn(&mut StdRng) -> T) -> Vec<Option<T>> {
    let mut values = Vec::with_capacity(rows);
    for _ in 0..rows {
        let is_null = random.random_range(0..9) == 0;
        values.push((!is_null).then(|| make(random)));
    }
    values
}

/// Columns of all types that blocks treat differently, and of some that they do not.
fn columns(random: &mut StdRng, rows: usize) -> Vec<ArrayRef> {
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(BooleanArray::from(some(random, rows, |r| {
            r.random::<bool>()
        }))),
        Arc::new(Int8Array::from(some(random, rows, |r| integer(r) as i8))),
        Arc::new(Int16Array::from(some(random, rows, |r| integer(r) as i16))),
        Arc::new(Int32Array::from(some(random, rows, |r| integer(r) as i32))),
        Arc::new(Int64Array::from(some(random, rows, integer))),
        Arc::new(UInt8Array::from(some(random, rows, |r| integer(r) as u8))),
        Arc::new(UInt16Array::from(some(random, rows, |r| integer(r) as u16))),
        Arc::new(UInt32Array::from(some(random, rows, |r| integer(r) as u32))),
        Arc::new(UInt64Array::from(some(random, rows, |r| integer(r) as u64))),
        Arc::new(Float32Array::from(some(random, rows, |r| float(r) as f32))),
        Arc::new(Float64Array::from(some(random, rows, float))),
    ];
    for scale in [0, 2, 5, 9, 14, 15, 19, 25, -3] {
        let long = |r: &mut StdRng| {
            let low = i128::from(integer(r));
            if r.random_range(0..5) == 0 {
                low * 1_000_003
            } else {
                low
            }
        };
        let values = Decimal128Array::from(some(random, rows, long));
        columns.push(Arc::new(
            values.with_precision_and_scale(38, scale).unwrap(),
        ));
    }
    let short = Decimal32Array::from(some(random, rows, |r| integer(r) as i32));
    let middle = Decimal64Array::from(some(random, rows, integer));
    let long = some(random, rows, |r| i256::from_i128(i128::from(integer(r))));
    let long = Decimal256Array::from(long);
    columns.push(Arc::new(short.with_precision_and_scale(9, 4).unwrap()));
    columns.push(Arc::new(middle.with_precision_and_scale(18, 7).unwrap()));
    columns.push(Arc::new(long.with_precision_and_scale(76, 2).unwrap()));
    let day = |r: &mut StdRng| -> i32 {
        match r.random_range(0..4) {
            0 => r.random_range(-2_440_588..2_140_000_000),
            1 => r.random_range(-2_440_588..2_932_900),
            _ => r.random_range(-400..40_000),
        }
    };
    let micros = |r: &mut StdRng| -> i64 {
        let near = r.random_range(-70_000_000_000_000_000..260_000_000_000_000_000i64);
        match r.random_range(0..4) {
            0 => r.random_range(-200_000_000_000_000_000..9_000_000_000_000_000_000i64),
            1 => near,
            2 => near / 10_000 * 10_000,
            _ => near / 1_000_000 * 1_000_000,
        }
    };
    let of_day = |r: &mut StdRng| r.random_range(0..86_400_000_000i64);
    columns.push(Arc::new(Date32Array::from(some(random, rows, day))));
    let millis = some(random, rows, |r| i64::from(day(r)) * 86_400_000);
    columns.push(Arc::new(Date64Array::from(millis)));
    columns.push(Arc::new(Time64MicrosecondArray::from(some(
        random, rows, of_day,
    ))));
    let moments = TimestampMicrosecondArray::from(some(random, rows, micros));
    columns.push(Arc::new(moments.clone()));
    columns.push(Arc::new(moments.with_timezone("UTC")));
    let seconds = some(random, rows, |r| micros(r) / 1_000_000);
    columns.push(Arc::new(TimestampSecondArray::from(seconds)));
    let texts = some(random, rows, text);
    columns.push(Arc::new(StringArray::from_iter(texts.clone())));
    columns.push(Arc::new(LargeStringArray::from_iter(texts.clone())));
    columns.push(Arc::new(StringViewArray::from_iter(texts.clone())));
    let keyed: DictionaryArray<Int8Type> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| text.as_ref().map(|_| ["a,b", "", "x"][n % 3]))
        .collect();
    columns.push(Arc::new(keyed));
    let keys = Int8Array::from(some(random, rows, |r| r.random_range(0..2i8)));
    let moments = TimestampSecondArray::from(vec![Some(86_400), None]);
    let keyed = DictionaryArray::new(keys, Arc::new(moments));
    columns.push(Arc::new(keyed));
    let bytes = texts.iter().map(|text| text.as_ref().map(String::as_bytes));
    columns.push(Arc::new(BinaryArray::from_iter(bytes)));
    let lists = some(random, rows, |r| vec![Some(integer(r) as i32), None]);
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(lists);
    columns.push(Arc::new(lists));
    columns
}

fn batch_of(columns: Vec<ArrayRef>) -> RecordBatch {
    let fields = columns.iter().enumerate();
    let fields =
        fields.map(|(n, column)| Field::new(format!("c{n}"), column.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn lines(options: &str, columns: usize) -> Lines {
    let sql = format!("COPY (SELECT 1) TO STDOUT ({options})");
    let parsed = lakegate_gateway::sql::parse(&sql).unwrap().remove(0);
    let lakegate_gateway::sql::ast::Statement::Copy(copy) = parsed.statement else {
        panic!("not a COPY")
    };
    let names: Vec<String> = (0..columns).map(|n| format!("c{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Lines::new(&copy, &names).unwrap()
}

/// Writes all rows as if they were sent each time that there is enough output; `before`: bytes of
/// other messages that wait, which come back with the rows.
fn in_blocks(
    batch: &RecordBatch,
    encoder: &RowEncoder,
    before: usize,
    put: impl Fn(&mut BatchEncoder<'_>, &mut BytesMut, Range<usize>) -> Result<usize>,
) -> Vec<u8> {
    let mut rows = encoder.batch(batch).unwrap();
    let mut all = Vec::new();
    let mut out = BytesMut::zeroed(before);
    let (mut next, end) = (0, batch.num_rows());
    while next < end {
        let was_empty = out.is_empty();
        let after = put(&mut rows, &mut out, next..end).unwrap();
        assert!(after > next || !was_empty, "no row was written");
        next = after;
        all.extend_from_slice(&out);
        out.clear();
    }
    all
}

fn one_by_one(
    batch: &RecordBatch,
    encoder: &RowEncoder,
    before: usize,
    put: impl Fn(&BatchEncoder<'_>, &mut BytesMut, usize) -> Result<()>,
) -> Vec<u8> {
    let rows = encoder.batch(batch).unwrap();
    let mut out = BytesMut::zeroed(before);
    for row in 0..batch.num_rows() {
        put(&rows, &mut out, row).unwrap();
    }
    out.to_vec()
}

fn styles() -> Vec<Style> {
    let default = Style::default();
    vec![
        default,
        Style {
            zone: Zone::parse("America/Los_Angeles"),
            escaped_bytes: true,
            ..default
        },
        Style {
            zone: Zone::parse("+05:30"),
            ..default
        },
        Style {
            dates: crate::encode::DateForm::German,
            float_digits: 0,
            ..default
        },
    ]
}

/// Compares all ways to write a batch.
fn compare(batch: &RecordBatch, before: usize) {
    let columns = batch.num_columns();
    for style in styles() {
        let mixed = (0..columns).map(|n| match n % 2 {
            0 => Format::Text,
            _ => Format::Binary,
        });
        let mixed: Vec<Format> = mixed.collect();
        let (text, binary) = (vec![Format::Text; columns], vec![Format::Binary; columns]);
        for formats in [&mixed, &text, &binary] {
            let encoder = RowEncoder::new(&batch.schema(), formats, style);
            let wanted = one_by_one(batch, &encoder, before, |rows, out, row| {
                rows.put_data_row(out, row)
            });
            let found = in_blocks(batch, &encoder, before, |rows, out, range| {
                rows.put_data_rows(out, range)
            });
            assert!(found == wanted, "{formats:?} {style:?}");
        }
        let encoder = RowEncoder::new(&batch.schema(), &binary, style);
        let wanted = one_by_one(batch, &encoder, before, |rows, out, row| {
            rows.put_copy_binary(out, row, &[])
        });
        let found = in_blocks(batch, &encoder, before, |rows, out, range| {
            rows.put_copy_rows(out, range)
        });
        assert!(found == wanted, "COPY in binary format, {style:?}");
        for options in [
            "FORMAT text",
            "DELIMITER '|', NULL ''",
            "DELIMITER '-'",
            "FORMAT csv",
            "FORMAT csv, NULL '0', FORCE_QUOTE (c0, c3)",
            "FORMAT csv, DELIMITER ';', QUOTE '''', ESCAPE '\\', NULL 'null'",
        ] {
            if columns < 4 && options.contains("c3") {
                continue;
            }
            // As COPY does: only ISO dates are known to have plain texts.
            if style.dates != crate::encode::DateForm::Iso {
                continue;
            }
            let lines = lines(options, columns);
            let encoder = RowEncoder::new(&batch.schema(), &text, style);
            let wanted = one_by_one(batch, &encoder, before, |rows, out, row| {
                rows.put_copy_line(out, row, &lines, &mut BytesMut::new())
            });
            let found = in_blocks(batch, &encoder, before, |rows, out, range| {
                rows.put_copy_lines(out, range, &lines)
            });
            let differ = found.iter().zip(&wanted).position(|(a, b)| a != b);
            assert!(found == wanted, "{options}: from byte {differ:?} on");
        }
    }
}

#[test]
fn blocks_write_the_bytes_of_single_rows() {
    let mut random = StdRng::seed_from_u64(7);
    for rows in [1, FEW, BLOCK, BLOCK + 1, 700] {
        compare(&batch_of(columns(&mut random, rows)), 0);
    }
    let batch = batch_of(columns(&mut random, 300));
    compare(&batch.slice(17, 200), 0);
    // Little room, and none, beside other messages.
    compare(&batch, WRITE_AT - 100);
    compare(&batch, ROOM + 1);
}

#[test]
fn columns_of_each_type_are_written_alone() {
    let mut random = StdRng::seed_from_u64(8);
    for column in columns(&mut random, 150) {
        compare(&batch_of(vec![column]), 0);
    }
}

#[test]
fn rows_of_any_length_are_written() {
    let lengths: [usize; 12] = [
        0, 15, 16, 17, 40_000, 70_000, 5, 65_000, 30_000, 30_000, 30_000, 1,
    ];
    let lengths = lengths.repeat(3);
    let texts = lengths.iter().map(|length| "x,".repeat(length / 2));
    let lists = lengths.iter().map(|length| Some(vec![Some(1); length / 8]));
    let batch = batch_of(vec![
        Arc::new(StringViewArray::from_iter_values(texts)),
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
    ]);
    compare(&batch, 0);
    compare(&batch, 50_000);
}

#[test]
fn rows_before_an_error_stay() {
    let days: Vec<i32> = (0..200)
        .map(|n| if n == 130 { i32::MIN } else { n })
        .collect();
    let batch = batch_of(vec![Arc::new(Date32Array::from(days))]);
    for format in [Format::Text, Format::Binary] {
        let encoder = RowEncoder::new(&batch.schema(), &[format], Style::default());
        let mut rows = encoder.batch(&batch).unwrap();
        let mut out = BytesMut::new();
        let error = rows.put_data_rows(&mut out, 0..200).unwrap_err();
        assert_eq!(error.code().sqlstate(), "22008");
        let before = one_by_one(&batch.slice(0, 130), &encoder, 0, |rows, out, row| {
            rows.put_data_row(out, row)
        });
        assert!(out == before);
    }
}

#[test]
fn short_texts_are_words() {
    for length in 0..WORD {
        let text: Vec<u8> = (1..=length as u8).collect();
        let bytes = short_word(&text).to_le_bytes();
        assert_eq!(&bytes[..length], text);
        assert!(bytes[length..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn columns_of_nulls_and_rows_without_columns_are_written() {
    compare(&batch_of(vec![Arc::new(NullArray::new(100))]), 0);
    let options = RecordBatchOptions::new().with_row_count(Some(100));
    let schema = Arc::new(Schema::empty());
    let none = RecordBatch::try_new_with_options(schema, vec![], &options);
    compare(&none.unwrap(), 0);
}
