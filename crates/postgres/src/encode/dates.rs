//! Dates and timestamps in the forms of `DateStyle` beside ISO, as PostgreSQL's `EncodeDateOnly` and
//! `EncodeDateTime` write them.
//!
//! ```text
//!            DMY                                 others
//! SQL        17/12/1997 07:37:16.5 PST           12/17/1997 07:37:16.5 PST
//! Postgres   Wed 17 Dec 07:37:16.5 1997 PST      Wed Dec 17 07:37:16.5 1997 PST
//! German     17.12.1997 07:37:16.5 PST           17.12.1997 07:37:16.5 PST
//! ```

use bytes::{BufMut, BytesMut};
use lakegate_error::Result;
use lakegate_gateway::values::time::DateOrder;

use super::Style;
use super::number::{put_uint, two_digits};
use super::time::{DAY_MICROS, Zone, civil, local, pg_date, pg_timestamp, put_clock, put_offset};

/// The form of dates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum DateForm {
    #[default]
    Iso,
    Sql,
    Postgres,
    German,
}

/// The name of a zone with one offset, as `TimeZone` has it; empty if it has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ZoneName {
    bytes: [u8; 10],
    length: usize,
}

impl ZoneName {
    /// Returns the name in a value of `TimeZone`: `UTC`, `EST` of `EST5`, `+03` of `<+03>-3`.
    pub(crate) fn of_setting(value: &str) -> Self {
        let name = match value.strip_prefix('<') {
            Some(rest) => rest.split('>').next().unwrap_or_default(),
            None => {
                let rest = value.trim_start_matches(|c: char| c.is_ascii_alphabetic());
                value.strip_suffix(rest).unwrap_or_default()
            }
        };
        let mut bytes = [0; 10];
        let length = name.len().min(bytes.len());
        for (byte, of_name) in bytes.iter_mut().zip(name.bytes()) {
            *byte = of_name;
        }
        Self { bytes, length }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// 1970-01-01 was a Thursday.
const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];

impl DateForm {
    /// Returns the form of a value of `DateStyle`, such as `SQL, DMY`.
    pub(crate) fn of_setting(value: &str) -> Self {
        match value.split(',').next().unwrap_or_default() {
            "SQL" => Self::Sql,
            "Postgres" => Self::Postgres,
            "German" => Self::German,
            _ => Self::Iso,
        }
    }

    /// Appends a date, given in days since 1970.
    ///
    /// # Errors
    ///
    /// It is outside of PostgreSQL's range.
    #[cold]
    pub(super) fn put_date(self, out: &mut BytesMut, days: i64, order: DateOrder) -> Result<()> {
        pg_date(days)?;
        let before_christ = self.put_day(out, days, order);
        put_era(out, before_christ);
        Ok(())
    }

    /// Appends a timestamp, given in microseconds since 1970; with a zone, its name follows.
    ///
    /// # Errors
    ///
    /// It is outside of PostgreSQL's range.
    #[cold]
    pub(super) fn put_timestamp(
        self,
        out: &mut BytesMut,
        micros: i64,
        zone: Option<Zone>,
        style: &Style,
    ) -> Result<()> {
        let order = style.order;
        pg_timestamp(micros)?;
        let shown = local(micros, zone)?;
        let (days, clock) = (shown.div_euclid(DAY_MICROS), shown.rem_euclid(DAY_MICROS));
        let before_christ = match self {
            Self::Postgres => {
                let weekday = usize::try_from(days.rem_euclid(7)).unwrap_or_default();
                out.put_slice(WEEKDAYS.get(weekday).map_or(&b""[..], |name| &name[..]));
                let (year, month, day) = civil(days);
                let month = MONTHS.get(month.saturating_sub(1) as usize);
                let month = month.map_or(&b""[..], |name| &name[..]);
                out.put_u8(b' ');
                if order == DateOrder::Dmy {
                    out.put_slice(&two_digits(day));
                    out.put_u8(b' ');
                    out.put_slice(month);
                } else {
                    out.put_slice(month);
                    out.put_u8(b' ');
                    out.put_slice(&two_digits(day));
                }
                out.put_u8(b' ');
                put_clock(out, clock);
                out.put_u8(b' ');
                put_year(out, year)
            }
            Self::Iso | Self::Sql | Self::German => {
                let before_christ = self.put_day(out, days, order);
                out.put_u8(b' ');
                put_clock(out, clock);
                before_christ
            }
        };
        if let Some(zone) = zone {
            out.put_u8(b' ');
            match (zone, zone.name_at(micros)) {
                (Zone::Fixed(_), _) if style.zone_name != ZoneName::default() => {
                    out.put_slice(style.zone_name.as_bytes());
                }
                (_, Some(name)) => out.put_slice(name.as_bytes()),
                (zone, None) => put_offset(out, zone.offset_at(micros), false),
            }
        }
        put_era(out, before_christ);
        Ok(())
    }

