//! Damaged and hostile files: an error that names the file, no panic, no memory for what is only
//! claimed.

use std::time::{Duration, Instant};

use lakegate_error::Code;

use super::forged::*;
use super::*;
use crate::format::parquet::decode::decode;
use crate::format::parquet::pages::pages;

const COLUMNS: [(&str, &str); 2] = [("id", "bigint"), ("name", "string")];

/// The error of a query over a file, which is the same whether its footer was read while planning
/// or not.
async fn failure(bytes: &[u8], sql: &str) -> Error {
    let mut lake = Lake::new(&COLUMNS);
    lake.put("bad.parquet", bytes).await;
    let mut failures = Vec::new();
    for max_statistics_files in [4096, 0] {
        lake.max_statistics_files = max_statistics_files;
        let started = Instant::now();
        match lake.query(sql).await {
            Ok(answer) => panic!("{sql} should fail, but gave {} rows", answer.rows.len()),
            Err(error) => failures.push(error),
        }
        assert!(started.elapsed() < Duration::from_secs(20));
    }
    for error in &failures {
        assert_eq!(error.code(), Code::BadData, "{error}");
        assert!(
            error.message().contains("file s3://lake/t/bad.parquet"),
            "{error}"
        );
    }
    failures.remove(0)
}

async fn fails(what: &str, bytes: &[u8], says: &str) {
    for sql in ["SELECT count(*) FROM t", "SELECT * FROM t"] {
        let error = failure(bytes, sql).await;
        assert!(error.message().contains(says), "{what}: {error}");
    }
}

#[tokio::test]
async fn honest_file_is_read() {
    let lake = Lake::new(&COLUMNS);
    for bytes in [
        honest(),
        with_group(&honest(), |group| group),
        with_column(&honest(), |column| column),
    ] {
        lake.put("f.parquet", bytes).await;
        assert_eq!(
            lake.rows("SELECT count(*), sum(id), max(name) FROM t")
                .await,
            [["100", "4950", "name 6"]]
        );
    }
}

#[tokio::test]
async fn cut_files_are_refused_at_every_length() {
    let whole = honest();
    for length in (1..=16).chain((17..whole.len()).step_by(37)) {
        failure(&whole[..length], "SELECT count(*) FROM t").await;
    }
    for (bytes, says) in [
        (&b"PAR1"[..], "does not end"),
        (b"PAR1PAR1", "footer claims"),
        (b"\0\0\0\0PAR1", "footer claims"),
        (b"PAR1\0\0\0\0PAR1", "ends in the middle"),
        (b"PAR1\x01\0\0\0PAR1", "footer claims 1 bytes"),
        (b"no Parquet at all", "does not end"),
    ] {
        let error = failure(bytes, "SELECT count(*) FROM t").await;
        assert!(error.message().contains(says), "{bytes:?}: {error}");
    }
}

#[tokio::test]
async fn length_of_a_footer_is_not_believed() {
    let whole = honest();
    let claiming = |length: u32| {
        let at = whole.len() - 8;
        let mut forged = whole.clone();
        forged[at..at + 4].copy_from_slice(&length.to_le_bytes());
        forged
    };
    fails("more", &claiming(100_000), "claims 100000 bytes").await;
    fails("most", &claiming(u32::MAX), "claims 4294967295 bytes").await;
    fails("256 MiB", &claiming(268_435_457), "at most 268435456").await;
    let all = u32::try_from(whole.len()).unwrap() - 8;
    fails("the magic bytes too", &claiming(all), "footer claims").await;
    failure(&claiming(all - 4), "SELECT count(*) FROM t").await;
    failure(&claiming(0), "SELECT count(*) FROM t").await;
    failure(&claiming(20), "SELECT count(*) FROM t").await;
}

