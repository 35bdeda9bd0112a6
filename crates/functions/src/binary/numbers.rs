//! Numbers as bytes, from the highest byte to the lowest, and integers in other bases.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Int64Builder, PrimitiveBuilder, StringBuilder,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float32Type, Float64Type, Int32Type, Int64Type,
};
use datafusion::common::types::{NativeType, logical_float32, logical_int32};
use datafusion::error::Result;
use datafusion::logical_expr::{Coercion, TypeSignatureClass};

use super::SECTION;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};
use crate::text::arguments::{
    Bigints, Bytes, Texts, argument, as_type, bigint, bytes, double, invalid, quoted, takes, text,
};

static TO_BIG_ENDIAN_32: Page = Page {
    name: "to_big_endian_32",
    section: SECTION,
    syntax: "to_big_endian_32(integer)",
    sentence: "Returns an integer as four bytes.",
    example: "to_big_endian_32(258)",
    result: "00 00 01 02",
};

static FROM_BIG_ENDIAN_32: Page = Page {
    name: "from_big_endian_32",
    section: SECTION,
    syntax: "from_big_endian_32(varbinary)",
    sentence: "Returns the integer of four bytes.",
    example: "from_big_endian_32(from_hex('00000102'))",
    result: "258",
};

static TO_BIG_ENDIAN_64: Page = Page {
    name: "to_big_endian_64",
    section: SECTION,
    syntax: "to_big_endian_64(bigint)",
    sentence: "Returns a bigint as eight bytes.",
    example: "to_big_endian_64(258)",
    result: "00 00 00 00 00 00 01 02",
};

static FROM_BIG_ENDIAN_64: Page = Page {
    name: "from_big_endian_64",
    section: SECTION,
    syntax: "from_big_endian_64(varbinary)",
    sentence: "Returns the bigint of eight bytes.",
    example: "from_big_endian_64(from_hex('0000000000000102'))",
    result: "258",
};

static TO_IEEE754_32: Page = Page {
    name: "to_ieee754_32",
    section: SECTION,
    syntax: "to_ieee754_32(real)",
    sentence: "Returns a real as four bytes.",
    example: "to_ieee754_32(CAST(1.5 AS real))",
    result: "3f c0 00 00",
};

static FROM_IEEE754_32: Page = Page {
    name: "from_ieee754_32",
    section: SECTION,
    syntax: "from_ieee754_32(varbinary)",
    sentence: "Returns the real of four bytes.",
    example: "from_ieee754_32(from_hex('3fc00000'))",
    result: "1.5",
};

static TO_IEEE754_64: Page = Page {
    name: "to_ieee754_64",
    section: SECTION,
    syntax: "to_ieee754_64(double)",
    sentence: "Returns a double as eight bytes.",
    example: "to_ieee754_64(1.5e0)",
    result: "3f f8 00 00 00 00 00 00",
};

static FROM_IEEE754_64: Page = Page {
    name: "from_ieee754_64",
    section: SECTION,
    syntax: "from_ieee754_64(varbinary)",
    sentence: "Returns the double of eight bytes.",
    example: "from_ieee754_64(from_hex('3ff8000000000000'))",
    result: "1.5",
};

static TO_BASE: Page = Page {
    name: "to_base",
    section: SECTION,
    syntax: "to_base(bigint, radix)",
    sentence: "Returns an integer in the digits of a base from 2 to 36.",
    example: "to_base(255, 2)",
    result: "11111111",
};

static FROM_BASE: Page = Page {
    name: "from_base",
    section: SECTION,
    syntax: "from_base(text, radix)",
    sentence: "Returns the integer of digits in a base from 2 to 36.",
    example: "from_base('-ff', 16)",
    result: "-255",
};

