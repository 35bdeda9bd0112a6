#![allow(clippy::unwrap_used)]
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{col, lit};
use lakegate_catalog::model::{Column, Parameters, StorageDescriptor, TableInput};

use super::super::lake_tables::typed;
use super::*;
use crate::roots::Backing;

/// `d.t (v INT)` in `s3://lake/t/`; `projection.` is before the names of the properties.
fn table(keys: &[(&str, &str)], properties: &[(&str, &str)]) -> LakeTable {
    let mut parameters: Parameters = properties
        .iter()
        .map(|(name, value)| (format!("projection.{name}"), (*value).to_owned()))
        .collect();
    parameters.insert("projection.enabled".to_owned(), "true".to_owned());
    let input = TableInput {
        name: "t".to_owned(),
        storage_descriptor: StorageDescriptor {
            location: Some("s3://lake/t/".to_owned()),
            columns: vec![Column::new("v", "int")],
            ..parquet()
        },
        partition_keys: keys
            .iter()
            .map(|(name, data_type)| Column::new(*name, *data_type))
            .collect(),
        parameters,
        ..TableInput::default()
    };
    typed(&Arc::new(Table::of_input(input, "d", Utc::now())), None).unwrap()
}

fn parquet() -> StorageDescriptor {
    StorageDescriptor {
        serde_info: Some(lakegate_catalog::model::SerDeInfo {
            serialization_library: Some(
                "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe".to_owned(),
            ),
            ..Default::default()
        }),
        ..StorageDescriptor::default()
    }
}

fn memory() -> Roots {
    let backing = Backing::Remote {
        store: Arc::new(object_store::memory::InMemory::new()),
        place: "memory".to_owned(),
        prefix: object_store::path::Path::default(),
    };
    Roots::open(vec![("s3://lake/".to_owned(), backing)]).unwrap()
}

fn directory() -> (tempfile::TempDir, Roots) {
    let directory = tempfile::tempdir().unwrap();
    let backing = Backing::Directory {
        path: directory.path().to_owned(),
        excluded: Vec::new(),
    };
    let roots = Roots::open(vec![("s3://lake/".to_owned(), backing)]).unwrap();
    (directory, roots)
}

/// The names of the partitions that a filter leaves, and how many there are in all.
fn pruned(table: &LakeTable, filter: Expr) -> Result<(Vec<String>, usize)> {
    let roots = memory();
    let PartitionSource::Projected(projected) = &table.partitions else {
        return Ok((Vec::new(), 0));
    };
    let (found, total) = table.projected_partitions(&roots, projected, &[filter])?;
    Ok((
        found.iter().map(|found| found.name.to_string()).collect(),
        total,
    ))
}

fn seconds() -> LakeTable {
    table(
        &[("at", "string"), ("shard", "int")],
        &[
            ("at.type", "date"),
            ("at.format", "yyyy-MM-dd-HH"),
            ("at.range", "2000-01-01-00,2029-12-31-23"),
            ("at.interval", "1"),
            ("at.interval.unit", "HOURS"),
            ("shard.type", "integer"),
            ("shard.range", "0,99"),
            ("shard.digits", "2"),
        ],
    )
}

#[test]
fn few_of_millions_are_planned_without_the_others() {
    let table = seconds();
    let started = Instant::now();
    let filter = col("at")
        .gt_eq(lit("2024-05-05-07"))
        .and(col("at").lt(lit("2024-05-05-09")))
        .and(col("shard").in_list(vec![lit(5), lit(7), lit(500)], false))
        .and((col("shard") % lit(2)).eq(lit(1)))
        .and(col("v").gt(lit(1)));
    let (names, total) = pruned(&table, filter).unwrap();
    assert_eq!(
        names,
        [
            "at=2024-05-05-07/shard=05",
            "at=2024-05-05-07/shard=07",
            "at=2024-05-05-08/shard=05",
            "at=2024-05-05-08/shard=07",
        ]
    );
    assert_eq!(total, 10_958 * 24 * 100);
    assert!(started.elapsed().as_millis() < 1_000);
    let none = col("at").eq(lit("1999-01-01-00"));
    assert_eq!(pruned(&table, none).unwrap(), (Vec::new(), total));
    // What no key's conditions can tell is evaluated for each partition that they leave.
    let alternatives = (col("at")
        .eq(lit("2024-05-05-07"))
        .and(col("shard").eq(lit(1))))
    .or(col("at")
        .eq(lit("2024-05-05-08"))
        .and(col("shard").eq(lit(2))));
    let (names, _) = pruned(&table, alternatives).unwrap();
    assert_eq!(
        names,
        ["at=2024-05-05-07/shard=01", "at=2024-05-05-08/shard=02"]
    );
}

