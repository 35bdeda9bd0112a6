//! Files as other tools write them: other types, missing columns, damaged rows, hidden names,
//! compression.

mod text;

use std::sync::Arc;

use arrow::array::{Float64Array, Int32Array, Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field};

use crate::harness::Server;
use crate::harness::files::{FileTable, Folder, Values, batch, parquet};

/// Creates a table `formats.<name>` on a folder of its own.
async fn table(name: &str, columns: &str, rest: &str) -> FileTable {
    FileTable::new("formats", name, columns, rest).await
}

impl FileTable {
    async fn all(&self) -> String {
        self.admin
            .text(&format!(
                "SELECT * FROM {} ORDER BY 1 NULLS LAST",
                self.table
            ))
            .await
    }
}

#[tokio::test]
async fn hidden_files_are_not_data() {
    let lake = table("hidden", "id BIGINT", "STORED AS PARQUET").await;
    let row = |id| parquet(&batch(&[("id", Values::Int(&[id]))]), 10);
    lake.folder.put("seen.parquet", row(1));
    lake.folder.put("deep/er/also_seen.parquet", row(2));
    lake.folder.put("_SUCCESS", b"");
    lake.folder.put("_committed_1", b"no parquet");
    lake.folder.put(".hidden.parquet", row(3));
    lake.folder.put("_temporary/0/part.parquet", row(4));
    lake.folder.put(".staging/part.parquet", row(5));
    lake.folder.put("empty.parquet", b"");
    assert_eq!(lake.all().await, "1\n2");
}

#[tokio::test]
async fn column_that_a_file_lacks_reads_as_null_and_extra_ones_are_ignored() {
    let lake = table("missing", "id BIGINT, added STRING", "STORED AS PARQUET").await;
    lake.folder.put(
        "old.parquet",
        parquet(&batch(&[("id", Values::Int(&[1]))]), 10),
    );
    lake.folder.put(
        "new.parquet",
        parquet(
            &batch(&[
                ("other", Values::Int(&[9])),
                ("added", Values::Text(&["x"])),
                ("ID", Values::Int(&[2])),
            ]),
            10,
        ),
    );
    assert_eq!(lake.all().await, "1|NULL\n2|x");
    assert_eq!(
        lake.admin
            .value(&format!(
                "SELECT count(*) FROM {} WHERE added IS NULL",
                lake.table
            ))
            .await,
        "1"
    );
}

#[tokio::test]
async fn column_of_a_narrower_type_is_widened_by_name() {
    let lake = table(
        "widened",
        "id BIGINT, price DOUBLE, name STRING",
        "STORED AS PARQUET",
    )
    .await;
    let ids = Arc::new(Int32Array::from(vec![7]));
    let prices = Arc::new(arrow::array::Float32Array::from(vec![1.5]));
    let file = batch(&[
        ("name", Values::Int(&[42])),
        ("price", Values::Array(prices)),
        ("id", Values::Array(ids)),
    ]);
    lake.folder.put("f.parquet", parquet(&file, 10));
    assert_eq!(lake.all().await, "7|1.5|42");
}

#[tokio::test]
async fn type_that_cannot_be_cast_is_an_error_that_names_table_partition_file_and_both_types() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "mismatch");
    let field = Arc::new(Field::new("x", DataType::Int64, true));
    let nested = StructArray::from(vec![(field, Arc::new(Int64Array::from(vec![1])) as _)]);
    folder.put(
        "day=1/good.parquet",
        parquet(&batch(&[("id", Values::Int(&[1]))]), 10),
    );
    folder.put(
        "day=2/wrong.parquet",
        parquet(&batch(&[("id", Values::Array(Arc::new(nested)))]), 10),
    );
    admin
        .run(&format!(
            "CREATE DATABASE IF NOT EXISTS formats;
             CREATE EXTERNAL TABLE formats.mismatch (id BIGINT) PARTITIONED BY (day INT) STORED AS PARQUET LOCATION '{}';
             MSCK REPAIR TABLE formats.mismatch",
            folder.location
        ))
        .await;
    let failure = admin
        .fails("SELECT id FROM formats.mismatch ORDER BY id")
        .await;
    failure.names(&["mismatch", "day=2", "wrong.parquet", "bigint", "struct"]);
    assert_eq!(
        admin
            .value("SELECT id FROM formats.mismatch WHERE day = 1")
            .await,
        "1"
    );
}