    /// Appends day, month and year. Returns whether the year is BC.
    fn put_day(self, out: &mut BytesMut, days: i64, order: DateOrder) -> bool {
        let (year, month, day) = civil(days);
        let mark = match self {
            Self::German => b'.',
            Self::Postgres => b'-',
            Self::Iso | Self::Sql => b'/',
        };
        let day_first = self == Self::German || order == DateOrder::Dmy;
        let (first, second) = match day_first {
            true => (day, month),
            false => (month, day),
        };
        out.put_slice(&two_digits(first));
        out.put_u8(mark);
        out.put_slice(&two_digits(second));
        out.put_u8(mark);
        put_year(out, year)
    }
}

/// Appends a year of at least four digits; 0 is 1 BC. Returns whether it is BC.
fn put_year(out: &mut BytesMut, year: i64) -> bool {
    let shown = if year > 0 { year } else { 1 - year }.unsigned_abs();
    for least in [1_000, 100, 10] {
        if shown < least {
            out.put_u8(b'0');
        }
    }
    put_uint(out, shown);
    year <= 0
}

fn put_era(out: &mut BytesMut, before_christ: bool) {
    if before_christ {
        out.put_slice(b" BC");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn date(form: DateForm, order: DateOrder, days: i64) -> String {
        let mut out = BytesMut::new();
        form.put_date(&mut out, days, order).unwrap();
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn timestamp(form: DateForm, order: DateOrder, micros: i64, zone: Option<&str>) -> String {
        let style = Style {
            order,
            zone_name: zone.map_or(ZoneName::default(), ZoneName::of_setting),
            ..Style::default()
        };
        let zone = zone.map(|name| match name {
            "EST5" => Zone::Fixed(-18_000),
            "<+03>-3" => Zone::Fixed(10_800),
            other => Zone::parse(other),
        });
        let mut out = BytesMut::new();
        form.put_timestamp(&mut out, micros, zone, &style).unwrap();
        String::from_utf8(out.to_vec()).unwrap()
    }

    /// 1997-12-17.
    const DAY: i64 = 10_212;
    /// 0044-03-15 BC.
    const IDES: i64 = -735_160;

    // Expected texts: PostgreSQL 15.
    #[test]
    fn dates_are_those_of_postgres() {
        use DateForm::{German, Postgres, Sql};
        use DateOrder::{Dmy, Mdy, Ymd};
        for (form, order, expected, ides) in [
            (Sql, Mdy, "12/17/1997", "03/15/0044 BC"),
            (Sql, Dmy, "17/12/1997", "15/03/0044 BC"),
            (Sql, Ymd, "12/17/1997", "03/15/0044 BC"),
            (Postgres, Mdy, "12-17-1997", "03-15-0044 BC"),
            (Postgres, Dmy, "17-12-1997", "15-03-0044 BC"),
            (Postgres, Ymd, "12-17-1997", "03-15-0044 BC"),
            (German, Mdy, "17.12.1997", "15.03.0044 BC"),
            (German, Dmy, "17.12.1997", "15.03.0044 BC"),
        ] {
            assert_eq!(date(form, order, DAY), expected, "{form:?} {order:?}");
            assert_eq!(date(form, order, IDES), ides, "{form:?} {order:?}");
        }
        let far = 2_932_897;
        assert_eq!(date(German, Dmy, far), "01.01.10000");
        let none = German.put_date(&mut BytesMut::new(), i64::from(i32::MIN), Dmy);
        assert!(none.is_err());
    }

    // Expected texts: PostgreSQL 15.
    #[test]
    fn timestamps_are_those_of_postgres() {
        use DateForm::{German, Postgres, Sql};
        use DateOrder::{Dmy, Mdy};
        // 1997-12-17 15:37:16.5
        let micros = 882_373_036_500_000;
        let pacific = Some("America/Los_Angeles");
        for (form, order, zone, expected) in [
            (Sql, Mdy, None, "12/17/1997 15:37:16.5"),
            (Sql, Dmy, None, "17/12/1997 15:37:16.5"),
            (Postgres, Mdy, None, "Wed Dec 17 15:37:16.5 1997"),
            (Postgres, Dmy, None, "Wed 17 Dec 15:37:16.5 1997"),
            (German, Mdy, None, "17.12.1997 15:37:16.5"),
            (Sql, Mdy, pacific, "12/17/1997 07:37:16.5 PST"),
            (Postgres, Mdy, pacific, "Wed Dec 17 07:37:16.5 1997 PST"),
            (German, Mdy, pacific, "17.12.1997 07:37:16.5 PST"),
            (German, Mdy, Some("UTC"), "17.12.1997 15:37:16.5 UTC"),
            (German, Mdy, Some("GMT"), "17.12.1997 15:37:16.5 GMT"),
            (Sql, Dmy, Some("EST5"), "17/12/1997 10:37:16.5 EST"),
            (Sql, Dmy, Some("<+03>-3"), "17/12/1997 18:37:16.5 +03"),
            (Sql, Dmy, Some("+05:30"), "17/12/1997 21:07:16.5 +05:30"),
            (Sql, Dmy, Some("+00:00"), "17/12/1997 15:37:16.5 +00"),
        ] {
            assert_eq!(timestamp(form, order, micros, zone), expected);
        }
        let ides = IDES * DAY_MICROS;
        assert_eq!(
            timestamp(Postgres, Mdy, ides, Some("UTC")),
            "Fri Mar 15 00:00:00 0044 UTC BC"
        );
        assert_eq!(timestamp(German, Dmy, ides, None), "15.03.0044 00:00:00 BC");
    }

    #[test]
    fn forms_have_the_names_of_the_setting() {
        for (value, form) in [
            ("ISO, MDY", DateForm::Iso),
            ("SQL, DMY", DateForm::Sql),
            ("Postgres, YMD", DateForm::Postgres),
            ("German, DMY", DateForm::German),
        ] {
            assert_eq!(DateForm::of_setting(value), form);
        }
    }
}
