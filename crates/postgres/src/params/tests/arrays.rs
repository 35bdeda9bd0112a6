//! Arrays as parameters.

use bytes::BufMut;

use super::*;

#[test]
fn arrays_are_read_in_both_formats() {
    let strings = DataType::new_list(DataType::Utf8, true);
    let expected = ScalarValue::List(ScalarValue::new_list_nullable(
        &[
            ScalarValue::Utf8(Some("a \"b\"".into())),
            ScalarValue::Utf8(None),
            ScalarValue::Utf8(Some("null".into())),
        ],
        &DataType::Utf8,
    ));
    assert_eq!(
        text(r#"{"a \"b\"", NULL ,"null"}"#, strings.clone()).unwrap(),
        expected
    );
    assert_eq!(
        sent(
            vec![Some("a \"b\""), None, Some("null")],
            Type::TEXT_ARRAY,
            strings
        ),
        expected
    );
    let ints = DataType::new_list(DataType::Int32, true);
    let numbers = ScalarValue::List(ScalarValue::new_list_nullable(
        &[ScalarValue::Int32(Some(1)), ScalarValue::Int32(Some(2))],
        &DataType::Int32,
    ));
    assert_eq!(text("[0:1]={1,2}", ints.clone()).unwrap(), numbers);
    assert_eq!(sent(vec![1i32, 2], Type::INT4_ARRAY, ints.clone()), numbers);
    let empty = ScalarValue::List(ScalarValue::new_list_nullable(&[], &DataType::Int32));
    assert_eq!(text("{}", ints.clone()).unwrap(), empty);
    assert_eq!(sent(Vec::<i32>::new(), Type::INT4_ARRAY, ints), empty);
}

/// Each element takes many times its size on the wire until the array is built.
#[test]
fn arrays_of_too_many_elements_are_refused() {
    let ints = DataType::new_list(DataType::Int32, true);
    let list = |count: usize| format!("{{{}1}}", "1,".repeat(count - 1));
    let error = text(&list(MAX_ELEMENTS + 1), ints.clone()).unwrap_err();
    assert_eq!(error.code(), Code::OutOfMemory);
    let mut bytes = BytesMut::new();
    let many = vec![None::<i32>; MAX_ELEMENTS + 1];
    many.to_sql_checked(&Type::INT4_ARRAY, &mut bytes).unwrap();
    let error = read(&bytes, 1, Type::INT4_ARRAY.oid(), ints.clone()).unwrap_err();
    assert_eq!(error.code(), Code::OutOfMemory);
    let error = binary(
        &[MAX_ELEMENTS as i32 / 2, 1, 1],
        &vec![None; MAX_ELEMENTS / 2],
        ints,
    );
    assert_eq!(error.unwrap_err().code(), Code::OutOfMemory);
}

/// Reads an array of these dimensions in the binary format.
fn binary(lengths: &[i32], values: &[Option<i32>], of: DataType) -> Result<ScalarValue> {
    let mut bytes = BytesMut::new();
    bytes.put_i32(lengths.len() as i32);
    bytes.put_i32(1);
    bytes.put_u32(oid::INT4);
    for length in lengths {
        bytes.put_i32(*length);
        bytes.put_i32(1);
    }
    for value in values {
        bytes.put_i32(value.map_or(-1, |_| 4));
        bytes.extend(value.iter().flat_map(|value| value.to_be_bytes()));
    }
    read(&bytes, 1, Type::INT4_ARRAY.oid(), of)
}

#[test]
fn arrays_of_several_dimensions_are_read_in_both_formats() {
    let ints = DataType::new_list(DataType::Int32, true);
    let row = |values: [Option<i32>; 2]| {
        let values = values.map(ScalarValue::Int32);
        ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Int32))
    };
    let rows = [row([Some(1), Some(2)]), row([Some(3), None])];
    let expected = ScalarValue::List(ScalarValue::new_list_nullable(&rows, &ints));
    let nested = DataType::new_list(ints, true);
    assert_eq!(text("{{1,2},{3,NULL}}", nested.clone()).unwrap(), expected);
    let four = [Some(1), Some(2), Some(3), None];
    assert_eq!(binary(&[2, 2], &four, nested.clone()).unwrap(), expected);
    for lengths in [&[2, 3][..], &[-2, -2], &[i32::MAX, i32::MAX], &[1; 7], &[2]] {
        assert!(
            binary(lengths, &four, nested.clone()).is_err(),
            "{lengths:?}"
        );
    }
    assert!(text("{{1,2},3}", nested.clone()).is_err());
    let deep = format!("{}1{}", "{".repeat(100_000), "}".repeat(100_000));
    assert!(text(&deep, nested.clone()).is_err());
}