pub(super) fn entries() -> Vec<Entry> {
    let of_bytes = || vec![takes([bytes()])];
    let binary = || Returns::Type(DataType::Binary);
    let integer = Coercion::new_implicit(
        TypeSignatureClass::Native(logical_int32()),
        vec![TypeSignatureClass::Integer],
        NativeType::Int32,
    );
    let real = Coercion::new_implicit(
        TypeSignatureClass::Native(logical_float32()),
        vec![TypeSignatureClass::Integer],
        NativeType::Float32,
    );
    let all = [
        Kernel::new(
            &TO_BIG_ENDIAN_32,
            vec![takes([integer])],
            binary(),
            |call| to_bytes::<Int32Type, 4>(call, i32::to_be_bytes),
        ),
        Kernel::new(
            &FROM_BIG_ENDIAN_32,
            of_bytes(),
            Returns::Type(DataType::Int32),
            |call| from_bytes::<Int32Type, 4>(call, i32::from_be_bytes),
        ),
        Kernel::new(
            &TO_BIG_ENDIAN_64,
            vec![takes([bigint()])],
            binary(),
            |call| to_bytes::<Int64Type, 8>(call, i64::to_be_bytes),
        ),
        Kernel::new(
            &FROM_BIG_ENDIAN_64,
            of_bytes(),
            Returns::Type(DataType::Int64),
            |call| from_bytes::<Int64Type, 8>(call, i64::from_be_bytes),
        ),
        Kernel::new(&TO_IEEE754_32, vec![takes([real])], binary(), |call| {
            to_bytes::<Float32Type, 4>(call, f32::to_be_bytes)
        }),
        Kernel::new(
            &FROM_IEEE754_32,
            of_bytes(),
            Returns::Type(DataType::Float32),
            |call| from_bytes::<Float32Type, 4>(call, f32::from_be_bytes),
        ),
        Kernel::new(&TO_IEEE754_64, vec![takes([double()])], binary(), |call| {
            to_bytes::<Float64Type, 8>(call, f64::to_be_bytes)
        }),
        Kernel::new(
            &FROM_IEEE754_64,
            of_bytes(),
            Returns::Type(DataType::Float64),
            |call| from_bytes::<Float64Type, 8>(call, f64::from_be_bytes),
        ),
        Kernel::new(
            &TO_BASE,
            vec![takes([bigint(), bigint()])],
            Returns::Type(DataType::Utf8),
            to_base,
        ),
        Kernel::new(
            &FROM_BASE,
            vec![takes([text(), bigint()])],
            Returns::Type(DataType::Int64),
            from_base,
        ),
    ];
    all.into_iter().map(Entry::scalar).collect()
}

fn to_bytes<T: ArrowPrimitiveType, const N: usize>(
    call: &Call<'_>,
    bytes: fn(T::Native) -> [u8; N],
) -> Result<ArrayRef> {
    let column = argument(call, 0)?;
    let numbers = as_type(&column.array, &T::DATA_TYPE)?;
    let numbers = numbers.as_primitive::<T>();
    let mut made = BinaryBuilder::new();
    for row in 0..call.rows {
        call.work.builds(N)?;
        let index = column.at(row);
        match numbers.is_valid(index) {
            true => made.append_value(bytes(numbers.value(index))),
            false => made.append_null(),
        }
    }
    Ok(Arc::new(made.finish()))
}

fn from_bytes<T: ArrowPrimitiveType, const N: usize>(
    call: &Call<'_>,
    number: fn([u8; N]) -> T::Native,
) -> Result<ArrayRef> {
    let values = Bytes::of(call, 0)?;
    let mut made = PrimitiveBuilder::<T>::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(N)?;
        let Some(value) = values.get(row) else {
            made.append_null();
            continue;
        };
        let Ok(bytes) = <[u8; N]>::try_from(value) else {
            return Err(invalid(format!(
                "{} takes {N} bytes, not {}",
                call.name,
                value.len()
            )));
        };
        made.append_value(number(bytes));
    }
    Ok(Arc::new(made.finish()))
}

fn checked_radix(radix: i64) -> Result<u32> {
    match u32::try_from(radix) {
        Ok(radix @ 2..=36) => Ok(radix),
        _ => Err(invalid(format!(
            "the radix must be from 2 to 36, not {radix}"
        ))),
    }
}

