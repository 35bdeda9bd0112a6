//! The functions that casts of Trino's dialects become.
//!
//! ```text
//! CAST(x AS varchar)        "$cast"(x, CAST(NULL AS varchar))        where the engine's cast differs
//! TRY_CAST(x AS bigint)     "$try_cast"(x, CAST(NULL AS bigint))
//! CAST(x AS varchar(3))     "$truncated"(x, 3) of a text, "$fitting"("$cast"(x, …), 3) of others
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, StringBuilder};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;
use lakegate_error::{Code, Error};

use super::names;
use super::scalars::{self, Unreadable};
use crate::casts::{self, spread};
use crate::docs::Page;
use crate::entry::Entry;
use crate::json::{has_json, is_json, is_text};
use crate::kernel::{Body, Call, Kernel, Returns};
use crate::work::Work;

/// Casts a scalar, or NULL where that is not possible.
pub(crate) const TRY_CAST_NAME: &str = "$try_cast";
/// Truncates a text, for a cast to `varchar(n)`.
pub(crate) const TRUNCATED_NAME: &str = "$truncated";
/// Fails where a text is too long, for a cast to `varchar(n)`.
pub(crate) const FITTING_NAME: &str = "$fitting";

static CAST: Page = Page {
    name: casts::NAME,
    section: "Conversion",
    syntax: "$cast(value, type)",
    sentence: "Casts a value.",
    example: "CAST(1e10 AS varchar)",
    result: "1.0E10",
};

static TRY_CAST: Page = Page {
    name: TRY_CAST_NAME,
    section: "Conversion",
    syntax: "$try_cast(value, type)",
    sentence: "Casts a text, or returns NULL if that is not possible.",
    example: "TRY_CAST('x' AS bigint)",
    result: "NULL",
};

static TRUNCATED: Page = Page {
    name: TRUNCATED_NAME,
    section: "Conversion",
    syntax: "$truncated(text, length)",
    sentence: "Returns the first characters of a text.",
    example: "\"$truncated\"('abc', 2)",
    result: "ab",
};

static FITTING: Page = Page {
    name: FITTING_NAME,
    section: "Conversion",
    syntax: "$fitting(text, length)",
    sentence: "Returns a text that is at most so long.",
    example: "\"$fitting\"('ab', 2)",
    result: "ab",
};

pub(super) fn entries() -> Vec<Entry> {
    let caster = |page, body: Body| {
        let returns = Returns::Field(target);
        let kernel = Kernel::new(page, vec![TypeSignature::Any(2)], returns, body);
        Entry::scalar(kernel).in_trino().unlisted()
    };
    let lengths = |page, body: Body| {
        let takes = vec![TypeSignature::Exact(vec![DataType::Utf8, DataType::Int64])];
        let kernel = Kernel::new(page, takes, Returns::Type(DataType::Utf8), body);
        Entry::scalar(kernel).in_trino().unlisted()
    };
    vec![
        caster(&CAST, |call| {
            let value = &call.columns[0];
            let array = casts::cast(&value.array, call.returns, &call.work, scalar)?;
            spread(array, value.constant, call.rows)
        }),
        caster(&TRY_CAST, |call| {
            let value = &call.columns[0];
            let null = Unreadable::Null;
            let array = scalars::converted(&value.array, call.returns, &call.work, null)?;
            spread(array, value.constant, call.rows)
        }),
        lengths(&TRUNCATED, |call| {
            with_lengths(call, |text, length| {
                let end = text.char_indices().nth(length);
                Ok(end.map_or(text, |(end, _)| text.get(..end).unwrap_or_default()))
            })
        }),
        lengths(&FITTING, |call| {
            with_lengths(call, |text, length| match text.chars().count() <= length {
                true => Ok(text),
                false => Err(Error::new(
                    Code::InvalidCast,
                    format!("value {text} cannot be represented as varchar({length})"),
                )),
            })
        }),
    ]
}

