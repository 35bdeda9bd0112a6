//! What is selected before partitions are enumerated, compared with filters over all of them.
#![allow(clippy::unwrap_used)]
use rand::Rng;
use rand::seq::IndexedRandom;

use super::tests::{between, now, projection};
use super::*;

/// A projected key of a random kind.
fn random(rng: &mut impl Rng) -> Projection {
    let number = |rng: &mut dyn rand::RngCore| rng.random_range(-150..150i64);
    match rng.random_range(0..3) {
        0 => {
            let (one, two) = (number(rng), number(rng));
            let range = format!("{},{}", one.min(two), one.max(two));
            let interval = rng.random_range(1..9).to_string();
            let digits = rng.random_range(1..6).to_string();
            let data_type = *["int", "bigint", "string"].choose(rng).unwrap();
            let mut properties = vec![
                ("k.type", "integer"),
                ("k.range", range.as_str()),
                ("k.interval", interval.as_str()),
            ];
            if rng.random_range(0..2) == 0 {
                properties.push(("k.digits", digits.as_str()));
            }
            projection(&[("k", data_type)], &properties)
        }
        1 => {
            let values: Vec<String> = (0..rng.random_range(1..20))
                .map(|_| number(rng).to_string())
                .collect();
            let values = values.join(",");
            let data_type = *["int", "string"].choose(rng).unwrap();
            projection(
                &[("k", data_type)],
                &[("k.type", "enum"), ("k.values", values.as_str())],
            )
        }
        _ => {
            let format = *[
                "yyyy-MM-dd",
                "dd.MM.yyyy",
                "yyyyMMdd",
                "yyyy/M/d",
                "d MMM yyyy",
            ]
            .choose(rng)
            .unwrap();
            let pattern = pattern::DatePattern::parse(format).unwrap();
            let day = |days: u32| {
                let first = chrono::NaiveDate::from_ymd_opt(2023, 6, 1).unwrap();
                let day = first + chrono::Days::new(days.into());
                pattern.format(day.and_hms_opt(0, 0, 0).unwrap())
            };
            let first = rng.random_range(0..200);
            let range = format!(
                "{},{}",
                day(first),
                day(first + rng.random_range(0..300u32))
            );
            let interval = rng.random_range(1..9).to_string();
            let unit = *["DAYS", "days", "MONTHS", "WEEKS", "HOURS"]
                .choose(rng)
                .unwrap();
            let data_type = *["date", "string", "timestamp"].choose(rng).unwrap();
            projection(
                &[("k", data_type)],
                &[
                    ("k.type", "date"),
                    ("k.format", format),
                    ("k.range", range.as_str()),
                    ("k.interval", interval.as_str()),
                    ("k.interval.unit", unit),
                ],
            )
        }
    }
}

#[test]
fn what_is_selected_holds_all_that_a_filter_keeps() {
    let mut rng = rand::rng();
    for _ in 0..500 {
        let projection = random(&mut rng);
        let key = &projection.keys()[0];
        let rows: Vec<Vec<ProjectedValue>> =
            projection.candidates(&[], now()).unwrap().rows().collect();
        let typed: Vec<KeyValue> = rows
            .iter()
            .map(|row| domain::typed(&key.data_type, row[0].text()).unwrap())
            .collect();
        let mut distinct = rows.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), rows.len(), "{projection:?}");
        // Values of the sequence, and others near them.
        let mut value = || match (typed.choose(&mut rng), rng.random_range(0..4)) {
            (Some(KeyValue::Int(value)), 0) => KeyValue::Int(value + rng.random_range(-3..4i64)),
            (Some(KeyValue::Text(text)), 0) => KeyValue::text(format!("{text}0")),
            (Some(KeyValue::Text(_)), 1) => KeyValue::text(rng.random_range(0..40).to_string()),
            (Some(value), _) => value.clone(),
            (None, _) => KeyValue::Int(0),
        };
        let mut set = ValueSet::none();
        for _ in 0..3 {
            let (low, high) = (value(), value());
            set = set.or(&between(&low, &high));
            set = set.or(&ValueSet::points([value()]));
        }
        let expected: Vec<&Vec<ProjectedValue>> = rows
            .iter()
            .zip(&typed)
            .filter(|(_, value)| set.contains(value))
            .map(|(row, _)| row)
            .collect();
        let found: Vec<Vec<ProjectedValue>> = projection
            .candidates(std::slice::from_ref(&set), now())
            .unwrap()
            .rows()
            .collect();
        assert!(
            expected.iter().all(|row| found.contains(row)),
            "{projection:?} {set:?}"
        );
        // Nothing more is enumerated, except of dates that are in no order.
        let ordered = match &projection.domains[0] {
            Domain::Date(dates) => !dates.at(now()).runs().is_empty(),
            _ => true,
        };
        if ordered {
            assert_eq!(found.len(), expected.len(), "{projection:?} {set:?}");
        }
        for (row, value) in rows.iter().zip(&typed) {
            let point = ValueSet::points([value.clone()]);
            let found = projection.candidates(&[point], now()).unwrap();
            assert!(
                found.rows().any(|found| found == *row),
                "{projection:?} {value:?}"
            );
        }
    }
}
