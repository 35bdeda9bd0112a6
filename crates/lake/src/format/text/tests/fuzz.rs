//! Whatever a file holds, reading it ends in rows or in an error.

use super::*;
use crate::format::text::fuzzing::{COLUMNS, columns};

/// A small generator: the same bytes in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

const JSON: &str = r#"{"a":1,"b":"x\u00e9\n","c":-2.5e3,"d":"19.99","e":"2024-01-02","f":"2024-01-02T03:04:05.678+01:00","g":true,"h":[1,null],"i":{"k":1.5,"k":2},"j":{"x":1,"y":[{"z":"q"},{}]},"k":"aGk=","l":7,"m":{"n":[[]]}}"#;
const RECORDS: &str = r#"{"Records":[{"a":1,"b":{"x":"]}"},"j":{"x":1}},{"h":[1]}]}"#;
const DELIMITED: &str = "1,\"x\\\"y\",-2.5e3,19.99,2024-01-02,2024-01-02 03:04:05.678,true,1\x022,k\x031\x02l,1\x02q\x04r,aGk=,7";

fn mutated(seed: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.repeat(1 + random.below(3)).into_bytes();
    for _ in 0..random.below(6) {
        let at = random
            .below(bytes.len().max(1))
            .min(bytes.len().saturating_sub(1));
        match random.below(5) {
            0 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            1 => bytes[at] = b"{}[]\",:\\0e-.nu\n\r\x01\x02\x03N'"[random.below(21)],
            2 => bytes.truncate(at.max(1)),
            3 => bytes.insert(at, b"\"\\,\n{}[]"[random.below(8)]),
            _ => {
                let copy = bytes[at..].to_vec();
                bytes.extend_from_slice(&copy);
            }
        }
    }
    bytes
}

/// A SerDe, its properties, and a text to damage.
type Format = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

#[tokio::test]
async fn no_bytes_make_a_reader_panic_or_build_a_damaged_batch() {
    let mut random = Random(42);
    let formats: [Format; 9] = [
        (OPENX, &[], JSON),
        (
            OPENX,
            &[
                ("ignore.malformed.json", "true"),
                ("dots.in.keys", "true"),
                ("case.insensitive", "false"),
            ],
            JSON,
        ),
        (
            HIVE_JSON,
            &[
                ("ignore.malformed.json", "true"),
                ("timestamp.formats", "yyyy-MM-dd'T'HH:mm:ss.SSSZZ"),
            ],
            JSON,
        ),
        (OPEN_CSV, &[("serialization.null.format", "")], DELIMITED),
        (LAZY, &[("field.delim", ",")], DELIMITED),
        (
            LAZY,
            &[
                ("field.delim", ","),
                ("escape.delim", "\\"),
                ("serialization.last.column.takes.rest", "true"),
            ],
            DELIMITED,
        ),
        (
            "com.amazon.emr.hive.serde.CloudTrailSerde",
            &[("ignore.malformed.json", "true")],
            RECORDS,
        ),
        (
            "org.apache.hadoop.hive.serde2.RegexSerDe",
            &[(
                "input.regex",
                "(.*?),(.*?),(.*?),(.*?),(.*?),(.*?),(.*?),(.*?),(.*?),(.*?),(.*?),(.*?)",
            )],
            DELIMITED,
        ),
        (
            "com.amazonaws.glue.serde.GrokSerDe",
            &[("input.format", "%{INT:a},%{QS:b},%{NUMBER:c}")],
            DELIMITED,
        ),
    ];
    for (class, properties, seed) in formats {
        let is_nested = [OPENX, HIVE_JSON, LAZY].contains(&class) || class.contains("CloudTrail");
        let columns: Vec<(&str, &str)> = columns(is_nested).collect();
        let (mut read, mut refused) = (0, 0);
        for round in 0..400 {
            let bytes = if round % 4 == 0 {
                (0..random.below(200))
                    .map(|_| u8::try_from(random.below(256)).unwrap())
                    .collect()
            } else {
                mutated(seed, &mut random)
            };
            let mut lake = Lake::new(class, properties, &columns)
                .file("f", bytes)
                .await;
            lake.batch_size = 1 + random.below(3);
            match lake.batches().await {
                Ok(_) => read += 1,
                Err(error) => {
                    refused += 1;
                    assert!(error.message().contains("s3://lake/f"), "{error}");
                    assert!(error.message().chars().count() < 400, "{error}");
                }
            }
        }
        assert!(read > 0, "{class}: {refused} refused");
    }
}

#[tokio::test]
async fn value_does_not_depend_on_what_else_is_selected() {
    let mut random = Random(7);
    let properties = [("ignore.malformed.json", "true")];
    for _ in 0..300 {
        let bytes = mutated(&format!("{JSON}\n"), &mut random);
        let lake = Lake::new(OPENX, &properties, &COLUMNS)
            .file("f", bytes)
            .await;
        let all = lake.rows().await.unwrap();
        let some = [random.below(COLUMNS.len()), random.below(COLUMNS.len())];
        let projected = lake.project(&some).rows().await.unwrap();
        let expected: Vec<Vec<String>> = all
            .iter()
            .map(|row| some.iter().map(|index| row[*index].clone()).collect())
            .collect();
        assert_eq!(projected, expected);
    }
}
