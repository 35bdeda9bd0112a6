//! `DateStyle`: the form of dates, and the order of day, month and year, as PostgreSQL's
//! `check_datestyle` reads them.

/// Returns a value in its normal form, such as `ISO, MDY`. What it does not name stays as it is.
///
/// `current` and `initial`: the value so far, and the one that DEFAULT stands for.
///
/// # Errors
///
/// The detail of PostgreSQL's error: a word is unknown, or two of them disagree.
pub(super) fn checked(value: &str, current: &str, initial: &str) -> Result<String, String> {
    let mut style = None;
    let mut order = None;
    // What is meant where no word names it.
    let (mut implied_style, mut implied_order) = parts(current);
    let mut agrees = true;
    let mut note = |known: &mut Option<&'static str>, new: &'static str| {
        agrees &= known.is_none_or(|known| known == new);
        *known = Some(new);
    };
    for word in value
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        match meaning(word) {
            Some(Meaning::Style(new)) => {
                note(&mut style, new);
                if new == "German" {
                    implied_order = "DMY";
                }
            }
            Some(Meaning::Order(new)) => note(&mut order, new),
            Some(Meaning::Default) => (implied_style, implied_order) = parts(initial),
            None => return Err(format!("Unrecognized key word: \"{word}\".")),
        }
    }
    if !agrees {
        return Err("Conflicting \"datestyle\" specifications.".to_owned());
    }
    Ok(format!(
        "{}, {}",
        style.unwrap_or(implied_style),
        order.unwrap_or(implied_order)
    ))
}

enum Meaning {
    Style(&'static str),
    Order(&'static str),
    Default,
}

fn meaning(word: &str) -> Option<Meaning> {
    let word = word.trim_matches(['\'', '"']).to_ascii_lowercase();
    Some(match word.as_str() {
        "iso" => Meaning::Style("ISO"),
        "sql" => Meaning::Style("SQL"),
        "german" => Meaning::Style("German"),
        "ymd" => Meaning::Order("YMD"),
        "dmy" => Meaning::Order("DMY"),
        "mdy" | "us" => Meaning::Order("MDY"),
        "default" => Meaning::Default,
        other if other.starts_with("postgres") => Meaning::Style("Postgres"),
        other if other.starts_with("euro") => Meaning::Order("DMY"),
        other if other.starts_with("noneuro") => Meaning::Order("MDY"),
        _ => return None,
    })
}

/// Returns the form and the order of a value in its normal form.
fn parts(value: &str) -> (&'static str, &'static str) {
    let style = match value.split(',').next().unwrap_or_default() {
        "SQL" => "SQL",
        "Postgres" => "Postgres",
        "German" => "German",
        _ => "ISO",
    };
    let order = match value.rsplit(", ").next().unwrap_or_default() {
        "DMY" => "DMY",
        "YMD" => "YMD",
        _ => "MDY",
    };
    (style, order)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values: PostgreSQL 15.
    #[test]
    fn words_change_what_they_name() {
        for (value, current, expected) in [
            ("ISO, DMY", "ISO, MDY", "ISO, DMY"),
            ("iso", "SQL, DMY", "ISO, DMY"),
            ("german", "ISO, MDY", "German, DMY"),
            ("german, mdy", "ISO, MDY", "German, MDY"),
            ("sql", "German, DMY", "SQL, DMY"),
            ("postgres, ymd", "SQL, DMY", "Postgres, YMD"),
            ("PostgreSQL", "ISO, MDY", "Postgres, MDY"),
            ("iso, iso", "SQL, DMY", "ISO, DMY"),
            ("us", "ISO, DMY", "ISO, MDY"),
            ("NonEuropean", "ISO, DMY", "ISO, MDY"),
            ("european", "ISO, MDY", "ISO, DMY"),
            ("", "SQL, YMD", "SQL, YMD"),
            ("default", "SQL, YMD", "ISO, MDY"),
            ("sql, default", "ISO, YMD", "SQL, MDY"),
        ] {
            let checked = checked(value, current, "ISO, MDY");
            assert_eq!(checked.as_deref(), Ok(expected), "{value}");
        }
    }

    // Expected details: PostgreSQL 15.
    #[test]
    fn words_that_are_unknown_or_disagree_are_refused() {
        for (value, detail) in [
            ("foo", "Unrecognized key word: \"foo\"."),
            ("iso, sql", "Conflicting \"datestyle\" specifications."),
            ("dmy, mdy", "Conflicting \"datestyle\" specifications."),
        ] {
            let checked = checked(value, "ISO, MDY", "ISO, MDY");
            assert_eq!(checked, Err(detail.to_owned()), "{value}");
        }
    }
}
