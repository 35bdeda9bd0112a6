//! Files of apache/parquet-testing, with the rows that other readers find in them.

use lakegate_catalog::hive_type::HiveType;
use lakegate_error::Code;

use super::*;
use crate::format::parquet::decode::decode;

fn path(name: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    format!("{root}/../../tests/data/parquet-testing/{name}.parquet")
}

/// The rows of a file as a table of these columns, each row's values joined by `|`.
async fn rows(name: &str, columns: &[(&str, &str)], sql: &str) -> Vec<String> {
    let mut lake = Lake::new(columns);
    lake.put("f.parquet", std::fs::read(path(name)).unwrap())
        .await;
    let mut answers = Vec::new();
    for max_statistics_files in [4096, 0] {
        lake.max_statistics_files = max_statistics_files;
        let rows = lake.rows(sql).await;
        answers.push(rows.iter().map(|row| row.join("|")).collect::<Vec<_>>());
    }
    assert_eq!(answers[0], answers[1], "{name}: {sql}");
    answers.remove(0)
}

#[tokio::test]
async fn lists_are_read_however_they_are_written() {
    let all = "SELECT * FROM t";
    let phones = "struct<phone:array<struct<number:bigint,kind:string>>>";
    assert_eq!(
        rows(
            "repeated_no_annotation",
            &[("id", "int"), ("phonenumbers", phones)],
            all
        )
        .await,
        [
            "1|NULL",
            "2|NULL",
            "3|{phone: []}",
            "4|{phone: [{number: 5555555555, kind: NULL}]}",
            "5|{phone: [{number: 1111111111, kind: home}]}",
            "6|{phone: [{number: 1111111111, kind: home}, {number: 2222222222, kind: NULL}, \
             {number: 3333333333, kind: mobile}]}",
        ]
    );
    let group = "struct<int32_list_in_group:array<int>,string_list_in_group:array<string>>";
    assert_eq!(
        rows(
            "repeated_primitive_no_list",
            &[
                ("int32_list", "array<int>"),
                ("string_list", "array<string>"),
                ("group_of_lists", group)
            ],
            "SELECT int32_list, string_list, group_of_lists['int32_list_in_group'] FROM t"
        )
        .await,
        [
            "[0, 1, 2, 3]|[foo, zero, one, two]|[0, 1, 2, 3]",
            "[]|[three]|[]",
            "[4]|[four]|[4]",
            "[5, 6, 7, 8]|[five, six, seven, eight]|[5, 6, 7, 8]",
        ]
    );
    assert_eq!(
        rows("old_list_structure", &[("a", "array<array<int>>")], all).await,
        ["[[1, 2], [3, 4]]"]
    );
    assert_eq!(
        rows("null_list", &[("emptylist", "array<string>")], all).await,
        ["[]"]
    );
    let maps = [
        ("my_map", "map<int,int>"),
        ("my_map_no_v", "array<int>"),
        ("my_list", "array<int>"),
    ];
    assert_eq!(
        rows("map_no_value", &maps, "SELECT * FROM t LIMIT 1").await,
        ["{1: NULL, 2: NULL, 3: NULL}|[1, 2, 3]|[1, 2, 3]"]
    );
    assert_eq!(
        rows(
            "incorrect_map_schema",
            &[("my_map", "map<string,string>")],
            all
        )
        .await,
        ["{parent: another, name: report}"]
    );
}

#[tokio::test]
async fn what_writers_say_wrongly_is_put_right() {
    let sql = "SELECT count(*), min(l_partkey), max(l_partkey) FROM t WHERE l_partkey = 1552";
    assert_eq!(
        rows("dict-page-offset-zero", &[("l_partkey", "int")], sql).await,
        ["39|1552|1552"]
    );
    let nations = [
        ("nation_key", "int"),
        ("name", "string"),
        ("region_key", "int"),
        ("comment_col", "string"),
    ];
    let sql =
        "SELECT count(*), max(nation_key), min(name), max(name), sum(length(comment_col)) FROM t";
    assert_eq!(
        rows("nation.dict-malformed", &nations, sql).await,
        ["25|24|ALGERIA|VIETNAM|1857"]
    );
    let known = ("column with known type", "string");
    let unknown = ("column with unknown type", "binary");
    let sql = "SELECT \"column with known type\" FROM t WHERE \"column with known type\" > 'known string 1'";
    assert_eq!(
        rows("unknown-logical-type", &[known, unknown], sql).await,
        ["known string 2", "known string 3"]
    );
}

