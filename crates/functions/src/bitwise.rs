//! Functions of the bits of integers, in two's complement.

use std::sync::Arc;

use arrow::array::{ArrayRef, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Int8Type, Int16Type, Int32Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::TypeSignature;
use lakegate_error::Error;

use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Body, Call, Kernel, Returns};

const SECTION: &str = "Bitwise";

static COUNT: Page = Page {
    name: "bit_count",
    section: SECTION,
    syntax: "bit_count(x, bits)",
    sentence: "Counts the bits that are set in x, as a signed integer of so many bits.",
    example: "bit_count(-7, 8)",
    result: "6",
};

static AND: Page = Page {
    name: "bitwise_and",
    section: SECTION,
    syntax: "bitwise_and(x, y)",
    sentence: "Returns the bits that are set in both integers.",
    example: "bitwise_and(19, 25)",
    result: "17",
};

static OR: Page = Page {
    name: "bitwise_or",
    section: SECTION,
    syntax: "bitwise_or(x, y)",
    sentence: "Returns the bits that are set in one of two integers, or in both.",
    example: "bitwise_or(19, 25)",
    result: "27",
};

static XOR: Page = Page {
    name: "bitwise_xor",
    section: SECTION,
    syntax: "bitwise_xor(x, y)",
    sentence: "Returns the bits that are set in exactly one of two integers.",
    example: "bitwise_xor(19, 25)",
    result: "10",
};

static NOT: Page = Page {
    name: "bitwise_not",
    section: SECTION,
    syntax: "bitwise_not(x)",
    sentence: "Returns the bits that are not set in an integer.",
    example: "bitwise_not(19)",
    result: "-20",
};

static LEFT: Page = Page {
    name: "bitwise_left_shift",
    section: SECTION,
    syntax: "bitwise_left_shift(value, shift)",
    sentence: "Shifts the bits of an integer to the left, within its type.",
    example: "bitwise_left_shift(CAST(7 AS TINYINT), 7)",
    result: "-128",
};

static RIGHT: Page = Page {
    name: "bitwise_right_shift",
    section: SECTION,
    syntax: "bitwise_right_shift(value, shift)",
    sentence: "Shifts the bits of an integer to the right, and sets none on the left.",
    example: "bitwise_right_shift(CAST(-8 AS TINYINT), 2)",
    result: "62",
};

static ARITHMETIC: Page = Page {
    name: "bitwise_right_shift_arithmetic",
    section: SECTION,
    syntax: "bitwise_right_shift_arithmetic(value, shift)",
    sentence: "Shifts the bits of an integer to the right, and keeps its sign.",
    example: "bitwise_right_shift_arithmetic(-8, 2)",
    result: "-2",
};

