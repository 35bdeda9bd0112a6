#![allow(clippy::unwrap_used)]
use std::ops::Bound;
use std::time::Instant;

use super::*;
use crate::model::StorageDescriptor;

pub(super) fn now() -> DateTime<Utc> {
    "2024-03-31T13:45:10Z".parse().unwrap()
}

/// A table `db.t` with these keys and properties; `projection.` is before the names of the latter.
fn table(keys: &[(&str, &str)], properties: &[(&str, &str)]) -> Table {
    let mut parameters: Parameters = properties
        .iter()
        .map(|(name, value)| (format!("projection.{name}"), (*value).to_owned()))
        .collect();
    parameters.insert(ENABLED.to_owned(), " TRUE ".to_owned());
    let input = TableInput {
        name: "t".to_owned(),
        storage_descriptor: StorageDescriptor {
            location: Some("s3://lake/t".to_owned()),
            ..StorageDescriptor::default()
        },
        partition_keys: keys
            .iter()
            .map(|(name, data_type)| Column::new(*name, *data_type))
            .collect(),
        parameters,
        ..TableInput::default()
    };
    Table::of_input(input, "db", now())
}

pub(super) fn projection(keys: &[(&str, &str)], properties: &[(&str, &str)]) -> Projection {
    Projection::of(&table(keys, properties)).unwrap().unwrap()
}

fn refused(keys: &[(&str, &str)], properties: &[(&str, &str)]) -> String {
    Projection::of(&table(keys, properties))
        .unwrap_err()
        .to_string()
}

fn names(projection: &Projection, sets: &[ValueSet]) -> Vec<String> {
    let found = projection.candidates(sets, now()).unwrap();
    found.rows().map(|row| projection.name(&row)).collect()
}

pub(super) fn between(low: &KeyValue, high: &KeyValue) -> ValueSet {
    ValueSet::range(Bound::Included(low.clone()), Bound::Included(high.clone()))
}

#[test]
fn keys_are_multiplied_and_the_last_changes_first() {
    let two = projection(
        &[("day", "string"), ("region", "string")],
        &[
            ("day.type", "Date"),
            ("day.format", "yyyy/MM/dd"),
            ("day.range", "2024/01/01,2024/01/02"),
            ("region.type", " enum "),
            ("region.values", "eu,us"),
        ],
    );
    let all = [
        "day=2024%2F01%2F01/region=eu",
        "day=2024%2F01%2F01/region=us",
        "day=2024%2F01%2F02/region=eu",
        "day=2024%2F01%2F02/region=us",
    ];
    assert_eq!(names(&two, &[]), all);
    let us = ValueSet::points([KeyValue::text("us")]);
    assert_eq!(
        names(&two, &[ValueSet::all(), us.clone()]),
        [all[1], all[3]]
    );
    assert_eq!(names(&two, &[ValueSet::none(), us]), [""; 0]);
    let found = two.candidates(&[], now()).unwrap();
    assert_eq!((found.len(), found.total()), (4, 4));
    let first = found.rows().next().unwrap();
    assert_eq!(
        two.location(&first).unwrap(),
        "s3://lake/t/day=2024%2F01%2F01/region=eu/"
    );
}

#[test]
fn values_of_dates_are_those_of_their_columns() {
    for (data_type, value) in [
        ("string", "20240101"),
        ("date", "2024-01-01"),
        ("timestamp", "2024-01-01 00:00:00"),
    ] {
        let day = projection(
            &[("day", data_type)],
            &[
                ("day.type", "date"),
                ("day.format", "yyyyMMdd"),
                ("day.range", "20240101,NOW"),
            ],
        );
        let first = day.candidates(&[], now()).unwrap().rows().next().unwrap();
        assert_eq!(first[0].text(), value);
        assert_eq!(first[0].folder_text(), "20240101");
        assert_eq!(
            day.location_of(&[value.to_owned()], now()).unwrap(),
            "s3://lake/t/day=20240101/"
        );
    }
}

#[test]
fn any_number_of_partitions_is_narrowed_at_once() {
    let huge = projection(
        &[("id", "bigint"), ("code", "string"), ("at", "string")],
        &[
            ("id.type", "integer"),
            ("id.range", "-9223372036854775808,9223372036854775807"),
            ("code.type", "integer"),
            ("code.range", "0,9223372036854775807"),
            ("at.type", "date"),
            ("at.format", "yyyy-MM-dd HH:mm:ss"),
            ("at.range", "0001-01-01 00:00:00,9999-12-31 23:59:59"),
            ("at.interval", "1"),
            ("at.interval.unit", "SECONDS"),
        ],
    );
    let started = Instant::now();
    let sets = [
        between(&KeyValue::Int(-3), &KeyValue::Int(3)),
        ValueSet::points([KeyValue::text("42")]),
        between(
            &KeyValue::text("2024-05-05 12:00:00"),
            &KeyValue::text("2024-05-05 12:00:09"),
        ),
    ];
    let found = huge.candidates(&sets, now()).unwrap();
    assert_eq!(found.len(), 70);
    assert_eq!(found.total(), u128::MAX);
    assert_eq!(found.rows().count(), 70);
    assert!(started.elapsed().as_millis() < 500);
    assert_eq!(
        huge.candidates(&[], now()).unwrap().rows().take(3).count(),
        3
    );
}

