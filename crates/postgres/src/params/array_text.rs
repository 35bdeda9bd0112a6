//! The text format of arrays: `{1,NULL,"a \"b\""}`, `{{1,2},{3,4}}`.

use std::iter::Peekable;
use std::str::Chars;

use lakegate_error::Result;

use super::{MAX_DIMENSIONS, MAX_ELEMENTS, too_many_elements};

/// A part of an array.
#[derive(Debug, PartialEq)]
pub(super) enum Item {
    Null,
    Text(String),
    /// Of the next dimension.
    Array(Vec<Item>),
}

/// Splits an array into its items; `None` if the text is not one. Inner arrays have items, and
/// stand among inner arrays only. Their lengths may differ.
///
/// # Errors
///
/// There are too many elements.
pub(super) fn items(text: &str) -> Option<Result<Vec<Item>>> {
    let body = match text.strip_prefix('[') {
        // Bounds, as in `[1:3]={1,2,3}`.
        Some(bounds) => bounds.split_once("]=")?.1,
        None => text,
    };
    let mut reader = Reader {
        chars: body.strip_prefix('{')?.chars().peekable(),
        count: 0,
    };
    match reader.array(1)? {
        Ok(items) => reader.chars.next().is_none().then_some(Ok(items)),
        too_many => Some(too_many),
    }
}

struct Reader<'a> {
    chars: Peekable<Chars<'a>>,
    /// The number of items so far.
    count: usize,
}

impl Reader<'_> {
    /// Reads an array behind its brace. `depth`: its dimension, from 1.
    fn array(&mut self, depth: usize) -> Option<Result<Vec<Item>>> {
        let mut items = Vec::new();
        self.skip_blanks();
        if self.chars.next_if_eq(&'}').is_some() {
            return (depth == 1).then_some(Ok(items));
        }
        loop {
            self.skip_blanks();
            let item = match self.chars.next_if_eq(&'{') {
                Some(_) if depth == MAX_DIMENSIONS => return None,
                Some(_) => match self.array(depth + 1)? {
                    Ok(inner) => Item::Array(inner),
                    Err(error) => return Some(Err(error)),
                },
                None => self.element()?,
            };
            self.count += 1;
            if self.count > MAX_ELEMENTS {
                return Some(Err(too_many_elements()));
            }
            let is_array = |item: &Item| matches!(item, Item::Array(_));
            if items
                .last()
                .is_some_and(|last| is_array(last) != is_array(&item))
            {
                return None;
            }
            items.push(item);
            self.skip_blanks();
            match self.chars.next()? {
                ',' => {}
                '}' => return Some(Ok(items)),
                _ => return None,
            }
        }
    }

    /// Reads an element, with quotes or without.
    fn element(&mut self) -> Option<Item> {
        let mut element = String::new();
        if self.chars.next_if_eq(&'"').is_some() {
            loop {
                match self.chars.next()? {
                    '"' => return Some(Item::Text(element)),
                    '\\' => element.push(self.chars.next()?),
                    other => element.push(other),
                }
            }
        }
        // The bytes up to the last character that is escaped, which is not a blank to leave out.
        let mut escaped = 0;
        while let Some(next) = self.chars.next_if(|next| !matches!(next, ',' | '}')) {
            match next {
                '\\' => {
                    element.push(self.chars.next()?);
                    escaped = element.len();
                }
                '{' | '"' => return None,
                other => element.push(other),
            }
        }
        let kept = element.trim_end_matches(|blank: char| blank.is_ascii_whitespace());
        let kept = kept.len().max(escaped);
        element.truncate(kept);
        match element.is_empty() {
            true => None,
            false if escaped == 0 && element.eq_ignore_ascii_case("null") => Some(Item::Null),
            false => Some(Item::Text(element)),
        }
    }

    fn skip_blanks(&mut self) {
        while self.chars.next_if(char::is_ascii_whitespace).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(items: &[Item]) -> String {
        let shown = items.iter().map(|item| match item {
            Item::Null => "-".to_owned(),
            Item::Text(text) => format!("<{text}>"),
            Item::Array(items) => shown(items),
        });
        format!("[{}]", shown.collect::<String>())
    }

    #[test]
    fn items_are_split() {
        for (text, expected) in [
            ("{}", "[]"),
            ("{ }", "[]"),
            ("{1, 2 ,NULL}", "[<1><2>-]"),
            (
                r#"{"a,b","\"\\", "NULL" ,n\ull}"#,
                r#"[<a,b><"\><NULL><null>]"#,
            ),
            ("{ a\\  , b c\u{a0} ,\\ }", "[<a ><b c\u{a0}>< >]"),
            ("{{1,2},{3,NULL}}", "[[<1><2>][<3>-]]"),
            ("[0:1]={ {{1}} , {{2}} }", "[[[<1>]][[<2>]]]"),
        ] {
            assert_eq!(shown(&items(text).unwrap().unwrap()), expected, "{text}");
        }
        for text in [
            "",
            "{",
            "}",
            "{1",
            "1}",
            "{1,}",
            "{,1}",
            "{1}}",
            "{1}x",
            "{{1},2}",
            "{1,{2}}",
            "{NULL,{2}}",
            "{{}}",
            "{{1},{}}",
            "{\"a",
            "{\"a\"b}",
            "{a\"b\"}",
            "{a{b}}",
            "{1\\",
            "{{{{{{{1}}}}}}}",
        ] {
            assert!(items(text).is_none(), "{text}");
        }
        let many = format!("{{{}1}}", "1,".repeat(MAX_ELEMENTS));
        assert!(items(&many).unwrap().is_err());
    }
}
