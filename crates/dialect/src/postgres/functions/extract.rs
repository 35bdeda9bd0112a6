//! `extract(unit FROM x)`, a `numeric`, which PostgreSQL refuses for units that the type of `x` does
//! not have: `extract(hour FROM day)`. `date_part('hour', day)` takes the day for a timestamp, is a
//! `double precision`, and is the engine's.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::datetime::date_part;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult};
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use lakegate_engine::time::{extracted, extracted_type, times_of_extracted};
use lakegate_error::{Code, Error};

/// Units of a time of day whose values may have a fraction.
const OF_SECONDS: [&str; 16] = [
    "microsecond",
    "microseconds",
    "usec",
    "usecs",
    "us",
    "millisecond",
    "milliseconds",
    "msec",
    "msecs",
    "ms",
    "second",
    "seconds",
    "sec",
    "secs",
    "s",
    "epoch",
];

/// The other units of a time of day.
const OF_CLOCK: [&str; 10] = [
    "minute", "minutes", "min", "mins", "m", "hour", "hours", "hr", "hrs", "h",
];

/// Units of a date.
const OF_DATE: [&str; 36] = [
    "day",
    "days",
    "d",
    "week",
    "weeks",
    "w",
    "dow",
    "doy",
    "isodow",
    "isoyear",
    "julian",
    "month",
    "months",
    "mon",
    "mons",
    "quarter",
    "quarters",
    "qtr",
    "year",
    "years",
    "yr",
    "yrs",
    "y",
    "decade",
    "decades",
    "dec",
    "decs",
    "century",
    "centuries",
    "cent",
    "c",
    "millennium",
    "millennia",
    "mil",
    "mils",
    "epoch",
];

/// Those of them that an interval does not have.
const OF_DAYS_ONLY: [&str; 5] = ["dow", "doy", "isodow", "isoyear", "julian"];

/// Units of a time with a zone.
const OF_ZONE: [&str; 5] = [
    "timezone",
    "timezone_hour",
    "timezone_h",
    "timezone_minute",
    "timezone_m",
];

/// Checks the unit for values of a type.
///
/// # Errors
///
/// The type has no such unit, or there is none of this name.
fn check(unit: &str, of: &DataType) -> Result<(), Error> {
    let unit = unit_of(unit);
    let is_in = |units: &[&str]| units.contains(&unit.as_str());
    let is_of_time = is_in(&OF_SECONDS) || is_in(&OF_CLOCK);
    let (name, has_unit) = match of {
        DataType::Date32 => ("date", is_in(&OF_DATE)),
        DataType::Time32(_) | DataType::Time64(_) => ("time without time zone", is_of_time),
        DataType::Timestamp(_, None) => {
            ("timestamp without time zone", is_in(&OF_DATE) || is_of_time)
        }
        DataType::Timestamp(_, Some(_)) => (
            "timestamp with time zone",
            is_in(&OF_DATE) || is_of_time || is_in(&OF_ZONE),
        ),
        // Weeks have an error of their own.
        DataType::Interval(_) | DataType::Duration(_) => (
            "interval",
            is_of_time || is_in(&OF_DATE) && !is_in(&OF_DAYS_ONLY),
        ),
        _ => return Ok(()),
    };
    match has_unit {
        true => Ok(()),
        false => Err(no_unit(&unit, name)),
    }
}

/// Returns the unit of a name as it is written.
pub(super) fn unit_of(written: &str) -> String {
    written
        .trim_matches(['\'', '"'])
        .trim()
        .to_ascii_lowercase()
}

/// Returns whether the values of a unit of times of day with a zone are whole numbers.
pub(super) fn is_whole(unit: &str) -> bool {
    OF_CLOCK.contains(&unit) || OF_ZONE.contains(&unit)
}

/// Returns the error for a unit that a type does not have.
pub(super) fn no_unit(unit: &str, name: &str) -> Error {
    let is_known = [OF_DATE.as_slice(), &OF_SECONDS, &OF_CLOCK, &OF_ZONE]
        .iter()
        .any(|units| units.contains(&unit));
    match is_known {
        true => Error::not_supported(format!("unit \"{unit}\" not supported for type {name}")),
        false => Error::new(
            Code::InvalidParameter,
            format!("unit \"{unit}\" not recognized for type {name}"),
        ),
    }
}

