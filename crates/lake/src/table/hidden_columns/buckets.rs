//! The number of a bucket, which is in the names of the files of a bucketed table.
//!
//! ```text
//! 000003_0, 000003_0_copy_1                               Hive
//! 000003_0_lakegate-0000002a-0000000000000007-00003.orc   Lakegate
//! bucket_00003, bucket_00003_0                            Hive's transactional tables
//! 20240102_030405_00006_abcde_bucket-00003.gz.parquet     Trino and Athena
//! ```

/// Returns the bucket of a file, from 0. `None`: the name has none, or one that the table does not
/// have.
///
/// `buckets`: how many the table has.
pub(in crate::table) fn of_file(name: &str, buckets: i32) -> Option<i32> {
    let number = of_trino(name).or_else(|| of_hive(name))?;
    let number: i32 = number.parse().ok()?;
    (number < buckets).then_some(number)
}

fn of_trino(name: &str) -> Option<&str> {
    let (before, after) = name.split_once("_bucket-")?;
    // The time, the query and a random suffix.
    (before.split('_').count() == 4).then_some(digits(after)?)
}

fn of_hive(name: &str) -> Option<&str> {
    if let Some(after) = name.strip_prefix("bucket_") {
        return digits(after);
    }
    let number = digits(name)?;
    let attempt = name.get(number.len()..)?.strip_prefix('_')?;
    let six = number.len() >= 6 && number.starts_with('0');
    (six && digits(attempt).is_some()).then_some(number)
}

/// Returns the digits that a text begins with.
fn digits(text: &str) -> Option<&str> {
    let end = text.find(|character: char| !character.is_ascii_digit());
    let digits = text.get(..end.unwrap_or(text.len()))?;
    (!digits.is_empty()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_the_names_of_files() {
        for (name, expected) in [
            ("000000_0", Some(0)),
            ("000007_0_copy_1", Some(7)),
            ("000007_1.gz", Some(7)),
            (
                "000007_0_lakegate-0000002a-0000000000000007-00003.parquet",
                Some(7),
            ),
            ("bucket_00003", Some(3)),
            ("bucket_00003_0", Some(3)),
            (
                "20240102_030405_00006_abcde_bucket-00003.gz.parquet",
                Some(3),
            ),
            ("20240102_030405_00006_abcde_bucket-00003", Some(3)),
            ("000008_0", None),
            ("99999999999_0", None),
            ("part-00003.parquet", None),
            ("20240102_030405_00006_abcde_1f6c", None),
            ("000000", None),
            ("2024_1", None),
            ("bucket_", None),
            ("x_bucket-00003", None),
            ("", None),
        ] {
            assert_eq!(of_file(name, 8), expected, "{name}");
        }
    }
}
