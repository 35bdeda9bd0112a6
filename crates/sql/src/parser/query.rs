//! Queries: sqlparser's tokens and grammar; names are then folded as in Athena.

use std::collections::HashSet;

use sqlparser::ast;
use sqlparser::parser::{Parser, ParserError, ParserOptions};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Whitespace};

use super::cursor::{Cursor, Result, shown};
use super::query_error::{self, Source};
use super::{
    array_types, complexity, frames, full_names, joins, json_operators, lists, named_queries,
    normalize, only, repeated, reserved, row_fields, rows_from, search, spellings, strings,
    substrings, tokens, typed_texts, unicode, whole_rows,
};
use crate::ParseError;
use crate::ast::{Statement, Unsupported};
use crate::dialect::AthenaDialect;
use crate::lexer::TokenKind;
pub(super) use crate::words::is_word;

/// How deeply expressions and subqueries may nest, in sqlparser's recursion steps.
pub(super) const MAX_DEPTH: usize = 128;

/// Parser steps per token; a plain query needs about one.
const STEPS_PER_TOKEN: usize = 20;
/// How many unclosed parentheses are considered when an error is located.
const MAX_UNCLOSED: usize = 10;
/// Parser steps that every text may take.
const STEPS: usize = 20_000;

/// The query that extends to the end of the cursor, or the reason to refuse it.
pub(super) fn statement(cursor: &Cursor<'_>) -> Result<Statement> {
    changed(cursor, |_| {})
}

/// As [`statement`], of the query as `change` leaves it.
pub(super) fn changed(
    cursor: &Cursor<'_>,
    change: impl FnOnce(&mut ast::Query),
) -> Result<Statement> {
    if let Some(from) = distinct_of_nothing(cursor) {
        return Err(from.expected("the columns that are distinct"));
    }
    let refused = excluding_frame(cursor).or_else(|| of_trino(cursor));
    let refused = refused.or_else(|| key_lock(cursor));
    if let Some(refused) = refused.or_else(|| write_in_with(cursor)) {
        return Ok(Statement::Unsupported(refused));
    }
    let mut query = parse(cursor, |parser| parser.parse_query())?;
    complexity::check_relations(cursor, &query)?;
    repeated::check(cursor, &query)?;
    change(query.as_mut());
    finished(cursor, query)
}

/// A query that was parsed, with the names folded, or the reason to refuse it. Names with places are
/// of the text at the cursor.
pub(super) fn finished(cursor: &Cursor<'_>, mut query: Box<ast::Query>) -> Result<Statement> {
    if let Some(place) = reserved::first(&query) {
        return Err(query_error::reserved(&Source::of(cursor), place));
    }
    if let Err(refused) = normalize::query(&mut query) {
        return Ok(Statement::Unsupported(refused));
    }
    // Each query of WITH is behind those that it names.
    named_queries::check(cursor, &query)?;
    Ok(Statement::Query(query))
}

/// The FROM of `SELECT DISTINCT FROM t`. A list of columns may be empty only without DISTINCT.
fn distinct_of_nothing<'a>(cursor: &Cursor<'a>) -> Option<Cursor<'a>> {
    let mut places = 0..cursor.rest().len();
    let words = ["SELECT", "DISTINCT", "FROM"];
    let is_at = |at: usize| {
        let mut words = words.iter().enumerate();
        words.all(|(place, word)| cursor.is_word_at(at + place, word))
    };
    let found = places.find(|at| is_at(*at))?;
    let mut from = *cursor;
    (0..found + 2).for_each(|_| from.advance());
    Some(from)
}

