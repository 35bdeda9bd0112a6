#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use lakegate_sql::Statement;

use super::*;

fn of_table(properties: &str) -> Result<Stored> {
    let sql = format!("CREATE TABLE t WITH ({properties}) AS SELECT 1");
    match lakegate_sql::parse(&sql).unwrap().remove(0).statement {
        Statement::CreateTableAs(create) => Stored::of_table(&create.properties),
        other => panic!("{other:?}"),
    }
}

fn of_unload(properties: &str) -> Result<Stored> {
    let sql = format!("UNLOAD (SELECT 1) TO 's3://b/x' WITH ({properties})");
    match lakegate_sql::parse(&sql).unwrap().remove(0).statement {
        Statement::Unload(unload) => Stored::of_unload(&unload.properties, &unload.location),
        other => panic!("{other:?}"),
    }
}

#[test]
fn properties_of_athena_are_taken() {
    let stored = of_table(
        "field_delimiter = ';', format = 'textfile', write_compression = 'gzip', table_type = 'HIVE', \
         is_external = true, external_location = 's3://b/x/', partitioned_by = ARRAY['Day', 'h']",
    )
    .unwrap();
    assert_eq!(stored.format, StorageFormat::TextFile);
    assert_eq!(stored.compression.as_deref(), Some("GZIP"));
    assert_eq!(stored.field_delimiter.as_deref(), Some(";"));
    assert_eq!(stored.partitioned_by, ["day", "h"]);
    assert_eq!(stored.location.as_deref(), Some("s3://b/x/"));
    assert_eq!(
        of_table("format = 'ORC', orc_compression = 'ZLIB'")
            .unwrap()
            .format,
        StorageFormat::Orc
    );
    let stored = of_table("format = 'ion', ion_encoding = 'text'").unwrap();
    assert_eq!(stored.format, StorageFormat::Ion);
    assert_eq!(stored.ion_encoding.as_deref(), Some("TEXT"));
    let stored = of_unload("format = 'JSON', compression = 'zstd', compression_level = 9").unwrap();
    assert_eq!(stored.compression_level, Some(9));
    assert_eq!(stored.location.as_deref(), Some("s3://b/x/"));
    assert_eq!(stored.compression.as_deref(), Some("ZSTD"));
}

#[test]
fn buckets_and_sort_columns_are_taken_together_or_alone() {
    let stored = of_table(
        "bucketed_by = ARRAY['A', 'b'], bucket_count = 16, sorted_by = ARRAY['B', ' c  desc ', 'odd name', 'desc ASC']",
    )
    .unwrap();
    let bucketed = stored.bucketed_by.clone().unwrap();
    assert_eq!(bucketed.columns, ["a", "b"]);
    assert_eq!(bucketed.buckets, 16);
    let shown = |stored: &Stored| {
        let columns = stored.sorted_by.iter();
        let columns = columns.map(|column| (column.name.clone(), column.ascending));
        columns.collect::<Vec<_>>()
    };
    let expected = [
        ("b", true),
        ("c", false),
        ("odd name", true),
        ("desc", true),
    ];
    let expected = expected.map(|(name, ascending)| (name.to_owned(), ascending));
    assert_eq!(shown(&stored), expected);
    let names = ["a", "b", "c", "odd name", "desc"];
    stored.check_clustering(&names).unwrap();
    let error = stored.check_clustering(&names[1..]).unwrap_err();
    assert_eq!(error.code(), Code::ColumnNotFound);
    assert!(
        error.message().contains("bucketed_by names column \"a\""),
        "{error}"
    );

    let sorted = of_table("sorted_by = ARRAY['a', 'a'], partitioned_by = ARRAY['k']").unwrap();
    assert_eq!(sorted.bucketed_by, None);
    let error = sorted.check_clustering(&["a", "k"]).unwrap_err();
    assert_eq!(error.code(), Code::DuplicateColumn);
    let sorted = of_table("sorted_by = ARRAY['k'], partitioned_by = ARRAY['k']").unwrap();
    let error = sorted.check_clustering(&["a", "k"]).unwrap_err();
    assert!(error.message().contains("a partition key"), "{error}");
}