#[test]
fn query_that_would_look_at_too_many_names_the_key_to_restrict() {
    let table = seconds();
    let error = pruned(&table, col("v").gt(lit(1))).unwrap_err();
    assert_eq!(error.code(), Code::InvalidQuery);
    assert!(
        error
            .message()
            .contains("26299200 projected partitions of d.t"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("\"at\""), "{error:?}");
    // Only the granted keys are named, and none behind a view.
    let part = table.granted(&[0, 2]).unwrap();
    let error = pruned(&part, col("v").gt(lit(1))).unwrap_err();
    assert!(error.hint().unwrap().contains("\"shard\""), "{error:?}");
    let sealed = table.with_sight(crate::sight::Sight::part("d.view"));
    let error = pruned(&sealed, lit(true)).unwrap_err();
    assert!(!error.to_string().contains("d.t"), "{error}");
    assert_eq!(error.hint(), None);
    // Few enough to look at, and too many to list.
    let month = col("at")
        .gt_eq(lit("2024-01-01-00"))
        .and(col("at").lt(lit("2024-04-01-00")));
    let error = pruned(&table, month).unwrap_err();
    assert!(error.message().contains("100000"), "{error}");
}

#[test]
fn keys_that_are_not_granted_are_neither_shown_nor_asked_for() {
    let part = seconds().granted(&[0, 1]).unwrap();
    let filter = col("at").eq(lit("2024-05-05-07"));
    let roots = memory();
    let found = part.pruned(&roots, &[filter]).unwrap().partitions;
    assert_eq!(found.len(), 100);
    let at = ScalarValue::Utf8(Some("2024-05-05-07".to_owned()));
    assert_eq!(found[7].values, [at]);
    assert!(
        found[7]
            .location
            .path
            .as_ref()
            .ends_with("at=2024-05-05-07/shard=07")
    );
}

#[test]
fn injected_keys_need_a_list_of_values() {
    let table = table(
        &[("device", "string"), ("day", "date")],
        &[
            ("device.type", "injected"),
            ("day.type", "date"),
            ("day.format", "yyyy/MM/dd"),
            ("day.range", "2024/01/01,2024/01/31"),
        ],
    );
    let day = ScalarValue::try_from_string("2024-01-05".to_owned(), &DataType::Date32).unwrap();
    let day = col("day").eq(lit(day));
    let device = col("device").in_list(vec![lit("a"), lit("b")], false);
    let (names, _) = pruned(&table, device.and(day.clone())).unwrap();
    assert_eq!(
        names,
        ["device=a/day=2024%2F01%2F05", "device=b/day=2024%2F01%2F05"]
    );
    for open in [
        day.clone(),
        col("device").like(lit("a%")),
        col("device").gt(lit("a")),
    ] {
        let error = pruned(&table, open).unwrap_err();
        assert_eq!(
            error.message(),
            "For the injected projected partition column device, the WHERE clause must contain only static equality conditions, and at least one such condition must be present."
        );
    }
    // The name of a key that is not granted is not told.
    let part = table.granted(&[0, 2]).unwrap();
    let error = pruned(&part, day).unwrap_err();
    assert!(!format!("{error:?}").contains("device"), "{error:?}");
}

#[tokio::test]
async fn link_out_of_the_folder_is_refused() {
    let (directory, roots) = directory();
    std::fs::create_dir_all(directory.path().join("secret")).unwrap();
    std::fs::create_dir_all(directory.path().join("t")).unwrap();
    let link = directory.path().join("t/k=1");
    std::os::unix::fs::symlink(directory.path().join("secret"), link).unwrap();
    let table = table(
        &[("k", "int")],
        &[("k.type", "integer"), ("k.range", "1,2")],
    );
    let one = table.pruned(&roots, &[col("k").eq(lit(1))]);
    let listed = match one {
        Ok(pruned) => pruned.list(&Default::default()).await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert_eq!(listed.unwrap_err().code(), Code::LocationRefused);
}

#[test]
fn configuration_that_cannot_be_used_fails_the_query() {
    let good = table(
        &[("k", "int")],
        &[("k.type", "integer"), ("k.range", "1,2")],
    );
    let mut bad = (*good.table).clone();
    bad.parameters.remove("projection.k.type");
    let error = typed(&Arc::new(bad), None).unwrap_err();
    assert_eq!(error.code(), Code::InvalidTable);
    assert_eq!(
        error.message(),
        "Table d.t is configured for partition projection, but the following partition columns are missing projection configuration: [k] (table d.t)"
    );
}

/// Numbers that are the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)) % end
    }

    fn int(&mut self) -> Expr {
        lit(i32::try_from(self.below(14)).unwrap() - 2)
    }

    fn day(&mut self) -> Expr {
        let day = self.below(12) + 1;
        lit(ScalarValue::try_from_string(format!("2024-01-{day:02}"), &DataType::Date32).unwrap())
    }

    fn text(&mut self) -> Expr {
        lit(["a", "b", "bb", "c", "10", "9", "01"][usize::try_from(self.below(7)).unwrap()])
    }

    /// A constant of a key.
    fn constant(&mut self, key: u64) -> Expr {
        match key {
            0 => self.int(),
            1 => self.day(),
            _ => self.text(),
        }
    }

    fn filter(&mut self, depth: u64) -> Expr {
        let key = self.below(4);
        let column = col(["n", "day", "name", "number"][usize::try_from(key).unwrap()]);
        if depth == 0 {
            let (one, two) = (self.constant(key), self.constant(key));
            return match self.below(9) {
                0 => column.eq(one),
                1 => one.lt(column),
                2 => column.lt_eq(one),
                3 => column.not_eq(one),
                4 => column.between(one, two),
                5 => column.in_list(vec![one, two], false),
                6 => column.in_list(vec![one, two], true),
                7 => column.is_null(),
                _ => column.is_not_null(),
            };
        }
        let (one, two) = (self.filter(depth - 1), self.filter(depth - 1));
        match self.below(6) {
            0 | 1 => one.and(two),
            2 | 3 => one.or(two),
            4 => datafusion::logical_expr::not(one),
            _ => one,
        }
    }
}

