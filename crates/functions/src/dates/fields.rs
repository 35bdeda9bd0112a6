//! The fields that a format has, and the time that a set of them means. They are set one after the
//! other, the longest first, as Joda-Time does: a field that is missing is the first of its kind
//! (in 1970, or in 2000 where there are only months and days).

use datafusion::error::Result;
use lakegate_error::{Code, Error};

use super::calendar::{
    DAY, HOUR, Local, MILLI, MINUTE, SECOND, date_of, day_of_year, days_in_month, days_of,
    first_monday, is_leap, iso_week, out_of_range, weekday, weeks_in_year,
};

/// Half a day.
const HALF: i64 = 12 * HOUR;

/// A day before all times, on which the era before the first year starts.
const START: i64 = -200_000_000_000;

/// The most of a year that is set: no timestamp has a later or an earlier one.
pub(super) const MOST_YEARS: i64 = 292_278_993;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Era,
    Century,
    Year,
    YearOfEra,
    WeekYear,
    Month,
    Week,
    DayOfYear,
    Day,
    DayOfWeek,
    /// 0 is AM.
    Half,
    /// 0 to 23.
    Hour,
    /// 1 to 24.
    ClockHour,
    /// 0 to 11.
    HourOfHalf,
    /// 1 to 12.
    ClockHourOfHalf,
    Minute,
    /// Milliseconds of the hour.
    OfHour,
    Second,
    /// Milliseconds of the minute.
    OfMinute,
    /// Milliseconds of the second.
    OfSecond,
}

impl Field {
    /// The place in the order in which fields are set. Those of one place stay in the format's
    /// order.
    fn place(self) -> u8 {
        match self {
            Self::Era => 0,
            Self::Century => 1,
            Self::Year | Self::YearOfEra | Self::WeekYear => 2,
            Self::Month => 3,
            Self::Week => 4,
            Self::DayOfYear => 5,
            Self::Day => 6,
            Self::DayOfWeek => 7,
            Self::Half => 8,
            Self::Hour | Self::ClockHour => 9,
            Self::HourOfHalf | Self::ClockHourOfHalf => 10,
            Self::Minute => 11,
            Self::OfHour => 12,
            Self::Second => 13,
            Self::OfMinute => 14,
            Self::OfSecond => 15,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Era => "era",
            Self::Century => "century",
            Self::Year | Self::YearOfEra | Self::WeekYear => "year",
            Self::Month => "month",
            Self::Week => "week",
            Self::DayOfYear => "day of the year",
            Self::Day => "day of the month",
            Self::DayOfWeek => "day of the week",
            Self::Half => "half of the day",
            Self::Hour | Self::ClockHour | Self::HourOfHalf | Self::ClockHourOfHalf => "hour",
            Self::Minute => "minute",
            Self::Second => "second",
            Self::OfHour | Self::OfMinute | Self::OfSecond => "fraction",
        }
    }

    /// Returns the field of a time.
    pub(super) fn of(self, local: Local) -> i64 {
        let year = || date_of(local.day).0;
        match self {
            Self::Era => i64::from(year() > 0),
            Self::Century => year().abs() / 100,
            Self::Year => year(),
            Self::YearOfEra => match year() {
                year if year > 0 => year,
                year => 1 - year,
            },
            Self::WeekYear => iso_week(local.day).0,
            Self::Month => date_of(local.day).1,
            Self::Week => iso_week(local.day).1,
            Self::DayOfYear => day_of_year(local.day),
            Self::Day => date_of(local.day).2,
            Self::DayOfWeek => weekday(local.day),
            Self::Half => local.time / HALF,
            Self::Hour => local.time / HOUR,
            Self::ClockHour => (local.time / HOUR + 23) % 24 + 1,
            Self::HourOfHalf => local.time / HOUR % 12,
            Self::ClockHourOfHalf => (local.time / HOUR + 11) % 12 + 1,
            Self::Minute => local.time / MINUTE % 60,
            Self::OfHour => local.time % HOUR / MILLI,
            Self::Second => local.time / SECOND % 60,
            Self::OfMinute => local.time % MINUTE / MILLI,
            Self::OfSecond => local.time % SECOND / MILLI,
        }
    }

