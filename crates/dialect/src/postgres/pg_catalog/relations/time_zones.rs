//! `pg_timezone_names`: the zones that `SET timezone` and `AT TIME ZONE` take, as they are now.

use chrono::{NaiveDateTime, TimeZone, Utc};
use chrono_tz::{OffsetComponents, TZ_VARIANTS, Tz};
use lakegate_engine::time::Clock;

use crate::postgres::Cell;

/// A zone at an instant.
pub(super) struct Zone {
    zone: Tz,
    instant: NaiveDateTime,
}

pub(super) fn zones() -> Vec<Zone> {
    let instant = Utc::now().naive_utc();
    let zones = TZ_VARIANTS.iter().copied();
    zones.map(|zone| Zone { zone, instant }).collect()
}

pub(super) fn pg_timezone_names(row: &Zone, column: &str) -> Option<Cell<'static>> {
    let clock = Clock::Named(row.zone);
    let instant = row.instant.and_utc().timestamp_micros();
    Some(match column {
        "name" => Cell::text(row.zone.name()),
        "abbrev" => Cell::text(clock.abbreviation_at(instant)),
        "utc_offset" => Cell::Int(i64::from(clock.offset_at(instant)) * 1_000_000),
        "is_dst" => {
            let offset = row.zone.offset_from_utc_datetime(&row.instant);
            Cell::Bool(!offset.dst_offset().is_zero())
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::NaiveDate;

    use super::*;

    #[test]
    fn a_zone_is_shown_as_its_clocks_are_at_the_instant() {
        let at = |month| NaiveDate::from_ymd_opt(2024, month, 1).unwrap();
        for (zone, month, abbreviation, hours, is_dst) in [
            (Tz::Europe__Berlin, 1, "CET", 1, false),
            (Tz::Europe__Berlin, 7, "CEST", 2, true),
            (Tz::America__Sao_Paulo, 1, "-03", -3, false),
            (Tz::UTC, 1, "UTC", 0, false),
        ] {
            let instant = at(month).and_hms_opt(0, 0, 0).unwrap();
            let row = Zone { zone, instant };
            let value = |column| pg_timezone_names(&row, column).unwrap();
            assert_eq!(value("name").as_str(), Some(zone.name()));
            assert_eq!(value("abbrev").as_str(), Some(abbreviation));
            assert_eq!(value("utc_offset").as_int(), Some(hours * 3_600_000_000));
            assert_eq!(value("is_dst").as_bool(), Some(is_dst));
        }
    }
}