/// The name of the function, by which rules know it.
pub(super) const EXTRACT: &str = "extract";

/// Has the arguments of the engine's `date_part`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Extract {
    date_part: Arc<ScalarUDF>,
}

/// Not registered: no call has this name.
static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let date_part = date_part();
    Arc::new(ScalarUDF::new_from_impl(Extract { date_part }))
});

impl ScalarUDFImpl for Extract {
    fn name(&self) -> &str {
        EXTRACT
    }

    fn signature(&self) -> &Signature {
        self.date_part.signature()
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(without_unit())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let unit = args.scalar_arguments.first().copied().flatten();
        let unit = unit.and_then(|unit| unit.try_as_str().flatten());
        let (Some(unit), Some(of)) = (unit, args.arg_fields.get(1)) else {
            return Err(without_unit());
        };
        if !may_be_timetz(of.data_type()) {
            check(unit, of.data_type())?;
        }
        let returns = extracted_type(unit, of.data_type());
        Ok(Arc::new(Field::new(EXTRACT, returns, of.is_nullable())))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        context: &SimplifyContext,
    ) -> Result<PreimageResult> {
        times_of_extracted(args, literal, context)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(unit), times] = args.args.as_slice() else {
            return Err(without_unit());
        };
        let unit = unit.try_as_str().flatten().ok_or_else(without_unit)?;
        check(unit, &times.data_type())?;
        Ok(match times {
            ColumnarValue::Array(times) => ColumnarValue::Array(extracted(unit, times)?),
            ColumnarValue::Scalar(time) => {
                let values = extracted(unit, &time.to_array()?)?;
                ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?)
            }
        })
    }
}

fn without_unit() -> DataFusionError {
    DataFusionError::Internal("extract without a unit".to_owned())
}

/// Returns whether a value of a type may turn out to be a `timetz`, which is a text until the call is
/// analyzed, and so a timestamp to the function. The unit is checked when it runs.
fn may_be_timetz(of: &DataType) -> bool {
    matches!(of, DataType::Timestamp(_, None))
}

/// Plans `extract` as a call of the function.
#[derive(Debug)]
struct Extracts;

/// Returns the planner to register, before the engine's own.
pub(crate) fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(Extracts)
}

impl ExprPlanner for Extracts {
    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(FUNCTION.call(args)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{IntervalUnit, TimeUnit};

    use super::*;

    // PostgreSQL 15.
    #[test]
    fn types_have_their_units() {
        let time = DataType::Time64(TimeUnit::Microsecond);
        let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        for (unit, of) in [
            ("YEAR", &DataType::Date32),
            ("epoch", &DataType::Date32),
            ("'dow'", &DataType::Date32),
            ("HOUR", &time),
            ("EPOCH", &time),
            ("HOUR", &moment),
            ("DAY", &moment),
            ("quarter", &interval),
            ("ms", &interval),
        ] {
            assert!(check(unit, of).is_ok(), "{unit} {of}");
        }
        for (unit, of, error) in [
            (
                "HOUR",
                &DataType::Date32,
                "unit \"hour\" not supported for type date",
            ),
            (
                "year",
                &time,
                "unit \"year\" not supported for type time without time zone",
            ),
            (
                "TIMEZONE",
                &moment,
                "unit \"timezone\" not supported for type timestamp without time zone",
            ),
            (
                "foo",
                &DataType::Date32,
                "unit \"foo\" not recognized for type date",
            ),
            (
                "dow",
                &interval,
                "unit \"dow\" not supported for type interval",
            ),
            (
                "nanoseconds",
                &interval,
                "unit \"nanoseconds\" not recognized for type interval",
            ),
        ] {
            let message = check(unit, of)
                .err()
                .map(|error| error.message().to_owned());
            assert_eq!(message.as_deref(), Some(error));
        }
    }
}