    /// Returns the field of a time whose year, month and day are known.
    #[inline]
    pub(super) fn of_dated(self, local: Local, (year, month, day): (i64, i64, i64)) -> i64 {
        match self {
            Self::Year => year,
            Self::Month => month,
            Self::Day => day,
            Self::Hour => local.time / HOUR,
            Self::Minute => local.time / MINUTE % 60,
            Self::Second => local.time / SECOND % 60,
            _ => self.of(local),
        }
    }

    /// Returns the time with another value of the field.
    fn set(self, local: Local, value: i64) -> Result<Local, Fault> {
        let within = |first: i64, last: i64| match (first..=last).contains(&value) {
            true => Ok(value),
            false => Err(Fault { field: self, value }),
        };
        let day = |day: i64| Local { day, ..local };
        let units = |old: i64, unit: i64| Local {
            time: local.time + (value - old) * unit,
            ..local
        };
        let old = self.of(local);
        Ok(match self {
            Self::Era => match within(0, 1)? == old {
                true => local,
                false => in_year(local, -date_of(local.day).0),
            },
            Self::Century => {
                let years = within(0, MOST_YEARS / 100)? * 100 + date_of(local.day).0.abs() % 100;
                match date_of(local.day).0 < 0 {
                    true => in_year(local, -years),
                    false => in_year(local, years),
                }
            }
            Self::Year => in_year(local, within(-MOST_YEARS, MOST_YEARS)?),
            Self::YearOfEra => match (within(1, MOST_YEARS)?, date_of(local.day).0 > 0) {
                (year, true) => in_year(local, year),
                (year, false) => in_year(local, 1 - year),
            },
            Self::WeekYear => {
                let year = within(-MOST_YEARS, MOST_YEARS)?;
                let week = iso_week(local.day).1.min(weeks_in_year(year));
                day(first_monday(year) + (week - 1) * 7 + weekday(local.day) - 1)
            }
            Self::Month => {
                let month = within(1, 12)?;
                let (year, _, date) = date_of(local.day);
                day(days_of(year, month, date.min(days_in_month(year, month))))
            }
            Self::Week => {
                let weeks = weeks_in_year(iso_week(local.day).0);
                day(local.day + (within(1, weeks)? - old) * 7)
            }
            Self::DayOfYear => {
                let days = 365 + i64::from(is_leap(date_of(local.day).0));
                day(local.day + within(1, days)? - old)
            }
            Self::Day => {
                let (year, month, _) = date_of(local.day);
                day(local.day + within(1, days_in_month(year, month))? - old)
            }
            Self::DayOfWeek => day(local.day + within(1, 7)? - old),
            Self::Half => {
                within(0, 1)?;
                units(old, HALF)
            }
            Self::Hour => {
                within(0, 23)?;
                units(old, HOUR)
            }
            Self::ClockHour => {
                let hour = within(1, 24)? % 24;
                units(old % 24 + value - hour, HOUR)
            }
            Self::HourOfHalf => {
                within(0, 11)?;
                units(old, HOUR)
            }
            Self::ClockHourOfHalf => {
                let hour = within(1, 12)? % 12;
                units(old % 12 + value - hour, HOUR)
            }
            Self::Minute => {
                within(0, 59)?;
                units(old, MINUTE)
            }
            Self::Second => {
                within(0, 59)?;
                units(old, SECOND)
            }
            Self::OfHour => {
                within(0, HOUR / MILLI - 1)?;
                units(old, MILLI)
            }
            Self::OfMinute => {
                within(0, MINUTE / MILLI - 1)?;
                units(old, MILLI)
            }
            Self::OfSecond => {
                within(0, SECOND / MILLI - 1)?;
                units(old, MILLI)
            }
        })
    }

