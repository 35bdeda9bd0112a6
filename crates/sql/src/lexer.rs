//! Splits text into words, strings and signs, with their positions. Knows the strings of both
//! dialects, so it can tell where a statement ends.
//!
//! Hive statements have backslash escapes in strings, Trino's and Postgres' do not, so the end of a
//! string depends on the statement's first words, and in CREATE TABLE on whether its query has
//! begun. The lexer never fails: an unterminated token extends to the end of the text.

/// One token: bytes `start..end` of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
    /// A string, a quoted name or a comment that is not closed.
    pub unterminated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Word,
    Number,
    /// `'..'`; with backslash escapes if `escapes`. Prefixes (`E`, `B`, `X`, `N`, `U&`) are part of
    /// the token.
    Single {
        prefix: Prefix,
        escapes: bool,
    },
    /// `".."`: a name, or a string where the grammar expects one.
    Double {
        escapes: bool,
    },
    /// `` `..` ``: a name.
    Backtick,
    /// `$tag$..$tag$`; the tag's length in bytes, dollars included.
    Dollar {
        tag: usize,
    },
    /// `$1`, `?`
    Parameter,
    /// Any other character.
    Sign(char),
    /// An unterminated comment. (Terminated ones produce no token.)
    Comment,
}

/// The prefix of a string, before the opening quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prefix {
    None,
    /// `E'..'`: Postgres' backslash escapes.
    Escape,
    /// Binary, national and Unicode strings, which only queries take.
    Other,
}

impl TokenKind {
    /// Whether the token is some kind of string. `".."` may be one.
    pub(crate) fn is_stringy(self) -> bool {
        matches!(
            self,
            TokenKind::Single { .. } | TokenKind::Double { .. } | TokenKind::Dollar { .. }
        )
    }
}

/// Tokens of one statement, without the semicolon that ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawStatement {
    pub tokens: Vec<Token>,
}

impl RawStatement {
    /// Byte offsets of the statement without blanks and comments around it; `None` for an empty
    /// one.
    pub(crate) fn span(&self) -> Option<(usize, usize)> {
        Some((self.tokens.first()?.start, self.tokens.last()?.end))
    }
}

/// Splits a text at the semicolons that end statements. Empty statements are dropped.
pub(crate) fn split(sql: &str) -> Vec<RawStatement> {
    let mut statements = Vec::new();
    let mut lexer = Lexer::new(sql);
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next_token(&tokens) {
        if token.kind == TokenKind::Sign(';') {
            if !tokens.is_empty() {
                statements.push(RawStatement {
                    tokens: std::mem::take(&mut tokens),
                });
            }
        } else {
            tokens.push(token);
        }
    }
    if !tokens.is_empty() {
        statements.push(RawStatement { tokens });
    }
    statements
}

/// Byte offset of the first semicolon outside comments, if nothing else precedes it.
pub(crate) fn first_semicolon(sql: &str) -> Option<usize> {
    let token = Lexer::new(sql).next_token(&[])?;
    (token.kind == TokenKind::Sign(';')).then_some(token.start)
}

struct Lexer<'a> {
    sql: &'a str,
    at: usize,
    /// The statement's query has begun, after `AS`.
    in_query: bool,
}

impl<'a> Lexer<'a> {
    fn new(sql: &'a str) -> Self {
        Lexer {
            sql,
            at: 0,
            in_query: false,
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn rest(&self) -> &'a str {
        self.sql.get(self.at..).unwrap_or_default()
    }

    fn bump(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.at += character.len_utf8();
        Some(character)
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.bump();
        }
    }