#[tokio::test]
async fn text_that_is_no_number_in_a_parquet_file_fails_and_names_the_column() {
    let lake = table("no_number", "id BIGINT", "STORED AS PARQUET").await;
    lake.folder.put(
        "text.parquet",
        parquet(&batch(&[("id", Values::Text(&["12", "twelve"]))]), 10),
    );
    lake.admin
        .fails(&format!("SELECT sum(id) FROM {}", lake.table))
        .await
        .names(&["no_number", "text.parquet"]);
}

#[tokio::test]
async fn damaged_parquet_is_an_error_that_names_the_file() {
    let lake = table("damaged", "id BIGINT", "STORED AS PARQUET").await;
    let good = parquet(&batch(&[("id", Values::Int(&[1, 2, 3]))]), 10);
    lake.folder.put("cut.parquet", &good[..good.len() - 3]);
    lake.admin
        .fails(&format!("SELECT * FROM {}", lake.table))
        .await
        .names(&["cut.parquet"]);
}

#[tokio::test]
async fn hostile_parquet_files_fail_their_query_by_name_and_nothing_else() {
    let lake = table("hostile", "id BIGINT, name STRING", "STORED AS PARQUET").await;
    let ids: Vec<i64> = (0..1000).collect();
    let names: Vec<String> = ids.iter().map(|id| format!("name {id}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let good = parquet(
        &batch(&[("id", Values::Int(&ids)), ("name", Values::Text(&names))]),
        100,
    );
    let with_tail = |footer: &[u8], length: u32| {
        let mut file = [b"PAR1".as_slice(), &[0; 32], footer].concat();
        file.extend_from_slice(&length.to_le_bytes());
        file.extend_from_slice(b"PAR1");
        file
    };
    let with_footer = |parts: &[&[u8]]| {
        let footer = parts.concat();
        with_tail(&footer, u32::try_from(footer.len()).unwrap())
    };
    // Hand-written Thrift: a version, a schema of one element or of groups nested 100,000 deep, no
    // rows, row groups.
    let version = &[0x15, 2][..];
    let root = &[0x19, 0x1c, 0x48, 1, b'r', 0][..];
    let hundred_thousand = &[0x19, 0xfc, 0xa0, 0x8d, 0x06][..];
    let deep = [0x35, 0, 0x18, 1, b'a', 0x15, 2, 0].repeat(100_000);
    let no_rows = &[0x16, 0][..];
    let no_groups = &[0x19, 0x0c, 0][..];
    let two_billion = &[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07][..];
    let mut in_pages = good.clone();
    in_pages[4..2000].fill(0xff);
    let count = format!("SELECT count(*) FROM {}", lake.table);
    let all = format!("SELECT * FROM {} ORDER BY id", lake.table);
    for (name, bytes) in [
        ("one_byte", b"P".to_vec()),
        ("magic", b"PAR1".to_vec()),
        ("twelve_bytes", b"PAR1\0\0\0\0PAR1".to_vec()),
        ("text", b"id,name\n1,one\n".repeat(100)),
        ("cut", good[..good.len() / 2].to_vec()),
        ("end_only", good[good.len() - 100..].to_vec()),
        ("long_footer", with_tail(&[], u32::MAX)),
        ("longer_than_the_file", with_tail(&[], 1000)),
        ("garbage", with_footer(&[&[0xab; 1000]])),
        (
            "deep",
            with_footer(&[version, hundred_thousand, &deep, no_rows, no_groups]),
        ),
        (
            "two_billion_row_groups",
            with_footer(&[version, root, no_rows, two_billion]),
        ),
        ("two_billion_columns", with_footer(&[version, two_billion])),
        ("pages", in_pages),
    ] {
        let file = format!("{name}.parquet");
        lake.folder.put(&file, bytes);
        let mut failures = vec![lake.admin.fails(&all).await];
        // Counting rows needs no pages.
        if name != "pages" {
            failures.push(lake.admin.fails(&count).await);
        }
        for failure in failures {
            assert_eq!(failure.code, "22P04", "{name}: {failure:?}");
            failure.names(&[&file]);
        }
        lake.folder.remove(&file);
    }
    lake.folder.put("good.parquet", good);
    assert_eq!(lake.admin.value(&count).await, "1000");
    assert_eq!(lake.admin.rows(&all).await.len(), 1000);
}

#[tokio::test]
async fn partition_with_its_own_location_and_null_partition_values_are_read() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "elsewhere");
    let row = |id| parquet(&batch(&[("id", Values::Int(&[id]))]), 10);
    folder.put("table/p=a/f.parquet", row(1));
    folder.put("table/p=__HIVE_DEFAULT_PARTITION__/f.parquet", row(2));
    folder.put("far/away/f.parquet", row(3));
    let location = &folder.location;
    admin
        .run(&format!(
            "CREATE DATABASE IF NOT EXISTS formats;
             CREATE EXTERNAL TABLE formats.elsewhere (id BIGINT) PARTITIONED BY (p STRING) STORED AS PARQUET LOCATION '{location}table/';
             MSCK REPAIR TABLE formats.elsewhere;
             ALTER TABLE formats.elsewhere ADD PARTITION (p = 'far') LOCATION '{location}far/away/'"
        ))
        .await;
    assert_eq!(
        admin
            .text("SELECT id, p FROM formats.elsewhere ORDER BY id")
            .await,
        "1|a\n2|NULL\n3|far"
    );
}