#[test]
fn what_filters_leave_is_what_they_keep_of_all() {
    let table = table(
        &[
            ("n", "int"),
            ("day", "date"),
            ("name", "string"),
            ("number", "string"),
        ],
        &[
            ("n.type", "integer"),
            ("n.range", "-1,9"),
            ("n.interval", "2"),
            ("n.digits", "3"),
            ("day.type", "date"),
            ("day.format", "d.M.yyyy"),
            ("day.range", "2.1.2024,10.1.2024"),
            ("day.interval", "3"),
            ("day.interval.unit", "DAYS"),
            ("name.type", "enum"),
            ("name.values", "b,a,__HIVE_DEFAULT_PARTITION__,bb"),
            ("number.type", "integer"),
            ("number.range", "8,11"),
        ],
    );
    let everything = lit(true);
    let (all, total) = pruned(&table, everything).unwrap();
    assert_eq!((all.len(), total), (6 * 3 * 4 * 4, 6 * 3 * 4 * 4));
    let rows: Vec<Vec<ProjectedValue>> = table
        .projected_candidates(&[])
        .unwrap()
        .unwrap()
        .rows()
        .collect();
    let values = prune::partition_batch(&table.keys, rows.iter().map(Vec::as_slice)).unwrap();
    let mut numbers = Numbers(7);
    for round in 0..400 {
        let depth = numbers.below(4);
        let filter = numbers.filter(depth);
        let kept = prune::matching(std::slice::from_ref(&filter), &values).unwrap();
        let expected: Vec<&String> = kept.iter().map(|row| &all[*row]).collect();
        let (found, _) = pruned(&table, filter.clone()).unwrap();
        assert_eq!(
            found.iter().collect::<Vec<_>>(),
            expected,
            "{round}: {filter}"
        );
    }
}