fn to_base(call: &Call<'_>) -> Result<ArrayRef> {
    let (numbers, radixes) = (Bigints::of(call, 0)?, Bigints::of(call, 1)?);
    let mut made = StringBuilder::new();
    let mut digits: Vec<char> = Vec::new();
    let mut text = String::new();
    for row in 0..call.rows {
        call.work.builds(65)?;
        let Some((number, radix)) = numbers.get(row).zip(radixes.get(row)) else {
            made.append_null();
            continue;
        };
        let radix = checked_radix(radix)?;
        digits.clear();
        let mut rest = number.unsigned_abs();
        loop {
            let digit = u32::try_from(rest % u64::from(radix)).unwrap_or(0);
            digits.extend(char::from_digit(digit, radix));
            rest /= u64::from(radix);
            if rest == 0 {
                break;
            }
        }
        text.clear();
        if number < 0 {
            text.push('-');
        }
        text.extend(digits.iter().rev());
        made.append_value(&text);
    }
    Ok(Arc::new(made.finish()))
}

fn from_base(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, radixes) = (Texts::of(call, 0)?, Bigints::of(call, 1)?);
    let mut made = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(8)?;
        let Some((text, radix)) = texts.get(row).zip(radixes.get(row)) else {
            made.append_null();
            continue;
        };
        let radix = checked_radix(radix)?;
        match i64::from_str_radix(text, radix) {
            Ok(number) => made.append_value(number),
            Err(_) => {
                return Err(invalid(format!(
                    "{} is no bigint in base {radix}",
                    quoted(text)
                )));
            }
        }
    }
    Ok(Arc::new(made.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn numbers_become_bytes_and_back() {
        let query = "SELECT from_big_endian_64(to_big_endian_64(x)) FROM (VALUES (-1), (9223372036854775807), (NULL)) t(x)";
        let expected = ["-1", "9223372036854775807", "NULL"];
        assert_eq!(rows(query).await.unwrap(), expected);
        let query =
            "SELECT from_big_endian_32(to_big_endian_32(x)) FROM (VALUES (-2), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["-2", "NULL"]);
        let query = "SELECT from_ieee754_64(to_ieee754_64(x)) FROM (VALUES (-0.5e0), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["-0.5", "NULL"]);
        assert_eq!(value("to_ieee754_32(1)").await.unwrap(), "3f 80 00 00");
        assert!(
            error("to_big_endian_32(2147483648)")
                .await
                .contains("2147483648")
        );
        assert!(
            error("from_big_endian_64(to_utf8('abc'))")
                .await
                .contains("8 bytes, not 3")
        );
        assert!(
            error("from_ieee754_32(to_utf8(''))")
                .await
                .contains("4 bytes, not 0")
        );
    }

    #[tokio::test]
    async fn integers_are_written_in_other_bases() {
        let query = "SELECT to_base(x, r) FROM (VALUES (-255, 16), (0, 2), (35, 36), (NULL, 2), (1, NULL)) t(x, r)";
        assert_eq!(
            rows(query).await.unwrap(),
            ["-ff", "0", "z", "NULL", "NULL"]
        );
        let least = "to_base(-9223372036854775807 - 1, 16)";
        assert_eq!(value(least).await.unwrap(), "-8000000000000000");
        let query = "SELECT from_base(x, r) FROM (VALUES ('FF', 16), ('+11', 2), ('z', 36), (NULL, 2)) t(x, r)";
        assert_eq!(rows(query).await.unwrap(), ["255", "3", "35", "NULL"]);
        assert!(error("from_base('2', 2)").await.contains("base 2"));
        assert!(error("from_base('', 10)").await.contains("base 10"));
        assert!(
            error("from_base('9223372036854775808', 10)")
                .await
                .contains("bigint")
        );
        assert!(error("to_base(1, 37)").await.contains("radix"));
        assert!(error("to_base(1, 1)").await.contains("radix"));
    }
}
