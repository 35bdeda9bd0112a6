//! The tokens of paths: symbols, words, names, texts and numbers.

use super::super::Num;
use super::{Parsed, Parser};

impl<'a> Parser<'a> {
    pub(super) fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    /// Moves past a symbol if it is the next.
    pub(super) fn symbol(&mut self, symbol: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn expect(&mut self, symbol: &str, what: &'static str) -> Parsed<()> {
        match self.symbol(symbol) {
            true => Ok(()),
            false => Err(what),
        }
    }

    /// The identifier that is next, without moving past it.
    pub(super) fn next_identifier(&mut self) -> &'a str {
        self.space();
        let starts = |char: char| char.is_ascii_alphabetic() || char == '_';
        if !self.rest.starts_with(starts) {
            return "";
        }
        let end = self.rest.find(|char| !is_identifier(char));
        let (name, _) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        name
    }

    /// Moves past a word if it is the next.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let next = self.next_identifier() == word;
        if next {
            self.skip(word.len());
        }
        next
    }

    pub(super) fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// A member's name, in quotes or not.
    pub(super) fn name(&mut self) -> Parsed<String> {
        self.space();
        if self.rest.starts_with('"') {
            return self.string();
        }
        let name = self.next_identifier();
        if name.is_empty() {
            return Err("a name is expected");
        }
        self.skip(name.len());
        Ok(name.to_owned())
    }

    /// A text in quotes, where two quotes are one.
    pub(super) fn string(&mut self) -> Parsed<String> {
        if self.of_postgres {
            return self.json_string();
        }
        let mut string = String::new();
        self.skip(1);
        loop {
            let (part, rest) = self.rest.split_once('"').ok_or("a quote is missing")?;
            string.push_str(part);
            self.rest = rest;
            match rest.strip_prefix('"') {
                Some(rest) => {
                    string.push('"');
                    self.rest = rest;
                }
                None => return Ok(string),
            }
        }
    }

    /// A text in quotes with the escapes of JSON.
    fn json_string(&mut self) -> Parsed<String> {
        let mut string = String::new();
        self.skip(1);
        loop {
            let next = self.next_char().ok_or("a quote is missing")?;
            match next {
                '"' => return Ok(string),
                '\\' => {
                    let escaped = self.next_char().ok_or("a quote is missing")?;
                    string.push(match escaped {
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'v' => '\u{b}',
                        'u' => {
                            let digits = self.rest.get(..4).unwrap_or_default();
                            let code = u32::from_str_radix(digits, 16).ok();
                            let char = code.and_then(char::from_u32);
                            self.skip(digits.len());
                            char.ok_or("an escape is not valid")?
                        }
                        other => other,
                    });
                }
                other => string.push(other),
            }
        }
    }

    /// Moves past a character.
    fn next_char(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.skip(next.len_utf8());
        Some(next)
    }

    pub(super) fn number(&mut self) -> Parsed<Num> {
        let digits = |text: &str| {
            let end = text.find(|char: char| !char.is_ascii_digit());
            end.unwrap_or(text.len())
        };
        let rest = self.rest;
        let sign = usize::from(rest.starts_with('-'));
        let mut end = sign + digits(rest.get(sign..).unwrap_or_default());
        let mut exact = true;
        let mut whole = true;
        let tail = |end: usize| rest.get(end..).unwrap_or_default();
        if tail(end).starts_with('.') && !tail(end).starts_with("..") {
            whole = false;
            end += 1 + digits(tail(end + 1));
        }
        if let Some(exponent) = tail(end).strip_prefix(['e', 'E']) {
            let sign = usize::from(exponent.starts_with(['+', '-']));
            let length = digits(exponent.get(sign..).unwrap_or_default());
            if length > 0 {
                exact = false;
                end += 1 + sign + length;
            }
        }
        let text = rest.get(..end).unwrap_or_default();
        if matches!(text, "." | "-.") {
            return Err("a value is expected");
        }
        let number = match (exact, whole) {
            (true, true) => Num::whole(text),
            (true, false) => Num::decimal(text),
            (false, _) => text.parse().ok().map(Num::Double),
        };
        self.skip(end);
        number.ok_or("a number is out of range")
    }
}

fn is_identifier(char: char) -> bool {
    char.is_ascii_alphanumeric() || char == '_'
}