#[test]
fn injected_keys_have_the_values_that_a_query_names() {
    let injected = projection(&[("device", "string")], &[("device.type", "injected")]);
    let name = |text: &str| KeyValue::text(text);
    let set = ValueSet::points([
        name("b"),
        name("a/1"),
        name(""),
        name("__HIVE_DEFAULT_PARTITION__"),
    ]);
    assert_eq!(names(&injected, &[set]), ["device=a%2F1", "device=b"]);
    for set in [ValueSet::all(), between(&name("a"), &name("b"))] {
        let error = injected.candidates(&[set], now()).unwrap_err();
        assert_eq!(error, Unbounded { key: 0 });
    }
    assert_eq!(names(&injected, &[ValueSet::none()]), [""; 0]);
    assert!(refused(&[("device", "int")], &[("device.type", "injected")]).contains("needs string"));
}

#[test]
fn nulls_are_values_of_enums_alone() {
    let list = projection(
        &[("k", "int")],
        &[
            ("k.type", "enum"),
            ("k.values", "1,__HIVE_DEFAULT_PARTITION__,01"),
        ],
    );
    assert_eq!(
        names(&list, &[ValueSet::null()]),
        ["k=__HIVE_DEFAULT_PARTITION__"]
    );
    let one = ValueSet::points([KeyValue::Int(1)]);
    assert_eq!(names(&list, &[one]), ["k=1", "k=01"]);
    let null = "__HIVE_DEFAULT_PARTITION__".to_owned();
    assert!(list.location_of(std::slice::from_ref(&null), now()).is_ok());
    let number = projection(
        &[("k", "int")],
        &[("k.type", "integer"), ("k.range", "1,2")],
    );
    let error = number.location_of(&[null], now()).unwrap_err().to_string();
    assert!(
        error.contains("NULL is outside of the projection"),
        "{error}"
    );
}

#[test]
fn rows_are_written_only_where_they_are_read() {
    let number = projection(
        &[("k", "int")],
        &[
            ("k.type", "integer"),
            ("k.range", "0,100"),
            ("k.interval", "10"),
            ("k.digits", "4"),
        ],
    );
    let at = |value: &str| number.location_of(&[value.to_owned()], now());
    assert_eq!(at("20").unwrap(), "s3://lake/t/k=0020/");
    for outside in ["21", "110", "-10"] {
        let error = at(outside).unwrap_err().to_string();
        assert!(
            error.contains(&format!(
                "'{outside}' is outside of the projection of partition key \"k\" of table db.t"
            )),
            "{error}"
        );
    }
}

