#![allow(clippy::unwrap_used)]
use arrow::util::display::array_value_to_string;
use datafusion::prelude::SessionContext;

use super::super::floats;
use super::*;

/// Returns the only value, and its type.
async fn value(call: &str) -> Result<String> {
    let mut state = SessionContext::new().state();
    floats::register_domains(&mut state)?;
    register(&mut state)?;
    let sql = format!("SELECT {call} FROM (VALUES (3)) t(i)");
    let frame = SessionContext::new_with_state(state).sql(&sql).await?;
    let batches = frame.collect().await?;
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).unwrap();
    let column = batch.column(0);
    let value = array_value_to_string(column, 0)?;
    Ok(format!("{value} {}", column.data_type()))
}

/// Builds a decimal of a number as it is written.
fn decimal(text: &str) -> String {
    let digits = text.trim_start_matches('-').replace('.', "").len();
    let scale = text
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len());
    format!("CAST('{text}' AS DECIMAL({digits},{scale}))")
}

// PostgreSQL 15, but for the zeros at the end.
#[tokio::test]
async fn results_have_the_digits_of_postgresql() {
    for (function, args, expected) in [
        ("sqrt", "2.0", "1.4142135623730950"),
        ("sqrt", "0", "0.0000000000000000"),
        ("sqrt", "123456", "351.3630600959640000"),
        ("sqrt", "0.0001", "0.0100000000000000"),
        (
            "sqrt",
            "12345678901234567890",
            "3513641828.8201443000000000",
        ),
        ("exp", "1.0", "2.7182818284590452"),
        ("exp", "10", "22026.4657948067170000"),
        ("exp", "50", "5184705528587072464087.0000000000000000"),
        ("exp", "-50", "0.0000000000000000"),
        ("ln", "2.25", "0.8109302162163288"),
        ("ln", "0.0001", "-9.2103403719761827"),
        ("ln", "12345678901234567890", "43.9598377892025210"),
        ("ln", "1", "0.0000000000000000"),
        ("log", "100", "2.0000000000000000"),
        ("log10", "5", "0.6989700043360188"),
        ("log", "2, 64.0", "6.0000000000000000"),
        ("log", "1.5, 7", "4.7992049380885575"),
        ("power", "2, -3", "0.1250000000000000"),
        ("power", "2.0, 0.5", "1.4142135623730950"),
        ("power", "1.05, 10.5", "1.6691203043524577"),
        (
            "power",
            "10.5, 20",
            "265329770514442013394.5430765151977539",
        ),
        ("power", "-2, 3", "-8.0000000000000000"),
        ("power", "0, 0", "1.0000000000000000"),
        ("power", "0.5, 17", "0.0000076293945313"),
    ] {
        let args: Vec<String> = args.split(", ").map(decimal).collect();
        let call = format!("{function}({})", args.join(", "));
        let shown = value(&call).await.unwrap();
        assert_eq!(shown, format!("{expected} Decimal128(38, 16)"), "{call}");
    }
    assert_eq!(
        value(&format!("signum({})", decimal("-1.5")))
            .await
            .unwrap(),
        "-1 Decimal128(1, 0)"
    );
}

#[tokio::test]
async fn one_decimal_beside_integers_is_enough() {
    let two = decimal("2.0");
    for (call, expected) in [
        (
            format!("power({two}, i)"),
            "8.0000000000000000 Decimal128(38, 16)",
        ),
        (
            format!("power(i, {two})"),
            "9.0000000000000000 Decimal128(38, 16)",
        ),
        (
            "log(i, 9)".to_owned(),
            "2.0000000000000000 Decimal128(38, 16)",
        ),
        (format!("power({two}, NULL)"), " Decimal128(38, 16)"),
        (format!("sqrt({two} * NULL)"), " Decimal128(38, 16)"),
        ("sqrt(i + 1)".to_owned(), "2.0 Float64"),
        ("power(i, 2)".to_owned(), "9.0 Float64"),
        ("power(NULL, i)".to_owned(), " Float64"),
        ("exp(NULL)".to_owned(), " Float64"),
        (format!("power({two}, CAST(3 AS DOUBLE))"), "8.0 Float64"),
    ] {
        assert_eq!(value(&call).await.unwrap(), expected, "{call}");
    }
}

#[tokio::test]
async fn what_has_no_result_is_an_error() {
    let (one, two, nothing) = (decimal("1"), decimal("2.0"), decimal("0.0"));
    for (call, code) in [
        (format!("ln({nothing})"), Code::InvalidLogarithm),
        (format!("log(-{two})"), Code::InvalidLogarithm),
        (format!("log({two}, {nothing})"), Code::InvalidLogarithm),
        (format!("log({one}, {two})"), Code::DivisionByZero),
        (
            format!("log({}, {two})", decimal("1.0000000001")),
            Code::NotSupported,
        ),
        (format!("sqrt(-{two})"), Code::InvalidPower),
        (format!("power({nothing}, -{two})"), Code::InvalidPower),
        (
            format!("power(-{two}, {})", decimal("0.5")),
            Code::InvalidPower,
        ),
        (format!("power({two}, 127)"), Code::NumericOutOfRange),
        (
            format!("power({two}, {})", "9".repeat(18)),
            Code::NumericOutOfRange,
        ),
        (format!("exp({})", decimal("52")), Code::NumericOutOfRange),
        (
            format!("exp({})", decimal(&"9".repeat(38))),
            Code::NumericOutOfRange,
        ),
    ] {
        let error = lakegate_error::from_engine(value(&call).await.unwrap_err());
        assert_eq!(error.code(), code, "{call}: {error}");
    }
    let small = format!("power({two}, -{})", "9".repeat(18));
    assert!(
        value(&small)
            .await
            .unwrap()
            .starts_with("0.0000000000000000 ")
    );
}
