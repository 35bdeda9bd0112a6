//! Keeps times in microseconds, like the lake's columns: the years 0001 to 9999 and far beyond.
//!
//! DataFusion's literals, casts and functions produce nanoseconds, which cover the years 1677 to
//! 2262, and it casts a column to nanoseconds if the two meet. Three mechanisms together keep
//! nanoseconds out of plans. `Microseconds` runs after type coercion:
//!
//! ```text
//! planning   TIMESTAMP, TIMESTAMP(p)       microseconds              MicrosecondTypes
//! planning   date + INTERVAL '1 hour'      a timestamp               IntervalArithmetic
//!            date_trunc('month', date)     a timestamptz             TruncatedDates, PostgreSQL
//! planning   now(), to_timestamp(…),       microseconds              functions
//!            date_bin(…)
//! analysis   CAST(x AS Timestamp(ns))      CAST(x AS Timestamp(µs))  Microseconds
//!            CAST('…' AS Timestamp(µs))    timestamp('…')            rounds half up
//!            CAST(timestamp AS VARCHAR)    varchar(timestamp)        2000-01-01 10:00:00
//!            CAST(interval AS VARCHAR)     varchar(interval)         26:00:00
//!            CAST('100' AS INTERVAL)       interval('100')           seconds, not months
//! ```
//!
//! Times with a zone have the session's zone, and follow its clock (`clock.rs`), as in PostgreSQL.
//! `MeetingZones` runs before type coercion:
//!
//! ```text
//! planning   ts AT TIME ZONE 'x'             timezone('x', ts)          at_zone
//!            date_trunc('day', ts, 'x')      $date_trunc_at(…)          trunc_at, PostgreSQL
//! analysis   timestamptz < timestamp         both with the zone         MeetingZones
//!            CAST(timestamptz AS timestamp)  by_the_clock(timestamptz)  zones
//!            timestamptz + INTERVAL '1 day'  time_plus(timestamptz, …)  zoned
//!            date_part('day', timestamptz)   what the clock shows       fields
//!            time + INTERVAL '1 hour'        day_time_plus(time, …)     shifted_days
//! ```

mod abbreviations;
mod ages;
mod arithmetic;
mod asked_fields;
mod at_zone;
mod bins;
mod calendar;
mod clock;
mod cut;
mod date_bounds;
mod date_order;
mod date_series;
mod day_numbers;
mod day_times;
mod extracted;
mod extremes;
mod fields;
mod from_template;
mod functions;
mod hidden_options;
mod infinities;
mod input;
mod instants;
mod interval_fields;
mod length;
mod make_date;
mod meeting;
mod moment;
mod month_names;
pub(crate) mod negation;
mod output;
mod parts;
mod period;
mod period_end;
mod period_template;
mod precision;
mod reach;
mod rule;
mod series;
mod shifted_days;
mod template;
#[cfg(test)]
mod tests;
mod to_char;
mod trunc_at;
mod truncated_dates;
mod types;
mod units;
mod zoned;
mod zoned_time;
mod zones;

use std::sync::Arc;

pub use ages::AGE;
pub use arithmetic::between;
pub(crate) use arithmetic::{IntervalArithmetic, divided};
pub use asked_fields::ASKED_FIELD;
pub(crate) use asked_fields::register_asked_fields;
pub use at_zone::AT_TIME_ZONE;
pub use clock::Clock;
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
pub(crate) use date_bounds::DateBounds;
pub(crate) use date_order::read_dates;
pub use date_order::{DateOrder, order_of};
pub(crate) use date_series::register_date_series;
pub use day_times::end_of_day;
pub use extracted::{extracted, extracted_type, times_of_extracted};
pub(crate) use extremes::best_places;
pub(crate) use infinities::InfiniteTimes;
pub(crate) use input::is_infinite;
pub use input::{
    date_of_text, instant_of_text, interval_in_words, interval_of_text, rounded_interval_in_words,
    time_of_text, timestamp_of_text,
};
pub(crate) use instants::begin_statement;
pub(crate) use instants::register_instants;
pub use interval_fields::LastField;
pub use length::length_of;
pub(crate) use length::{are_lists, length, lengths};
pub use meeting::MeetingZones;
pub(crate) use output::texts as texts_of_timestamps;
pub use output::write_date;
pub use period_end::PERIOD_END;
pub use precision::PRECISION_FUNCTION;
pub(crate) use precision::register_precision;
pub use rule::{Microseconds, WindowsByLength};
pub use template::{DAYS, MONTHS};
pub use to_char::register as register_templates;
pub use trunc_at::DATE_TRUNC_AT;
pub(crate) use truncated_dates::register_truncated_dates;
pub use types::MicrosecondTypes;
pub(crate) use types::{in_microseconds, with_texts};
pub use zoned::intervals;
pub use zoned_time::{NoZonedTime, ZonedTime};
pub(crate) use zones::{is_utc, moved as moved_by_the_clock};

/// Microseconds per second.
const SECOND: i64 = 1_000_000;

/// Replaces DataFusion's functions with ones that return microseconds, and registers the planner of
/// interval arithmetic.
///
/// # Errors
///
/// Returns an error if a function or the planner cannot be registered.
pub fn register(state: &mut SessionState) -> Result<()> {
    functions::register(state)?;
    ages::register(state)?;
    period_end::register(state)?;
    state.register_expr_planner(Arc::new(IntervalArithmetic {
        makes_timestamps: false,
    }))?;
    precision::register(state)
}
