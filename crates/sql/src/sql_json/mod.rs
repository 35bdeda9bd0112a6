//! SQL/JSON: functions whose arguments are clauses become calls with plain arguments.
//!
//! ```text
//! json_exists(j, path [PASSING …] [… ON ERROR])
//!     "$json_exists"(j, path, 'FALSE', name, value …)
//! json_query(j, path … [WITH WRAPPER] [OMIT QUOTES] [… ON EMPTY] [… ON ERROR])
//!     "$json_query"(j, path, 'UNCONDITIONAL', 'OMIT', 'NULL', 'NULL', name, value …)
//! json_value(j, path … [RETURNING type] [… ON EMPTY] [… ON ERROR])
//!     "$json_value"(j, path, CAST(NULL AS type), 'NULL', NULL, 'DEFAULT', value, name, value …)
//! json_table(…)
//!     an array of rows, see table.rs
//! json_array(x, y FORMAT JSON [NULL ON NULL])
//!     "$json_array"(true, x, "$json_text"(y, true))
//! x FORMAT JSON ENCODING UTF16; RETURNING varbinary FORMAT JSON ENCODING UTF16
//!     "$json_decoded"(x, 16); "$json_encoded"(…, 16)
//! json_object(KEY k VALUE v, k : v [ABSENT ON NULL] [WITH UNIQUE KEYS])
//!     "$json_object"(false, false, k, v …)
//! ```

mod formats;
mod plan;
mod table;
#[cfg(test)]
mod tests;

use formats::{decoded, format, returning_text};
use sqlparser::ast::{CastKind, DataType, Expr, Function, Ident, ObjectNamePart, Value};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::trino::{call, data_type};

/// Marks a text as a JSON value; its second argument says whether it is checked at once.
const TEXT: &str = "$json_text";
const QUERY: &str = "$json_query";
const VALUE: &str = "$json_value";
const ARRAY: &str = "$json_array";
const OBJECT: &str = "$json_object";

type Parsed<T> = Result<T, ParserError>;

/// Returns the parser of a function's arguments, after its parenthesis.
pub(crate) fn arguments_of(name: &str) -> Option<fn(&mut Parser<'_>) -> Parsed<Expr>> {
    Some(match name {
        "JSON_EXISTS" => exists,
        "JSON_QUERY" => query,
        "JSON_VALUE" => value,
        "JSON_ARRAY" => array,
        "JSON_OBJECT" => object,
        "JSON_TABLE" => table::table,
        _ => return None,
    })
}

fn exists(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let invocation = Invocation::parse(parser)?;
    let mut on_error = "FALSE";
    for word in ["TRUE", "FALSE", "UNKNOWN", "ERROR"] {
        if eat(parser, &[word, "ON", "ERROR"]) {
            on_error = word;
        }
    }
    parser.expect_token(&Token::RParen)?;
    Ok(invocation.call("$json_exists", vec![text(on_error)]))
}

fn query(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let invocation = Invocation::parse(parser)?;
    let returning = returning_text(parser)?;
    let clauses = QueryClauses::parse(parser)?;
    parser.expect_token(&Token::RParen)?;
    let call = invocation.call(QUERY, clauses.arguments("NULL"));
    Ok(returning.of(call))
}

/// The clauses of `json_query` after its type.
struct QueryClauses {
    wrapper: &'static str,
    quotes: &'static str,
    on_empty: Option<&'static str>,
    on_error: Option<&'static str>,
}

impl QueryClauses {
    fn parse(parser: &mut Parser<'_>) -> Parsed<Self> {
        let wrapper = if eat(parser, &["WITHOUT"]) {
            "WITHOUT"
        } else if eat(parser, &["WITH", "CONDITIONAL"]) {
            "CONDITIONAL"
        } else if eat(parser, &["WITH", "UNCONDITIONAL"]) || eat(parser, &["WITH"]) {
            "UNCONDITIONAL"
        } else {
            ""
        };
        if !wrapper.is_empty() {
            eat(parser, &["ARRAY"]);
            expect(parser, "WRAPPER")?;
        }
        let quotes = ["KEEP", "OMIT"]
            .into_iter()
            .find(|quotes| eat(parser, &[quotes, "QUOTES"]));
        if quotes.is_some() {
            if eat(parser, &["ON", "SCALAR"]) {
                expect(parser, "STRING")?;
            }
            if wrapper.ends_with("CONDITIONAL") {
                return Err(ParserError::ParserError(format!(
                    "json_query takes {} QUOTES without a wrapper only",
                    quotes.unwrap_or_default()
                )));
            }
        }
        let mut otherwise = |of: &str| {
            let known = ["ERROR", "NULL", "EMPTY ARRAY", "EMPTY OBJECT"];
            known.into_iter().find(|words| {
                let mut clause: Vec<&str> = words.split(' ').collect();
                clause.extend(["ON", of]);
                eat(parser, &clause)
            })
        };
        Ok(Self {
            wrapper: match wrapper {
                "" => "WITHOUT",
                wrapper => wrapper,
            },
            quotes: quotes.unwrap_or("KEEP"),
            on_empty: otherwise("EMPTY"),
            on_error: otherwise("ERROR"),
        })
    }