#[tokio::test]
async fn partition_values_that_are_no_values_of_their_type_are_reported_and_refused() {
    let server = Server::shared();
    let admin = server.connect("admin").await;
    let folder = Folder::new(server, "bad_values");
    let row = parquet(&batch(&[("id", Values::Int(&[1]))]), 10);
    folder.put("day=2024-01-01/f.parquet", &row);
    folder.put("day=yesterday/f.parquet", &row);
    admin
        .run(&format!(
            "CREATE DATABASE IF NOT EXISTS formats;
             CREATE EXTERNAL TABLE formats.bad_values (id BIGINT) PARTITIONED BY (day DATE) STORED AS PARQUET LOCATION '{}'",
            folder.location
        ))
        .await;
    let report = admin.text("MSCK REPAIR TABLE formats.bad_values").await;
    assert!(report.contains("yesterday"), "{report}");
    assert_eq!(
        admin.text("SHOW PARTITIONS formats.bad_values").await,
        "day=2024-01-01"
    );
    admin
        .fails("ALTER TABLE formats.bad_values ADD PARTITION (day = 'tomorrow')")
        .await
        .names(&["tomorrow", "date"]);
}

#[tokio::test]
async fn nested_types_of_parquet_come_out_as_json() {
    let lake = table(
        "nested",
        "id BIGINT, list ARRAY<DOUBLE>, pair STRUCT<a:BIGINT,b:STRING>",
        "STORED AS PARQUET",
    )
    .await;
    let mut lists = arrow::array::ListBuilder::new(Float64Array::builder(2));
    lists.append_value([Some(1.5), None]);
    let pair = StructArray::from(vec![
        (
            Arc::new(Field::new("a", DataType::Int64, true)),
            Arc::new(Int64Array::from(vec![1])) as _,
        ),
        (
            Arc::new(Field::new("b", DataType::Utf8, true)),
            Arc::new(StringArray::from(vec!["x"])) as _,
        ),
    ]);
    let file = batch(&[
        ("id", Values::Int(&[1])),
        ("list", Values::Array(Arc::new(lists.finish()))),
        ("pair", Values::Array(Arc::new(pair))),
    ]);
    lake.folder.put("f.parquet", parquet(&file, 10));
    let row = lake
        .admin
        .rows(&format!("SELECT list, pair FROM {}", lake.table))
        .await
        .remove(0);
    assert_eq!(
        row[0].as_deref(),
        Some("{1.5,NULL}"),
        "an array as PostgreSQL writes it"
    );
    let pair: serde_json::Value = serde_json::from_str(row[1].as_deref().unwrap()).unwrap();
    assert_eq!(pair, serde_json::json!({"a": 1, "b": "x"}));
}

