//! Reads the clauses from the tokens of a statement.

use std::collections::{HashMap, HashSet};

use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

use super::{CYCLE, SEARCH};
use crate::parser::lists;
use crate::parser::query::is_word;

/// Writes the clauses as keys of an ORDER BY in the parentheses before them.
pub(in crate::parser) fn marked(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_clause =
        |token: &TokenWithSpan| is_word(&token.token, "SEARCH") || is_word(&token.token, "CYCLE");
    if !tokens.iter().any(is_clause) {
        return tokens;
    }
    let places = lists::places(&tokens);
    let plain: Vec<&Token> = places
        .iter()
        .filter_map(|place| tokens.get(*place).map(|token| &token.token))
        .collect();
    let mut keys: HashMap<usize, Vec<Token>> = HashMap::new();
    let mut removed: HashSet<usize> = HashSet::new();
    for (at, token) in plain.iter().enumerate() {
        if **token != Token::RParen {
            continue;
        }
        let mut end = at + 1;
        let mut found = Vec::new();
        for clause in [search, cycle] {
            if let Some((key, behind)) = clause(&plain, end) {
                found.push(key);
                end = behind;
            }
        }
        if let (Some(place), false) = (places.get(at), found.is_empty()) {
            keys.insert(*place, found.join(&Token::Comma));
            removed.extend(places.get(at + 1..end).unwrap_or_default());
        }
    }
    let blank = Token::Whitespace(Whitespace::Space);
    let mut out = Vec::with_capacity(tokens.len());
    for (place, token) in tokens.into_iter().enumerate() {
        if removed.contains(&place) {
            continue;
        }
        if let Some(key) = keys.remove(&place) {
            let order = [
                blank.clone(),
                Token::make_keyword("ORDER"),
                blank.clone(),
                Token::make_keyword("BY"),
                blank.clone(),
            ];
            let added = order.into_iter().chain(key);
            out.extend(added.map(|added| TokenWithSpan::new(added, token.span)));
        }
        out.push(token);
    }
    out
}

/// Returns the call that stands for the SEARCH clause at a place, and the place behind the clause.
fn search(tokens: &[&Token], at: usize) -> Option<(Vec<Token>, usize)> {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| is_word(token, word));
    let order = ["DEPTH", "BREADTH"]
        .into_iter()
        .find(|order| is(at + 1, order))?;
    if !(is(at, "SEARCH") && is(at + 2, "FIRST") && is(at + 3, "BY")) {
        return None;
    }
    let (by, set) = names(tokens, at + 4)?;
    let column = word(tokens, set + 1).filter(|_| is(set, "SET"))?;
    let mut arguments = vec![
        Token::SingleQuotedString(order.to_lowercase()),
        column.clone(),
    ];
    arguments.extend(by);
    Some((call(SEARCH, arguments), set + 2))
}

/// As [`search`], of the CYCLE clause.
fn cycle(tokens: &[&Token], at: usize) -> Option<(Vec<Token>, usize)> {
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| is_word(token, word));
    if !is(at, "CYCLE") {
        return None;
    }
    let (of, set) = names(tokens, at + 1)?;
    let mark = word(tokens, set + 1).filter(|_| is(set, "SET"))?;
    let constant = |at: usize| {
        let token = tokens.get(at).map(|token| (*token).clone());
        token.filter(|token| {
            matches!(
                token,
                Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_)
            )
        })
    };
    let (value, default, using) = match is(set + 2, "TO") && is(set + 4, "DEFAULT") {
        true => (constant(set + 3)?, constant(set + 5)?, set + 6),
        false => (
            Token::make_keyword("TRUE"),
            Token::make_keyword("FALSE"),
            set + 2,
        ),
    };
    let path = word(tokens, using + 1).filter(|_| is(using, "USING"))?;
    let mut arguments = vec![mark.clone(), path.clone(), value, default];
    arguments.extend(of);
    Some((call(CYCLE, arguments), using + 2))
}

fn word<'a>(tokens: &[&'a Token], at: usize) -> Option<&'a Token> {
    let token = tokens.get(at)?;
    matches!(token, Token::Word(_)).then_some(*token)
}

/// Returns the names of a list at a place, and the place behind it.
fn names(tokens: &[&Token], at: usize) -> Option<(Vec<Token>, usize)> {
    let mut names = vec![word(tokens, at)?.clone()];
    let mut end = at + 1;
    while tokens.get(end).is_some_and(|token| **token == Token::Comma) {
        names.push(word(tokens, end + 1)?.clone());
        end += 2;
    }
    Some((names, end))
}

fn call(name: &str, arguments: Vec<Token>) -> Vec<Token> {
    let mut tokens = vec![Token::make_word(name, Some('"')), Token::LParen];
    for (place, argument) in arguments.into_iter().enumerate() {
        if place > 0 {
            tokens.push(Token::Comma);
        }
        tokens.push(argument);
    }
    tokens.push(Token::RParen);
    tokens
}