#[tokio::test]
async fn encrypted_footer_is_said_to_be_one() {
    let mut bytes = honest();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(b"PARE");
    let lake = Lake::new(&COLUMNS);
    lake.put("f.parquet", bytes).await;
    let error = lake.query("SELECT * FROM t").await.unwrap_err();
    assert_eq!(error.code(), Code::NotSupported);
    assert!(error.message().contains("s3://lake/t/f.parquet"), "{error}");
}

#[tokio::test]
async fn garbage_is_no_footer() {
    let whole = honest();
    for byte in [0x00, 0x15, 0x19, 0x1c, 0x2b, 0x48, 0x7f, 0x80, 0xff] {
        failure(&with_footer(&whole, &[byte; 5000]), "SELECT * FROM t").await;
    }
}

#[tokio::test]
async fn schema_must_be_the_tree_that_it_claims() {
    let whole = honest();
    let deep: Vec<Thrift> = (0..100_000).map(|_| group("a", 1)).collect();
    let fixed = |length| vec![group("r", 1), leaf("id", 7, length)];
    for (what, elements, says) in [
        ("too few", vec![group("r", 2), leaf("id", 2, 0)], "children"),
        (
            "many",
            vec![group("r", i64::from(i32::MAX)), leaf("id", 2, 0)],
            "children",
        ),
        ("fewer than none", vec![group("r", -1)], "below zero"),
        (
            "two roots",
            vec![group("r", 1), leaf("id", 2, 0), leaf("id", 2, 0)],
            "more than one root",
        ),
        ("deep", deep, "nests deeper than 64"),
        (
            "long values",
            fixed(i64::from(i32::MAX)),
            "2147483647 bytes",
        ),
    ] {
        fails(what, &with_footer(&whole, &footer(&elements)), says).await;
    }
    // As deep as may be, and fixed values of a length that may be.
    let mut nested: Vec<Thrift> = (0..60).map(|_| group("a", 1)).collect();
    nested.push(leaf("x", 2, 0));
    let lake = Lake::new(&COLUMNS);
    for elements in [nested, fixed(16)] {
        lake.put("f.parquet", with_footer(&whole, &footer(&elements)))
            .await;
        assert_eq!(lake.rows("SELECT count(*) FROM t").await, [["0"]]);
    }
}

#[tokio::test]
async fn list_must_have_as_many_items_as_it_claims() {
    let whole = honest();
    let schema = [group("r", 1), leaf("id", 2, 0)];
    let start = || Thrift::default().int(1, 1);
    for items in [1 << 20, i64::from(i32::MAX).cast_unsigned(), u64::MAX] {
        let rows = start().list(1, &schema).int(1, 0);
        let groups = rows.clone().claimed_list(1, items).end();
        fails("row groups", &with_footer(&whole, &groups.0), "items").await;
        let elements = start().claimed_list(1, items).end();
        fails("schema", &with_footer(&whole, &elements.0), "items").await;
        let entries = rows.list(1, &[]).claimed_list(1, items).end();
        fails("metadata", &with_footer(&whole, &entries.0), "items").await;
    }
    // A list that says it is a number: a reader that believes the type reads on elsewhere than one
    // that does not.
    let mut typed = start().list(1, &schema).int(1, 0).int(1, 0);
    typed
        .0
        .extend_from_slice(&[0xfc, 0xff, 0xff, 0xff, 0xff, 0x07]);
    fails("type", &with_footer(&whole, &typed.0), "there is not").await;
}

