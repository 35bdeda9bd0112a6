//! Time zones as SET takes them.

/// Returns an IANA name in its canonical spelling, or an offset as `+hh:mm`.
pub(super) fn time_zone(value: &str) -> Option<String> {
    let value = value.trim().trim_matches('\'');
    if value.eq_ignore_ascii_case("local") || value.eq_ignore_ascii_case("default") {
        return Some("UTC".to_owned());
    }
    if let Some(zone) = chrono_tz::TZ_VARIANTS
        .iter()
        .find(|zone| zone.name().eq_ignore_ascii_case(value))
    {
        return Some(zone.name().to_owned());
    }
    // As POSIX writes zones, with the sign of those to the west: `GMT-01:00` is an hour ahead.
    let posix = value.get(..3).filter(|name| {
        ["GMT", "UTC"]
            .iter()
            .any(|zone| zone.eq_ignore_ascii_case(name))
    });
    if posix.is_some() {
        let (sign, hours) = value.get(3..)?.split_at_checked(1)?;
        if !hours.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        return match sign {
            "+" => time_zone(&format!("-{hours}")),
            "-" => time_zone(&format!("+{hours}")),
            _ => None,
        };
    }
    let (sign, rest) = match value.split_at_checked(1)? {
        ("+", rest) => ('+', rest),
        ("-", rest) => ('-', rest),
        _ => ('+', value),
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
    let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 15 && minutes < 60).then(|| format!("{sign}{hours:02}:{minutes:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_of_java_and_posix_have_the_opposite_sign() {
        for (text, zone) in [
            ("GMT-01:00", "+01:00"),
            ("gmt+3", "-03:00"),
            ("UTC+05:30", "-05:30"),
            ("GMT", "GMT"),
        ] {
            assert_eq!(time_zone(text).as_deref(), Some(zone), "{text}");
        }
        for text in ["GMTx", "UTC+", "GMT--1", "GMT-+1", "UTC+16"] {
            assert_eq!(time_zone(text), None, "{text}");
        }
    }
}