#[tokio::test]
async fn timestamps_lie_beyond_the_range_of_nanoseconds() {
    let sql = "SELECT a FROM t WHERE a < TIMESTAMP '2024-06-01' OR a IS NULL OR date_part('year', a) = 9999";
    let mut found = rows(
        "int96_from_spark",
        &[("a", "timestamp")],
        "SELECT CAST(a AS bigint) FROM t",
    )
    .await;
    found.sort();
    assert_eq!(
        found,
        [
            "1704070800000000",
            "1704141296123456",
            "1735599600000000",
            "253402225200000000",
            "9089380393200000000",
            "NULL"
        ],
        "{sql}"
    );
}

#[tokio::test]
async fn decimals_floats_and_empty_pages_are_read() {
    let decimals = [
        ("byte_array_decimal", "decimal(4,2)"),
        ("fixed_length_decimal_legacy", "decimal(13,2)"),
        ("int32_decimal", "decimal(4,2)"),
        ("int32_decimal", "decimal(20,4)"),
    ];
    for (name, hive) in decimals {
        let two = if hive.ends_with("4)") {
            "2.0000"
        } else {
            "2.00"
        };
        let sql = "SELECT value FROM t WHERE value < CAST(3 AS decimal(4,2)) AND value <> CAST(1 AS decimal(3,1))";
        assert_eq!(rows(name, &[("value", hive)], sql).await, [two], "{name}");
        let sql = "SELECT count(*) FROM t WHERE value BETWEEN CAST('2.5' AS decimal(2,1)) AND CAST('23.999' AS decimal(5,3))";
        assert_eq!(rows(name, &[("value", hive)], sql).await, ["21"], "{name}");
    }
    assert_eq!(
        rows(
            "nan_in_stats",
            &[("x", "double")],
            "SELECT x FROM t WHERE x >= 1"
        )
        .await,
        ["1.0", "NaN"]
    );
    assert_eq!(
        rows(
            "float16_zeros_and_nans",
            &[("x", "float")],
            "SELECT x FROM t"
        )
        .await,
        ["NULL", "0.0", "NaN"]
    );
    for name in [
        "page_v2_empty_compressed",
        "datapage_v2_empty_datapage.snappy",
    ] {
        let column = [("integer_column", "int"), ("value", "float")];
        let sql = "SELECT count(integer_column), count(value) FROM t";
        assert_eq!(rows(name, &column, sql).await, ["0|0"]);
    }
}

/// Signed NaN and both zeros, in row groups whose statistics are written in two orders.
#[tokio::test]
async fn floats_are_found_whatever_the_order_of_their_statistics() {
    let columns = [
        ("float_ieee754", "float"),
        ("float_typedef", "float"),
        ("double_ieee754", "double"),
        ("double_typedef", "double"),
        ("float16_ieee754", "float"),
        ("float16_typedef", "float"),
    ];
    let count = async |name: &str, condition: &str| {
        let condition = condition.replace('x', name);
        let sql = format!("SELECT count(*) FROM t WHERE {condition}");
        rows("floating_orders_nan_count", &columns, &sql)
            .await
            .concat()
    };
    for (name, hive) in columns {
        let all = rows(
            "floating_orders_nan_count",
            &columns,
            &format!("SELECT {name} FROM t"),
        )
        .await;
        let values: Vec<f64> = all.iter().map(|value| value.parse().unwrap()).collect();
        let counted = |of: fn(&f64) -> bool| values.iter().filter(|v| of(v)).count().to_string();
        // NaN is the largest.
        assert_eq!(
            count(name, "x > 1.5").await,
            counted(|v| v.is_nan() || *v > 1.5),
            "{hive}"
        );
        assert_eq!(
            count(name, "x < -1.5").await,
            counted(|v| *v < -1.5),
            "{hive}"
        );
        assert_eq!(
            count(name, "x >= 100").await,
            counted(|v| v.is_nan() || *v >= 100.0)
        );
        assert_eq!(count(name, "x = 1").await, counted(|v| *v == 1.0));
        assert_eq!(
            count(name, "NOT (x < 1)").await,
            counted(|v| v.is_nan() || *v >= 1.0)
        );
    }
}

