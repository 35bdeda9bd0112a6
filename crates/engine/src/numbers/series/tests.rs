#![allow(clippy::unwrap_used)]
use arrow::util::display::array_value_to_string;
use datafusion::prelude::SessionContext;
use lakegate_error::Code;

use super::*;

/// Returns the type and the values of the only column.
async fn column(sql: &str) -> Result<(DataType, Vec<String>)> {
    let mut state = SessionContext::new().state();
    register(&mut state)?;
    let frame = SessionContext::new_with_state(state).sql(sql).await?;
    let data_type = frame.schema().field(0).data_type().clone();
    let mut values = Vec::new();
    for batch in frame.collect().await? {
        let column = batch.column(0);
        for row in 0..column.len() {
            values.push(array_value_to_string(column, row)?);
        }
    }
    Ok((data_type, values))
}

#[tokio::test]
async fn series_of_integers_have_the_type_of_their_arguments() {
    let int = |number: &str| format!("arrow_cast({number}, 'Int32')");
    for (args, of, expected) in [
        (
            vec![int("1"), int("3")],
            DataType::Int32,
            vec!["1", "2", "3"],
        ),
        (
            vec![int("2147483645"), int("2147483647"), int("2")],
            DataType::Int32,
            vec!["2147483645", "2147483647"],
        ),
        (
            vec![int("2"), int("-2147483648"), int("-2147483648")],
            DataType::Int32,
            vec!["2", "-2147483646"],
        ),
        (vec![int("3"), int("1")], DataType::Int32, vec![]),
        (
            vec![int("1"), "2".to_owned()],
            DataType::Int64,
            vec!["1", "2"],
        ),
        (
            vec!["1".to_owned(), "2".to_owned()],
            DataType::Int64,
            vec!["1", "2"],
        ),
    ] {
        let args = args.join(", ");
        let sql = format!("SELECT unnest(generate_series({args}))");
        let expected = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(column(&sql).await.unwrap(), (of, expected), "{args}");
    }
}

#[tokio::test]
async fn series_of_columns_have_it_too() {
    let (of, values) = column(
        "SELECT unnest(generate_series(arrow_cast(x, 'Int32'), arrow_cast(y, 'Int32'))) FROM (VALUES (1, 2), (NULL, 1), (5, NULL), (7, 7)) t(x, y)",
    )
    .await
    .unwrap();
    assert_eq!(of, DataType::Int32);
    assert_eq!(values, ["1", "2", "7"]);
}

#[tokio::test]
async fn series_of_decimals_have_the_digits_of_all_arguments() {
    for (call, expected) in [
        (
            "0, 1, CAST('0.25' AS DECIMAL(3,2))",
            vec!["0.00", "0.25", "0.50", "0.75", "1.00"],
        ),
        ("CAST('1.5' AS DECIMAL(2,1)), 4", vec!["1.5", "2.5", "3.5"]),
        (
            "CAST('1.0' AS DECIMAL(2,1)), CAST('0.3' AS DECIMAL(2,1)), CAST('-0.3' AS DECIMAL(2,1))",
            vec!["1.0", "0.7", "0.4"],
        ),
        (
            "CAST('1.0' AS DECIMAL(2,1)), CAST('0.3' AS DECIMAL(2,1))",
            vec![],
        ),
        ("1, 3", vec!["1", "2", "3"]),
        // The numbers are further apart than the largest of 128 bits.
        (
            "CAST('-99999999999999999999999999999999999999' AS DECIMAL(38,0)), \
             CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0)), \
             CAST('90000000000000000000000000000000000000' AS DECIMAL(38,0))",
            vec![
                "-99999999999999999999999999999999999999",
                "-9999999999999999999999999999999999999",
                "80000000000000000000000000000000000001",
            ],
        ),
    ] {
        let sql = format!("SELECT unnest(generate_series({call}))");
        assert_eq!(column(&sql).await.unwrap().1, expected, "{call}");
    }
    let of_rows = "SELECT unnest(generate_series(x, y)) FROM (VALUES
        (CAST('0.5' AS DECIMAL(2,1)), 2), (NULL, 1), (CAST('7.5' AS DECIMAL(2,1)), 8)) t(x, y)";
    assert_eq!(column(of_rows).await.unwrap().1, ["0.5", "1.5", "7.5"]);
}

#[tokio::test]
async fn series_of_decimals_that_do_not_end_are_errors() {
    for (call, code) in [
        ("CAST('0.5' AS DECIMAL(2,1)), 1, 0", Code::InvalidParameter),
        (
            "0, 100000000, CAST('0.1' AS DECIMAL(2,1))",
            Code::ResultTooLarge,
        ),
    ] {
        let sql = format!("SELECT generate_series({call})");
        let error = lakegate_error::from_engine(column(&sql).await.unwrap_err());
        assert_eq!(error.code(), code, "{call}");
    }
}
