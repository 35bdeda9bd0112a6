#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
//! Lists, maps, structs, unions, and the catalog's own types.

use super::*;

fn ints(rows: Vec<Option<Vec<Option<i32>>>>) -> ListArray {
    ListArray::from_iter_primitive::<Int32Type, _, _>(rows)
}

#[test]
fn lists_are_arrays() {
    let list = ints(vec![Some(vec![Some(1), None, Some(3)]), None, Some(vec![])]);
    assert_eq!(texts(list.clone()), ["{1,NULL,3}", "<null>", "{}"]);
    assert_eq!(texts(list.slice(2, 1)), ["{}"]);
    let bytes = binaries(list.clone());
    assert_eq!(
        bytes[0].as_deref(),
        Some(&b"\0\0\0\x01\0\0\0\x01\0\0\0\x17\0\0\0\x03\0\0\0\x01\0\0\0\x04\0\0\0\x01\xff\xff\xff\xff\0\0\0\x04\0\0\0\x03"[..])
    );
    assert_eq!(
        bytes[2].as_deref(),
        Some(&b"\0\0\0\0\0\0\0\0\0\0\0\x17"[..])
    );
    assert_eq!(
        decoded::<Vec<Option<i32>>>(list, &Type::INT4_ARRAY),
        [Some(1), None, Some(3)]
    );
    let view = ListViewArray::new(
        Arc::new(Field::new_list_field(DataType::Int32, true)),
        ScalarBuffer::from(vec![1, 0]),
        ScalarBuffer::from(vec![2, 1]),
        Arc::new(Int32Array::from(vec![7, 8, 9])),
        None,
    );
    assert_eq!(texts(view), ["{8,9}", "{7}"]);
    let fixed = FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
        vec![Some(vec![Some(1), Some(2)]), Some(vec![Some(3), Some(4)])],
        2,
    );
    assert_eq!(texts(fixed.slice(1, 1)), ["{3,4}"]);
}

