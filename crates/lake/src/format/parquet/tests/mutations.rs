//! Files with a few bytes changed at random, read to the end: rows, or an error that names the
//! file.

use arrow::array::{Float64Array, ListBuilder, PrimitiveBuilder};
use arrow::datatypes::Int64Type;

use super::*;

const MUTATIONS: u64 = 400;

/// Four row groups of numbers, repeated text, numbers with gaps, and lists.
fn original() -> Vec<u8> {
    let mut lists = ListBuilder::new(PrimitiveBuilder::<Int64Type>::new());
    for row in 0..80 {
        lists.append_value((0..row % 4).map(Some));
    }
    let gaps = Float64Array::from_iter((0..80).map(|row| (row % 3 > 0).then(|| f64::from(row))));
    let rows = batch(vec![
        ("id", ints(0..80)),
        (
            "name",
            texts((0..80).map(|row| format!("name {}", row % 5))),
        ),
        ("gaps", Arc::new(gaps)),
        ("Lists", Arc::new(lists.finish())),
    ]);
    file(&rows, 20)
}

/// Random numbers that are the same every time (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^= value >> 31;
        usize::try_from(value % bound as u64).unwrap()
    }
}

#[tokio::test]
async fn changed_bytes_give_rows_or_an_error_that_names_the_file() {
    let original = original();
    let footer = u32::from_le_bytes(*original[..original.len() - 4].last_chunk().unwrap());
    let data_end = original.len() - 8 - usize::try_from(footer).unwrap();
    let mut lake = Lake::new(&[
        ("id", "bigint"),
        ("name", "string"),
        ("gaps", "double"),
        ("lists", "array<bigint>"),
    ]);
    let (mut read, mut refused) = (0, 0);
    for seed in 0..MUTATIONS {
        let mut random = Random(seed);
        let mut bytes = original.clone();
        // Half of them in the footer, half in the pages and indexes.
        let place = match seed % 2 {
            0 => data_end..original.len(),
            _ => 4..data_end,
        };
        for _ in 0..=random.below(3) {
            let at = place.start + random.below(place.len());
            bytes[at] ^= u8::try_from(1 + random.below(255)).unwrap();
        }
        lake.put("changed.parquet", bytes).await;
        lake.max_statistics_files = if seed % 3 == 0 { 0 } else { 4096 };
        for sql in [
            "SELECT * FROM t",
            "SELECT count(*), max(name) FROM t WHERE id > 30 AND name <> 'name 1'",
        ] {
            match lake.query(sql).await {
                Ok(_) => read += 1,
                Err(error) => {
                    refused += 1;
                    let reported = format!("{error} | {}", error.detail().unwrap_or_default());
                    assert!(
                        reported.contains("s3://lake/t/changed.parquet"),
                        "seed {seed}: {sql}: {reported}"
                    );
                }
            }
        }
    }
    assert!(read > 50 && refused > 50, "{read} read, {refused} refused");
}