/// A window that excludes rows (EXCLUDE), and has no frame. See [`frames::EXCLUSIONS`] for others.
fn excluding_frame(cursor: &Cursor<'_>) -> Option<Unsupported> {
    // Of each open parenthesis: whether a frame follows it.
    let mut open: Vec<bool> = Vec::new();
    (0..cursor.rest().len()).find_map(|at| {
        if cursor.is_sign_at(at, '(') {
            open.push(false);
        } else if cursor.is_one_of_at(at, &frames::FRAMES) {
            if let Some(has_frame) = open.last_mut() {
                *has_frame = true;
            }
        } else if cursor.is_sign_at(at, ')') {
            let has_frame = open.pop()?;
            let said = frames::EXCLUSIONS.iter().find(|said| {
                let words = said.split(' ').count();
                let Some(first) = at.checked_sub(words + 1) else {
                    return false;
                };
                let mut words = said.split(' ').enumerate();
                cursor.is_word_at(first, "EXCLUDE")
                    && words.all(|(place, word)| cursor.is_word_at(first + 1 + place, word))
            })?;
            return (!has_frame).then(|| Unsupported {
                what: format!("EXCLUDE {said} in this window"),
                nearest: Some(
                    "(PARTITION BY x ORDER BY y ROWS 1 PRECEDING EXCLUDE TIES)".to_owned(),
                ),
            });
        }
        None
    })
}

/// The locks of rows that sqlparser does not know.
fn key_lock(cursor: &Cursor<'_>) -> Option<Unsupported> {
    let locks = ["FOR NO KEY UPDATE", "FOR KEY SHARE"];
    let lock = (0..cursor.rest().len()).find_map(|at| {
        let is_at = |lock: &&str| {
            let mut words = lock.split(' ').enumerate();
            words.all(|(place, word)| cursor.is_word_at(at + place, word))
        };
        locks.into_iter().find(is_at)
    })?;
    Some(refused_lock(lock))
}

/// PostgreSQL's tables of WITH that write: `WITH w AS (INSERT …)`.
fn write_in_with(cursor: &Cursor<'_>) -> Option<Unsupported> {
    if !cursor.is_word("WITH") {
        return None;
    }
    let writes = ["INSERT", "UPDATE", "DELETE", "MERGE"];
    let begins = |at: usize| {
        cursor.is_one_of_at(at, &["AS", "MATERIALIZED"]) && cursor.is_sign_at(at + 1, '(')
    };
    let mut places = (0..cursor.rest().len()).filter(|at| begins(*at));
    let word = places.find_map(|at| {
        let mut writes = writes.into_iter();
        writes.find(|word| cursor.is_word_at(at + 2, word))
    })?;
    Some(Unsupported {
        what: format!("{word} in WITH"),
        nearest: Some(format!("{word} as a statement of its own")),
    })
}

/// The refusal of a query that would lock rows.
pub(super) fn refused_lock(what: &str) -> Unsupported {
    Unsupported {
        what: what.to_owned(),
        nearest: Some("the query without it; nothing changes rows in place".to_owned()),
    }
}

/// Trino's clauses that are recognised and refused.
fn of_trino(cursor: &Cursor<'_>) -> Option<Unsupported> {
    let with = |word: &str| {
        let is_table = cursor.is_word_at(2, "AS") || cursor.is_sign_at(2, '(');
        cursor.is_word_at(0, "WITH") && cursor.is_word_at(1, word) && !is_table
    };
    let anywhere = |found: &dyn Fn(usize) -> bool| (0..cursor.rest().len()).any(found);
    let combines = ["UNION", "INTERSECT", "EXCEPT", "ALL", "DISTINCT"];
    let (what, nearest) = if anywhere(&|at| is_call(cursor, at, "MATCH_RECOGNIZE")) {
        ("MATCH_RECOGNIZE", "window functions such as lag and lead")
    } else if with("SESSION") {
        ("WITH SESSION", "SET before the query")
    } else if with("FUNCTION") {
        ("WITH FUNCTION", "the expression itself")
    } else if anywhere(&|at| {
        cursor.is_one_of_at(at, &combines)
            && cursor.is_word_at(at + 1, "CORRESPONDING")
            && cursor.is_word_at(at + 2, "BY")
    }) {
        (
            "CORRESPONDING BY",
            "CORRESPONDING of queries with these columns",
        )
    } else if let Some(clause) = (0..cursor.rest().len()).find_map(|at| time_travel(cursor, at)) {
        (clause, "the table as it is now")
    } else {
        return None;
    };
    Some(Unsupported {
        what: what.to_owned(),
        nearest: Some(nearest.to_owned()),
    })
}

