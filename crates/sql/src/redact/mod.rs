//! Removes passwords from texts for the history, logs and errors.
//!
//! The text may be anything, including what does not parse, so doubts are resolved on the safe
//! side: if the end of a password is not certain, everything from its start is removed.

use crate::lexer::{self, RawStatement, Token, TokenKind};

const HIDDEN: &str = "'***'";
/// Words that announce a password.
const MARKS: [&str; 4] = ["PASSWORD", "IDENTIFIED", "PASSWD", "PWD"];
/// Marks that are also searched for in unterminated strings and comments.
const RAW_MARKS: [&str; 2] = ["password", "identified"];

pub(crate) fn redact(sql: &str) -> String {
    if !has_mark(sql) {
        return sql.to_owned();
    }
    let mut out = Redaction {
        sql,
        text: String::with_capacity(sql.len()),
        copied: 0,
    };
    for statement in lexer::split(sql) {
        if !out.statement(&statement) {
            return out.cut();
        }
    }
    out.keep_to(sql.len());
    out.text
}

struct Redaction<'a> {
    sql: &'a str,
    text: String,
    /// How much of the text has been processed, in bytes.
    copied: usize,
}

impl<'a> Redaction<'a> {
    fn keep_to(&mut self, end: usize) {
        if end > self.copied {
            self.text
                .push_str(self.sql.get(self.copied..end).unwrap_or_default());
            self.copied = end;
        }
    }

    /// Replaces `start..end`.
    fn hide(&mut self, start: usize, end: usize) {
        self.keep_to(start);
        if !self.text.ends_with(HIDDEN) {
            self.text.push_str(HIDDEN);
        }
        self.copied = self.copied.max(end);
    }

    /// The output so far; the rest of the text is dropped.
    fn cut(mut self) -> String {
        if !self.text.ends_with(HIDDEN) {
            self.text.push_str(HIDDEN);
        }
        self.text
    }