pub(crate) fn entries() -> Vec<Entry> {
    let integers = |count: usize| vec![TypeSignature::Exact(vec![DataType::Int64; count])];
    let of_integers = |page, count, body: Body| {
        let returns = Returns::Type(DataType::Int64);
        Entry::scalar(Kernel::new(page, integers(count), returns, body))
    };
    let shift = |page, body: Body| {
        let types = [
            DataType::Int8,
            DataType::Int16,
            DataType::Int32,
            DataType::Int64,
        ];
        let takes = types.map(|of| TypeSignature::Exact(vec![of, DataType::Int64]));
        let returns = Returns::From(|types| Ok(types.first().cloned().unwrap_or(DataType::Int64)));
        Entry::scalar(Kernel::new(page, takes.to_vec(), returns, body))
    };
    vec![
        of_integers(&COUNT, 2, |call| pairs::<Int64Type>(call, bit_count)),
        of_integers(&AND, 2, |call| pairs::<Int64Type>(call, |x, y| Ok(x & y))),
        of_integers(&OR, 2, |call| pairs::<Int64Type>(call, |x, y| Ok(x | y))),
        of_integers(&XOR, 2, |call| pairs::<Int64Type>(call, |x, y| Ok(x ^ y))),
        of_integers(&NOT, 1, not),
        shift(&LEFT, |call| match call.returns {
            DataType::Int8 => pairs::<Int8Type>(call, |x, by| Ok(narrow(left(x.into(), by)))),
            DataType::Int16 => pairs::<Int16Type>(call, |x, by| Ok(narrow(left(x.into(), by)))),
            DataType::Int32 => pairs::<Int32Type>(call, |x, by| Ok(narrow(left(x.into(), by)))),
            _ => pairs::<Int64Type>(call, |x, by| Ok(left(x, by))),
        }),
        shift(&RIGHT, |call| match call.returns {
            DataType::Int8 => pairs::<Int8Type>(call, |x, by| Ok(narrow(right(x.into(), by, 8)))),
            DataType::Int16 => {
                pairs::<Int16Type>(call, |x, by| Ok(narrow(right(x.into(), by, 16))))
            }
            DataType::Int32 => {
                pairs::<Int32Type>(call, |x, by| Ok(narrow(right(x.into(), by, 32))))
            }
            _ => pairs::<Int64Type>(call, |x, by| Ok(right(x, by, 64))),
        }),
        shift(&ARITHMETIC, |call| match call.returns {
            DataType::Int8 => pairs::<Int8Type>(call, |x, by| Ok(narrow(arithmetic(x.into(), by)))),
            DataType::Int16 => {
                pairs::<Int16Type>(call, |x, by| Ok(narrow(arithmetic(x.into(), by))))
            }
            DataType::Int32 => {
                pairs::<Int32Type>(call, |x, by| Ok(narrow(arithmetic(x.into(), by))))
            }
            _ => pairs::<Int64Type>(call, |x, by| Ok(arithmetic(x, by))),
        }),
        Entry::aggregate_alias("bitwise_and_agg", "bit_and"),
        Entry::aggregate_alias("bitwise_or_agg", "bit_or"),
        Entry::aggregate_alias("bitwise_xor_agg", "bit_xor"),
    ]
}

/// Evaluates a function of an integer and a bigint; NULL makes NULL.
fn pairs<T: ArrowPrimitiveType>(
    call: &Call<'_>,
    function: impl Fn(T::Native, i64) -> Result<T::Native>,
) -> Result<ArrayRef> {
    call.work.builds(call.rows.saturating_mul(8))?;
    let first = call.columns[0].primitives::<T>();
    let second = call.columns[1].primitives::<Int64Type>();
    let results: PrimitiveArray<T> = match (first.constant, second.constant, second.get(0)) {
        (false, true, Some(second)) => first.array.try_unary(|first| function(first, second))?,
        _ => (0..call.rows)
            .map(|row| match (first.get(row), second.get(row)) {
                (Some(first), Some(second)) => function(first, second).map(Some),
                _ => Ok(None),
            })
            .collect::<Result<_, DataFusionError>>()?,
    };
    Ok(Arc::new(results))
}

fn not(call: &Call<'_>) -> Result<ArrayRef> {
    call.work.builds(call.rows.saturating_mul(8))?;
    let values = call.columns[0].primitives::<Int64Type>();
    let results: PrimitiveArray<Int64Type> = (0..call.rows)
        .map(|row| values.get(row).map(|value| !value))
        .collect();
    Ok(Arc::new(results))
}

fn bit_count(x: i64, bits: i64) -> Result<i64> {
    if !(2..=64).contains(&bits) {
        return Err(Error::invalid(format!("bit_count takes 2 to 64 bits, not {bits}")).into());
    }
    let unused = 64 - bits;
    // Sign extension returns what fits.
    if (x << unused) >> unused != x {
        return Err(Error::invalid(format!("{x} does not fit into {bits} bits")).into());
    }
    Ok(i64::from((x << unused).count_ones()))
}

/// Keeps the low bits.
fn narrow<N: LowBits>(x: i64) -> N {
    N::low_bits(x)
}

/// Integers that take the low bits of a bigint.
trait LowBits {
    fn low_bits(x: i64) -> Self;
}

impl LowBits for i8 {
    fn low_bits(x: i64) -> Self {
        x as i8
    }
}

impl LowBits for i16 {
    fn low_bits(x: i64) -> Self {
        x as i16
    }
}

impl LowBits for i32 {
    fn low_bits(x: i64) -> Self {
        x as i32
    }
}

/// Returns the bits of a shift; those of a negative one count as Java counts them.
fn places(by: i64) -> u32 {
    (by & 63) as u32
}

