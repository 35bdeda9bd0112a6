//! The parts of a template that texts are read by.

use super::BETWEEN_CHECKS;
use crate::limits::stop;
use crate::time::template::{fills, pattern};

/// A part of a template.
pub(super) enum Element {
    Field {
        name: &'static str,
        /// Whether it takes all digits that follow.
        bare: bool,
        /// Whether two letters such as `th` follow its number.
        ordinal: bool,
    },
    /// From here on, a separator is exactly one character.
    Fixed,
    Separator,
    /// Another character, of which a text may have any.
    Char {
        is_digit: bool,
    },
}

/// Returns whether a character of a template or of a text is a separator.
pub(super) fn is_separator(char: char) -> bool {
    char.is_ascii_whitespace() || char.is_ascii_punctuation()
}

/// Returns whether an element begins with a digit.
pub(super) fn is_digits(element: &Element) -> bool {
    match element {
        Element::Field { name, .. } => !matches!(
            *name,
            "A.D."
                | "A.M."
                | "AD"
                | "AM"
                | "B.C."
                | "BC"
                | "DAY"
                | "DY"
                | "MONTH"
                | "MON"
                | "OF"
                | "P.M."
                | "PM"
                | "RM"
                | "TZH"
                | "TZ"
        ),
        Element::Char { is_digit } => *is_digit,
        Element::Fixed | Element::Separator => false,
    }
}

/// Returns the parts of a template; `None` if the query is stopped.
pub(super) fn of(template: &str) -> Option<Vec<Element>> {
    let mut elements = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        if elements.len().is_multiple_of(BETWEEN_CHECKS) && stop::check().is_err() {
            return None;
        }
        let (bare, after) = match fills(rest) {
            Some(after) => (true, after),
            None => (false, rest),
        };
        if let Some((found, _)) = pattern(after) {
            rest = after.get(found.len()..).unwrap_or_default();
            if found == "FX" {
                elements.push(Element::Fixed);
                continue;
            }
            let suffix = ["TH", "th", "SP"];
            let suffix = suffix.into_iter().find(|suffix| rest.starts_with(suffix));
            if let Some(suffix) = suffix {
                rest = rest.get(suffix.len()..).unwrap_or_default();
            }
            elements.push(Element::Field {
                name: found,
                bare,
                ordinal: suffix.is_some_and(|suffix| suffix != "SP"),
            });
            continue;
        }
        let Some(next) = after.chars().next() else {
            break;
        };
        rest = after.get(next.len_utf8()..).unwrap_or_default();
        match next {
            '"' => rest = quoted(&mut elements, rest),
            '\\' if rest.starts_with('"') => {
                elements.push(Element::Separator);
                rest = rest.get(1..).unwrap_or_default();
            }
            separator if is_separator(separator) => elements.push(Element::Separator),
            other => elements.push(char_of(other)),
        }
    }
    Some(elements)
}

fn char_of(char: char) -> Element {
    Element::Char {
        is_digit: char.is_ascii_digit(),
    }
}

/// Appends the characters of quoted text, and returns what follows it.
fn quoted<'a>(elements: &mut Vec<Element>, text: &'a str) -> &'a str {
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return text.get(at + 1..).unwrap_or_default(),
            '\\' => elements.extend(chars.next().map(|(_, escaped)| char_of(escaped))),
            other => elements.push(char_of(other)),
        }
    }
    ""
}