#[tokio::test]
async fn values_that_are_read_as_texts_are_those_of_a_cast() {
    use arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, Float32Array, Time64MicrosecondArray,
        TimestampMillisecondArray,
    };
    let decimals = Decimal128Array::from(vec![Some(-150), Some(5), None]);
    let decimals = decimals.with_precision_and_scale(10, 2).unwrap();
    let at_noon = vec![Some(43_200_000), Some(-500), None];
    let columns: [(&str, &str, arrow::array::ArrayRef); 7] = [
        (
            "d",
            "DOUBLE",
            Arc::new(Float64Array::from(vec![Some(1.0), Some(1e20), None])),
        ),
        (
            "f",
            "FLOAT",
            Arc::new(Float32Array::from(vec![
                Some(0.1),
                Some(f32::INFINITY),
                None,
            ])),
        ),
        (
            "t",
            "TIMESTAMP",
            Arc::new(TimestampMillisecondArray::from(at_noon.clone())),
        ),
        (
            "u",
            "TIMESTAMP",
            Arc::new(TimestampMillisecondArray::from(at_noon).with_timezone("UTC")),
        ),
        (
            "y",
            "DATE",
            Arc::new(Date32Array::from(vec![Some(0), Some(-1), None])),
        ),
        ("m", "DECIMAL(10,2)", Arc::new(decimals)),
        (
            "b",
            "BOOLEAN",
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        ),
    ];
    let of = |texts: bool| {
        let columns = columns.iter();
        let columns = columns.map(|(name, of, _)| match texts {
            true => format!("{name} STRING"),
            false => format!("{name} {of}"),
        });
        columns.collect::<Vec<_>>().join(", ")
    };
    let texts = table("as_texts", &of(true), "STORED AS PARQUET").await;
    let typed = table("as_typed", &of(false), "STORED AS PARQUET").await;
    let values = columns
        .iter()
        .map(|(name, _, column)| (*name, Values::Array(Arc::clone(column))));
    let file = parquet(&batch(&values.collect::<Vec<_>>()), 10);
    texts.folder.put("f.parquet", file.clone());
    typed.folder.put("f.parquet", file);
    let expected = [
        "1|0.1|1970-01-01 12:00:00|1970-01-01 12:00:00|1970-01-01|-1.50|true",
        "1e+20|Infinity|1969-12-31 23:59:59.5|1969-12-31 23:59:59.5|1969-12-31|0.05|false",
    ];
    for lake in [&texts, &typed] {
        let names = columns
            .iter()
            .map(|(name, ..)| format!("CAST({name} AS VARCHAR)"));
        let names = names.collect::<Vec<_>>().join(" || '|' || ");
        let sql = format!(
            "SELECT {names} FROM {} WHERE d IS NOT NULL ORDER BY y DESC",
            lake.table
        );
        assert_eq!(lake.admin.column(&sql).await, expected, "{}", lake.table);
    }
    // Conditions that are decided by footers, or by rows.
    for condition in [
        "d = '1e+20'",
        "t = '1969-12-31 23:59:59.5'",
        "u < '1970'",
        "d IS NULL",
    ] {
        let sql = format!("SELECT count(*) FROM {} WHERE {condition}", texts.table);
        assert_eq!(texts.admin.text(&sql).await, "1", "{condition}");
    }
    // No type of a table corresponds to a time of day.
    let times = table("times_as_texts", "c STRING", "STORED AS PARQUET").await;
    let file = Time64MicrosecondArray::from(vec![36_000_500_000]);
    let file = batch(&[("c", Values::Array(Arc::new(file)))]);
    times.folder.put("f.parquet", parquet(&file, 10));
    assert_eq!(times.all().await, "10:00:00.5");
}