/// Returns the field of a cast's result.
fn target(fields: &[FieldRef]) -> Result<FieldRef> {
    let [value, target] = fields else {
        return Err(Error::invalid("a cast takes a value and a type").into());
    };
    // A rule replaces casts of JSON.
    if !is_json(value) {
        check(value.data_type(), target.data_type())?;
    }
    casts::refuse_texts_as_json(value, target)?;
    if has_json(value.data_type()) && value.data_type() != target.data_type() {
        return Err(no_cast(
            &names::of_field(value),
            &names::of_field(target),
            "cast the JSON values one by one, with transform, transform_values or ROW",
        )
        .into());
    }
    Ok(Arc::new(target.as_ref().clone().with_nullable(true)))
}

/// Fails if Trino has no such cast.
///
/// # Errors
///
/// There is no cast between the types.
pub(super) fn check(from: &DataType, to: &DataType) -> Result<()> {
    let mixed = from.is_nested() != to.is_nested() && !from.is_null();
    if mixed || scalars::is_forbidden(from, to) {
        let hint = match mixed && is_text(to) {
            true => "json_format(CAST(value AS JSON)) writes arrays, maps and rows",
            false => "functions such as to_unixtime and from_unixtime convert such values",
        };
        return Err(no_cast(&names::of_type(from), &names::of_type(to), hint).into());
    }
    Ok(())
}

fn no_cast(from: &str, to: &str, hint: &'static str) -> Error {
    Error::new(Code::TypeMismatch, format!("cannot cast {from} to {to}")).with_hint(hint)
}

/// Casts an array of scalars within a nested one, or by itself.
fn scalar(array: &ArrayRef, target: &DataType, work: &Work) -> Result<ArrayRef> {
    check(array.data_type(), target)?;
    match scalars::is_ours(array.data_type(), target) {
        true => scalars::converted(array, target, work, Unreadable::Error),
        false => casts::plain(array, target, work),
    }
}

fn with_lengths(
    call: &Call<'_>,
    of: impl for<'t> Fn(&'t str, usize) -> std::result::Result<&'t str, Error>,
) -> Result<ArrayRef> {
    let texts = call.columns[0].texts();
    let lengths = call.columns[1].primitives::<Int64Type>();
    let mut results = StringBuilder::new();
    for row in 0..call.rows {
        match (texts.get(row), lengths.get(row)) {
            (Some(text), Some(length)) => {
                let text = of(text, usize::try_from(length).unwrap_or(0))?;
                call.work.builds(text.len())?;
                results.append_value(text);
            }
            _ => {
                call.work.step()?;
                results.append_null();
            }
        }
    }
    Ok(Arc::new(results.finish()))
}

