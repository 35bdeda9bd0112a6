#![allow(clippy::unwrap_used)]
use crate::testing::{error, rows, value};

#[tokio::test]
async fn occurrences_are_counted_from_both_ends() {
    let query = "SELECT strpos(x, 'a') FROM (VALUES ('éa'), ('b'), (''), (NULL)) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["2", "0", "0", "NULL"]);
    let query = "SELECT strpos('aaaé😀aa', 'aa', n) FROM (VALUES (1), (2), (3), (4), (-1), (-2), (-3), (-4), (NULL)) t(n)";
    let expected = ["1", "2", "6", "0", "6", "2", "1", "0", "NULL"];
    assert_eq!(rows(query).await.unwrap(), expected);
    assert_eq!(value("strpos('abc', '')").await.unwrap(), "1");
    assert_eq!(value("strpos('', '', -2)").await.unwrap(), "1");
    assert_eq!(value("strpos('é😀é', 'é', -1)").await.unwrap(), "3");
    assert_eq!(value("strpos('é😀é', 'é', -2)").await.unwrap(), "1");
    assert!(error("strpos('a', 'a', 0)").await.contains("must not be 0"));
    assert_eq!(value("position('b' IN 'ab')").await.unwrap(), "2");
}

// Quoted names: the engine's planner has syntax of its own for `substr`.
#[tokio::test]
async fn parts_begin_at_either_end() {
    let query = "SELECT \"substr\"('aé😀d', n) FROM (VALUES (1), (2), (4), (5), (0), (-1), (-4), (-5), (NULL)) t(n)";
    let expected = ["aé😀d", "é😀d", "d", "", "", "d", "aé😀d", "", "NULL"];
    assert_eq!(rows(query).await.unwrap(), expected);
    let query = "SELECT \"substring\"('aé😀d', n, m) FROM (VALUES (1, 2), (3, 9), (2, 0), (2, -1), (0, 2), (-3, 2), (-1, 9), (-9, 9), (9, 1)) t(n, m)";
    let expected = ["aé", "😀d", "", "", "", "é😀", "d", "", ""];
    assert_eq!(rows(query).await.unwrap(), expected);
    let far = "\"substr\"('abc', 2, 9223372036854775807)";
    assert_eq!(value(far).await.unwrap(), "bc");
    let far = "\"substr\"('abc', -9223372036854775807)";
    assert_eq!(value(far).await.unwrap(), "");
    assert_eq!(value("\"substr\"('', 1)").await.unwrap(), "");
    assert_eq!(
        value("\"substr\"(to_utf8('abcd'), -3, 2)").await.unwrap(),
        "62 63"
    );
    assert_eq!(value("\"substr\"(to_utf8('abcd'), 9)").await.unwrap(), "");
    assert_eq!(
        value("\"substr\"(to_utf8('abcd'), 3)").await.unwrap(),
        "63 64"
    );
}

#[tokio::test]
async fn texts_and_bytes_are_filled_or_cut() {
    let query = "SELECT lpad(x, n, p) FROM (VALUES ('é', 4, 'xy'), ('é', 1, 'x'), ('abc', 2, 'x'), ('', 3, '😀'), ('a', 0, 'x'), (NULL, 1, 'x'), ('a', NULL, 'x')) t(x, n, p)";
    let expected = ["xyxé", "é", "ab", "😀😀😀", "", "NULL", "NULL"];
    assert_eq!(rows(query).await.unwrap(), expected);
    assert_eq!(value("rpad('é', 6, 'xy')").await.unwrap(), "éxyxyx");
    assert_eq!(
        value("lpad(to_utf8('a'), 3, to_utf8('xy'))").await.unwrap(),
        "78 79 61"
    );
    assert_eq!(
        value("rpad(to_utf8('a'), 4, to_utf8('xy'))").await.unwrap(),
        "61 78 79 78"
    );
    assert_eq!(
        value("rpad(to_utf8('abc'), 2, to_utf8('xy'))")
            .await
            .unwrap(),
        "61 62"
    );
    assert!(error("lpad('a', 2, '')").await.contains("empty"));
    assert!(error("lpad('a', -1, 'x')").await.contains("length"));
    assert!(error("rpad('a', 2147483647, 'x')").await.contains("bytes"));
    assert!(error("lpad('a', 2147483648, 'x')").await.contains("length"));
}

#[tokio::test]
async fn parts_are_replaced_or_removed() {
    let query = "SELECT replace(x, 'é', 'ee') FROM (VALUES ('éaé'), (''), ('b'), (NULL)) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["eeaee", "", "b", "NULL"]);
    assert_eq!(value("replace('aba', 'a')").await.unwrap(), "b");
    assert_eq!(value("replace('é😀', '', '-')").await.unwrap(), "-é-😀-");
    assert_eq!(value("replace('', '', '-')").await.unwrap(), "-");
    assert_eq!(value("replace('a', NULL)").await.unwrap(), "NULL");
}

/// Texts with characters of all lengths.
const TEXTS: &str = "(VALUES ('banana'), ('éanané'), ('😀an😀an'), (''), ('an'), ('ananan é'), \
     ('a text of more than twelve bytes, an ASCII one'), (NULL), ('été, an été é')) t(x)";

#[tokio::test]
async fn constant_and_varying_parts_are_found_alike() {
    for part in ["an", "é", "a", "😀an", "", "x", "été, an été é"] {
        for call in [
            "strpos(x, ?)",
            "replace(x, ?, '<é>')",
            "replace(x, ?)",
            "split_part(x, ?, 2)",
        ] {
            let constant = call.replace('?', &format!("'{part}'"));
            let query = format!("SELECT {constant} FROM {TEXTS}");
            let constant = rows(&query).await.unwrap();
            // An expression of each row, which is always the same.
            let varying = call.replace('?', &format!("nullif('{part}', concat(x, '!'))"));
            let query = format!("SELECT {varying} FROM {TEXTS}");
            assert_eq!(rows(&query).await.unwrap(), constant, "{call} {part}");
        }
    }
}

#[test]
fn parts_of_ascii_are_those_of_any_text() {
    let texts = [
        "",
        "abcdef",
        "éabc",
        "abcé",
        "ab😀cd",
        "é",
        "a€",
        "0123456789abcdefé",
    ];
    let numbers = [i64::MIN, -7, -4, -1, 0, 1, 2, 3, 5, 6, 7, 17, 18, i64::MAX];
    for text in texts {
        for start in numbers {
            for length in numbers {
                assert_eq!(
                    super::part(text, start, length),
                    super::part_of_any(text, start, length),
                    "{text} {start} {length}"
                );
            }
        }
    }
}
