//! `levenshtein_distance`, `hamming_distance`, `normalize`, `soundex`, `word_stem`, `luhn_check`.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, Int64Builder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use lakegate_error::Error;
use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::{UnicodeNormalization, is_nfc, is_nfd, is_nfkc, is_nfkd};

use super::SECTION;
use super::arguments::{Texts, invalid, quoted, takes, text};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};

static LEVENSHTEIN: Page = Page {
    name: "levenshtein_distance",
    section: SECTION,
    syntax: "levenshtein_distance(text, text)",
    sentence: "Returns how many characters must be added, removed or replaced to make one text of another.",
    example: "levenshtein_distance('kitten', 'sitting')",
    result: "3",
};

static HAMMING: Page = Page {
    name: "hamming_distance",
    section: SECTION,
    syntax: "hamming_distance(text, text)",
    sentence: "Returns at how many places two texts of the same length differ.",
    example: "hamming_distance('karolin', 'kathrin')",
    result: "3",
};

static NORMALIZE: Page = Page {
    name: "normalize",
    section: SECTION,
    syntax: "normalize(text[, form])",
    sentence: "Returns a text in a normal form of Unicode: 'NFC', 'NFD', 'NFKC' or 'NFKD'.",
    example: "normalize('ﬁ', 'NFKC')",
    result: "fi",
};

static SOUNDEX: Page = Page {
    name: "soundex",
    section: SECTION,
    syntax: "soundex(text)",
    sentence: "Returns a code of how a word sounds in English.",
    example: "soundex('Robert')",
    result: "R163",
};

static WORD_STEM: Page = Page {
    name: "word_stem",
    section: SECTION,
    syntax: "word_stem(word[, language])",
    sentence: "Returns the stem of a word in English or in the language of a code such as 'de'.",
    example: "word_stem('generalizations')",
    result: "general",
};

static LUHN_CHECK: Page = Page {
    name: "luhn_check",
    section: SECTION,
    syntax: "luhn_check(digits)",
    sentence: "Tests whether the last of the digits is the check digit of Luhn's formula.",
    example: "luhn_check('4242424242424242')",
    result: "true",
};

pub(super) fn entries() -> Vec<Entry> {
    let one_or_two = || vec![takes([text()]), takes([text(), text()])];
    let all = [
        Kernel::new(
            &LEVENSHTEIN,
            vec![takes([text(), text()])],
            Returns::Type(DataType::Int64),
            |call| distances(call, levenshtein),
        ),
        Kernel::new(
            &HAMMING,
            vec![takes([text(), text()])],
            Returns::Type(DataType::Int64),
            |call| distances(call, hamming),
        ),
        Kernel::new(
            &NORMALIZE,
            one_or_two(),
            Returns::Type(DataType::Utf8),
            normalize,
        ),
        Kernel::new(
            &SOUNDEX,
            vec![takes([text()])],
            Returns::Type(DataType::Utf8),
            soundexes,
        ),
        Kernel::new(
            &WORD_STEM,
            one_or_two(),
            Returns::Type(DataType::Utf8),
            word_stem,
        ),
        Kernel::new(
            &LUHN_CHECK,
            vec![takes([text()])],
            Returns::Type(DataType::Boolean),
            luhn_checks,
        ),
    ];
    all.into_iter().map(Entry::scalar).collect()
}

fn distances(
    call: &Call<'_>,
    distance: fn(&Call<'_>, &str, &str) -> Result<usize>,
) -> Result<ArrayRef> {
    let (left, right) = (Texts::of(call, 0)?, Texts::of(call, 1)?);
    let mut distances = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(8)?;
        match left.get(row).zip(right.get(row)) {
            None => distances.append_null(),
            Some((left, right)) => {
                let distance = distance(call, left, right)?;
                distances.append_value(i64::try_from(distance).unwrap_or(i64::MAX));
            }
        }
    }
    Ok(Arc::new(distances.finish()))
}

/// Most comparisons of characters for one row, as in Trino.
const MOST_COMPARISONS: usize = 1_000_000;