#[tokio::test]
async fn offsets_and_lengths_must_lie_in_the_file() {
    let whole = honest();
    let length = i64::try_from(whole.len()).unwrap();
    for offset in [-1, i64::MIN, length, i64::MAX] {
        let with = with_column(&whole, |c| c.set_data_page_offset(offset));
        fails("data pages", &with, "column 'id' of row group 0").await;
        let with = with_column(&whole, |c| c.set_dictionary_page_offset(Some(offset)));
        fails("dictionary", &with, "column 'id' of row group 0").await;
        let with = with_column(&whole, |c| c.set_bloom_filter_offset(Some(offset)));
        fails("Bloom filter", &with, "column 'id' of row group 0").await;
        let with = with_column(&whole, |c| c.set_column_index_offset(Some(offset)));
        fails("column index", &with, "column 'id' of row group 0").await;
        let with = with_column(&whole, |c| c.set_offset_index_offset(Some(offset)));
        fails("offset index", &with, "column 'id' of row group 0").await;
    }
    for size in [-1, i64::MIN, length, i64::MAX] {
        let with = with_column(&whole, |c| c.set_total_compressed_size(size));
        fails("size", &with, "column 'id' of row group 0").await;
    }
    for size in [-1, i64::MIN, i64::MAX] {
        let with = with_column(&whole, |c| c.set_total_uncompressed_size(size));
        fails("size", &with, "bytes of data").await;
    }
    for size in [-1, i32::MIN, i32::MAX] {
        let with = with_column(&whole, |c| c.set_offset_index_length(Some(size)));
        fails("size", &with, "column 'id' of row group 0").await;
        let with = with_column(&whole, |c| c.set_column_index_length(Some(size)));
        fails("size", &with, "column 'id' of row group 0").await;
    }
}

#[tokio::test]
async fn rows_must_be_as_many_as_values() {
    let whole = honest();
    for rows in [-1, i64::MIN, i64::MAX, 1 << 49] {
        let with = with_group(&whole, |group| group.set_num_rows(rows));
        fails("rows", &with, &format!("{rows} rows")).await;
    }
    for values in [-1, 0, 99, 101, i64::MAX] {
        let with = with_column(&whole, |column| column.set_num_values(values));
        fails("values", &with, &format!("{values} values")).await;
    }
    let with = with_group(&whole, |group| group.set_num_rows(1 << 40));
    fails("rows", &with, "100 values in 1099511627776 rows").await;
}

#[tokio::test]
async fn pages_must_be_as_large_as_they_claim() {
    let whole = honest();
    let huge = i64::from(i32::MAX);
    for (what, page, says) in [
        ("snappy", page(1 << 30, 64, None), "packed in 64"),
        ("too much", page(huge, 64, None), "of at most 1073741824"),
        ("below zero", page(-1, 64, None), "fewer than no bytes"),
        ("below zero", page(64, -1, None), "fewer than no bytes"),
        (
            "dictionary",
            page(64, 64, Some(huge)),
            "claims 2147483647 values",
        ),
        ("dictionary", page(64, 64, Some(-1)), "claims -1 values"),
        ("beyond its chunk", page(64, huge, None), ""),
        ("not snappy", page(64, 64, None), ""),
        ("not snappy", page(1 << 26, 64, None), ""),
        ("no page", vec![0xff; 64], ""),
        ("cut", page(64, 64, None)[..9].to_vec(), ""),
        ("no sizes", vec![0; 64], ""),
    ] {
        let error = failure(&with_pages(&whole, &page), "SELECT id FROM t").await;
        assert!(error.message().contains(says), "{what}: {error}");
    }
}

#[tokio::test]
async fn damaged_pages_are_nothing_to_queries_that_need_none_of_them() {
    let lake = Lake::new(&COLUMNS);
    let bytes = with_pages(&honest(), &[0xff; 64]);
    lake.put("f.parquet", bytes).await;
    assert_eq!(lake.rows("SELECT count(*) FROM t").await, [["100"]]);
    assert_eq!(lake.rows("SELECT max(name) FROM t").await, [["name 6"]]);
}

#[tokio::test]
async fn statistics_that_contradict_themselves_say_nothing() {
    use parquet::file::statistics::Statistics;

    let mut lake = Lake::new(&COLUMNS);
    let wrong = Statistics::int64(Some(90), Some(10), None, Some(1000), false);
    let bytes = with_column(&honest(), |column| column.set_statistics(wrong));
    lake.put("f.parquet", bytes).await;
    for max_statistics_files in [4096, 0] {
        lake.max_statistics_files = max_statistics_files;
        assert_eq!(
            lake.rows("SELECT sum(id), count(*) FROM t WHERE id >= 0")
                .await,
            [["4950", "100"]]
        );
    }
}