#[test]
fn what_is_wrong_is_named_with_what_is_right() {
    for (properties, code, part) in [
        (
            "formt = 'ORC'",
            Code::InvalidParameter,
            "no property formt; its properties are format, ",
        ),
        (
            "compression = 'GZIP'",
            Code::InvalidParameter,
            "no property compression",
        ),
        (
            "format = 'CSV'",
            Code::InvalidParameter,
            "it can be PARQUET, ORC, AVRO, JSON, TEXTFILE",
        ),
        (
            "format = 3",
            Code::InvalidParameter,
            "property format is 3; it must be a string",
        ),
        ("partitioned_by = 'a'", Code::InvalidParameter, "ARRAY['a']"),
        (
            "is_external = 'true'",
            Code::InvalidParameter,
            "true or false",
        ),
        ("is_external = false", Code::NotSupported, "must be true"),
        (
            "table_type = 'ICEBERG'",
            Code::NotSupported,
            "'ICEBERG' is not supported yet",
        ),
        (
            "table_type = 'DELTA'",
            Code::InvalidParameter,
            "it can be HIVE",
        ),
        (
            "bucketed_by = ARRAY['a']",
            Code::InvalidParameter,
            "bucketed_by and bucket_count must be specified together",
        ),
        (
            "bucket_count = 4",
            Code::InvalidParameter,
            "must be specified together",
        ),
        (
            "bucketed_by = ARRAY[], bucket_count = 4",
            Code::InvalidParameter,
            "must be specified together",
        ),
        (
            "bucketed_by = ARRAY['a'], bucket_count = 0",
            Code::InvalidParameter,
            "bucket_count is 0; it must be between 1 and 100000",
        ),
        (
            "bucketed_by = ARRAY['a'], bucket_count = 100001",
            Code::InvalidParameter,
            "it must be between 1 and 100000",
        ),
        ("bucketed_by = 'a'", Code::InvalidParameter, "ARRAY['a']"),
        ("sorted_by = 'a'", Code::InvalidParameter, "ARRAY['a']"),
        (
            "write_compression = 'LZO'",
            Code::InvalidParameter,
            "'LZO' does not go with format PARQUET; it can be SNAPPY, ",
        ),
        (
            "parquet_compression = 'GZIP', format = 'ORC'",
            Code::InvalidParameter,
            "use write_compression",
        ),
        (
            "parquet_compression = 'GZIP', write_compression = 'GZIP'",
            Code::InvalidParameter,
            "exclude each other",
        ),
        (
            "field_delimiter = ','",
            Code::InvalidParameter,
            "TEXTFILE only",
        ),
        (
            "format = 'TEXTFILE', field_delimiter = 'ab'",
            Code::InvalidParameter,
            "one ASCII character",
        ),
        (
            "ion_encoding = 'TEXT'",
            Code::InvalidParameter,
            "it is of ION only",
        ),
        (
            "format = 'ION', ion_encoding = 'XML'",
            Code::InvalidParameter,
            "'BINARY' or 'TEXT'",
        ),
        (
            "format = 'ION', write_compression = 'ZLIB'",
            Code::InvalidParameter,
            "'ZLIB' does not go with format ION; it can be GZIP, ",
        ),
        (
            "compression_level = 'x'",
            Code::InvalidParameter,
            "a whole number",
        ),
        (
            "compression_level = 3",
            Code::InvalidParameter,
            "compression_level goes with compression ZSTD only",
        ),
        (
            "compression_level = 23, write_compression = 'ZSTD'",
            Code::InvalidParameter,
            "compression_level is 23; it must be between 1 and 22",
        ),
    ] {
        let error = of_table(properties).unwrap_err();
        assert_eq!(error.code(), code, "{properties}: {error}");
        assert!(error.message().contains(part), "{properties}: {error}");
    }
    for (properties, part) in [
        (
            "write_compression = 'GZIP'",
            "UNLOAD has no property write_compression; its properties are format, compression",
        ),
        (
            "external_location = 's3://b/'",
            "UNLOAD has no property external_location",
        ),
        ("format = 'ION'", "UNLOAD does not write format 'ION'"),
    ] {
        let error = of_unload(properties).unwrap_err();
        assert!(error.message().contains(part), "{properties}: {error}");
    }
}
