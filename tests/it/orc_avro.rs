//! Tables of ORC, Avro and Ion files: columns by place and by name, what is read of a file, and what a
//! damaged one reveals. Values are compared with other readers' in
//! `tests/clients/test_orc_avro_files.py` and `tests/clients/test_ion_files.py`.

use crate::harness::files::FileTable;
use crate::harness::{Client, Server};

/// Fifteen columns of 40 rows, by PyArrow.
const ORC: &[u8] = include_bytes!("../../fuzz/seeds/orc_file/zstd");
/// Columns of type char and dictionaries at every depth, by the writer in Java.
const CHARS: &[u8] = include_bytes!("../../fuzz/seeds/orc_file/chars");
/// Seventeen fields of 25 records, by fastavro.
const AVRO: &[u8] = include_bytes!("../../fuzz/seeds/avro_file/snappy");
/// Three structs, by amazon.ion.
const ION: &[u8] = include_bytes!("../../fuzz/seeds/ion_file/binary");

const PASSWORD: &str = "a long enough secret";

/// Creates a table `orc_avro.<name>` on a folder of its own.
async fn table(name: &str, columns: &str, rest: &str) -> FileTable {
    FileTable::new("orc_avro", name, columns, rest).await
}

impl FileTable {
    async fn row(&self, select: &str) -> String {
        let sql = format!("SELECT {select} FROM {}", self.table);
        self.admin.text(&sql).await
    }

    /// Bytes that the last run of a query scanned.
    async fn scanned(&self, select: &str) -> i64 {
        let sql = format!("SELECT {select} FROM {}", self.table);
        self.admin.text(&sql).await;
        self.admin
            .number(&format!(
                "SELECT bytes_scanned FROM system.queries WHERE query = '{sql}' ORDER BY submitted_at DESC LIMIT 1"
            ))
            .await
    }
}

/// A user that may select one column of a table.
async fn user_of(admin: &Client, name: &str, column: &str, table: &str) -> Client {
    admin
        .run(&format!(
            "CREATE USER {name} WITH PASSWORD '{PASSWORD}'; GRANT SELECT ({column}) ON TABLE {table} TO {name}"
        ))
        .await;
    Server::shared()
        .connect_as(name, PASSWORD, "awsdatacatalog")
        .await
}

const COLUMNS: &str = "first BOOLEAN, second TINYINT, number BIGINT, big BIGINT, f FLOAT, d DOUBLE, \
    s STRING, x BINARY, day DATE, ts TIMESTAMP, tz TIMESTAMP, dec DECIMAL(12,3), \
    l ARRAY<INT>, m MAP<STRING,BIGINT>, st STRUCT<b:ARRAY<STRING>,a:BIGINT,none:INT>, added STRING";

#[tokio::test]
async fn orc_columns_are_found_by_place_and_those_that_are_missing_are_null() {
    let lake = table("by_place", COLUMNS, "STORED AS ORC").await;
    lake.folder.put("one.orc", ORC);
    lake.folder.put("two.orc", ORC);
    let counts = "count(*), count(first), count(number), sum(number), min(big), count(added)";
    assert_eq!(
        lake.row(counts).await,
        format!("80|64|68|{}|-9223372036854775808|0", 2 * SUM)
    );
    assert_eq!(
        lake.row("sum(cardinality(l)), count(st.a), count(st.none), max(dec)")
            .await,
        format!("{}|72|0|1.730", 2 * ITEMS)
    );
}

/// Of the numbers of [`ORC`], and the items of its lists.
const SUM: i64 = 845;
const ITEMS: i64 = 60;

#[tokio::test]
async fn orc_columns_are_found_by_name_where_the_table_says_so() {
    let by_name = "ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.orc.OrcSerde' \
        WITH SERDEPROPERTIES ('orc.column.index.access'='false') STORED AS ORC";
    let lake = table("by_name", "I32 BIGINT, s STRING, absent INT", by_name).await;
    lake.folder.put("part.orc", ORC);
    assert_eq!(
        lake.row("count(*), sum(i32), max(s), count(absent)").await,
        format!("40|{SUM}|text 3|0")
    );
}

#[tokio::test]
async fn only_what_is_needed_of_an_orc_file_is_read() {
    let lake = table("narrow", COLUMNS, "STORED AS ORC").await;
    lake.folder.put("part.orc", ORC);
    let narrow = lake.scanned("sum(number)").await;
    let wide = lake
        .scanned("count(number), count(s), count(l), count(st), count(dec), count(tz), count(d)")
        .await;
    let size = i64::try_from(ORC.len()).unwrap();
    assert!(narrow < wide && wide <= size, "{narrow} {wide} {size}");
    // A condition that the file's bounds exclude leaves its tail.
    let nothing = lake.scanned("count(d) AS none_is_read, sum(f)").await;
    let outside = format!("SELECT sum(d) FROM {} WHERE number > 100000", lake.table);
    assert_eq!(lake.admin.text(&outside).await, "NULL");
    let excluded = lake
        .admin
        .number(&format!(
            "SELECT bytes_scanned FROM system.queries WHERE query = '{outside}' ORDER BY submitted_at DESC LIMIT 1"
        ))
        .await;
    assert!(excluded < nothing, "{excluded} {nothing}");
}