#[tokio::test]
async fn bounds_of_some_row_groups_are_no_bounds_of_the_file() {
    let lake = Lake::new(&COLUMNS);
    let two = file(&rows(), 50);
    // The first row group has the lower ids; nothing is known of them now.
    lake.put(
        "f.parquet",
        with_column(&two, |column| column.clear_statistics()),
    )
    .await;
    assert_eq!(
        lake.rows("SELECT count(*), min(id), max(id) FROM t WHERE id < 10")
            .await,
        [["10", "0", "9"]]
    );
    assert_eq!(
        lake.rows("SELECT min(id), max(id) FROM t").await,
        [["0", "99"]]
    );
}

#[tokio::test]
async fn statistics_of_which_nothing_can_be_made_are_left_out() {
    use arrow::array::Decimal128Array;
    use parquet::data_type::{ByteArray, FixedLenByteArray};
    use parquet::file::statistics::{Statistics, ValueStatistics};

    let decimals = Decimal128Array::from(vec![100, 200])
        .with_precision_and_scale(38, 2)
        .unwrap();
    let honest = file(&batch(vec![("d", Arc::new(decimals))]), 10);
    // A decimal has at most 16 bytes: at more the Parquet crate panics.
    let long = || Some(FixedLenByteArray::from(ByteArray::from(vec![1; 17])));
    let wrong = ValueStatistics::new(long(), long(), None, Some(0), false);
    let bytes = with_column(&honest, |column| {
        column.set_statistics(Statistics::FixedLenByteArray(wrong))
    });
    let mut lake = Lake::new(&[("d", "decimal(38,2)")]);
    lake.put("bad.parquet", bytes).await;
    for max_statistics_files in [4096, 0] {
        lake.max_statistics_files = max_statistics_files;
        assert_eq!(lake.rows("SELECT d FROM t").await, [["1.00"], ["2.00"]]);
        assert_eq!(lake.rows("SELECT d FROM t WHERE d > 1").await, [["2.00"]]);
    }
}

#[test]
fn headers_of_large_pages_are_found_behind_others() {
    let small = page(64, 64, None);
    let large = page(1 << 30, 64, None);
    let bytes = [small.clone(), small.clone(), large, small].concat();
    let found = pages(&bytes).unwrap();
    let claims: Vec<_> = found.iter().filter(|page| page.is_large()).collect();
    let at: Vec<usize> = claims.iter().map(|page| page.header.start).collect();
    assert_eq!(at, [page(64, 64, None).len() * 2]);
    assert!(pages(&page((1 << 30) + 1, 64, None)).is_err());
    assert!(claims[0].check(Compression::SNAPPY).is_err());
    assert!(claims[0].check(Compression::LZ4_RAW).is_err());
    assert!(
        claims[0]
            .check(Compression::ZSTD(Default::default()))
            .is_ok()
    );
}

#[tokio::test]
async fn arrow_schema_that_is_none_is_not_needed() {
    use parquet::arrow::ARROW_SCHEMA_META_KEY;
    use parquet::file::metadata::KeyValue;

    let lake = Lake::new(&COLUMNS);
    for hint in [
        "",
        "no base64!",
        "AAAA",
        "/////zAAAAAQAAAAAAAKAAwABgAFAAgACgAA",
    ] {
        let entry = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), Some(hint.to_owned()));
        let properties = WriterProperties::builder()
            .set_key_value_metadata(Some(vec![entry]))
            .build();
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true);
        let mut bytes = Vec::new();
        let rows = rows();
        let mut writer =
            ArrowWriter::try_new_with_options(&mut bytes, rows.schema(), options).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        lake.put("f.parquet", bytes).await;
        assert_eq!(
            lake.rows("SELECT sum(id), max(name) FROM t").await,
            [["4950", "name 6"]],
            "{hint}"
        );
    }
}

