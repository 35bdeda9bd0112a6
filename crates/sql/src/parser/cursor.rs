//! A position in a statement's tokens, and the parsing steps that all families share.

use super::literal;
use crate::ParseError;
use crate::ast::Properties;
use crate::lexer::{Token, TokenKind};

pub(super) type Result<T> = std::result::Result<T, ParseError>;

/// Keywords of user, role and workgroup statements that come before or after a name.
const AROUND_PRINCIPALS: &[&str] = &[
    "WITH",
    "PASSWORD",
    "ENCRYPTED",
    "IF",
    "NOT",
    "EXISTS",
    "SET",
    "RESET",
    "RENAME",
    "ENABLE",
    "DISABLE",
    "TO",
    "FROM",
    "FOR",
    "ON",
];

/// A position in the tokens of one statement.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    /// The whole text, of all statements.
    pub sql: &'a str,
    tokens: &'a [Token],
    index: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(sql: &'a str, tokens: &'a [Token]) -> Self {
        Cursor {
            sql,
            tokens,
            index: 0,
        }
    }

    /// The same position, limited to the next `count` tokens.
    pub(super) fn limited(&self, count: usize) -> Self {
        let end = (self.index + count).min(self.tokens.len());
        Cursor {
            sql: self.sql,
            tokens: self.tokens.get(..end).unwrap_or_default(),
            index: self.index,
        }
    }

    pub(super) fn token(&self) -> Option<Token> {
        self.tokens.get(self.index).copied()
    }

    pub(super) fn rest(&self) -> &'a [Token] {
        self.tokens.get(self.index..).unwrap_or_default()
    }

    pub(super) fn advance(&mut self) {
        self.index = (self.index + 1).min(self.tokens.len());
    }

    pub(super) fn skip_rest(&mut self) {
        self.index = self.tokens.len();
    }

    pub(super) fn at_end(&self) -> bool {
        self.index >= self.tokens.len()
    }

    pub(super) fn text_of(&self, token: Token) -> &'a str {
        self.sql.get(token.start..token.end).unwrap_or_default()
    }

    /// The source from here to the end of the statement.
    pub(super) fn rest_text(&self) -> &'a str {
        match (self.rest().first(), self.rest().last()) {
            (Some(first), Some(last)) => self.sql.get(first.start..last.end).unwrap_or_default(),
            _ => "",
        }
    }

    /// Whether a preceding word announces a password.
    pub(super) fn follows_password(&self) -> bool {
        self.tokens
            .iter()
            .take(self.index)
            .any(|token| self.text_of(*token).eq_ignore_ascii_case("password"))
    }

    // ---- words and signs

    /// The bare word `ahead` tokens from here, as written.
    pub(super) fn word_at(&self, ahead: usize) -> Option<&'a str> {
        self.tokens
            .get(self.index + ahead)
            .filter(|token| token.kind == TokenKind::Word)
            .map(|token| self.text_of(*token))
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    pub(super) fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        self.word_at(ahead)
            .is_some_and(|w| w.eq_ignore_ascii_case(word))
    }

    pub(super) fn is_one_of(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }

    pub(super) fn is_one_of_at(&self, ahead: usize, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word_at(ahead, word))
    }

    /// Consumes the keyword if it is next.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    /// Consumes all of these keywords (separated by blanks) if they are next, or none of them.
    pub(super) fn eat_all(&mut self, words: &str) -> bool {
        let mut count = 0;
        for word in words.split(' ') {
            if !self.is_word_at(count, word) {
                return false;
            }
            count += 1;
        }
        self.index += count;
        true
    }

    /// Consumes one of these keywords if it is next.
    pub(super) fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.eat(word))
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<()> {
        if self.eat(word) {
            Ok(())
        } else {
            Err(self.expected(word))
        }
    }

    pub(super) fn expect_all(&mut self, words: &str) -> Result<()> {
        words.split(' ').try_for_each(|word| self.expect(word))
    }

    pub(super) fn is_sign(&self, sign: char) -> bool {
        self.is_sign_at(0, sign)
    }

    pub(super) fn is_sign_at(&self, ahead: usize, sign: char) -> bool {
        self.tokens
            .get(self.index + ahead)
            .is_some_and(|token| token.kind == TokenKind::Sign(sign))
    }

    pub(super) fn eat_sign(&mut self, sign: char) -> bool {
        let found = self.is_sign(sign);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect_sign(&mut self, sign: char) -> Result<()> {
        if self.eat_sign(sign) {
            Ok(())
        } else {
            Err(self.expected(&format!("\"{sign}\"")))
        }
    }

    /// Consumes two adjacent signs, such as `<=`.
    pub(super) fn eat_signs(&mut self, first: char, second: char) -> bool {
        let touching = match (self.tokens.get(self.index), self.tokens.get(self.index + 1)) {
            (Some(a), Some(b)) => a.end == b.start,
            _ => false,
        };
        let found = touching && self.is_sign(first) && self.is_sign_at(1, second);
        if found {
            self.index += 2;
        }
        found
    }

    pub(super) fn expect_end(&self) -> Result<()> {
        if self.at_end() {
            Ok(())
        } else {
            Err(self.expected("the end of the statement"))
        }
    }

    // ---- names and values

    /// Whether a name can be next.
    pub(super) fn is_name(&self) -> bool {
        self.token().is_some_and(|token| {
            matches!(
                token.kind,
                TokenKind::Word | TokenKind::Backtick | TokenKind::Double { .. }
            )
        })
    }

    /// A name as written: unquoted, case kept.
    pub(super) fn raw_name(&mut self, what: &str) -> Result<String> {
        let token = self
            .token()
            .filter(|_| self.is_name())
            .ok_or_else(|| self.expected(what))?;
        self.check_closed(token)?;
        let name = literal::name(self.text_of(token), token.kind);
        if name.is_empty() {
            return Err(self.error("zero-length delimited identifier".to_owned()));
        }
        self.advance();
        Ok(name)
    }

    /// A name, lower-cased.
    pub(super) fn name(&mut self, what: &str) -> Result<String> {
        Ok(self.raw_name(what)?.to_lowercase())
    }

    /// A name or a single-quoted string, as users write names of users, workgroups and so on.
    /// Lower-cased.
    pub(super) fn name_or_string(&mut self, what: &str) -> Result<String> {
        if self.is_name() {
            self.name(what)
        } else {
            Ok(self.string(what)?.to_lowercase())
        }
    }

    /// The name of a principal or workgroup: like [`Self::name_or_string`], but an unquoted keyword
    /// that may follow the name is not taken for it, so that a missing name is reported as such.
    pub(super) fn principal_name(&mut self, what: &str) -> Result<String> {
        if !self.is_one_of(AROUND_PRINCIPALS) {
            return self.name_or_string(what);
        }
        let mut error = self.expected(what);
        error.hint = Some(format!(
            "expected {what}; a name that is also a keyword is written in double quotes"
        ));
        Err(error)
    }

    pub(super) fn names_in_parentheses(&mut self, what: &str) -> Result<Vec<String>> {
        self.expect_sign('(')?;
        let names = self.list(|cursor| cursor.name(what))?;
        self.expect_sign(')')?;
        Ok(names)
    }

    /// One or more, separated by commas.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_sign(',') {
            items.push(item(self)?);
        }
        Ok(items)
    }

    pub(super) fn is_string(&self) -> bool {
        self.token().is_some_and(|token| token.kind.is_stringy())
    }

    pub(super) fn is_string_at(&self, ahead: usize) -> bool {
        self.tokens
            .get(self.index + ahead)
            .is_some_and(|token| token.kind.is_stringy())
    }

    /// A string in either quote, escapes resolved.
    pub(super) fn string(&mut self, what: &str) -> Result<String> {
        let token = self
            .token()
            .filter(|_| self.is_string())
            .ok_or_else(|| self.expected(what))?;
        self.check_closed(token)?;
        let value = literal::string(self.text_of(token), token.kind)
            .map_err(|message| self.error(message))?;
        self.advance();
        Ok(value)
    }

    pub(super) fn string_after(&mut self, words: &str) -> Result<Option<String>> {
        if self.eat_all(words) {
            self.string(&format!("a string after {words}")).map(Some)
        } else {
            Ok(None)
        }
    }

    /// A number with its sign.
    pub(super) fn number(&mut self) -> Option<String> {
        let (ahead, sign) = if self.is_sign('-') {
            (1, "-")
        } else if self.is_sign('+') {
            (1, "")
        } else {
            (0, "")
        };
        let token = self.tokens.get(self.index + ahead)?;
        if token.kind != TokenKind::Number {
            return None;
        }
        let text = format!("{sign}{}", self.text_of(*token));
        self.index += ahead + 1;
        Some(text)
    }

    /// `IF NOT EXISTS`
    pub(super) fn if_not_exists(&mut self) -> Result<bool> {
        if !self.is_word("IF") {
            return Ok(false);
        }
        self.expect_all("IF NOT EXISTS").map(|()| true)
    }

    /// `IF EXISTS`
    pub(super) fn if_exists(&mut self) -> Result<bool> {
        if !(self.is_word("IF") && self.is_word_at(1, "EXISTS")) {
            return Ok(false);
        }
        self.expect_all("IF EXISTS").map(|()| true)
    }

    /// `('k' = 'v', ..)`
    pub(super) fn properties(&mut self) -> Result<Properties> {
        self.expect_sign('(')?;
        let properties = self.list(|cursor| {
            let key = cursor.string("a property's name as a string")?;
            cursor.expect_sign('=')?;
            let value = match cursor.number() {
                Some(number) => number,
                None if cursor.is_one_of(&["true", "false"]) => cursor.name("a value")?,
                None => cursor.string("a property's value as a string")?,
            };
            Ok((key, value))
        })?;
        self.expect_sign(')')?;
        Ok(properties)
    }

    // ---- errors

    /// The error that the next token is not the expected one.
    pub(super) fn expected(&self, what: &str) -> ParseError {
        if let Some(token) = self.token().filter(|token| token.unterminated) {
            return unterminated(self.sql, token);
        }
        let message = match self.token() {
            Some(token) => format!("syntax error at or near \"{}\"", shown(self.text_of(token))),
            None => "syntax error at end of input".to_owned(),
        };
        ParseError {
            hint: Some(format!("expected {what}")),
            ..self.error(message)
        }
    }

    /// An error at this position.
    pub(super) fn error(&self, message: String) -> ParseError {
        let offset = match self.token() {
            Some(token) => token.start,
            None => self.tokens.last().map_or(0, |token| token.end),
        };
        ParseError {
            message,
            position: Some(char_position(self.sql, offset)),
            hint: None,
        }
    }

    fn check_closed(&self, token: Token) -> Result<()> {
        if token.unterminated {
            Err(unterminated(self.sql, token))
        } else {
            Ok(())
        }
    }
}

/// The error for an unterminated token.
pub(super) fn unterminated(sql: &str, token: Token) -> ParseError {
    let (what, opens) = match token.kind {
        TokenKind::Comment => ("/* comment", "/*"),
        TokenKind::Double { .. } => ("quoted identifier", "\""),
        TokenKind::Backtick => ("quoted identifier", "`"),
        TokenKind::Dollar { .. } => ("dollar-quoted string", "$"),
        _ => ("quoted string", "'"),
    };
    // The text itself is left out: it may be a password, and it extends to the end.
    ParseError {
        message: format!("unterminated {what} at or near \"{opens}\""),
        position: Some(char_position(sql, token.start)),
        hint: Some("close the quote, or double it where it is part of the text".to_owned()),
    }
}

/// Converts a byte offset to a position in characters, from 1.
pub(super) fn char_position(sql: &str, offset: usize) -> usize {
    sql.get(..offset).unwrap_or(sql).chars().count() + 1
}

/// A token's text for an error message, bounded in length.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
