//! Lines of COPY: values that are not looked at for special bytes, and values that are.

use super::*;
use crate::copy::Lines;

fn lines(options: &str) -> Lines {
    let sql = format!("COPY (SELECT 1) TO STDOUT ({options})");
    let parsed = lakegate_gateway::sql::parse(&sql).unwrap().remove(0);
    let lakegate_gateway::sql::ast::Statement::Copy(copy) = parsed.statement else {
        panic!("not a COPY")
    };
    Lines::new(&copy, &["a", "b"]).unwrap()
}

/// Returns columns of the types whose texts have few kinds of bytes, with NULL and extremes.
fn plain() -> Vec<ArrayRef> {
    let infinite = f64::NEG_INFINITY;
    vec![
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(7)])),
        Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(10)])),
        Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(0)])),
        Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(1)])),
        Arc::new(Float32Array::from(vec![Some(-1e-30), None, Some(f32::NAN)])),
        Arc::new(Float64Array::from(vec![Some(infinite), None, Some(16.58)])),
        Arc::new(Float64Array::from(vec![Some(1e300), None, Some(-0.0)])),
        Arc::new(Date32Array::from(vec![Some(-800_000), None, Some(19_782)])),
        Arc::new(Time64MicrosecondArray::from(vec![Some(1), None, Some(0)])),
        Arc::new(TimestampMicrosecondArray::from(vec![
            Some(-210_000_000_000_000_000),
            None,
            Some(1_704_067_199_500_000),
        ])),
        Arc::new(TimestampSecondArray::from(vec![Some(-1), None, Some(0)]).with_timezone("UTC")),
        Arc::new(
            Decimal128Array::from(vec![Some(-1), None, Some(i128::from(u64::MAX) * 10)])
                .with_precision_and_scale(38, 3)
                .unwrap(),
        ),
        Arc::new(
            Decimal256Array::from(vec![
                Some(i256::from_i128(-12_345)),
                None,
                Some(i256::from_i128(i128::MAX)),
            ])
            .with_precision_and_scale(76, 30)
            .unwrap(),
        ),
    ]
}

#[test]
fn plain_values_are_delimited_and_quoted_like_texts() {
    for column in plain() {
        let field = Field::new("c", column.data_type().clone(), true);
        let single = batch(field.clone(), Arc::clone(&column));
        let shown = values_styled(&single, Format::Text, Style::default());
        let schema = Schema::new(vec![field.clone(), field.with_name("d")]);
        let pair = RecordBatch::try_new(Arc::new(schema), vec![Arc::clone(&column), column]);
        let pair = pair.unwrap();
        let encoder = RowEncoder::new(&pair.schema(), &[], Style::default());
        let rows = encoder.batch(&pair).unwrap();
        for options in [
            "FORMAT text",
            "DELIMITER '-', NULL 'x'",
            "DELIMITER ':'",
            "FORMAT csv",
            "FORMAT csv, NULL '10'",
            "FORMAT csv, NULL 't'",
            "FORMAT csv, DELIMITER '.'",
            "FORMAT csv, DELIMITER ' ', QUOTE '0'",
            "FORMAT csv, FORCE_QUOTE (b)",
        ] {
            let lines = lines(options);
            for (row, value) in shown.iter().enumerate() {
                let mut wanted = BytesMut::new();
                for n in 0..2 {
                    lines.delimit(&mut wanted, n);
                    let start = wanted.len();
                    match value {
                        None => lines.put_null(&mut wanted),
                        Some(value) => {
                            wanted.extend_from_slice(value);
                            lines.finish(&mut wanted, n, start, &mut BytesMut::new());
                        }
                    }
                }
                wanted.extend_from_slice(b"\n");
                let mut out = BytesMut::new();
                rows.put_copy_line(&mut out, row, &lines, &mut BytesMut::new())
                    .unwrap();
                assert_eq!(out[5..], wanted[..], "{options} {:?}", pair.schema());
                let length = u32::from_be_bytes(out[1..5].try_into().unwrap());
                assert_eq!((out[0], length as usize), (b'd', wanted.len() + 4));
            }
        }
    }
}

#[test]
fn texts_of_every_length_are_whole() {
    let letters = "abcdefghijklmnopqrstuvwxyzäöü0123456789";
    let ends = letters.char_indices().map(|(at, _)| at);
    let values: Vec<&str> = ends.map(|end| &letters[..end]).collect();
    assert_eq!(texts(StringArray::from(values.clone())), values);
    assert_eq!(texts(LargeStringArray::from(values.clone())), values);
    let views = StringViewArray::from(values.clone());
    assert_eq!(texts(views.slice(3, 20)), values[3..23]);
    assert_eq!(texts(views), values);
}
