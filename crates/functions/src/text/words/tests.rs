#![allow(clippy::unwrap_used)]
use rust_stemmers::Stemmer;

use crate::testing::{error, rows, value};

#[tokio::test]
async fn distances_count_characters() {
    let query = "SELECT levenshtein_distance(x, y) FROM (VALUES ('', ''), ('', 'é😀'), ('é', ''), ('abc', 'abc'), ('flaw', 'lawn'), ('é', 'e'), (NULL, 'a')) t(x, y)";
    let expected = ["0", "2", "1", "0", "2", "1", "NULL"];
    assert_eq!(rows(query).await.unwrap(), expected);
    let long = "levenshtein_distance(lpad('', 2000, 'x'), lpad('', 2000, 'y'))";
    assert!(error(long).await.contains("too long"));
    let query = "SELECT hamming_distance(x, y) FROM (VALUES ('', ''), ('éa', 'eb'), ('ab', 'ab'), (NULL, '')) t(x, y)";
    assert_eq!(rows(query).await.unwrap(), ["0", "2", "0", "NULL"]);
    assert!(
        error("hamming_distance('a', 'ab')")
            .await
            .contains("same length")
    );
    assert!(
        error("hamming_distance('é', 'ab')")
            .await
            .contains("same length")
    );
}

#[tokio::test]
async fn texts_are_normalized() {
    assert_eq!(
        value("length(normalize('e' || chr(769)))").await.unwrap(),
        "1"
    );
    assert_eq!(value("length(normalize('é', 'NFD'))").await.unwrap(), "2");
    assert_eq!(value("length(normalize('ﬁé', 'NFKD'))").await.unwrap(), "4");
    let query = "SELECT normalize(x) FROM (VALUES ('abc'), (''), (NULL)) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["abc", "", "NULL"]);
    assert!(error("normalize('a', 'nfc')").await.contains("form"));
}

#[tokio::test]
async fn words_have_codes_of_their_sounds() {
    let query = "SELECT soundex(x) FROM (VALUES ('Rupert'), ('Tymczak'), ('Pfister'), ('Honeyman'), ('Ashcraft'), ('a'), ('4 '), (''), ('o''Hara'), (NULL)) t(x)";
    let expected = [
        "R163", "T522", "P236", "H555", "A261", "A000", "", "", "O600", "NULL",
    ];
    assert_eq!(rows(query).await.unwrap(), expected);
    assert!(error("soundex('jąmes')").await.contains("letters"));
}

#[tokio::test]
async fn words_have_stems() {
    let query = "SELECT word_stem(x) FROM (VALUES ('generally'), ('useful'), ('runs'), ('run'), (''), (NULL)) t(x)";
    let expected = ["general", "use", "run", "run", "", "NULL"];
    assert_eq!(rows(query).await.unwrap(), expected);
    let query = "SELECT word_stem(x, l) FROM (VALUES ('continuités', 'fr'), ('ocasionales', 'es'), ('beeinträchtigung', 'de'), ('bücher', 'de'), ('buecher', 'de'), ('quelle', 'de'), ('runs', NULL)) t(x, l)";
    let expected = [
        "continu",
        "ocasional",
        "beeintracht",
        "buch",
        "buch",
        "quell",
        "NULL",
    ];
    assert_eq!(rows(query).await.unwrap(), expected);
    assert!(error("word_stem('x', 'xx')").await.contains("language"));
    assert!(error("word_stem('x', 'lt')").await.contains("no stemmer"));
    assert!(
        error("word_stem(lpad('', 5000, 'x'))")
            .await
            .contains("at most")
    );
}

#[test]
fn stemmers_do_not_panic() {
    let pieces = [
        "ß", "é", "qu", "ue", "y", "ing", "İ", "ı", "ы", "😀", "ational", "ss", "e\u{301}", "lar",
        "mente", "ß", "ø", "'s", "-", "ABC",
    ];
    let languages = "da de en es fi fr hu it nl no pt ro ru sv tr";
    let mut seed = 1u64;
    for language in languages.split(' ') {
        let stemmer = Stemmer::create(super::algorithm(language).unwrap());
        for length in 0..400 {
            let word: String = (0..length % 9)
                .map(|_| {
                    seed = seed
                        .wrapping_mul(6364136223846793005)
                        .wrapping_add(1442695040888963407);
                    pieces[(seed >> 33) as usize % pieces.len()]
                })
                .collect();
            stemmer.stem(&super::german(&word));
            stemmer.stem(&word);
        }
    }
}

#[tokio::test]
async fn check_digits_are_checked() {
    let query = "SELECT luhn_check(x) FROM (VALUES ('1234567891234567'), (''), ('123456789'), ('18'), (NULL)) t(x)";
    let expected = ["false", "false", "false", "true", "NULL"];
    assert_eq!(rows(query).await.unwrap(), expected);
    assert!(
        error("luhn_check('abcd424242424242')")
            .await
            .contains("digits")
    );
}