    fn word(&self, token: Token) -> &'a str {
        self.sql.get(token.start..token.end).unwrap_or_default()
    }

    fn is(&self, token: Token, words: &[&str]) -> bool {
        token.kind == TokenKind::Word
            && words
                .iter()
                .any(|word| word.eq_ignore_ascii_case(self.word(token)))
    }

    /// Returns false if nothing after the output so far may be shown.
    fn statement(&mut self, statement: &RawStatement) -> bool {
        let tokens = &statement.tokens;
        if let Some(place) = self.mark_in_open_token(tokens) {
            self.keep_to(place);
            return false;
        }
        let Some(mark) = tokens.iter().position(|token| self.is(*token, &MARKS)) else {
            return self.without_mark(tokens);
        };
        if self.is_about_accounts(tokens, mark) {
            return self.account(tokens, mark);
        }
        self.values_after_marks(tokens);
        true
    }

    /// The end of a mark inside an unterminated token, or one that unbalanced quotes have
    /// swallowed.
    fn mark_in_open_token(&self, tokens: &[Token]) -> Option<usize> {
        if !tokens.iter().any(|token| token.unterminated) {
            return None;
        }
        // The quotes are unbalanced somewhere, so inside and outside cannot be distinguished.
        let (start, end) = (tokens.first()?.start, tokens.last()?.end);
        raw_mark(self.sql.get(start..end)?).map(|place| start + place)
    }

    /// A statement on users, rather than one on a column of that name.
    fn is_about_accounts(&self, tokens: &[Token], mark: usize) -> bool {
        let before = tokens.get(..mark).unwrap_or_default();
        let Some(first) = before.first() else {
            return true;
        };
        let second = tokens.get(1).copied();
        let is_query = self.is(*first, &["SELECT", "WITH", "VALUES", "TABLE", "FROM"])
            || before.iter().any(|token| self.is(*token, &["SELECT"]));
        let is_table = self.is(*first, &["CREATE", "ALTER"])
            && second.is_some_and(|token| self.is(token, &["TABLE", "EXTERNAL"]));
        let names_one = before
            .iter()
            .any(|token| self.is(*token, &["USER", "ROLE", "LOGIN"]));
        names_one && !is_query && !is_table
    }

    /// `.. PASSWORD [=|TO|BY|AS] 'p'` at the end of its statement; in any other form everything
    /// that follows is removed.
    fn account(&mut self, tokens: &[Token], mark: usize) -> bool {
        let mut value = mark + 1;
        while tokens.get(value).is_some_and(|token| self.joins(*token)) {
            value += 1;
        }
        let Some(found) = tokens.get(value) else {
            return true;
        };
        let swallowed = tokens
            .get(..mark)
            .unwrap_or_default()
            .iter()
            .any(|token| token.kind.is_stringy() && raw_mark(self.word(*token)).is_some());
        if let ([first, second], true) = (
            tokens.get(value + 1..).unwrap_or_default(),
            found.kind.is_stringy() && !swallowed,
        ) && self.is(*first, &["TERMINATE"])
            && self.is(*second, &["SESSIONS"])
        {
            // A comment between them may repeat the password.
            self.hide(found.start, second.end);
            self.text.push_str(" TERMINATE SESSIONS");
            self.skip_comments();
            return true;
        }
        if found.kind.is_stringy() && value + 1 == tokens.len() && !swallowed {
            self.hide(found.start, found.end);
            // A comment after the password may repeat it.
            self.skip_comments();
            return true;
        }
        self.keep_to(tokens.get(mark).map_or(0, |token| token.end));
        self.text.push(' ');
        false
    }

    /// Signs and words between a mark and its value.
    fn joins(&self, token: Token) -> bool {
        matches!(token.kind, TokenKind::Sign('=' | ':' | '>' | '('))
            || self.is(token, &["TO", "BY", "AS", "IS", "WITH"])
    }

    /// Skips the comments between a statement's last token and its semicolon.
    fn skip_comments(&mut self) {
        let rest = self.sql.get(self.copied..).unwrap_or_default();
        let ends = lexer::first_semicolon(rest).unwrap_or(rest.len());
        self.copied += ends;
    }

    /// Hides the values that follow a mark, in any other statement.
    fn values_after_marks(&mut self, tokens: &[Token]) {
        for (index, token) in tokens.iter().enumerate() {
            if !self.is(*token, &MARKS) && !self.is_marking_string(*token) {
                continue;
            }
            let mut value = index + 1;
            while tokens.get(value).is_some_and(|token| self.joins(*token)) {
                value += 1;
            }
            if let Some(found) = tokens.get(value).filter(|found| found.kind.is_stringy()) {
                self.hide(found.start, found.end);
            }
        }
    }

    /// There is no mark as a word; one may still be in a property's name, or be swallowed by
    /// unbalanced quotes.
    fn without_mark(&mut self, tokens: &[Token]) -> bool {
        let first_words = tokens.iter().take(4);
        let on_accounts = first_words
            .clone()
            .any(|token| self.is(*token, &["USER", "ROLE", "LOGIN"]))
            && !tokens
                .first()
                .is_some_and(|token| self.is(*token, &["SELECT", "WITH", "VALUES"]));
        let in_string = tokens
            .iter()
            .filter(|token| token.kind.is_stringy())
            .find_map(|token| raw_mark(self.word(*token)).map(|place| token.start + place));
        if let (true, Some(place)) = (on_accounts, in_string) {
            self.keep_to(place);
            return false;
        }
        self.values_after_marks(tokens);
        true
    }

    /// `'db.password'` as in `'db.password' = 'p'`.
    fn is_marking_string(&self, token: Token) -> bool {
        token.kind.is_stringy()
            && self
                .word(token)
                .trim_end_matches(['\'', '"'])
                .to_ascii_lowercase()
                .ends_with("password")
    }
}

/// Whether a mark is anywhere in a text, also within a word or a string. Nothing is hidden in a text
/// without one.
fn has_mark(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| {
        let is_at = |mark: &str| {
            let found = bytes.get(at..at + mark.len());
            found.is_some_and(|found| found.eq_ignore_ascii_case(mark.as_bytes()))
        };
        matches!(byte, b'p' | b'P' | b'i' | b'I') && MARKS.into_iter().any(is_at)
    })
}

/// The end of the first mark in a text, regardless of tokens.
fn raw_mark(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    RAW_MARKS
        .iter()
        .filter_map(|mark| lower.find(mark).map(|place| place + mark.len()))
        .min()
}

#[cfg(test)]
mod tests;