    /// Returns the first time with the same fields down to this one.
    fn start(self, local: Local) -> Local {
        let (year, _, date) = date_of(local.day);
        let day = match self {
            Self::Era => match year > 0 {
                true => days_of(1, 1, 1),
                false => START,
            },
            Self::Century => days_of(year / 100 * 100, 1, 1),
            Self::Year | Self::YearOfEra => days_of(year, 1, 1),
            Self::WeekYear => first_monday(iso_week(local.day).0),
            Self::Month => local.day - date + 1,
            Self::Week => local.day - weekday(local.day) + 1,
            _ => local.day,
        };
        let unit = match self {
            Self::Half => HALF,
            Self::Hour | Self::ClockHour | Self::HourOfHalf | Self::ClockHourOfHalf => HOUR,
            Self::Minute => MINUTE,
            Self::Second => SECOND,
            Self::OfHour | Self::OfMinute | Self::OfSecond => MILLI,
            _ => DAY,
        };
        Local {
            day,
            time: local.time - local.time % unit,
        }
    }
}

/// Returns the same day of another year, or the 28th of February for a 29th that it does not have.
fn in_year(local: Local, year: i64) -> Local {
    let (_, month, date) = date_of(local.day);
    Local {
        day: days_of(year, month, date.min(days_in_month(year, month))),
        ..local
    }
}

/// A value that a field cannot have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    field: Field,
    value: i64,
}

impl Fault {
    pub(super) fn error(self) -> Error {
        let Self { field, value } = self;
        Error::new(
            Code::InvalidParameter,
            format!("there is no {} {value} there", field.name()),
        )
    }
}

/// Fields with their values, in the order of a format.
#[derive(Debug, Default)]
pub(super) struct Fields {
    set: Vec<(Field, i64)>,
}

impl Fields {
    pub(super) fn clear(&mut self) {
        self.set.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.set.len()
    }

    /// Forgets the fields after the first ones.
    pub(super) fn truncate(&mut self, len: usize) {
        self.set.truncate(len);
    }

    pub(super) fn push(&mut self, field: Field, value: i64) {
        self.set.push((field, value));
    }

    /// Returns the time that the fields mean.
    ///
    /// # Errors
    ///
    /// A field cannot have its value, or the time is out of range.
    pub(super) fn local(&mut self) -> Result<Local> {
        if let Some(local) = self.plain()? {
            return Ok(local);
        }
        self.set.sort_by_key(|(field, _)| field.place());
        let whole_days = Field::Month.place()..=Field::DayOfWeek.place();
        if let Some((first, _)) = self.set.first()
            && whole_days.contains(&first.place())
        {
            self.set.insert(0, (Field::Year, 2000));
        }
        let mut local = Local { day: 0, time: 0 };
        for &(field, value) in &self.set {
            local = field.start(field.set(local, value).map_err(Fault::error)?);
        }
        // Once more, as a field may have changed a longer one: a day of the week, the month.
        let last = self.set.len().saturating_sub(1);
        for (place, &(field, value)) in self.set.iter().enumerate() {
            local = field.set(local, value).map_err(Fault::error)?;
            if place == last {
                local = field.start(local);
            }
        }
        match local.day {
            START => Err(out_of_range().into()),
            _ => Ok(local),
        }
    }

