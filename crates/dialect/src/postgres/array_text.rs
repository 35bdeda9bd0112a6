//! Arrays in PostgreSQL's text form, such as `{a,"b c",NULL}` and `{{1,2},{3,4}}`.

use std::iter::Peekable;
use std::str::Chars;

use lakegate_error::{Code, Error};

use super::cell::Cell;

/// The most dimensions of an array, which bounds the recursion.
const MAX_DIMENSIONS: usize = 6;

/// An item of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArrayItem {
    Null,
    Text(String),
    Array(Vec<ArrayItem>),
}

impl ArrayItem {
    /// Returns the item as a value, whose texts are texts.
    pub(crate) fn into_cell(self) -> Cell<'static> {
        match self {
            Self::Null => Cell::Null,
            Self::Text(text) => Cell::text(text),
            Self::Array(items) => Cell::List(items.into_iter().map(Self::into_cell).collect()),
        }
    }
}

/// What is wrong with a text, as PostgreSQL says it.
enum Fault {
    Malformed(String),
    TooDeep(usize),
    Bounds,
}

fn malformed<T>(detail: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Malformed(detail.into()))
}

/// Splits the text of an array into its items.
///
/// # Errors
///
/// The text is not an array, or is one whose items are not counted from 1.
pub fn parse_array(text: &str) -> Result<Vec<ArrayItem>, Error> {
    parse(text).map_err(|fault| match fault {
        Fault::Malformed(detail) => Error::new(
            Code::InvalidCast,
            format!("malformed array literal: \"{text}\""),
        )
        .with_detail(detail),
        Fault::TooDeep(depth) => Error::new(
            Code::ResultTooLarge,
            format!(
                "number of array dimensions ({depth}) exceeds the maximum allowed ({MAX_DIMENSIONS})"
            ),
        ),
        Fault::Bounds => Error::not_supported(format!(
            "array literal \"{text}\": the items of an array are counted from 1"
        ))
        .with_hint("leave out the bounds before the equals sign"),
    })
}

fn parse(text: &str) -> Result<Vec<ArrayItem>, Fault> {
    let text = text.trim();
    let (bounds, braces) = match text.starts_with('[') {
        true => match text.split_once('=') {
            Some((bounds, braces)) => (Some(bounds.trim()), braces.trim_start()),
            None => return malformed("Missing \"=\" after array dimensions."),
        },
        false => (None, text),
    };
    let Some(inner) = braces.strip_prefix('{') else {
        return malformed(match bounds {
            Some(_) => "Array contents must start with \"{\".",
            None => "Array value must start with \"{\" or dimension information.",
        });
    };
    let mut parser = Parser {
        chars: inner.chars().peekable(),
    };
    let items = parser.items(1)?;
    parser.blanks();
    if parser.chars.peek().is_some() {
        return malformed("Junk after closing right brace.");
    }
    let Some(lengths) = lengths(&items) else {
        return malformed("Multidimensional arrays must have sub-arrays with matching dimensions.");
    };
    match bounds.map(bounds_of) {
        None => Ok(items),
        Some(None) => malformed("\"[\" must introduce explicitly-specified array dimensions."),
        Some(Some(bounds)) if bounds.iter().any(|(first, _)| *first != 1) => Err(Fault::Bounds),
        Some(Some(bounds)) => {
            let last = |length: &usize| i64::try_from(*length).ok();
            let fits = bounds.len() == lengths.len()
                && bounds
                    .iter()
                    .zip(&lengths)
                    .all(|((_, to), length)| Some(*to) == last(length));
            match fits {
                true => Ok(items),
                false => malformed("Specified array dimensions do not match array contents."),
            }
        }
    }
}

/// Returns the bounds of `[1:2][1:3]`; `None` for other texts.
fn bounds_of(text: &str) -> Option<Vec<(i64, i64)>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let bounds = inner.split("][").map(|bound| match bound.split_once(':') {
        Some((first, last)) => Some((first.trim().parse().ok()?, last.trim().parse().ok()?)),
        None => Some((1, bound.trim().parse().ok()?)),
    });
    bounds.collect()
}

/// Returns the length of each dimension; `None` if the arrays of one differ.
fn lengths(items: &[ArrayItem]) -> Option<Vec<usize>> {
    let mut inner: Option<Vec<usize>> = None;
    for (place, item) in items.iter().enumerate() {
        let own = match item {
            ArrayItem::Array(items) => Some(lengths(items)?),
            _ => None,
        };
        if place > 0 && own != inner {
            return None;
        }
        inner = own;
    }
    let own = std::iter::once(items.len());
    Some(own.chain(inner.into_iter().flatten()).collect())
}

struct Parser<'a> {
    chars: Peekable<Chars<'a>>,
}

