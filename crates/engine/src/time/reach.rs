//! RANGE windows over times with a zone, whose offsets have days or months.
//!
//! The engine finds the end of a frame by adding the offset to the key of a row. Where the clock of
//! the zone skips the sum or shows it twice, that fails, and the engine takes all rows up to the last
//! (`WindowFrameStateRange` of `datafusion-expr`, 55.2), also for the rows behind. Such a row is an
//! error here. Delete this when the engine adds by the clock.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, IntervalMonthDayNano, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    ColumnarValue, ExprSchemable, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
    WindowFrameBound,
};
use lakegate_error::Error;

use super::clock::Clock;
use super::zoned::{INTERVAL, shifted};
use super::zones::is_utc;
use crate::{limits::stop, plans::expressions};

/// Returns the window with a key that is checked; `None` if no row can be wrong.
pub(super) fn checked(window: &WindowFunction, schema: &DFSchema) -> Option<WindowFunction> {
    let [key] = window.params.order_by.as_slice() else {
        return None;
    };
    let zone = match key.expr.get_type(schema) {
        Ok(DataType::Timestamp(_, Some(zone))) if !is_utc(&zone) => zone,
        _ => return None,
    };
    let frame = &window.params.window_frame;
    let ascending = if key.asc { 1 } else { -1 };
    let ends = [&frame.start_bound, &frame.end_bound];
    let offsets: Vec<Offset> = ends
        .into_iter()
        .filter_map(|end| offset(end, ascending))
        .collect();
    if offsets.is_empty() {
        return None;
    }
    let function = Reaching {
        zone,
        offsets,
        signature: Signature::any(1, Volatility::Immutable),
    };
    let mut window = window.clone();
    for key in &mut window.params.order_by {
        let time = std::mem::take(&mut key.expr);
        key.expr = expressions::call(function.clone(), vec![time]);
    }
    Some(window)
}

/// Returns how far a frame reaches to one side; `None` if not by the clock.
fn offset(end: &WindowFrameBound, ascending: i64) -> Option<Offset> {
    let (by, sign) = match end {
        WindowFrameBound::Preceding(by) => (by, -ascending),
        WindowFrameBound::Following(by) => (by, ascending),
        WindowFrameBound::CurrentRow => return None,
    };
    // Before type coercion, it is a text.
    match by.cast_to(&INTERVAL).ok()? {
        ScalarValue::IntervalMonthDayNano(Some(by)) if by.months != 0 || by.days != 0 => {
            Some(Offset { by, sign })
        }
        _ => None,
    }
}

/// An interval that is added (1) or subtracted (-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Offset {
    by: IntervalMonthDayNano,
    sign: i64,
}

impl Offset {
    /// Returns what the engine finds.
    fn added(self, time: i64, zone: Tz) -> Option<i64> {
        match self.sign {
            1 => TimestampMicrosecondType::add_month_day_nano(time, self.by, zone),
            _ => TimestampMicrosecondType::subtract_month_day_nano(time, self.by, zone),
        }
    }
}

/// Returns the times as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Reaching {
    /// The zone of the times.
    zone: Arc<str>,
    offsets: Vec<Offset>,
    signature: Signature,
}

impl Reaching {
    fn check(&self, times: &ArrayRef) -> Result<()> {
        let clock = Clock::of(&self.zone)?;
        let zone: Tz = self.zone.parse()?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        for time in times.iter().flatten() {
            stop::check()?;
            for offset in &self.offsets {
                let right = shifted(clock, time, offset.by, offset.sign);
                if right.is_none() || offset.added(time, zone) != right {
                    return Err(self.refused().into());
                }
            }
        }
        Ok(())
    }

    fn refused(&self) -> Error {
        Error::not_supported(format!(
            "a RANGE frame ends at a time that the clock of {} skips or shows twice",
            self.zone
        ))
        .with_hint("give the offsets in hours, or ORDER BY a timestamp without time zone")
    }
}

impl ScalarUDFImpl for Reaching {
    fn name(&self) -> &str {
        "reaching"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        let zone = Some(Arc::clone(&self.zone));
        Ok(DataType::Timestamp(TimeUnit::Microsecond, zone))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let to = self.return_type(&[])?;
        expressions::applied(args.args.first(), |times| {
            let times = cast(times, &to)?;
            self.check(&times)?;
            Ok(times)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::TimestampMicrosecondArray;
    use lakegate_error::from_engine;

    use super::super::date_order::DateOrder;
    use super::*;

    fn checked(text: &str, by: IntervalMonthDayNano, sign: i64) -> Result<()> {
        let reaching = Reaching {
            zone: "Europe/Berlin".into(),
            offsets: vec![Offset { by, sign }],
            signature: Signature::any(1, Volatility::Immutable),
        };
        let time = super::super::instant_of_text(text, Clock::UTC, DateOrder::Mdy).unwrap();
        let times = TimestampMicrosecondArray::from(vec![None, Some(time)]);
        let times: ArrayRef = Arc::new(times.with_timezone("Europe/Berlin"));
        reaching.check(&times)
    }

    #[test]
    fn what_the_engine_cannot_add_is_an_error() {
        let day = IntervalMonthDayNano::new(0, 1, 0);
        let month = IntervalMonthDayNano::new(1, 0, 3_600_000_000_000);
        let ages = IntervalMonthDayNano::new(12 * 200_000, 0, 0);
        for (text, by, sign) in [
            ("2024-03-30 12:00", day, 1),
            ("2024-03-31 12:00", day, -1),
            ("2024-02-29 01:30", month, 1),
            ("1900-01-01 00:00", month, -1),
        ] {
            checked(text, by, sign).unwrap();
        }
        for (text, by, sign) in [
            // 02:30 on March 31 is skipped, and on October 27 shown twice.
            ("2024-03-30 01:30", day, 1),
            ("2024-04-01 00:30", day, -1),
            ("2024-10-26 00:30", day, 1),
            ("99999-12-20 00:00", ages, 1),
        ] {
            let error = from_engine(checked(text, by, sign).unwrap_err());
            assert_eq!(error.code(), lakegate_error::Code::NotSupported, "{text}");
        }
    }
}