    /// The next token. `before`: the statement's tokens so far.
    fn next_token(&mut self, before: &[Token]) -> Option<Token> {
        if before.is_empty() {
            self.in_query = false;
        }
        if let Some(comment) = self.skip_blanks() {
            return Some(comment);
        }
        let start = self.at;
        let first = self.bump()?;
        let mut unterminated = false;
        let kind = match first {
            '\'' => {
                let escapes = self.has_escapes(before);
                unterminated = !self.quoted('\'', escapes);
                TokenKind::Single {
                    prefix: Prefix::None,
                    escapes,
                }
            }
            '"' => {
                let escapes = self.has_escapes(before);
                unterminated = !self.quoted('"', escapes);
                TokenKind::Double { escapes }
            }
            '`' => {
                unterminated = !self.quoted('`', false);
                TokenKind::Backtick
            }
            '$' => match self.dollar_tag() {
                Some(tag) => {
                    unterminated = !self.dollar_quoted(start, tag);
                    TokenKind::Dollar { tag }
                }
                None => {
                    self.take_while(|c| c.is_ascii_digit());
                    if self.at == start + 1 {
                        TokenKind::Sign('$')
                    } else {
                        TokenKind::Parameter
                    }
                }
            },
            '?' => TokenKind::Parameter,
            c if c.is_ascii_digit()
                || (c == '.' && self.peek().is_some_and(|n| n.is_ascii_digit())) =>
            {
                self.number(c);
                TokenKind::Number
            }
            c if is_word_start(c) => match self.string_prefix(c) {
                Some(prefix) => {
                    let escapes = prefix == Prefix::Escape || self.has_escapes(before);
                    unterminated = !self.quoted('\'', escapes);
                    TokenKind::Single { prefix, escapes }
                }
                None => {
                    self.take_while(is_word_part);
                    TokenKind::Word
                }
            },
            other => TokenKind::Sign(other),
        };
        let token = Token {
            kind,
            start,
            end: self.at,
            unterminated,
        };
        self.in_query |= begins_query(self.sql, before, &token);
        Some(token)
    }

    /// Whether a string that follows these tokens has backslash escapes.
    fn has_escapes(&self, before: &[Token]) -> bool {
        !self.in_query && has_hive_strings(self.sql, before)
    }

    /// Skips blanks and comments; returns an unterminated comment as a token.
    fn skip_blanks(&mut self) -> Option<Token> {
        loop {
            self.take_while(|c| c.is_whitespace() || c == '\u{feff}');
            let rest = self.rest();
            if rest.starts_with("--") {
                self.take_while(|c| c != '\n');
            } else if rest.starts_with("/*") {
                let start = self.at;
                if !self.block_comment() {
                    return Some(Token {
                        kind: TokenKind::Comment,
                        start,
                        end: self.at,
                        unterminated: true,
                    });
                }
            } else {
                return None;
            }
        }
    }

    /// Skips from `/*` past the matching `*/`; comments nest.
    fn block_comment(&mut self) -> bool {
        let mut depth = 0usize;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return true;
                }
            } else if self.bump().is_none() {
                return false;
            }
        }
    }

    /// Skips past the closing quote; a doubled quote is part of the text. Returns false at the end
    /// of the text.
    fn quoted(&mut self, quote: char, escapes: bool) -> bool {
        while let Some(character) = self.bump() {
            if character == '\\' && escapes {
                self.bump();
            } else if character == quote {
                if self.peek() != Some(quote) {
                    return true;
                }
                self.bump();
            }
        }
        false
    }

    /// After `$`: the length of a dollar quote's tag with both dollars, if one begins here.
    fn dollar_tag(&mut self) -> Option<usize> {
        let rest = self.rest();
        let name_length = rest
            .char_indices()
            .find(|(index, c)| !(is_word_start(*c) || (*index > 0 && c.is_ascii_digit())))
            .map(|(index, _)| index)?;
        if !rest.get(name_length..)?.starts_with('$') {
            return None;
        }
        self.at += name_length + 1;
        Some(name_length + 2)
    }

    /// After the opening tag: skips past the closing one.
    fn dollar_quoted(&mut self, start: usize, tag: usize) -> bool {
        let opening = self.sql.get(start..start + tag).unwrap_or_default();
        match self.rest().find(opening) {
            Some(index) => {
                self.at += index + tag;
                true
            }
            None => {
                self.at = self.sql.len();
                false
            }
        }
    }

    fn number(&mut self, first: char) {
        self.take_while(|c| c.is_ascii_digit() || c == '_');
        if first != '.' && self.peek() == Some('.') {
            self.bump();
            self.take_while(|c| c.is_ascii_digit() || c == '_');
        }
        let mut ahead = self.rest().chars();
        if matches!(ahead.next(), Some('e' | 'E')) {
            let sign = ahead.next();
            let digit = if matches!(sign, Some('+' | '-')) {
                ahead.next()
            } else {
                sign
            };
            if digit.is_some_and(|c| c.is_ascii_digit()) {
                self.at += 2;
                self.take_while(|c| c.is_ascii_digit());
            }
        }
    }

    /// After a word's first letter: the string prefix that it is, if any. The string is then
    /// opened.
    fn string_prefix(&mut self, first: char) -> Option<Prefix> {
        let rest = self.rest();
        let (prefix, length) = match first {
            'e' | 'E' if rest.starts_with('\'') => (Prefix::Escape, 1),
            'b' | 'B' | 'x' | 'X' | 'n' | 'N' if rest.starts_with('\'') => (Prefix::Other, 1),
            'u' | 'U' if rest.starts_with("&'") => (Prefix::Other, 2),
            _ => return None,
        };
        self.at += length;
        Some(prefix)
    }
}