fn levenshtein(call: &Call<'_>, left: &str, right: &str) -> Result<usize> {
    let (mut left, mut right): (Vec<char>, Vec<char>) = match (left.len(), right.len()) {
        // Texts that are too long are not copied.
        (a, b) if a.max(b) > 4 * MOST_COMPARISONS && a.min(b) > 0 => return Err(too_long()),
        (0, _) => return Ok(right.chars().count()),
        (_, 0) => return Ok(left.chars().count()),
        _ => (left.chars().collect(), right.chars().collect()),
    };
    if left.len() < right.len() {
        std::mem::swap(&mut left, &mut right);
    }
    if left.len().saturating_mul(right.len() - 1) > MOST_COMPARISONS {
        return Err(too_long());
    }
    let mut distances: Vec<usize> = (1..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        call.work.step()?;
        let mut diagonal = row;
        let mut before = row + 1;
        for (distance, b) in distances.iter_mut().zip(&right) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *distance;
            *distance = replaced.min(before + 1).min(diagonal + 1);
            before = *distance;
        }
    }
    Ok(distances.last().copied().unwrap_or(left.len()))
}

fn too_long() -> datafusion::error::DataFusionError {
    invalid("the texts of levenshtein_distance are too long together")
}

fn hamming(_: &Call<'_>, left: &str, right: &str) -> Result<usize> {
    let (mut left, mut right) = (left.chars(), right.chars());
    let mut distance = 0;
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ok(distance),
            (Some(a), Some(b)) => distance += usize::from(a != b),
            _ => {
                return Err(invalid(
                    "the texts of hamming_distance must have the same length",
                ));
            }
        }
    }
}

fn normalize(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    let forms = Texts::optional(call, 1)?;
    let mut normal = StringBuilder::new();
    for row in 0..call.rows {
        let form = match &forms {
            None => Some("NFC"),
            Some(forms) => forms.get(row),
        };
        let (Some(text), Some(form)) = (texts.get(row), form) else {
            call.work.step()?;
            normal.append_null();
            continue;
        };
        call.work.builds(text.len())?;
        let is_normal = match form {
            "NFC" => is_nfc(text),
            "NFD" => is_nfd(text),
            "NFKC" => is_nfkc(text),
            "NFKD" => is_nfkd(text),
            _ => {
                return Err(invalid(format!(
                    "the form of normalize must be 'NFC', 'NFD', 'NFKC' or 'NFKD', not {}",
                    quoted(form)
                )));
            }
        };
        if is_normal {
            normal.append_value(text);
            continue;
        }
        match form {
            "NFC" => add(call, text.nfc(), &mut normal)?,
            "NFD" => add(call, text.nfd(), &mut normal)?,
            "NFKC" => add(call, text.nfkc(), &mut normal)?,
            _ => add(call, text.nfkd(), &mut normal)?,
        }
    }
    Ok(Arc::new(normal.finish()))
}

fn add(
    call: &Call<'_>,
    characters: impl Iterator<Item = char>,
    builder: &mut StringBuilder,
) -> Result<()> {
    use std::fmt::Write;
    for character in characters {
        call.work.builds(character.len_utf8())?;
        let written = builder.write_char(character);
        written.map_err(|_| Error::internal("a text cannot be written"))?;
    }
    builder.append_value("");
    Ok(())
}

fn soundexes(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    let mut codes = StringBuilder::new();
    for row in 0..call.rows {
        call.work.builds(4)?;
        codes.append_option(texts.get(row).map(|text| soundex(call, text)).transpose()?);
    }
    Ok(Arc::new(codes.finish()))
}

/// The code of the first letter and the digits of the next letters: vowels have none, and H and W
/// do not separate letters of the same digit.
fn soundex(call: &Call<'_>, text: &str) -> Result<String> {
    let mut code = String::new();
    let mut last = '0';
    let letters = text.chars().filter(|character| character.is_alphabetic());
    for letter in letters.flat_map(char::to_uppercase) {
        call.work.step()?;
        if !code.is_empty() && matches!(letter, 'H' | 'W') {
            continue;
        }
        let digit = match letter {
            'A' | 'E' | 'I' | 'O' | 'U' | 'Y' | 'H' | 'W' => '0',
            'B' | 'F' | 'P' | 'V' => '1',
            'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => '2',
            'D' | 'T' => '3',
            'L' => '4',
            'M' | 'N' => '5',
            'R' => '6',
            _ => {
                return Err(invalid(format!(
                    "soundex takes letters from A to Z, not '{letter}'"
                )));
            }
        };
        if code.is_empty() {
            code.push(letter);
        } else if digit != '0' && digit != last {
            code.push(digit);
        }
        last = digit;
        if code.len() == 4 {
            return Ok(code);
        }
    }
    if !code.is_empty() {
        code.extend(std::iter::repeat_n('0', 4 - code.len()));
    }
    Ok(code)
}

