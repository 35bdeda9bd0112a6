//! Names of encodings, as PostgreSQL has them (`encnames.c`).

use super::{Encoding, by_name};

/// What a name of an encoding stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// `UTF8`, or `SQL_ASCII`, which stands for the encoding of the server: texts stay as they are.
    Same(&'static str),
    Converted(&'static Encoding),
    /// PostgreSQL's name of one that has no conversion here.
    Unsupported(&'static str),
}

/// Other spellings than the names themselves, without signs and in lower case, sorted.
const ALIASES: &[(&str, &str)] = &[
    ("alt", "WIN866"),
    ("iso88591", "LATIN1"),
    ("iso885910", "LATIN6"),
    ("iso885913", "LATIN7"),
    ("iso885914", "LATIN8"),
    ("iso885915", "LATIN9"),
    ("iso885916", "LATIN10"),
    ("iso88592", "LATIN2"),
    ("iso88593", "LATIN3"),
    ("iso88594", "LATIN4"),
    ("iso88599", "LATIN5"),
    ("koi8", "KOI8R"),
    ("mskanji", "SJIS"),
    ("shiftjis", "SJIS"),
    ("tcvn", "WIN1258"),
    ("tcvn5712", "WIN1258"),
    ("unicode", "UTF8"),
    ("vscii", "WIN1258"),
    ("win", "WIN1251"),
    ("win932", "SJIS"),
    ("win936", "GBK"),
    ("win949", "UHC"),
    ("win950", "BIG5"),
    ("windows1250", "WIN1250"),
    ("windows1251", "WIN1251"),
    ("windows1252", "WIN1252"),
    ("windows1253", "WIN1253"),
    ("windows1254", "WIN1254"),
    ("windows1255", "WIN1255"),
    ("windows1256", "WIN1256"),
    ("windows1257", "WIN1257"),
    ("windows1258", "WIN1258"),
    ("windows866", "WIN866"),
    ("windows874", "WIN874"),
    ("windows932", "SJIS"),
    ("windows936", "GBK"),
    ("windows949", "UHC"),
    ("windows950", "BIG5"),
];

/// Encodings of PostgreSQL that have no conversion here.
const UNSUPPORTED: [&str; 6] = [
    "EUC_JIS_2004",
    "EUC_TW",
    "GB18030",
    "JOHAB",
    "MULE_INTERNAL",
    "SHIFT_JIS_2004",
];

/// The longest name that is looked at, in bytes.
const LONGEST: usize = 63;

/// Returns what a name stands for. Case and signs do not count. `None` if there is no such encoding.
pub fn encoding_named(name: &str) -> Option<Named> {
    if name.len() > LONGEST {
        return None;
    }
    let plain = plain(name);
    let alias = ALIASES.binary_search_by(|(alias, _)| alias.cmp(&plain.as_str()));
    let alias = alias.ok().and_then(|place| ALIASES.get(place));
    let plain = alias.map_or(plain, |(_, name)| self::plain(name));
    for same in ["UTF8", "SQL_ASCII"] {
        if self::plain(same) == plain {
            return Some(Named::Same(same));
        }
    }
    let unsupported = UNSUPPORTED
        .into_iter()
        .find(|one| self::plain(one) == plain);
    if let Some(name) = unsupported {
        return Some(Named::Unsupported(name));
    }
    let upper = plain.to_ascii_uppercase();
    let with_signs = [
        upper.replace("EUC", "EUC_"),
        upper.replace("ISO8859", "ISO_8859_"),
        upper,
    ];
    with_signs
        .iter()
        .find_map(|name| by_name(name))
        .map(Named::Converted)
}

/// Returns the letters and digits of a name in lower case.
fn plain(name: &str) -> String {
    let kept = name.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::super::ALL;
    use super::*;

    #[test]
    fn every_encoding_is_found_by_its_name_and_by_others() {
        assert!(ALIASES.is_sorted_by(|(a, _), (b, _)| a < b));
        assert!(ALL.is_sorted_by(|a, b| a.name() < b.name()));
        for encoding in &ALL {
            let named = encoding_named(encoding.name());
            assert_eq!(named, Some(Named::Converted(encoding)), "{encoding:?}");
        }
        for (alias, name) in ALIASES {
            let found = match encoding_named(alias) {
                Some(Named::Same(name)) => name,
                Some(Named::Converted(encoding)) => encoding.name(),
                other => panic!("{alias}: {other:?}"),
            };
            assert_eq!(found, *name, "{alias}");
        }
        for name in UNSUPPORTED {
            assert_eq!(encoding_named(name), Some(Named::Unsupported(name)));
        }
    }

    // Expected names: PostgreSQL 15.
    #[test]
    fn case_and_signs_do_not_count() {
        for (name, expected) in [
            ("iso-8859-1", "LATIN1"),
            ("ISO_8859-1", "LATIN1"),
            ("windows-1252", "WIN1252"),
            ("koi8", "KOI8R"),
            ("shift_jis", "SJIS"),
            ("euc-jp", "EUC_JP"),
            ("iso88596", "ISO_8859_6"),
            ("'Latin 1'", "LATIN1"),
        ] {
            match encoding_named(name) {
                Some(Named::Converted(found)) => assert_eq!(found.name(), expected, "{name}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert_eq!(encoding_named("'utf-8'"), Some(Named::Same("UTF8")));
        assert_eq!(encoding_named("sql ascii"), Some(Named::Same("SQL_ASCII")));
        assert_eq!(
            encoding_named("mule-internal"),
            Some(Named::Unsupported("MULE_INTERNAL"))
        );
        for absent in ["", "cp1252", "ascii", "latin11", "é", "ebcdic"] {
            assert_eq!(encoding_named(absent), None, "{absent}");
        }
        assert_eq!(encoding_named(&"-".repeat(100)), None);
    }
}