fn is_word_start(character: char) -> bool {
    character.is_alphabetic()
        || character == '_'
        || (!character.is_ascii() && !character.is_whitespace())
}

fn is_word_part(character: char) -> bool {
    is_word_start(character) || character.is_ascii_digit() || character == '$'
}

/// Whether a token is one of these words.
fn is_word(sql: &str, token: Option<&Token>, words: &[&str]) -> bool {
    let word = token
        .filter(|token| token.kind == TokenKind::Word)
        .and_then(|token| sql.get(token.start..token.end))
        .unwrap_or_default();
    words.iter().any(|w| word.eq_ignore_ascii_case(w))
}

/// Whether a token is the first of a query after `AS`, which is not that of `STORED AS`.
fn begins_query(sql: &str, before: &[Token], token: &Token) -> bool {
    is_word(sql, before.last(), &["AS"])
        && (token.kind == TokenKind::Sign('(')
            || is_word(sql, Some(token), &["SELECT", "WITH", "VALUES", "TABLE"]))
}

/// Whether a statement with these first tokens is Hive's, so that its strings have backslash
/// escapes.
fn has_hive_strings(sql: &str, tokens: &[Token]) -> bool {
    let is = |index: usize, words: &[&str]| is_word(sql, tokens.get(index), words);
    is(0, &["MSCK", "SHOW", "DESCRIBE", "DESC"])
        || (is(0, &["CREATE", "ALTER", "DROP"])
            && is(1, &["TABLE", "EXTERNAL", "DATABASE", "SCHEMA"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<&str> {
        split(sql)
            .iter()
            .filter_map(RawStatement::span)
            .map(|(start, end)| &sql[start..end])
            .collect()
    }

    #[test]
    fn splits_at_semicolons_outside_of_strings_comments_and_names() {
        let sql = "select 'a;b'; select \"a;b\"; select `a;b`; select $$a;b$$; select $x$a;$$;b$x$; -- c;d\n select 1 /* a; /* b; */ c; */ + 2;; ;";
        assert_eq!(
            texts(sql),
            [
                "select 'a;b'",
                "select \"a;b\"",
                "select `a;b`",
                "select $$a;b$$",
                "select $x$a;$$;b$x$",
                "select 1 /* a; /* b; */ c; */ + 2"
            ]
        );
    }

    #[test]
    fn a_backslash_before_a_quote_ends_a_query_string_but_not_a_ddl_string() {
        assert_eq!(texts(r"select '\'; select 2").len(), 2);
        assert_eq!(
            texts(r"create table t (a int) comment '\'; select 2'").len(),
            1
        );
        assert_eq!(texts(r"select E'\'; select 2'").len(), 1);
    }

    #[test]
    fn a_backslash_before_a_quote_ends_a_string_of_the_query_of_create_table() {
        for sql in [
            r"create table t as select '\'; create table u as select '\'",
            r"create table t with (x = '\'') as (select '\'); select 2",
            r"create table t comment '\'' stored as parquet as values ('\'); select 2",
            r"create external table t (a int) stored as orc location '\''; select '\'",
        ] {
            let statements = split(sql);
            assert_eq!(statements.len(), 2, "{sql}");
            let mut tokens = statements.iter().flat_map(|of| &of.tokens);
            assert!(tokens.all(|token| !token.unterminated), "{sql}");
        }
    }

    #[test]
    fn doubled_quotes_do_not_end_a_string() {
        assert_eq!(texts("select 'it''s; fine'; select 1").len(), 2);
    }

    #[test]
    fn what_is_not_closed_reaches_to_the_end() {
        for sql in [
            "select 'abc; d",
            "select \"abc; d",
            "select $$abc; d",
            "select /* abc; d",
            "select `a; d",
        ] {
            let statements = split(sql);
            assert_eq!(statements.len(), 1, "{sql}");
            assert!(
                statements[0].tokens.last().is_some_and(|t| t.unterminated),
                "{sql}"
            );
        }
    }

    #[test]
    fn parameters_are_not_dollar_quotes() {
        assert_eq!(texts("select $1; select $2").len(), 2);
        assert_eq!(texts("select a$b; select $2$").len(), 2);
    }
}