    /// Returns the time of a year, a month, a day and a time of day, each at most once: what most
    /// formats have.
    ///
    /// # Errors
    ///
    /// A field cannot have its value.
    fn plain(&self) -> Result<Option<Local>> {
        const FIELDS: [(Field, i64, i64); 7] = [
            (Field::Year, -MOST_YEARS, MOST_YEARS),
            (Field::Month, 1, 12),
            (Field::Day, 1, 31),
            (Field::Hour, 0, 23),
            (Field::Minute, 0, 59),
            (Field::Second, 0, 59),
            (Field::OfSecond, 0, 999),
        ];
        let mut values = [None; FIELDS.len()];
        for &(field, value) in &self.set {
            let Some(place) = FIELDS.iter().position(|(known, ..)| *known == field) else {
                return Ok(None);
            };
            let (Some(slot), Some((_, first, last))) = (values.get_mut(place), FIELDS.get(place))
            else {
                return Ok(None);
            };
            if slot.is_some() {
                return Ok(None);
            }
            if !(*first..=*last).contains(&value) {
                return Err(Fault { field, value }.error().into());
            }
            *slot = Some(value);
        }
        let [Some(year), month, day, hour, minute, second, millis] = values else {
            return Ok(None);
        };
        let (month, day) = match (month, day) {
            (None, Some(_)) => return Ok(None),
            (month, day) => (month.unwrap_or(1), day.unwrap_or(1)),
        };
        if day > days_in_month(year, month) {
            let field = Field::Day;
            return Err(Fault { field, value: day }.error().into());
        }
        Ok(Some(Local {
            day: days_of(year, month, day),
            time: hour.unwrap_or(0) * HOUR
                + minute.unwrap_or(0) * MINUTE
                + second.unwrap_or(0) * SECOND
                + millis.unwrap_or(0) * MILLI,
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn time(fields: &[(Field, i64)]) -> Result<((i64, i64, i64), i64)> {
        let mut all = Fields::default();
        for &(field, value) in fields {
            all.push(field, value);
        }
        let local = all.local()?;
        Ok((date_of(local.day), local.time / MILLI))
    }

    #[test]
    fn fields_mean_a_time_in_any_order() {
        for (fields, date, millis) in [
            (vec![], (1970, 1, 1), 0),
            (vec![(Field::Month, 2), (Field::Day, 29)], (2000, 2, 29), 0),
            (
                vec![(Field::Day, 29), (Field::Year, 2024), (Field::Month, 2)],
                (2024, 2, 29),
                0,
            ),
            (
                vec![
                    (Field::WeekYear, 2025),
                    (Field::Week, 1),
                    (Field::DayOfWeek, 1),
                ],
                (2024, 12, 30),
                0,
            ),
            (
                vec![(Field::Year, 2024), (Field::DayOfYear, 366)],
                (2024, 12, 31),
                0,
            ),
            (
                vec![
                    (Field::Half, 1),
                    (Field::ClockHourOfHalf, 12),
                    (Field::Minute, 5),
                ],
                (1970, 1, 1),
                (12 * 60 + 5) * 60_000,
            ),
            (vec![(Field::ClockHourOfHalf, 12)], (1970, 1, 1), 0),
            (vec![(Field::ClockHour, 24)], (1970, 1, 1), 0),
            (vec![(Field::ClockHour, 23)], (1970, 1, 1), 23 * 3_600_000),
            (vec![(Field::Century, 20)], (2000, 1, 1), 0),
            (
                vec![(Field::Era, 0), (Field::YearOfEra, 44)],
                (-43, 1, 1),
                0,
            ),
            // Of the week of the date.
            (
                vec![
                    (Field::Year, 2024),
                    (Field::Month, 1),
                    (Field::Day, 31),
                    (Field::DayOfWeek, 4),
                ],
                (2024, 2, 1),
                0,
            ),
        ] {
            assert_eq!(time(&fields).unwrap(), (date, millis), "{fields:?}");
        }
    }

    #[test]
    fn values_that_a_field_cannot_have_are_errors() {
        for fields in [
            vec![(Field::Month, 13)],
            vec![(Field::Year, 2023), (Field::Month, 2), (Field::Day, 29)],
            vec![(Field::Year, 2023), (Field::DayOfYear, 366)],
            vec![(Field::WeekYear, 2021), (Field::Week, 53)],
            vec![(Field::Hour, 24)],
            vec![(Field::ClockHourOfHalf, 0)],
            vec![(Field::Year, i64::MAX)],
            vec![(Field::Era, 0)],
        ] {
            assert!(time(&fields).is_err(), "{fields:?}");
        }
    }
}