    /// `on_error`: what happens without a clause.
    fn arguments(&self, on_error: &str) -> Vec<Expr> {
        vec![
            text(self.wrapper),
            text(self.quotes),
            text(self.on_empty.unwrap_or("NULL")),
            text(self.on_error.unwrap_or(on_error)),
        ]
    }
}

fn value(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let invocation = Invocation::parse(parser)?;
    let to = match eat(parser, &["RETURNING"]) {
        true => scalar_type(parser)?,
        false => DataType::Varchar(None),
    };
    let clauses = ValueClauses::parse(parser)?;
    parser.expect_token(&Token::RParen)?;
    Ok(invocation.call(VALUE, clauses.arguments(to, "NULL")))
}

/// The clauses of `json_value` after its type, with their values.
struct ValueClauses {
    on_empty: Option<(&'static str, Expr)>,
    on_error: Option<(&'static str, Expr)>,
}

impl ValueClauses {
    fn parse(parser: &mut Parser<'_>) -> Parsed<Self> {
        Ok(Self {
            on_empty: Self::otherwise(parser, "EMPTY")?,
            on_error: Self::otherwise(parser, "ERROR")?,
        })
    }

    fn otherwise(parser: &mut Parser<'_>, of: &str) -> Parsed<Option<(&'static str, Expr)>> {
        if eat(parser, &["ERROR", "ON", of]) {
            return Ok(Some(("ERROR", null())));
        }
        if is(parser, &["DEFAULT"]) {
            // The clause may be the other one.
            let default = parser.maybe_parse(|parser| {
                expect(parser, "DEFAULT")?;
                let default = parser.parse_expr()?;
                expect(parser, "ON")?;
                expect(parser, of)?;
                Ok(default)
            })?;
            return Ok(default.map(|default| ("DEFAULT", default)));
        }
        let is_null = eat(parser, &["NULL", "ON", of]);
        Ok(is_null.then(|| ("NULL", null())))
    }

    /// `on_error`: what happens without a clause.
    fn arguments(&self, to: DataType, on_error: &'static str) -> Vec<Expr> {
        let empty = self.on_empty.clone().unwrap_or(("NULL", null()));
        let error = self.on_error.clone().unwrap_or((on_error, null()));
        let (empty, error) = ((text(empty.0), empty.1), (text(error.0), error.1));
        vec![null_of(to), empty.0, empty.1, error.0, error.1]
    }
}

fn array(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let mut arguments = vec![boolean(true)];
    if !ends(parser) {
        arguments.extend(parser.parse_comma_separated(|parser| json(parser, true))?);
        if let Some(absent) = absent_on_null(parser)
            && let Some(first) = arguments.first_mut()
        {
            *first = boolean(absent);
        }
    }
    let returning = returning_text(parser)?;
    parser.expect_token(&Token::RParen)?;
    Ok(returning.of(call(ARRAY, arguments)))
}

fn object(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let mut members = Vec::new();
    let (mut absent, mut unique) = (false, false);
    if !ends(parser) {
        loop {
            let key = match is(parser, &["KEY"]) {
                true => parser.maybe_parse(|parser| {
                    expect(parser, "KEY")?;
                    let key = parser.parse_expr()?;
                    expect(parser, "VALUE")?;
                    Ok(key)
                })?,
                false => None,
            };
            match key {
                Some(key) => members.push(key),
                None => {
                    members.push(parser.parse_expr()?);
                    if !parser.consume_token(&Token::Colon) && !eat(parser, &["VALUE"]) {
                        if members.len() > 1 {
                            expect(parser, "VALUE")?;
                        }
                        return plain_object(parser, members);
                    }
                }
            }
            members.push(json(parser, true)?);
            if !parser.consume_token(&Token::Comma) {
                break;
            }
        }
        absent = absent_on_null(parser).unwrap_or(false);
        unique = eat(parser, &["WITH", "UNIQUE"]);
        if unique || eat(parser, &["WITHOUT", "UNIQUE"]) {
            eat(parser, &["KEYS"]);
        }
    }
    let returning = returning_text(parser)?;
    parser.expect_token(&Token::RParen)?;
    let mut arguments = vec![boolean(absent), boolean(unique)];
    arguments.extend(members);
    Ok(returning.of(call(OBJECT, arguments)))
}

/// `json_object(text[])` and the like are PostgreSQL's plain functions.
fn plain_object(parser: &mut Parser<'_>, mut arguments: Vec<Expr>) -> Parsed<Expr> {
    while parser.consume_token(&Token::Comma) {
        arguments.push(parser.parse_expr()?);
    }
    parser.expect_token(&Token::RParen)?;
    Ok(call("json_object", arguments))
}

/// A JSON value, a path and the path's variables.
struct Invocation {
    json: Expr,
    path: Expr,
    /// The name of the path.
    name: Option<Ident>,
    /// Names and values in turn.
    variables: Vec<Expr>,
}

impl Invocation {
    fn parse(parser: &mut Parser<'_>) -> Parsed<Self> {
        let input = parser.parse_expr()?;
        let input = decoded(input, format(parser)?);
        parser.expect_token(&Token::Comma)?;
        let path = parser.parse_expr()?;
        // It has a meaning in `json_table` only.
        let name = match parser.parse_keyword(Keyword::AS) {
            true => Some(parser.parse_identifier()?),
            false => None,
        };
        let mut variables = Vec::new();
        if eat(parser, &["PASSING"]) {
            loop {
                let value = json(parser, false)?;
                parser.expect_keyword_is(Keyword::AS)?;
                let name = parser.parse_identifier()?;
                variables.extend([text(&canonical(&name)), value]);
                if !parser.consume_token(&Token::Comma) {
                    break;
                }
            }
        }
        Ok(Self {
            json: input,
            path,
            name,
            variables,
        })
    }

    fn call(self, name: &str, clauses: Vec<Expr>) -> Expr {
        let mut arguments = vec![self.json, self.path];
        arguments.extend(clauses);
        arguments.extend(self.variables);
        call(name, arguments)
    }
}

/// A name as paths have it: they distinguish case, and Trino folds to upper case.
fn canonical(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_uppercase(),
    }
}

/// A value, which FORMAT JSON makes a JSON value. `checked`: whether a text that is not JSON is an
/// error whatever the clauses say.
fn json(parser: &mut Parser<'_>, checked: bool) -> Parsed<Expr> {
    let value = parser.parse_expr()?;
    let format = format(parser)?;
    let explicit = format.is_some();
    let value = decoded(value, format);
    let implicit = match returned(&value) {
        Some(Returned::Json) => true,
        Some(Returned::Cast) if !explicit => {
            return Err(ParserError::ParserError(
                "FORMAT JSON or another type is needed for a JSON text of limited length"
                    .to_owned(),
            ));
        }
        _ => false,
    };
    Ok(match explicit || implicit {
        true => call(TEXT, vec![value, boolean(checked)]),
        false => value,
    })
}

/// What a value is, if a function of JSON returned it.
enum Returned {
    Json,
    /// RETURNING with a limited type, or a cast that is written.
    Cast,
}

fn returned(value: &Expr) -> Option<Returned> {
    match value {
        Expr::Nested(inner) => returned(inner),
        Expr::Function(function) if is_json_function(function) => Some(Returned::Json),
        Expr::Cast {
            expr, data_type, ..
        } if is_limited(data_type) => returned(expr).map(|_| Returned::Cast),
        _ => None,
    }
}

fn is_json_function(function: &Function) -> bool {
    match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => [QUERY, ARRAY, OBJECT].contains(&name.value.as_str()),
        _ => false,
    }
}

