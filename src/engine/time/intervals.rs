//! Intervals as text, and of text, as PostgreSQL has them.
//!
//! ```text
//! CAST(INTERVAL '26 hours' AS VARCHAR)     26:00:00        the engine: 26 hours
//! CAST('100' AS INTERVAL)                  100 seconds     the engine: 100 months
//! ```

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationMicrosecondType, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, TimeUnit,
};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Whether a type is one of lengths of time.
pub(super) fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_) | DataType::Duration(_))
}

/// `CAST(interval AS VARCHAR)`; `target`: a type of text.
pub(super) fn text(interval: Expr, target: DataType) -> Expr {
    call(interval, Conversion::ToText(target))
}

/// A text that is to be cast to an interval, where a mere number is one of seconds.
pub(super) fn with_unit(text: Expr) -> Expr {
    call(text, Conversion::WithUnit)
}

fn call(value: Expr, conversion: Conversion) -> Expr {
    let function = Converted {
        conversion,
        signature: Signature::any(1, Volatility::Immutable),
    };
    Expr::ScalarFunction(ScalarFunction {
        func: Arc::new(ScalarUDF::new_from_impl(function)),
        args: vec![value],
    })
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Conversion {
    ToText(DataType),
    WithUnit,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Converted {
    conversion: Conversion,
    signature: Signature,
}

impl ScalarUDFImpl for Converted {
    fn name(&self) -> &str {
        match self.conversion {
            Conversion::ToText(_) => "varchar",
            Conversion::WithUnit => "interval_text",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match &self.conversion {
            Conversion::ToText(target) => target.clone(),
            Conversion::WithUnit => DataType::Utf8,
        })
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = matches!(args.args.as_slice(), [ColumnarValue::Scalar(_)]);
        let values = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(values) = values.first() else {
            return Err(DataFusionError::Internal(
                "an interval of nothing".to_owned(),
            ));
        };
        let converted: ArrayRef = match &self.conversion {
            Conversion::ToText(target) => cast(&texts(values)?, target)?,
            Conversion::WithUnit => {
                let texts = cast(values, &DataType::Utf8)?;
                let texts = texts.as_string::<i32>().iter();
                let texts: StringArray = texts
                    .map(|text| {
                        text.map(|text| seconds_of(text).unwrap_or_else(|| text.to_owned()))
                    })
                    .collect();
                Arc::new(texts)
            }
        };
        match scalar {
            true => ScalarValue::try_from_array(&converted, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(converted)),
        }
    }
}

/// A number with its unit; `None`: the text is none.
fn seconds_of(text: &str) -> Option<String> {
    let number = text.trim();
    let digits = number.strip_prefix(['-', '+']).unwrap_or(number);
    let is_number = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().any(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("{number} seconds"))
}

fn texts(values: &ArrayRef) -> Result<ArrayRef> {
    let texts: StringArray = match values.data_type() {
        DataType::Duration(_) => {
            let micros = cast(values, &DataType::Duration(TimeUnit::Microsecond))?;
            let micros = micros.as_primitive::<DurationMicrosecondType>();
            micros
                .iter()
                .map(|micros| {
                    micros.map(|micros| {
                        let days = micros / DAY;
                        shown(0, days, i128::from(micros - days * DAY))
                    })
                })
                .collect()
        }
        _ => cast(values, &DataType::Interval(IntervalUnit::MonthDayNano))?
            .as_primitive::<IntervalMonthDayNanoType>()
            .iter()
            .map(|value| {
                value.map(|value: IntervalMonthDayNano| {
                    let micros = i128::from(value.nanoseconds) / 1000;
                    shown(value.months, value.days.into(), micros)
                })
            })
            .collect(),
    };
    Ok(Arc::new(texts))
}

/// `1 year 2 mons -3 days +04:05:06.7`: after what is negative, what is positive says so.
fn shown(months: i32, days: i64, micros: i128) -> String {
    let mut text = String::new();
    let mut negative = false;
    let parts = [
        (i64::from(months / 12), "year"),
        (i64::from(months % 12), "mon"),
        (days, "day"),
    ];
    for (count, unit) in parts {
        if count == 0 {
            continue;
        }
        let blank = if text.is_empty() { "" } else { " " };
        let sign = if negative && count > 0 { "+" } else { "" };
        let plural = if count == 1 { "" } else { "s" };
        // Writing to a String does not fail.
        let _ = write!(text, "{blank}{sign}{count} {unit}{plural}");
        negative = count < 0;
    }
    if micros == 0 && !text.is_empty() {
        return text;
    }
    let blank = if text.is_empty() { "" } else { " " };
    let sign = match micros < 0 {
        true => "-",
        false if negative => "+",
        false => "",
    };
    let micros = micros.unsigned_abs();
    let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let _ = write!(
        text,
        "{blank}{sign}{hours:02}:{minutes:02}:{:02}",
        seconds % 60
    );
    if rest != 0 {
        let fraction = format!("{rest:06}");
        let _ = write!(text, ".{}", fraction.trim_end_matches('0'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_is_written_as_postgres_writes_it() {
        for (months, days, micros, text) in [
            (0, 0, 0, "00:00:00"),
            (18, 0, 0, "1 year 6 mons"),
            (-13, 1, 5_000_000, "-1 years -1 mons +1 day 00:00:05"),
            (0, -1, 3_600_500_000, "-1 days +01:00:00.5"),
            (0, 1, -1, "1 day -00:00:00.000001"),
            (0, 0, 360_000_000_000, "100:00:00"),
        ] {
            assert_eq!(shown(months, days, micros), text);
        }
    }

    #[test]
    fn number_without_unit_is_one_of_seconds() {
        for (text, with_unit) in [
            ("100", Some("100 seconds")),
            (" -4.5 ", Some("-4.5 seconds")),
            ("1 day", None),
            ("", None),
            (".", None),
            ("1:30", None),
        ] {
            assert_eq!(seconds_of(text).as_deref(), with_unit, "{text}");
        }
    }
}
