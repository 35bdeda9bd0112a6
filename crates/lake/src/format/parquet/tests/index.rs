//! Tables whose files come from a fixed list and not from their folder.

use super::*;
use crate::table::{DataFile, FileList};

/// A table of two files, of which `listed` are in its list.
async fn lake(listed: impl Fn(&str, &mut DataFile) -> bool) -> Lake {
    let mut lake = Lake::new(&[("n", "bigint")]);
    let mut files = Vec::new();
    for (name, values) in [("a", 0..3), ("b", 10..12)] {
        lake.put(name, file(&batch(vec![("n", ints(values))]), 10))
            .await;
        let path = Path::from("t").join(name);
        let mut found = DataFile::from(lake.store.head(&path).await.unwrap());
        if listed(name, &mut found) {
            files.push(found);
        }
    }
    let folder = lake.roots.locate("s3://lake/t/").unwrap();
    let table = Arc::get_mut(&mut lake.table).unwrap();
    table.index = Arc::new(FileList::new([(folder, files)]));
    lake
}

#[tokio::test]
async fn only_listed_files_are_read() {
    let listed = lake(|name, _| name == "b").await;
    assert_eq!(
        listed.rows("SELECT n FROM t ORDER BY n").await,
        [["10"], ["11"]]
    );
    let empty = lake(|_, _| false).await;
    assert_eq!(empty.rows("SELECT count(*) FROM t").await, [["0"]]);
}

#[tokio::test]
async fn file_is_read_only_with_the_etag_of_the_list() {
    for max_statistics_files in [0, 4096] {
        let mut stale = lake(|name, file| {
            if name == "a" {
                file.e_tag = Some("replaced".to_owned());
            }
            true
        })
        .await;
        stale.max_statistics_files = max_statistics_files;
        assert!(stale.query("SELECT sum(n) FROM t").await.is_err());
        let mut current = lake(|_, _| true).await;
        current.max_statistics_files = max_statistics_files;
        assert_eq!(current.rows("SELECT sum(n) FROM t").await, [["24"]]);
    }
}