#[tokio::test]
async fn column_grants_keep_the_places_of_orc_columns() {
    let lake = table("granted", COLUMNS, "STORED AS ORC").await;
    lake.folder.put("part.orc", ORC);
    let user = user_of(&lake.admin, "orc_reader", "number", &lake.table).await;
    let sql = format!("SELECT count(*), sum(number) FROM {}", lake.table);
    assert_eq!(user.text(&sql).await, format!("40|{SUM}"));
}

#[tokio::test]
async fn chars_of_orc_files_have_no_padding() {
    let columns = "id INT, c CHAR(3), v VARCHAR(3), lc ARRAY<CHAR(3)>, m MAP<STRING,CHAR(4)>, \
        st STRUCT<c:CHAR(5),s:STRING,l:ARRAY<CHAR(2)>>, ls ARRAY<ARRAY<STRING>>";
    let lake = table("chars", columns, "STORED AS ORC").await;
    lake.folder.put("part.orc", CHARS);
    let matching = format!(
        "SELECT count(*), max(length(c)) FROM {} WHERE c = 'a'",
        lake.table
    );
    assert_eq!(lake.admin.text(&matching).await, "5|1");
    let inside = format!("SELECT count(*) FROM {} WHERE st.c = 'ab'", lake.table);
    assert_eq!(lake.admin.text(&inside).await, "6");
    assert_eq!(
        lake.row("count(c), count(lc), sum(cardinality(lc)), sum(array_length(ls, 1))")
            .await,
        "35|36|54|39"
    );
}

#[tokio::test]
async fn avro_fields_are_found_by_name() {
    let columns = "missing INT, I INT, l BIGINT, s STRING, e STRING, day DATE, dec DECIMAL(10,2), arr ARRAY<INT>, \
        m MAP<STRING,STRING>, r STRUCT<n:ARRAY<BIGINT>>";
    let lake = table("avro", columns, "STORED AS AVRO").await;
    lake.folder.put("part.avro", AVRO);
    assert_eq!(
        lake.row("count(*), count(missing), count(i), sum(i), max(l), count(DISTINCT e), min(day)")
            .await,
        "25|0|16|112|4611686018427387904|2|1969-12-25"
    );
    assert_eq!(lake.row("count(*)").await, "25");
}

#[tokio::test]
async fn ion_fields_are_found_by_name_and_checked_for_the_columns_that_are_read() {
    let columns = "id INT, a BIGINT, b STRING, h ARRAY<INT>, f TIMESTAMP, g STRING";
    let lake = table("ion", columns, "STORED AS ION").await;
    lake.folder.put("part.ion", ION);
    assert_eq!(
        lake.row("count(*), count(id), sum(a), max(b), sum(cardinality(h)), max(f)")
            .await,
        "3|0|3|text|5|2024-05-06 06:08:09.123456"
    );
    let sql = format!("SELECT g FROM {}", lake.table);
    let failure = lake.admin.fails(&sql).await;
    failure.names(&["part.ion value 1: column 'g'", "is not a valid string"]);
    let user = user_of(&lake.admin, "ion_reader", "g", &lake.table).await;
    let failure = user.fails(&sql).await;
    assert!(!failure.text().contains("part.ion"), "{failure:?}");
    failure.names(&["value 1: column 'g'"]);
}

#[tokio::test]
async fn damaged_file_is_named_to_those_alone_that_may_see_its_name() {
    for (format, bytes, column) in [
        ("orc", ORC, "number"),
        ("avro", AVRO, "i"),
        ("ion", ION, "l"),
    ] {
        let columns = format!("a BOOLEAN, b INT, {column} INT");
        let stored = format!("STORED AS {format}");
        let lake = table(&format!("damaged_{format}"), &columns, &stored).await;
        let name = format!("secret-part.{format}");
        lake.folder.put(&name, &bytes[..bytes.len() / 2]);
        let sql = format!("SELECT {column} FROM {}", lake.table);
        lake.admin.fails(&sql).await.names(&["secret-part"]);
        let user = user_of(&lake.admin, &format!("{format}_seer"), column, &lake.table).await;
        let failure = user.fails(&sql).await;
        assert!(!failure.text().contains("secret-part"), "{failure:?}");
        failure.names(&[&lake.table]);
    }
}

#[tokio::test]
async fn column_of_another_type_is_refused_with_both_types() {
    let lake = table("types", "a DATE", "STORED AS ORC").await;
    lake.folder.put("part.orc", ORC);
    let sql = format!("SELECT a FROM {}", lake.table);
    let failure = lake.admin.fails(&sql).await;
    failure.names(&["column 'a'", "date", "boolean", "part.orc"]);
}