#[tokio::test]
async fn pages_are_unpacked_however_they_are_packed() {
    let columns = [("c0", "bigint"), ("c1", "string"), ("v11", "double")];
    for name in ["hadoop_lz4_compressed", "non_hadoop_lz4_compressed"] {
        assert_eq!(
            rows(name, &columns, "SELECT * FROM t").await,
            [
                "1593604800|abc|42.0",
                "1593604800|def|7.7",
                "1593604801|abc|42.125",
                "1593604801|def|7.7"
            ]
        );
    }
    let sql = "SELECT count(*), sum(long_col) FROM t";
    assert_eq!(
        rows("concatenated_gzip_members", &[("long_col", "bigint")], sql).await,
        ["513|131841"]
    );
}

/// Truncated bounds of texts and bytes rule nothing out that they should not, and are not answers.
#[tokio::test]
async fn truncated_bounds_are_bounds_and_no_values() {
    let columns = [
        ("utf8_full_truncation", "string"),
        ("utf8_partial_truncation", "string"),
        ("utf8_no_truncation", "string"),
        ("binary_full_truncation", "binary"),
    ];
    for name in [
        "utf8_full_truncation",
        "utf8_partial_truncation",
        "utf8_no_truncation",
    ] {
        let all = rows(
            "binary_truncated_min_max",
            &columns,
            &format!("SELECT {name} FROM t"),
        )
        .await;
        let (min, max) = (all.iter().min().unwrap(), all.iter().max().unwrap());
        let sql = format!("SELECT min({name}), max({name}) FROM t");
        let bounds = rows("binary_truncated_min_max", &columns, &sql).await;
        assert_eq!(bounds, [format!("{min}|{max}")]);
        for value in [min, max] {
            let value = value.replace('\'', "''");
            let sql = format!("SELECT count(*) > 0 FROM t WHERE {name} = '{value}'");
            assert_eq!(
                rows("binary_truncated_min_max", &columns, &sql).await,
                ["true"]
            );
        }
    }
}

#[tokio::test]
async fn damaged_files_are_errors_that_name_them() {
    for name in [
        "ARROW-GH-45185",
        "ARROW-GH-47662",
        "ARROW-RS-GH-6229-DICTHEADER",
        "PARQUET-1481",
    ] {
        let bytes = std::fs::read(path(&format!("bad/{name}"))).unwrap();
        let end = bytes.len() - 8;
        let length = u32::from_le_bytes(*bytes[end..].first_chunk().unwrap());
        let start = end.saturating_sub(usize::try_from(length).unwrap());
        let Ok(footer) = decode(&bytes[start..end], bytes.len() as u64, &ColumnNames::Own) else {
            continue;
        };
        let columns: Vec<(String, String)> = footer
            .schema
            .fields()
            .iter()
            .map(|field| {
                let hive = HiveType::from_arrow(field.data_type()).unwrap();
                (field.name().clone(), hive.to_string())
            })
            .collect();
        let columns: Vec<(&str, &str)> = columns
            .iter()
            .map(|(name, hive)| (name.as_str(), hive.as_str()))
            .collect();
        let lake = Lake::new(&columns);
        lake.put("f.parquet", bytes).await;
        let error = lake.query("SELECT * FROM t").await.unwrap_err();
        assert_eq!(error.code(), Code::BadData, "{name}: {error}");
        assert!(
            error.message().contains("s3://lake/t/f.parquet"),
            "{name}: {error}"
        );
    }
}
