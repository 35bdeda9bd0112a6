//! Times in a zone, the session's zone and its clock, and `date`.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use lakegate_engine::time::{DateOrder, date_of_text};
use lakegate_error::{Code, Error};

use super::SECTION;
use super::calendar::date32;
use super::function::{self, Asked, Session, TIME, TIMESTAMP, Timed, is_null, text};
use super::values::{Last, Times, numbers, shortened, texts};
use super::zones;
use crate::docs::Page;
use crate::entry::{Entry, Function, Known};
use crate::kernel::Call;

static AT: Page = Page {
    name: "at_timezone",
    section: SECTION,
    syntax: "at_timezone(timestamp, zone)",
    sentence: "Returns the same instant in another time zone, which is a constant.",
    example: "to_iso8601(at_timezone(from_unixtime(0), 'Asia/Tokyo'))",
    result: "1970-01-01T09:00:00.000+09:00",
};

static WITH: Page = Page {
    name: "with_timezone",
    section: SECTION,
    syntax: "with_timezone(timestamp, zone)",
    sentence: "Returns the instant at which the clock of a time zone, which is a constant, shows a \
               timestamp.",
    example: "to_iso8601(with_timezone(TIMESTAMP '2024-07-01 12:00:00', 'Europe/Berlin'))",
    result: "2024-07-01T12:00:00.000+02:00",
};

static CURRENT: Page = Page {
    name: "current_timezone",
    section: SECTION,
    syntax: "current_timezone()",
    sentence: "Returns the time zone of the session.",
    example: "current_timezone()",
    result: "UTC",
};

static DATE: Page = Page {
    name: "date",
    section: SECTION,
    syntax: "date(x)",
    sentence: "Returns the date of a timestamp or a text, as a cast does.",
    example: "date(TIMESTAMP '2024-02-29 15:04:05')",
    result: "2024-02-29",
};

static LOCAL_TIMESTAMP: Page = Page {
    name: "localtimestamp",
    section: SECTION,
    syntax: "localtimestamp",
    sentence: "Returns the time at which the statement started, by the session's clock.",
    example: "date_diff('day', localtimestamp, now())",
    result: "0",
};

static LOCAL_TIME: Page = Page {
    name: "localtime",
    section: SECTION,
    syntax: "localtime",
    sentence: "Returns the time of day at which the statement started, by the session's clock.",
    example: "localtime = CAST(localtimestamp AS TIME)",
    result: "true",
};

pub(super) fn entries() -> Vec<Entry> {
    let at = Timed::new(
        &AT,
        time_and_zone,
        |asked| in_named_zone(asked, 1),
        |call, session| {
            let clock = session.clock()?;
            moved(call, |times, row| times.instant(row, clock))
        },
    );
    let with = Timed::new(
        &WITH,
        |types| match types {
            [DataType::Timestamp(_, Some(_)), _] => None,
            types => time_and_zone(types),
        },
        |asked| in_named_zone(asked, 1),
        |call, _| {
            let clock = match call.returns {
                DataType::Timestamp(_, Some(zone)) => zones::named(zone)?,
                other => return Err(super::values::unexpected(other)),
            };
            moved(call, |times, row| {
                let local = times.local(row);
                local
                    .map(|local| Ok(zones::instant(clock, local)?.0))
                    .transpose()
            })
        },
    );
    let current = Timed::new(
        &CURRENT,
        |types| types.is_empty().then(Vec::new),
        |_| Ok(DataType::Utf8),
        |call, session| {
            texts(call, |_, text| {
                call.work.builds(session.zone.len())?;
                text.push_str(session.zone);
                Ok(true)
            })
        },
    )
    .stable();
    let date = Timed::new(
        &DATE,
        |types| match types {
            [of] => Some(vec![function::time(of).or_else(|| text(of))?]),
            _ => None,
        },
        |_| Ok(DataType::Date32),
        |call, _| dates(call),
    );
    let mut entries: Vec<Entry> = [at, with, current, date].map(Timed::entry).into();
    for (page, to) in [(&LOCAL_TIMESTAMP, TIMESTAMP), (&LOCAL_TIME, TIME)] {
        entries.push(Entry {
            function: Function::Scalar(Arc::new(ScalarUDF::new_from_impl(Now {
                name: page.name,
                to,
                zone: "UTC".into(),
                signature: Signature::nullary(Volatility::Stable),
                documentation: page.documentation(),
            }))),
            known: Known::Everywhere,
            page: Some(page),
        });
    }
    entries
}

fn time_and_zone(types: &[DataType]) -> Option<Vec<DataType>> {
    let [of, zone] = types else { return None };
    Some(vec![
        function::timestamp(of)?,
        function::constant(zone).filter(|of| !of.is_integer())?,
    ])
}

/// The type of a time in the zone that a constant names.
///
/// # Errors
///
/// The argument is not constant, or names no zone.
pub(super) fn in_named_zone(asked: &Asked<'_>, index: usize) -> Result<DataType> {
    if is_null(asked, index) {
        return Ok(asked.zoned());
    }
    let name = asked.constants.get(index).copied().flatten();
    let Some(name) = name.and_then(|name| name.try_as_str().flatten()) else {
        return Err(not_constant("the time zone").into());
    };
    let zone = zones::id(zones::named(name)?);
    Ok(DataType::Timestamp(TimeUnit::Microsecond, Some(zone)))
}

pub(super) fn not_constant(what: &str) -> Error {
    Error::not_supported(format!("{what} must be constant here")).with_hint(
        "a column has times of one zone: use CASE for some zones, and to_iso8601 for text",
    )
}