/// Returns the value of a text as another type; `None` if it has none. For constants of a plan.
pub(super) fn constant(text: &str, to: &DataType) -> Option<ArrayRef> {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let work = Work::new(casts::NAME, true);
    let value = scalars::converted(&texts, to, &work, Unreadable::Null).ok()?;
    value.is_valid(0).then_some(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::trino::{error, rows, value};

    async fn text(expression: &str) -> String {
        value(&format!("CAST({expression} AS varchar)"))
            .await
            .unwrap()
    }

    // Expected texts: the tests of Trino's operators.
    #[tokio::test]
    async fn values_are_written_as_in_trino() {
        for (expression, expected) in [
            ("DOUBLE '37.7'", "3.77E1"),
            ("DOUBLE '12e2'", "1.2E3"),
            ("DOUBLE '0'", "0E0"),
            ("DOUBLE '-0'", "-0E0"),
            ("nan()", "NaN"),
            ("-infinity()", "-Infinity"),
            ("REAL '1.5'", "1.5E0"),
            ("CAST('1.50' AS DECIMAL(5,2))", "1.50"),
            ("CAST('-0.05' AS DECIMAL(5,2))", "-0.05"),
            ("true", "true"),
            ("SMALLINT '-7'", "-7"),
            ("DATE '2020-01-02'", "2020-01-02"),
            (
                "TIMESTAMP '2020-01-02 03:04:05.12'",
                "2020-01-02 03:04:05.120",
            ),
            ("TIME '03:04:05'", "03:04:05.000"),
            ("INTERVAL '3' DAY", "3 00:00:00.000"),
            ("INTERVAL '14' MONTH", "1-2"),
            ("CAST(NULL AS double)", "NULL"),
        ] {
            assert_eq!(text(expression).await, expected, "{expression}");
        }
        let query =
            "SELECT CAST(x AS varchar) FROM (VALUES (DOUBLE '1.5'), (NULL), (DOUBLE '1e7')) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["1.5E0", "NULL", "1.0E7"]);
        assert_eq!(
            value("CAST(ARRAY[true, NULL] AS ARRAY(varchar))")
                .await
                .unwrap(),
            "[true, NULL]"
        );
    }

    #[tokio::test]
    async fn texts_are_read_as_in_trino() {
        for (cast, expected) in [
            ("CAST('t' AS boolean)", "true"),
            ("CAST('FALSE' AS boolean)", "false"),
            ("CAST('1' AS boolean)", "true"),
            ("TRY_CAST('yes' AS boolean)", "NULL"),
            ("CAST(' +12 ' AS bigint)", "12"),
            ("TRY_CAST('1 2' AS bigint)", "NULL"),
            ("TRY_CAST('1.5' AS bigint)", "NULL"),
            ("TRY_CAST('128' AS tinyint)", "NULL"),
            ("CAST('-128' AS tinyint)", "-128"),
            ("CAST('1.5e3' AS double)", "1500.0"),
            ("TRY_CAST('inf' AS double)", "NULL"),
            ("CAST('Infinity' AS double)", "inf"),
            ("CAST('1.005' AS DECIMAL(5,2))", "1.01"),
            ("TRY_CAST('1000' AS DECIMAL(5,2))", "NULL"),
            ("CAST(' 2020-1-2' AS date)", "2020-01-02"),
            ("TRY_CAST('2020-02-30' AS date)", "NULL"),
            ("TRY_CAST('20200102' AS date)", "NULL"),
            ("TRY_CAST('today' AS date)", "NULL"),
        ] {
            assert_eq!(value(cast).await.unwrap(), expected, "{cast}");
        }
        assert!(
            error("CAST('x' AS bigint)")
                .await
                .contains("cannot cast 'x' to bigint")
        );
        let query = "SELECT TRY_CAST(x AS integer) FROM (VALUES ('1'), ('x'), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["1", "NULL", "NULL"]);
        let query = "SELECT TRY(1 + CAST(x AS integer)) FROM (VALUES ('1'), ('x')) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["2", "NULL"]);
        assert_eq!(
            value("TRY(1 + CAST('x' AS integer))").await.unwrap(),
            "NULL"
        );
        assert_eq!(
            value("CAST(ARRAY['t'] AS ARRAY(boolean))").await.unwrap(),
            "[true]"
        );
    }

    #[tokio::test]
    async fn casts_that_trino_lacks_are_refused() {
        for (cast, expected) in [
            (
                "CAST(DATE '2020-01-01' AS bigint)",
                "cannot cast date to bigint",
            ),
            ("CAST(5 AS date)", "cannot cast bigint to date"),
            (
                "CAST(ARRAY[1] AS varchar)",
                "cannot cast array(bigint) to varchar",
            ),
            (
                "CAST(ARRAY[DATE '2020-01-01'] AS ARRAY(bigint))",
                "cannot cast date to bigint",
            ),
            ("CAST(X'00' AS varchar)", "cannot cast varbinary to varchar"),
        ] {
            let error = error(cast).await;
            assert!(error.contains(expected), "{cast}: {error}");
        }
    }

    #[tokio::test]
    async fn texts_are_truncated_and_other_values_must_fit() {
        assert_eq!(value("\"$truncated\"('äöü', 2)").await.unwrap(), "äö");
        assert_eq!(
            value("\"$truncated\"(CAST('abc' AS varchar), 5)")
                .await
                .unwrap(),
            "abc"
        );
        assert_eq!(
            value("\"$truncated\"(CAST(12 AS varchar), 2)")
                .await
                .unwrap(),
            "12"
        );
        let error = error("\"$truncated\"(CAST(DOUBLE '1200' AS varchar), 4)").await;
        assert!(
            error.contains("cannot be represented as varchar(4)"),
            "{error}"
        );
    }
}
