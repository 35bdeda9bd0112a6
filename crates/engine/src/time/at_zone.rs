//! `time AT TIME ZONE zone`, which is `timezone(zone, time)`: what the zone's clock shows at an
//! instant, or the instant at which it shows a time, as in PostgreSQL. DataFusion treats it as a
//! cast that changes the zone of a type.
//!
//! ```text
//! timestamptz AT TIME ZONE 'Asia/Tokyo'      timestamp        what the clock shows there
//! timestamp AT TIME ZONE 'Asia/Tokyo'        timestamptz      when it shows that
//! ```

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondBuilder};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, IntervalMonthDayNanoType, IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

use super::clock::Clock;
use super::input::out_of_range;
use crate::plans::expressions;

/// The function that `AT TIME ZONE` calls.
pub const AT_TIME_ZONE: &str = "timezone";

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct AtTimeZone {
    /// The session's time zone.
    zone: Arc<str>,
    signature: Signature,
}

impl AtTimeZone {
    pub(super) fn new(zone: Option<&str>) -> Self {
        Self {
            zone: zone.unwrap_or("UTC").into(),
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for AtTimeZone {
    fn name(&self) -> &str {
        AT_TIME_ZONE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [zone, time] = types else {
            return Err(Error::invalid("timezone takes a zone and a time").into());
        };
        let zone = match zone {
            DataType::Interval(_) => INTERVAL,
            of if of.is_numeric() || of.is_temporal() || *of == DataType::Boolean => {
                let message = format!("AT TIME ZONE takes the name of a zone, not {of}");
                return Err(Error::new(Code::FunctionNotFound, message).into());
            }
            _ => DataType::Utf8,
        };
        let time = match time {
            DataType::Timestamp(_, zone) => zone.clone(),
            // A date is midnight by the session's clock.
            DataType::Date32
            | DataType::Null
            | DataType::Utf8
            | DataType::Utf8View
            | DataType::LargeUtf8 => Some(Arc::clone(&self.zone)),
            other => {
                return Err(Error::not_supported(format!(
                    "AT TIME ZONE of {other} is not supported"
                ))
                .with_hint("it takes a timestamp, with time zone or without")
                .into());
            }
        };
        Ok(vec![zone, DataType::Timestamp(TimeUnit::Microsecond, time)])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let zone = match types.get(1) {
            Some(DataType::Timestamp(_, None)) => Some(Arc::clone(&self.zone)),
            _ => None,
        };
        Ok(DataType::Timestamp(TimeUnit::Microsecond, zone))
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let zone = config.execution.time_zone.as_deref();
        Some(ScalarUDF::new_from_impl(Self::new(zone)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [zone, time] = args.args.as_slice() else {
            return Err(DataFusionError::Internal(
                "a time zone of no time".to_owned(),
            ));
        };
        let constant = expressions::are_constants(&args.args);
        let rows = if constant { 1 } else { args.number_rows };
        let zones = Zones::of_values(zone)?;
        let times = time.to_array(rows)?;
        let moved = moved(&zones, &times, args.return_field.data_type())?;
        expressions::made(moved, constant)
    }
}

/// The clocks of the rows of a call.
pub(super) enum Zones {
    One(Option<Clock>),
    Each(Vec<Option<Clock>>),
}

impl Zones {
    /// Returns the clocks of names, or of intervals east of UTC.
    ///
    /// # Errors
    ///
    /// Returns an error if a zone is unknown.
    pub(super) fn of_values(zones: &ColumnarValue) -> Result<Self> {
        Ok(match zones {
            ColumnarValue::Scalar(zone) => Self::One(clocks(&zone.to_array()?)?.pop().flatten()),
            ColumnarValue::Array(zones) => Self::Each(clocks(zones)?),
        })
    }

    /// Returns the clock of a row; `None` if the zone is NULL.
    pub(super) fn of(&self, row: usize) -> Option<Clock> {
        match self {
            Self::One(clock) => *clock,
            Self::Each(clocks) => clocks.get(row).copied().flatten(),
        }
    }
}

fn moved(zones: &Zones, times: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let DataType::Timestamp(_, zone) = times.data_type() else {
        return Err(DataFusionError::Internal(
            "a time zone of no time".to_owned(),
        ));
    };
    let instants = zone.is_some();
    let micros = cast(
        times,
        &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
    )?;
    let micros = micros.as_primitive::<TimestampMicrosecondType>();
    let mut moved =
        TimestampMicrosecondBuilder::with_capacity(micros.len()).with_data_type(to.clone());
    for (row, time) in micros.iter().enumerate() {
        match (time, zones.of(row)) {
            (Some(time), Some(clock)) => {
                let time = match instants {
                    true => clock.shown(time),
                    false => clock.instant(time),
                };
                moved.append_value(time.ok_or_else(out_of_range)?);
            }
            _ => moved.append_null(),
        }
    }
    Ok(Arc::new(moved.finish()))
}

/// Returns the clocks of names, or of intervals east of UTC.
fn clocks(zones: &ArrayRef) -> Result<Vec<Option<Clock>>> {
    if let DataType::Interval(_) = zones.data_type() {
        let intervals = cast(zones, &INTERVAL)?;
        let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
        return intervals
            .iter()
            .map(|interval| Ok(interval.map(offset).transpose()?))
            .collect();
    }
    let names = cast(zones, &DataType::Utf8)?;
    // Adjacent rows often have the same zone.
    let mut last: Option<(&str, Clock)> = None;
    let names = names.as_string::<i32>();
    names
        .iter()
        .map(|name| {
            let Some(name) = name else { return Ok(None) };
            let clock = match last {
                Some((known, clock)) if known == name => clock,
                _ => Clock::by_name(name)?,
            };
            last = Some((name, clock));
            Ok(Some(clock))
        })
        .collect()
}

fn offset(interval: arrow::datatypes::IntervalMonthDayNano) -> Result<Clock, Error> {
    let seconds = i32::try_from(interval.nanoseconds / 1_000_000_000);
    match (interval.months, interval.days, seconds) {
        (0, 0, Ok(seconds)) => Ok(Clock::Fixed(seconds)),
        _ => Err(Error::new(
            Code::InvalidParameter,
            "the interval of a time zone may only have hours, minutes and seconds",
        )),
    }
}