/// Clauses that ask for a table as it was.
fn time_travel(cursor: &Cursor<'_>, at: usize) -> Option<&'static str> {
    let clauses = [
        "FOR TIMESTAMP AS OF",
        "FOR VERSION AS OF",
        "FOR SYSTEM_TIME AS OF",
        "FOR SYSTEM_VERSION AS OF",
    ];
    clauses.into_iter().find(|clause| {
        let words = clause.split(' ').enumerate();
        words
            .into_iter()
            .all(|(place, word)| cursor.is_word_at(at + place, word))
    })
}

fn is_call(cursor: &Cursor<'_>, at: usize, name: &str) -> bool {
    cursor.is_word_at(at, name) && cursor.is_sign_at(at + 1, '(')
}

/// A query built by the parser itself.
pub(super) fn of_text(sql: &str) -> Result<Box<ast::Query>> {
    let statements = crate::lexer::split(sql);
    let tokens = statements
        .first()
        .map(|raw| raw.tokens.as_slice())
        .unwrap_or_default();
    match statement(&Cursor::new(sql, tokens))? {
        Statement::Query(query) => Ok(query),
        _ => Err(ParseError {
            message: "syntax error: expected a query".to_owned(),
            position: None,
            hint: None,
        }),
    }
}

/// `SELECT 1 AS n WHERE c`, with the condition that extends to the end of the cursor; or the reason
/// to refuse it.
pub(super) fn of_condition(cursor: &Cursor<'_>) -> Result<Statement> {
    let condition = parse(cursor, |parser| parser.parse_expr())?;
    let mut query = of_text("SELECT 1 AS n")?;
    if let ast::SetExpr::Select(select) = query.body.as_mut() {
        select.selection = Some(condition);
    }
    Ok(match normalize::query(&mut query) {
        Ok(()) => Statement::Query(query),
        Err(refused) => Statement::Unsupported(refused),
    })
}

/// Comma-separated expressions, to the end of the cursor.
pub(super) fn expressions(cursor: &Cursor<'_>) -> Result<Vec<ast::Expr>> {
    let mut expressions = parse(cursor, |parser| {
        parser.parse_comma_separated(Parser::parse_expr)
    })?;
    row_fields::check(&mut expressions).map_err(|refused| cursor.error(refused.message()))?;
    normalize::expressions(&mut expressions);
    Ok(expressions)
}

/// The items of a SELECT list, to the end of the cursor. Their names are not folded.
pub(super) fn select_items(cursor: &Cursor<'_>) -> Result<Vec<ast::SelectItem>> {
    parse(cursor, |parser| {
        parser.parse_comma_separated(Parser::parse_select_item)
    })
}

/// Comma-separated types, to the end of the cursor.
pub(super) fn data_types(cursor: &Cursor<'_>) -> Result<Vec<ast::DataType>> {
    parse(cursor, |parser| {
        parser.parse_comma_separated(Parser::parse_data_type)
    })
}

fn parse<T>(
    cursor: &Cursor<'_>,
    grammar: impl Fn(&mut Parser<'_>) -> std::result::Result<T, ParserError>,
) -> Result<T> {
    complexity::check(cursor)?;
    let source = Source::of(cursor);
    let dialect = AthenaDialect::default();
    let tokens = Tokenizer::new(&dialect, source.text())
        .tokenize_with_location()
        .map_err(|error| query_error::of_tokenizer(&source, &error))?;
    let tokens = unicode::read(&source, strings::joined(&source, tokens)?)?;
    let mut tokens = typed_texts::spelled(json_operators::spelled(tokens));
    number_placeholders(&source, &mut tokens)?;
    let tokens = tokens::decimal_numbers(tokens);
    no_junk_after_numbers(&source, &tokens)?;
    let tokens = tokens::corresponding(spell_out_table_commands(tokens));
    let tokens = tokens::offset_first(tokens::sort_operators(only::left_out(tokens)));
    let tokens = array_types::plain(spellings::plain(tokens));
    let tokens = lists::plain(frames::plain(substrings::plain(tokens)));
    let tokens = tokens::json_tables(tokens::quantified_values(tokens));
    let tokens = full_names::quoted(row_fields::named(whole_rows::enclosed(tokens)));
    let tokens = rows_of_nothing(rows_from::called(tokens));
    let tokens = joins::named_columns(search::marked(tokens));
    let unclosed = unclosed_parentheses(cursor);
    if !(1..=MAX_UNCLOSED).contains(&unclosed) {
        return parse_tokens(&source, tokens, &grammar);
    }
    // sqlparser guesses the meaning of an open parenthesis, and reports the error of its last
    // guess.
    let mut closed = tokens.clone();
    closed.extend(std::iter::repeat_n(
        TokenWithSpan::wrap(Token::RParen),
        unclosed,
    ));
    if parse_tokens(&source, closed, &grammar).is_ok() {
        let mut end = *cursor;
        end.skip_rest();
        return Err(end.expected("\")\""));
    }
    parse_tokens(&source, tokens, &grammar)
}

fn parse_tokens<T>(
    source: &Source<'_>,
    tokens: Vec<TokenWithSpan>,
    grammar: &impl Fn(&mut Parser<'_>) -> std::result::Result<T, ParserError>,
) -> Result<T> {
    let dialect = AthenaDialect::with_steps(STEPS + STEPS_PER_TOKEN * source.token_count())
        .nesting_joins(joins::are_nested(&tokens));
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(MAX_DEPTH)
        .with_options(ParserOptions::new())
        .with_tokens_with_locations(tokens);
    let parsed = grammar(&mut parser).map_err(|error| query_error::of_parser(source, &error))?;
    let next = parser.peek_token();
    if next.token != Token::EOF {
        return Err(query_error::unexpected(source, next.span.start));
    }
    Ok(parsed)
}

/// Parentheses that are still open at the end of the statement.
fn unclosed_parentheses(cursor: &Cursor<'_>) -> usize {
    let tokens = cursor.rest().iter();
    tokens.fold(0usize, |open, token| match token.kind {
        TokenKind::Sign('(') => open + 1,
        TokenKind::Sign(')') => open.saturating_sub(1),
        _ => open,
    })
}

/// Athena's `?` become `$1`, `$2` … in the order written, as DataFusion names parameters.
fn number_placeholders(source: &Source<'_>, tokens: &mut [TokenWithSpan]) -> Result<()> {
    let mut questions = 0usize;
    let mut has_numbered = false;
    for token in tokens.iter_mut() {
        let Token::Placeholder(name) = &mut token.token else {
            continue;
        };
        if name.starts_with('?') {
            questions += 1;
            *name = format!("${questions}");
        } else {
            has_numbered = true;
        }
        if questions > 0 && has_numbered {
            return Err(query_error::at(
                source,
                token.span.start,
                "parameters are written either as ? or as $1, $2 .., not both in one statement",
            ));
        }
    }
    Ok(())
}

/// Refuses `123abc`, which would be a number and its alias.
fn no_junk_after_numbers(source: &Source<'_>, tokens: &[TokenWithSpan]) -> Result<()> {
    for (number, word) in tokens.iter().zip(tokens.iter().skip(1)) {
        let (Token::Number(..), Token::Word(junk)) = (&number.token, &word.token) else {
            continue;
        };
        if junk.quote_style.is_some() || number.span.end != word.span.start {
            continue;
        }
        let message = format!(
            "trailing junk after numeric literal at or near \"{}{}\"",
            shown(&number.token.to_string()),
            shown(&junk.value)
        );
        return Err(query_error::at(source, number.span.start, &message));
    }
    Ok(())
}

/// Gives a SELECT without a list and a FROM the FROM of one row: sqlparser knows an empty list only
/// before a FROM.
fn rows_of_nothing(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let places = lists::places(&tokens);
    let of = |at: usize| Some(&tokens.get(*places.get(at)?)?.token);
    // A name may be this word after AS and a period.
    let begins = |at: usize| match at.checked_sub(1).and_then(of) {
        None | Some(Token::LParen | Token::RParen) => true,
        Some(word) => ["UNION", "ALL", "EXCEPT", "INTERSECT"]
            .iter()
            .any(|before| is_word(word, before)),
    };
    let ends = |at: usize| match of(at) {
        None | Some(Token::EOF | Token::RParen | Token::SemiColon) => true,
        Some(word) => is_word(word, "WHERE"),
    };
    let found: HashSet<usize> = (0..places.len())
        .filter(|at| of(*at).is_some_and(|token| is_word(token, "SELECT")))
        .filter(|at| begins(*at) && ends(at + 1))
        .filter_map(|at| places.get(at).copied())
        .collect();
    if found.is_empty() {
        return tokens;
    }
    let blank = Token::Whitespace(Whitespace::Space);
    let row = [
        blank.clone(),
        Token::make_keyword("FROM"),
        blank.clone(),
        Token::LParen,
        Token::make_keyword("SELECT"),
        blank.clone(),
        Token::Number("1".to_owned(), false),
        Token::RParen,
        blank.clone(),
        Token::make_keyword("AS"),
        blank,
        Token::make_word("row", Some('"')),
    ];
    let mut out = Vec::with_capacity(tokens.len() + found.len() * row.len());
    for (place, token) in tokens.into_iter().enumerate() {
        let span = token.span;
        out.push(token);
        if found.contains(&place) {
            let row = row.iter().cloned();
            out.extend(row.map(|token| TokenWithSpan::new(token, span)));
        }
    }
    out
}

/// Rewrites `TABLE t` to the equivalent `SELECT * FROM t`, which DataFusion plans.
fn spell_out_table_commands(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "TABLE")) {
        return tokens;
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len() + 3);
    let mut before: Option<Token> = None;
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        let opens_query = match &before {
            None | Some(Token::LParen | Token::RParen) => true,
            Some(word) => [
                "UNION",
                "ALL",
                "DISTINCT",
                "EXCEPT",
                "INTERSECT",
                "CORRESPONDING",
            ]
            .iter()
            .any(|w| is_word(word, w)),
        };
        let blank_follows = tokens
            .peek()
            .is_some_and(|next| matches!(next.token, Token::Whitespace(_)));
        if opens_query && blank_follows && is_word(&token.token, "TABLE") {
            let blank = Token::Whitespace(Whitespace::Space);
            let words = [
                Token::make_keyword("SELECT"),
                blank.clone(),
                Token::Mul,
                blank,
                Token::make_keyword("FROM"),
            ];
            out.extend(
                words
                    .into_iter()
                    .map(|word| TokenWithSpan::new(word, token.span)),
            );
            before = Some(Token::Mul);
            continue;
        }
        if !matches!(token.token, Token::Whitespace(_)) {
            before = Some(token.token.clone());
        }
        out.push(token);
    }
    out
}

/// The refusal of a writing statement inside a query.
pub(super) fn refused_write(what: &str) -> Unsupported {
    Unsupported {
        what: what.to_owned(),
        nearest: Some("a query that only reads".to_owned()),
    }
}