fn is_limited(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Varchar(Some(_))
            | DataType::CharVarying(Some(_))
            | DataType::CharacterVarying(Some(_))
            | DataType::Char(_)
            | DataType::Character(_)
    )
}

/// The type that `json_value` returns.
fn scalar_type(parser: &mut Parser<'_>) -> Parsed<DataType> {
    let at = parser.peek_token();
    let (to, nested) = data_type(parser)?;
    if nested
        || matches!(
            to,
            DataType::JSON | DataType::Varbinary(_) | DataType::Bytea
        )
    {
        return parser.expected("a type of text, number, boolean, date or time", at);
    }
    Ok(to)
}

/// `NULL ON NULL` or `ABSENT ON NULL`; returns whether NULLs are absent.
fn absent_on_null(parser: &mut Parser<'_>) -> Option<bool> {
    if eat(parser, &["NULL", "ON", "NULL"]) {
        return Some(false);
    }
    eat(parser, &["ABSENT", "ON", "NULL"]).then_some(true)
}

/// Whether the list of values is empty.
fn ends(parser: &Parser<'_>) -> bool {
    parser.peek_token_ref().token == Token::RParen
        || is(parser, &["RETURNING"])
            && matches!(&parser.peek_nth_token_ref(1).token, Token::Word(_))
}

fn is(parser: &Parser<'_>, words: &[&str]) -> bool {
    words.iter().enumerate().all(|(at, expected)| {
        matches!(
            &parser.peek_nth_token_ref(at).token,
            Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected)
        )
    })
}

/// Consumes the words if all of them follow.
fn eat(parser: &mut Parser<'_>, words: &[&str]) -> bool {
    let found = is(parser, words);
    if found {
        words.iter().for_each(|_| parser.advance_token());
    }
    found
}

fn expect(parser: &mut Parser<'_>, word: &str) -> Parsed<()> {
    match eat(parser, &[word]) {
        true => Ok(()),
        false => parser.expected(word, parser.peek_token()),
    }
}

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).with_empty_span())
}

fn boolean(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).with_empty_span())
}

/// NULL of a type.
fn null_of(data_type: DataType) -> Expr {
    cast(null(), data_type)
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

fn null() -> Expr {
    Expr::Value(Value::Null.with_empty_span())
}
