//! `date_trunc(unit, instant, zone)`: the start of a unit by the clock of a zone, as in PostgreSQL.
//! Hours and shorter units have the offset of the instant, also in an hour that the clock shows twice.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, TimestampMicrosecondBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::common::ScalarValue;
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

use super::at_zone::Zones;
use super::input::out_of_range;
use super::units::Unit;

/// The function that PostgreSQL's `date_trunc` with a zone is.
pub const DATE_TRUNC_AT: &str = "$date_trunc_at";

#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct DateTruncAt {
    /// The session's time zone.
    zone: Arc<str>,
    signature: Signature,
}

impl DateTruncAt {
    pub(super) fn new(zone: Option<&str>) -> Self {
        Self {
            zone: zone.unwrap_or("UTC").into(),
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }

    fn instants(&self, of: Option<&DataType>) -> DataType {
        let zone = match of {
            Some(DataType::Timestamp(_, Some(zone))) => zone,
            _ => &self.zone,
        };
        DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(zone)))
    }
}

impl ScalarUDFImpl for DateTruncAt {
    fn name(&self) -> &str {
        DATE_TRUNC_AT
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [_, time, _] = types else {
            return Err(Error::invalid("date_trunc takes a unit, a time and a zone").into());
        };
        Ok(vec![
            DataType::Utf8,
            self.instants(Some(time)),
            DataType::Utf8,
        ])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(self.instants(types.get(1)))
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let zone = config.execution.time_zone.as_deref();
        Some(ScalarUDF::new_from_impl(Self::new(zone)))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [unit, time, zone] = args.args.as_slice() else {
            return Err(DataFusionError::Internal(
                "a unit of no time in a zone".to_owned(),
            ));
        };
        let mut all = [unit, time, zone].into_iter();
        let constant = all.all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let units = units(&unit.to_array(rows)?)?;
        let zones = Zones::of_values(zone)?;
        let starts = starts(
            &units,
            &time.to_array(rows)?,
            &zones,
            args.return_field.data_type(),
        )?;
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&starts, 0)?),
            false => ColumnarValue::Array(starts),
        })
    }
}

/// Returns the units of names.
///
/// # Errors
///
/// There is no such unit.
pub(super) fn units(names: &ArrayRef) -> Result<Vec<Option<Unit>>> {
    let names = cast(names, &DataType::Utf8)?;
    let names = names.as_string::<i32>().iter();
    let units = names.map(|name| name.map(unit).transpose());
    Ok(units.collect::<Result<_, Error>>()?)
}

/// Returns the unit of a name.
///
/// # Errors
///
/// There is no such unit.
pub(super) fn unit(name: &str) -> Result<Unit, Error> {
    Unit::named(name).ok_or_else(|| {
        let message = format!("date_trunc does not know the unit '{name}'");
        Error::new(Code::InvalidParameter, message)
            .with_hint("units are microseconds to millennium, such as 'day' and 'month'")
    })
}

/// Returns the starts of the units that contain times, as times of the type `to`.
///
/// # Errors
///
/// A unit starts before the first time.
pub(super) fn starts(
    units: &[Option<Unit>],
    times: &ArrayRef,
    zones: &Zones,
    to: &DataType,
) -> Result<ArrayRef> {
    let times = cast(times, to)?;
    let times = times.as_primitive::<TimestampMicrosecondType>();
    let mut starts =
        TimestampMicrosecondBuilder::with_capacity(times.len()).with_data_type(to.clone());
    for (row, (time, unit)) in times.iter().zip(units).enumerate() {
        match (time, unit, zones.of(row)) {
            (Some(time), Some(unit), Some(clock)) => {
                let start = unit.truncated(clock, time);
                starts.append_value(start.ok_or_else(out_of_range)?);
            }
            _ => starts.append_null(),
        }
    }
    Ok(Arc::new(starts.finish()))
}