/// Longest word, in bytes: a stemmer copies the word for each of its steps.
const LONGEST_WORD: usize = 4096;

fn word_stem(call: &Call<'_>) -> Result<ArrayRef> {
    let words = Texts::of(call, 0)?;
    let languages = Texts::optional(call, 1)?;
    let mut stems = StringBuilder::new();
    let mut of_language = None;
    for row in 0..call.rows {
        let language = match &languages {
            None => Some("en"),
            Some(languages) => languages.get(row),
        };
        let (Some(word), Some(language)) = (words.get(row), language) else {
            call.work.step()?;
            stems.append_null();
            continue;
        };
        if word.len() > LONGEST_WORD {
            return Err(invalid(format!(
                "word_stem takes a word of at most {LONGEST_WORD} bytes, not {}",
                word.len()
            )));
        }
        call.work.builds(word.len() + 8)?;
        let stemmer = match &of_language {
            Some((known, stemmer)) if *known == language => stemmer,
            _ => {
                let made = (language, Stemmer::create(algorithm(language)?));
                &of_language.insert(made).1
            }
        };
        match language {
            "de" => stems.append_value(stemmer.stem(&german(word))),
            _ => stems.append_value(stemmer.stem(word)),
        }
    }
    Ok(Arc::new(stems.finish()))
}

fn algorithm(language: &str) -> Result<Algorithm> {
    Ok(match language {
        "da" => Algorithm::Danish,
        "de" => Algorithm::German,
        "en" => Algorithm::English,
        "es" => Algorithm::Spanish,
        "fi" => Algorithm::Finnish,
        "fr" => Algorithm::French,
        "hu" => Algorithm::Hungarian,
        "it" => Algorithm::Italian,
        "nl" => Algorithm::Dutch,
        "no" => Algorithm::Norwegian,
        "pt" => Algorithm::Portuguese,
        "ro" => Algorithm::Romanian,
        "ru" => Algorithm::Russian,
        "sv" => Algorithm::Swedish,
        "tr" => Algorithm::Turkish,
        "ca" | "eu" | "hy" | "ir" | "lt" => {
            return Err(Error::not_supported(format!(
                "word_stem has no stemmer of the language '{language}'"
            ))
            .into());
        }
        _ => {
            return Err(invalid(format!(
                "word_stem does not know the language {}",
                quoted(language)
            )));
        }
    })
}

/// A German word whose `ae`, `oe` and `ue` are the letters that they stand for, as Trino's stemmer
/// reads them: not the `ue` after a `q`, nor one whose `u` is between vowels.
fn german(word: &str) -> String {
    let mut spelled = String::with_capacity(word.len());
    let mut characters = word.chars().peekable();
    let mut last = None;
    while let Some(character) = characters.next() {
        let is_umlaut = characters.peek() == Some(&'e')
            && match character {
                'a' | 'o' => true,
                'u' => last.is_none_or(|last| last != 'q' && !"aeiouyäöü".contains(last)),
                _ => false,
            };
        if is_umlaut {
            characters.next();
            spelled.push(match character {
                'a' => 'ä',
                'o' => 'ö',
                _ => 'ü',
            });
            last = Some('e');
        } else {
            spelled.push(character);
            last = Some(character);
        }
    }
    spelled
}

fn luhn_checks(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Texts::of(call, 0)?;
    let mut checks = BooleanBuilder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(1)?;
        checks.append_option(texts.get(row).map(luhn_check).transpose()?);
    }
    Ok(Arc::new(checks.finish()))
}

fn luhn_check(digits: &str) -> Result<bool> {
    let mut sum = 0u64;
    for (place, digit) in digits.bytes().rev().enumerate() {
        if !digit.is_ascii_digit() {
            return Err(invalid(format!(
                "luhn_check takes digits, not {}",
                quoted(digits)
            )));
        }
        let digit = u64::from(digit - b'0');
        sum += match (place % 2, digit) {
            (0, digit) => digit,
            (_, digit @ 0..=4) => 2 * digit,
            (_, digit) => 2 * digit - 9,
        };
    }
    Ok(!digits.is_empty() && sum.is_multiple_of(10))
}