fn left(x: i64, by: i64) -> i64 {
    if by >= 64 { 0 } else { x << places(by) }
}

/// `width`: the bits of the type, which has no sign here.
fn right(x: i64, by: i64, width: u32) -> i64 {
    if by >= 64 {
        return 0;
    }
    if by == 0 {
        return x;
    }
    let bits = (x as u64) & (u64::MAX >> (64 - width));
    (bits >> places(by)) as i64
}

fn arithmetic(x: i64, by: i64) -> i64 {
    x >> if by >= 64 { 63 } else { places(by) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    async fn all(calls: &[(&str, &str)]) {
        for (call, expected) in calls {
            assert_eq!(value(call).await.unwrap(), *expected, "{call}");
        }
    }

    #[tokio::test]
    async fn bits_are_counted_in_their_width() {
        all(&[
            ("bit_count(9, 64)", "2"),
            ("bit_count(9, 8)", "2"),
            ("bit_count(-7, 64)", "62"),
            ("bit_count(-1, 2)", "2"),
            ("bit_count(-9223372036854775807 - 1, 64)", "1"),
            ("bit_count(NULL, 64)", "NULL"),
        ])
        .await;
        assert!(error("bit_count(7, 1)").await.contains("2 to 64"));
        assert!(error("bit_count(7, 65)").await.contains("2 to 64"));
        assert!(error("bit_count(128, 8)").await.contains("does not fit"));
        assert!(error("bit_count(-129, 8)").await.contains("does not fit"));
    }

    #[tokio::test]
    async fn shifts_stay_within_the_type() {
        all(&[
            ("bitwise_left_shift(1, 2)", "4"),
            ("bitwise_left_shift(5, 64)", "0"),
            ("bitwise_left_shift(-4, 6)", "-256"),
            ("bitwise_left_shift(CAST(-1 AS TINYINT), 7)", "-128"),
            ("bitwise_left_shift(CAST(1 AS TINYINT), 8)", "0"),
            ("bitwise_left_shift(CAST(1 AS INTEGER), 31)", "-2147483648"),
            ("bitwise_right_shift(8, 3)", "1"),
            ("bitwise_right_shift(-8, 3)", "2305843009213693951"),
            ("bitwise_right_shift(-8, 0)", "-8"),
            ("bitwise_right_shift(CAST(-8 AS SMALLINT), 3)", "8191"),
            ("bitwise_right_shift(CAST(-8 AS INTEGER), 64)", "0"),
            ("bitwise_right_shift_arithmetic(-8, 3)", "-1"),
            ("bitwise_right_shift_arithmetic(-8, 100)", "-1"),
            ("bitwise_right_shift_arithmetic(8, 100)", "0"),
            (
                "bitwise_right_shift_arithmetic(CAST(-128 AS TINYINT), 7)",
                "-1",
            ),
            (
                "arrow_typeof(bitwise_left_shift(CAST(1 AS TINYINT), 1))",
                "Int8",
            ),
        ])
        .await;
        let query =
            "SELECT bitwise_left_shift(x, y) FROM (VALUES (1, 1), (NULL, 1), (1, NULL)) t(x, y)";
        assert_eq!(rows(query).await.unwrap(), ["2", "NULL", "NULL"]);
        let query = "SELECT bitwise_left_shift(x, 3) FROM (VALUES (1), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["8", "NULL"]);
    }

    #[tokio::test]
    async fn bits_of_rows_are_combined() {
        all(&[
            ("bitwise_not(-1)", "0"),
            ("bitwise_xor(-1, 1)", "-2"),
            ("bitwise_and(NULL, 1)", "NULL"),
            (
                "(SELECT bitwise_and_agg(x) FROM (VALUES (7), (3), (NULL)) t(x))",
                "3",
            ),
            (
                "(SELECT bitwise_or_agg(x) FROM (VALUES (4), (3), (NULL)) t(x))",
                "7",
            ),
            (
                "(SELECT bitwise_xor_agg(x) FROM (VALUES (7), (3), (3)) t(x))",
                "7",
            ),
            (
                "(SELECT bitwise_or_agg(x) FROM (VALUES (4)) t(x) WHERE x > 5)",
                "NULL",
            ),
        ])
        .await;
    }
}