#[test]
fn bad_properties_are_refused_by_name_and_value() {
    let missing = refused(
        &[("a", "int"), ("b", "int"), ("c", "int")],
        &[("b.type", "enum"), ("b.values", "1")],
    );
    assert_eq!(
        missing,
        "Table db.t is configured for partition projection, but the following partition columns are missing projection configuration: [a, c] (table db.t)"
    );
    let day = ("k.type", "date");
    let format = ("k.format", "yyyy-MM-dd");
    let range = ("k.range", "2024-01-01,NOW");
    let integer = ("k.type", "integer");
    let long = "1".repeat(2_000);
    for (data_type, properties, why) in [
        (
            "int",
            vec![("k.type", "list")],
            "'projection.k.type' is 'list'",
        ),
        (
            "string",
            vec![("k.type", "enum")],
            "'projection.k.values' is missing",
        ),
        (
            "string",
            vec![("k.type", "enum"), ("k.values", "a,,b")],
            "empty value",
        ),
        (
            "int",
            vec![("k.type", "enum"), ("k.values", "1, 2")],
            "\" 2\" is not a value of type int",
        ),
        ("int", vec![integer], "'projection.k.range' is missing"),
        ("int", vec![integer, ("k.range", "5")], "use two values"),
        ("int", vec![integer, ("k.range", "1,2,3")], "use two values"),
        (
            "int",
            vec![integer, ("k.range", "1,x")],
            "two whole numbers",
        ),
        (
            "int",
            vec![integer, ("k.range", "1,2147483648")],
            "two whole numbers from -2147483648",
        ),
        (
            "bigint",
            vec![integer, ("k.range", "1,9223372036854775808")],
            "two whole numbers",
        ),
        (
            "int",
            vec![integer, ("k.range", "2,1")],
            "greater than the second",
        ),
        (
            "int",
            vec![integer, ("k.range", "1,2"), ("k.interval", "0")],
            "'projection.k.interval' is '0'",
        ),
        (
            "int",
            vec![integer, ("k.range", "1,2"), ("k.digits", "1000")],
            "'projection.k.digits' is '1000'",
        ),
        (
            "int",
            vec![integer, ("k.range", long.as_str())],
            "longer than 1024 bytes",
        ),
        (
            "varchar(2)",
            vec![integer, ("k.range", "1,200")],
            "use at most 2 characters",
        ),
        (
            "double",
            vec![integer, ("k.range", "1,2")],
            "needs int, bigint or string",
        ),
        (
            "int",
            vec![day, format, range],
            "needs string, date or timestamp",
        ),
        (
            "string",
            vec![day, range],
            "'projection.k.format' is missing",
        ),
        (
            "string",
            vec![day, ("k.format", "YYYY-MM-dd"), range],
            "'YYYY' is not supported",
        ),
        (
            "string",
            vec![day, format],
            "'projection.k.range' is missing",
        ),
        (
            "string",
            vec![day, format, ("k.range", "2024,NOW")],
            "'2024' is neither a date",
        ),
        (
            "string",
            vec![day, format, ("k.range", "2024-01-02,2024-01-01")],
            "later than the second",
        ),
        (
            "string",
            vec![day, format, range, ("k.interval", "-1")],
            "'projection.k.interval' is '-1'",
        ),
        (
            "string",
            vec![day, format, range, ("k.interval.unit", "DECADES")],
            "'projection.k.interval.unit' is 'DECADES'",
        ),
        (
            "string",
            vec![day, format, range, ("k.interval", "4000000000")],
            "ten thousand years",
        ),
        (
            "string",
            vec![day, ("k.format", "yyyy"), ("k.range", "2000,2024")],
            "'projection.k.interval.unit' is missing",
        ),
        (
            "string",
            vec![
                day,
                ("k.format", "yyyy"),
                ("k.range", "2000,2024"),
                ("k.interval.unit", "YEARS"),
            ],
            "'projection.k.interval' is missing",
        ),
        (
            "date",
            vec![day, ("k.format", "yyyy-MM-dd-HH"), ("k.range", "NOW,NOW")],
            "the format has times",
        ),
    ] {
        let error = refused(&[("k", data_type)], &properties);
        assert!(error.contains(why), "{properties:?}: {error}");
        assert!(error.contains("db.t"), "{error}");
    }
    let many: Vec<String> = (0..100_001).map(|n| n.to_string()).collect();
    let many = refused(
        &[("k", "int")],
        &[("k.type", "enum"), ("k.values", many.join(",").as_str())],
    );
    assert!(many.contains("more than 100000 values"), "{many}");
    assert!(many.len() < 1_000);
}

#[test]
fn projection_is_off_unless_it_is_enabled() {
    let mut off = table(&[("k", "int")], &[]);
    for value in ["false", "", "yes"] {
        off.parameters.insert(ENABLED.to_owned(), value.to_owned());
        assert!(Projection::of(&off).unwrap().is_none());
        assert_eq!(template_folder(&off.parameters), None);
    }
    let template = "s3://lake/x/${k}/".to_owned();
    off.parameters.insert(TEMPLATE.to_owned(), template);
    assert_eq!(template_folder(&off.parameters), None);
    off.parameters.insert(ENABLED.to_owned(), "True".to_owned());
    assert_eq!(template_folder(&off.parameters).unwrap(), "s3://lake/x/");
    assert!(Projection::check("db", &table(&[], &[]).to_input()).is_err());
}

#[test]
fn values_that_change_the_folder_are_in_no_template() {
    let with = |values: &str| {
        let mut table = table(
            &[("k", "string")],
            &[("k.type", "enum"), ("k.values", values)],
        );
        let template = "s3://lake/x/${k}/".to_owned();
        table.parameters.insert(TEMPLATE.to_owned(), template);
        Projection::of(&table)
    };
    assert!(with("a,b/c").is_ok());
    for values in ["a,..", "a/../../b", "a?b", "/a"] {
        let error = with(values).unwrap_err().to_string();
        assert!(
            error.contains("cannot be in 'storage.location.template'"),
            "{error}"
        );
    }
}