#[test]
fn array_elements_are_quoted_as_array_out_does() {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for value in [
        Some("a"),
        Some("b c"),
        None,
        Some("null"),
        Some(""),
        Some("x\"y\\z"),
        Some("{}"),
    ] {
        builder.values().append_option(value);
    }
    builder.append(true);
    assert_eq!(
        texts(builder.finish()),
        [r#"{a,"b c",NULL,"null","","x\"y\\z","{}"}"#]
    );
    let mut builder = ListBuilder::new(BinaryBuilder::new());
    builder.values().append_value(b"ab");
    builder.append(true);
    assert_eq!(texts(builder.finish()), [r#"{"\\x6162"}"#]);
    let mut builder = ListBuilder::new(TimestampMicrosecondBuilder::new());
    builder.values().append_value(0);
    builder.append(true);
    assert_eq!(texts(builder.finish()), [r#"{"1970-01-01 00:00:00"}"#]);
}

#[test]
fn nested_values_are_json() {
    let nested = ListArray::new(
        Arc::new(Field::new_list_field(
            DataType::new_list(DataType::Int32, true),
            true,
        )),
        OffsetBuffer::new(vec![0, 3].into()),
        Arc::new(ints(vec![Some(vec![Some(1)]), None, Some(vec![])])),
        None,
    );
    let column = batch(
        Field::new("c", nested.data_type().clone(), true),
        Arc::new(nested.clone()),
    );
    let style = Style {
        flat_arrays: true,
        ..Style::default()
    };
    let shown = values_styled(&column, Format::Text, style).remove(0);
    assert_eq!(shown.as_deref(), Some(&b"[[1],null,[]]"[..]));
    // No array of PostgreSQL is so: clients of the text format read it, the binary one has no form.
    assert_eq!(texts(nested), ["{{1},NULL,{}}"]);
    let encoder = RowEncoder::new(&column.schema(), &[Format::Binary], Style::default());
    let rows = encoder.batch(&column).unwrap();
    assert!(rows.put_data_row(&mut BytesMut::new(), 0).is_err());

    let fields = vec![
        Field::new("f1", DataType::Int64, true),
        Field::new("f2", DataType::Utf8, true),
        Field::new("f3", DataType::Decimal128(3, 1), true),
        Field::new("f4", DataType::Float64, true),
        Field::new("f5", DataType::Date32, true),
        Field::new("f6", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        Field::new("f7", DataType::Binary, true),
        Field::new("f8", DataType::Int32, true),
        Field::new("f9", DataType::Boolean, true),
        Field::new(
            "f10",
            DataType::Timestamp(TimeUnit::Second, Some("UTC".into())),
            true,
        ),
    ];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![1])),
        Arc::new(StringArray::from(vec!["a\"\\\n\u{1}ü"])),
        Arc::new(
            Decimal128Array::from(vec![15])
                .with_precision_and_scale(3, 1)
                .unwrap(),
        ),
        Arc::new(Float64Array::from(vec![f64::NAN])),
        Arc::new(Date32Array::from(vec![19_723])),
        Arc::new(TimestampMicrosecondArray::from(vec![1_704_067_200_500_000])),
        Arc::new(BinaryArray::from(vec![&b"ab"[..]])),
        Arc::new(Int32Array::from(vec![None])),
        Arc::new(BooleanArray::from(vec![true])),
        Arc::new(TimestampSecondArray::from(vec![0]).with_timezone("UTC")),
    ];
    let expected = r#"{"f1":1,"f2":"a\"\\\n\u0001ü","f3":1.5,"f4":"NaN","f5":"2024-01-01","f6":"2024-01-01T00:00:00.5","f7":"\\x6162","f8":null,"f9":true,"f10":"1970-01-01T00:00:00+00:00"}"#;
    assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok());
    let row = StructArray::new(fields.into(), columns, None);
    assert_eq!(texts(row.clone()), [expected]);
    assert_eq!(binaries(row)[0].as_deref(), Some(expected.as_bytes()));
}

#[test]
fn lists_of_lists_are_arrays_of_dimensions() {
    let lists = |lists: Vec<Option<Vec<Option<i32>>>>| {
        let inner = ints(lists);
        ListArray::new(
            Arc::new(Field::new_list_field(inner.data_type().clone(), true)),
            OffsetBuffer::from_lengths([inner.len()]),
            Arc::new(inner),
            None,
        )
    };
    let square = lists(vec![
        Some(vec![Some(1), None]),
        Some(vec![Some(3), Some(4)]),
    ]);
    let field = Field::new("c", square.data_type().clone(), true);
    assert_eq!(Style::default().type_of(&field).oid, 1007);
    assert_eq!(texts(square.clone()), ["{{1,NULL},{3,4}}"]);
    assert_eq!(
        binaries(square)[0].as_deref(),
        Some(&b"\0\0\0\x02\0\0\0\x01\0\0\0\x17\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\0\0\x04\0\0\0\x01\xff\xff\xff\xff\0\0\0\x04\0\0\0\x03\0\0\0\x04\0\0\0\x04"[..])
    );
    let empty = lists(vec![Some(vec![]), Some(vec![])]);
    assert_eq!(texts(empty.clone()), ["{}"]);
    assert_eq!(
        binaries(empty)[0].as_deref(),
        Some(&b"\0\0\0\0\0\0\0\0\0\0\0\x17"[..])
    );
}

#[test]
fn map_keys_become_strings() {
    let mut builder = MapBuilder::new(None, Int32Builder::new(), StringBuilder::new());
    builder.keys().append_value(1);
    builder.values().append_value("one");
    builder.keys().append_value(2);
    builder.values().append_null();
    builder.append(true).unwrap();
    builder.append(false).unwrap();
    builder.append(true).unwrap();
    let maps = builder.finish();
    assert_eq!(
        texts(maps.clone()),
        [r#"{"1":"one","2":null}"#, "<null>", "{}"]
    );
    // A map is `jsonb`, whose binary form begins with its version.
    assert_eq!(binaries(maps)[2].as_deref(), Some(&b"\x01{}"[..]));
}

#[test]
fn null_struct_is_null_and_union_shows_its_child() {
    let fields = vec![Field::new("a", DataType::Int32, true)];
    let row = StructArray::new(
        fields.into(),
        vec![Arc::new(Int32Array::from(vec![1]))],
        Some(NullBuffer::new_null(1)),
    );
    assert_eq!(texts(row), ["<null>"]);
    let union = UnionArray::try_new(
        UnionFields::try_new(
            vec![0, 5],
            vec![
                Field::new("i", DataType::Int32, true),
                Field::new("s", DataType::Utf8, true),
            ],
        )
        .unwrap(),
        vec![0i8, 5, 5].into(),
        Some(vec![0, 0, 1].into()),
        vec![
            Arc::new(Int32Array::from(vec![9])),
            Arc::new(StringArray::from(vec![Some("x"), None])),
        ],
    )
    .unwrap();
    assert_eq!(texts(union), ["9", "\"x\"", "<null>"]);
}

#[test]
fn catalog_types_have_their_own_forms() {
    let hinted = |data_type: DataType, name: &str| {
        Field::new("c", data_type, true)
            .with_metadata([(PG_TYPE.to_owned(), name.to_owned())].into())
    };
    let text = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    let column = batch(
        hinted(DataType::Utf8, "uuid"),
        Arc::new(StringArray::from(vec![text])),
    );
    assert_eq!(
        values_styled(&column, Format::Text, Style::default())[0].as_deref(),
        Some(text.as_bytes())
    );
    assert_eq!(
        values_styled(&column, Format::Binary, Style::default())[0].as_deref(),
        Some(&b"\x6b\xa7\xb8\x10\x9d\xad\x11\xd1\x80\xb4\0\xc0\x4f\xd4\x30\xc8"[..])
    );
    let column = batch(
        hinted(DataType::Utf8, "timetz"),
        Arc::new(StringArray::from(vec!["12:00:00.5-05:30"])),
    );
    assert_eq!(
        values_styled(&column, Format::Text, Style::default())[0].as_deref(),
        Some(&b"12:00:00.5-05:30"[..])
    );
    let mut binary = 43_200_500_000i64.to_be_bytes().to_vec();
    binary.extend(19_800i32.to_be_bytes());
    assert_eq!(
        values_styled(&column, Format::Binary, Style::default())[0].as_deref(),
        Some(&binary[..])
    );
    let oid = Int64Array::from(vec![4_294_967_295]);
    let column = batch(hinted(DataType::Int64, "oid"), Arc::new(oid));
    assert_eq!(
        values_styled(&column, Format::Text, Style::default())[0].as_deref(),
        Some(&b"4294967295"[..])
    );
    assert_eq!(
        values_styled(&column, Format::Binary, Style::default())[0].as_deref(),
        Some(&[255u8; 4][..])
    );
    let vector = ints(vec![Some(vec![Some(1), Some(2)])]);
    let column = batch(
        hinted(vector.data_type().clone(), "int2vector"),
        Arc::new(vector),
    );
    assert_eq!(
        values_styled(&column, Format::Text, Style::default())[0].as_deref(),
        Some(&b"1 2"[..])
    );
    assert_eq!(
        values_styled(&column, Format::Binary, Style::default())[0].as_deref(),
        Some(
            &b"\0\0\0\x01\0\0\0\0\0\0\0\x15\0\0\0\x02\0\0\0\0\0\0\0\x02\0\x01\0\0\0\x02\0\x02"[..]
        )
    );
}

#[test]
fn types_that_nest_without_end_are_refused() {
    let mut array: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    for _ in 0..100 {
        let field = Field::new("f", array.data_type().clone(), true);
        array = Arc::new(StructArray::new(vec![field].into(), vec![array], None));
    }
    let batch = batch(Field::new("c", array.data_type().clone(), true), array);
    let encoder = RowEncoder::new(&batch.schema(), &[], Style::default());
    assert!(encoder.batch(&batch).is_err());
}

// Expected values: PostgreSQL 15.18.
#[test]
fn structs_are_records_if_asked_for() {
    let style = Style {
        records: true,
        ..Style::default()
    };
    let inner = StructArray::from(vec![(
        Arc::new(Field::new("y", DataType::Utf8, true)),
        Arc::new(StringArray::from(vec![Some(""), None])) as ArrayRef,
    )]);
    let row = StructArray::from(vec![
        (
            Arc::new(Field::new("a", DataType::Int32, true)),
            Arc::new(Int32Array::from(vec![Some(1), None])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("b", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec!["say \"hi\", \\", "x"])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("c", inner.data_type().clone(), true)),
            Arc::new(inner) as ArrayRef,
        ),
    ]);
    let field = Field::new("c", row.data_type().clone(), true);
    assert_eq!(style.type_of(&field).oid, 2249);
    assert_eq!(Style::default().type_of(&field).oid, 114);
    let rows = batch(field, Arc::new(row.clone()));
    let shown = |format| values_styled(&rows, format, style);
    let texts: Vec<String> = shown(Format::Text)
        .into_iter()
        .map(|text| String::from_utf8(text.unwrap()).unwrap())
        .collect();
    assert_eq!(texts, [r#"(1,"say ""hi"", \\","("""")")"#, r#"(,x,"()")"#]);
    let second = shown(Format::Binary).remove(1).unwrap();
    assert_eq!(
        second,
        b"\0\0\0\x03\0\0\0\x17\xff\xff\xff\xff\0\0\0\x19\0\0\0\x01x\0\0\x08\xc9\0\0\0\x0c\0\0\0\x01\0\0\0\x19\xff\xff\xff\xff"
    );
    let list = ListArray::new(
        Arc::new(Field::new_list_field(row.data_type().clone(), true)),
        OffsetBuffer::from_lengths([1]),
        Arc::new(row.slice(1, 1)),
        None,
    );
    let field = Field::new("c", list.data_type().clone(), true);
    assert_eq!(style.type_of(&field).oid, 2287);
    let rows = batch(field, Arc::new(list));
    let shown = values_styled(&rows, Format::Text, style).remove(0);
    assert_eq!(shown.as_deref(), Some(&br#"{"(,x,\"()\")"}"#[..]));
}