impl Parser<'_> {
    fn blanks(&mut self) {
        while self.chars.next_if(|c| c.is_whitespace()).is_some() {}
    }

    /// Reads the items of an array whose brace is open, and its other brace.
    fn items(&mut self, depth: usize) -> Result<Vec<ArrayItem>, Fault> {
        if depth > MAX_DIMENSIONS {
            return Err(Fault::TooDeep(depth));
        }
        let mut items: Vec<ArrayItem> = Vec::new();
        self.blanks();
        if depth == 1 && self.chars.next_if_eq(&'}').is_some() {
            return Ok(items);
        }
        loop {
            self.blanks();
            let of_arrays = match items.first() {
                Some(ArrayItem::Array(_)) => Some(true),
                Some(_) => Some(false),
                None => None,
            };
            let item = match self.chars.peek().copied() {
                None => return malformed("Unexpected end of input."),
                Some(brace @ ('}' | ',')) => {
                    return malformed(format!("Unexpected \"{brace}\" character."));
                }
                Some('{') if of_arrays == Some(false) => {
                    return malformed("Unexpected \"{\" character.");
                }
                Some('{') => {
                    self.chars.next();
                    ArrayItem::Array(self.items(depth + 1)?)
                }
                Some(_) if of_arrays == Some(true) => {
                    return malformed("Unexpected array element.");
                }
                Some('"') => {
                    self.chars.next();
                    self.quoted()?
                }
                Some(_) => self.plain()?,
            };
            items.push(item);
            self.blanks();
            match self.chars.next() {
                Some('}') => return Ok(items),
                Some(',') => {}
                None => return malformed("Unexpected end of input."),
                Some('{') => return malformed("Unexpected \"{\" character."),
                Some(_) => return malformed("Unexpected array element."),
            }
        }
    }

    /// Reads a text behind its quote, with the other quote.
    fn quoted(&mut self) -> Result<ArrayItem, Fault> {
        let mut text = String::new();
        loop {
            match self.chars.next() {
                Some('"') => return Ok(ArrayItem::Text(text)),
                Some('\\') => match self.chars.next() {
                    Some(c) => text.push(c),
                    None => return malformed("Unexpected end of input."),
                },
                Some(c) => text.push(c),
                None => return malformed("Unexpected end of input."),
            }
        }
    }

    /// Reads a text without quotes.
    fn plain(&mut self) -> Result<ArrayItem, Fault> {
        let mut text = String::new();
        // The length of the text without the blanks at its end.
        let mut kept = 0;
        let mut escaped = false;
        while let Some(c) = self.chars.next_if(|c| !matches!(c, ',' | '}' | '{' | '"')) {
            if c == '\\' {
                let Some(c) = self.chars.next() else {
                    return malformed("Unexpected end of input.");
                };
                escaped = true;
                text.push(c);
                kept = text.len();
                continue;
            }
            text.push(c);
            if !c.is_whitespace() {
                kept = text.len();
            }
        }
        text.truncate(kept);
        Ok(match !escaped && text.eq_ignore_ascii_case("null") {
            true => ArrayItem::Null,
            false => ArrayItem::Text(text),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn array_text_has_quotes_escapes_and_nulls() {
        let text = |text: &str| ArrayItem::Text(text.to_owned());
        assert!(parse_array("{}").unwrap().is_empty());
        assert_eq!(
            parse_array("{a, NULL ,\"NULL\", b c }").unwrap(),
            [text("a"), ArrayItem::Null, text("NULL"), text("b c")]
        );
        assert_eq!(
            parse_array(r#"{"a,\"b\\",c\,d,\null}"#).unwrap(),
            [text(r#"a,"b\"#), text("c,d"), text("null")]
        );
    }

    #[test]
    fn arrays_have_dimensions() {
        let text = |text: &str| ArrayItem::Text(text.to_owned());
        let array = ArrayItem::Array;
        for text_of in [
            "{{1,NULL},{3,4}}",
            " { { 1 , null } , {3,4} } ",
            "[1:2][1:2]={{1,NULL},{3,4}}",
        ] {
            let rows = vec![
                array(vec![text("1"), ArrayItem::Null]),
                array(vec![text("3"), text("4")]),
            ];
            assert_eq!(parse_array(text_of).unwrap(), rows, "{text_of}");
        }
    }

    // PostgreSQL 15's answers.
    #[test]
    fn errors_say_what_is_wrong() {
        let matching = "Multidimensional arrays must have sub-arrays with matching dimensions.";
        for (text, detail) in [
            (
                "x",
                "Array value must start with \"{\" or dimension information.",
            ),
            ("{{1,{2}},{2,3}}", "Unexpected \"{\" character."),
            ("{{},{}}", "Unexpected \"}\" character."),
            ("{}}", "Junk after closing right brace."),
            ("{ }}", "Junk after closing right brace."),
            ("{{\"1 2\" x},{3}}", "Unexpected array element."),
            ("{a", "Unexpected end of input."),
            ("{\"a}", "Unexpected end of input."),
            ("{a,}", "Unexpected \"}\" character."),
            ("{,a}", "Unexpected \",\" character."),
            ("{{1,2},{3}}", matching),
            ("{{{1}},{{2},{3}}}", matching),
            ("{{1},2}", "Unexpected array element."),
            ("{{a}b}", "Unexpected array element."),
            ("{a\"b\"}", "Unexpected array element."),
            ("{a{b}", "Unexpected \"{\" character."),
            (
                "[1:3]={1,2}",
                "Specified array dimensions do not match array contents.",
            ),
        ] {
            let error = parse_array(text).unwrap_err();
            assert_eq!(error.code(), Code::InvalidCast, "{text}");
            assert_eq!(error.detail(), Some(detail), "{text}");
        }
        let deep = parse_array("{{{{{{{1}}}}}}}").unwrap_err();
        assert_eq!(deep.code(), Code::ResultTooLarge);
        let bounds = parse_array("[0:1]={1,2}").unwrap_err();
        assert_eq!(bounds.code(), Code::NotSupported);
    }
}