/// Returns instants in the zone of the result, which is NULL if the name of the zone is.
fn moved(
    call: &Call<'_>,
    instant: impl Fn(&Times<'_>, usize) -> Result<Option<i64>>,
) -> Result<ArrayRef> {
    let times = Times::of(&call.columns[0])?;
    let zones = &call.columns[1];
    let without = zones.array.data_type().is_null();
    numbers::<TimestampMicrosecondType>(call, |row| match without || zones.is_null(row) {
        true => Ok(None),
        false => instant(&times, row),
    })
}

fn dates(call: &Call<'_>) -> Result<ArrayRef> {
    let column = &call.columns[0];
    if !column.array.data_type().is_string() {
        let times = Times::of(column)?;
        return numbers::<Date32Type>(call, |row| {
            let local = times.local(row);
            local.map(|local| date32(local.day)).transpose()
        });
    }
    let texts = column.texts();
    let mut last = Last::new();
    numbers::<Date32Type>(call, |row| {
        let text = texts.get(row);
        text.map(|text| last.of(text, date_in).copied()).transpose()
    })
}

fn date_in(text: &str) -> Result<i32> {
    date_of_text(text, DateOrder::Unknown).map_err(|_| {
        Error::new(
            Code::InvalidCast,
            format!("'{}' is not a date", shortened(text)),
        )
        .with_hint("write it as '2024-02-29'")
        .into()
    })
}

/// `localtimestamp` or `localtime`: a constant of the statement.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Now {
    name: &'static str,
    to: DataType,
    /// The session's time zone.
    zone: Arc<str>,
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for Now {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.to.clone())
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let zone = config.execution.time_zone.as_deref().unwrap_or("UTC");
        Some(ScalarUDF::new_from_impl(Self {
            name: self.name,
            to: self.to.clone(),
            zone: zone.into(),
            signature: self.signature.clone(),
            documentation: self.documentation.clone(),
        }))
    }

    fn simplify(&self, args: Vec<Expr>, context: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(now) = context.query_execution_start_time() else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let clock = Session { zone: &self.zone }.clock()?;
        let local = zones::shown(clock, now.timestamp_micros());
        let value = match &self.to {
            DataType::Timestamp(..) => {
                ScalarValue::TimestampMicrosecond(Some(local.micros()?), None)
            }
            _ => ScalarValue::Time64Nanosecond(Some(local.time * 1000)),
        };
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(value, None)))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(DataFusionError::Internal(format!(
            "{} was not made a constant",
            self.name
        )))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn instants_stay_and_clocks_differ() {
        for (call, expected) in [
            (
                "to_iso8601(at_timezone(TIMESTAMP '2024-07-01 12:00:00', 'Europe/Berlin'))",
                "2024-07-01T14:00:00.000+02:00",
            ),
            (
                "to_iso8601(at_timezone(with_timezone(TIMESTAMP '2024-07-01 12:00:00', '+05:30'), 'UTC'))",
                "2024-07-01T06:30:00.000Z",
            ),
            (
                "to_iso8601(with_timezone(TIMESTAMP '2024-03-31 02:30:00', 'Europe/Berlin'))",
                "2024-03-31T03:30:00.000+02:00",
            ),
            (
                "to_iso8601(with_timezone(TIMESTAMP '2024-10-27 02:30:00', 'Europe/Berlin'))",
                "2024-10-27T02:30:00.000+02:00",
            ),
            (
                "to_iso8601(with_timezone(DATE '2500-07-01', 'Europe/Berlin'))",
                "2500-07-01T00:00:00.000+02:00",
            ),
            ("with_timezone(NULL, 'UTC')", "NULL"),
            ("at_timezone(TIMESTAMP '2024-07-01 12:00:00', NULL)", "NULL"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
        let query = "SELECT hour(with_timezone(x, 'Asia/Tokyo')) \
                     FROM (VALUES (TIMESTAMP '2024-01-01 09:00:00'), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["9", "NULL"]);
    }

    #[tokio::test]
    async fn zones_are_constant_and_known() {
        let unknown = error("at_timezone(TIMESTAMP '2024-07-01 12:00:00', 'Nowhere')").await;
        assert!(
            unknown.contains("'Nowhere' is not a time zone"),
            "{unknown}"
        );
        let query = "SELECT with_timezone(TIMESTAMP '2024-07-01 12:00:00', z) \
                     FROM (VALUES ('UTC')) t(z)";
        let message = rows(query).await.unwrap_err().to_string();
        assert!(
            message.contains("the time zone must be constant"),
            "{message}"
        );
    }

    #[tokio::test]
    async fn dates_are_of_times_and_texts() {
        let query = "SELECT date(x) FROM (VALUES ('2024-02-29'), (NULL), ('2024-02-29')) t(x)";
        let expected = ["2024-02-29", "NULL", "2024-02-29"];
        assert_eq!(rows(query).await.unwrap(), expected);
        for (call, expected) in [
            ("date(DATE '2024-02-29')", "2024-02-29"),
            ("date(TIMESTAMP '1969-12-31 23:00:00')", "1969-12-31"),
            (
                "date(with_timezone(TIMESTAMP '2024-02-29 01:00:00', 'Asia/Tokyo'))",
                "2024-02-29",
            ),
            ("date(NULL)", "NULL"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
        assert!(error("date('2023-02-29')").await.contains("is not a date"));
    }

    #[tokio::test]
    async fn the_local_time_is_that_of_the_statement() {
        let same = value("localtimestamp = localtimestamp AND localtime = localtime").await;
        assert_eq!(same.unwrap(), "true");
    }
}