#[test]
fn footers_that_are_cut_or_changed_anywhere_do_not_panic() {
    let whole = honest();
    let length = u32::from_le_bytes(*whole[..whole.len() - 4].last_chunk().unwrap());
    let start = whole.len() - 8 - usize::try_from(length).unwrap();
    let footer = &whole[start..whole.len() - 8];
    let size = whole.len() as u64;
    assert!(decode(footer, size, &ColumnNames::Own).is_ok());
    for cut in 0..footer.len() {
        let _ = decode(&footer[..cut], size, &ColumnNames::Own);
    }
    for at in 0..footer.len() {
        for byte in [
            0x00,
            0x01,
            0x7f,
            0x80,
            0xff,
            footer[at] ^ 0x01,
            footer[at] ^ 0x10,
        ] {
            let mut changed = footer.to_vec();
            changed[at] = byte;
            let _ = decode(&changed, size, &ColumnNames::Own);
        }
    }
}

#[tokio::test]
async fn pages_unpack_to_no_more_than_they_claim() {
    use parquet::basic::{BrotliLevel, GzipLevel};

    let rows = batch(vec![("id", ints(std::iter::repeat_n(0, 1_000_000)))]);
    for codec in [
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
    ] {
        let properties = WriterProperties::builder()
            .set_compression(codec)
            .set_dictionary_enabled(false)
            .set_data_page_size_limit(1 << 26)
            .set_data_page_row_count_limit(1 << 26)
            .set_write_batch_size(1 << 21)
            .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
            .build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
        writer.write(&rows).unwrap();
        writer.close().unwrap();
        let lake = Lake::new(&COLUMNS);
        lake.put("f.parquet", bytes.clone()).await;
        assert_eq!(
            lake.rows("SELECT sum(id) FROM t").await,
            [["0"]],
            "{codec:?}"
        );
        // Behind the mark and the page's type: eight million bytes, in four.
        assert_eq!(bytes[4..7], [0x15, 0, 0x15]);
        assert!(bytes[7..10].iter().all(|byte| byte & 0x80 != 0) && bytes[10] & 0x80 == 0);
        let mut claim: u32 = 1_100_000 << 1;
        for byte in &mut bytes[7..10] {
            *byte = u8::try_from(claim & 0x7f).unwrap() | 0x80;
            claim >>= 7;
        }
        bytes[10] = u8::try_from(claim).unwrap();
        let error = failure(&bytes, "SELECT sum(id) FROM t").await;
        assert!(
            error
                .message()
                .contains("does not unpack to the 1100000 bytes"),
            "{codec:?}: {error}"
        );
    }
}

#[tokio::test]
async fn footer_that_the_cutoff_does_not_admit_is_not_read() {
    use parquet::file::metadata::KeyValue;

    use crate::meter::Cutoff;

    let entry = KeyValue::new("long".to_owned(), "x".repeat(500_000));
    let properties = WriterProperties::builder()
        .set_key_value_metadata(Some(vec![entry]))
        .build();
    let rows = rows();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let lake = Lake::new(&COLUMNS);
    lake.put("f.parquet", bytes).await;
    let root = lake.roots.locate("s3://lake/t/").unwrap().root;
    let file = lake.store.head(&Path::from("t/f.parquet")).await.unwrap();
    let cutoff = Cutoff {
        workgroup: "w".to_owned(),
        limit: 100_000,
    };
    let meter = Arc::new(QueryMeter::new(Some(cutoff)));
    let error = lake
        .footers
        .footer(&root, &file, &meter, &ColumnNames::Own)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::BytesScannedCutoff);
    assert_eq!((meter.fetched(), meter.scanned()), (64 * 1024, 0));
}
