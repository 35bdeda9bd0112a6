//! `ROWS FROM (f(), g())` in FROM, which sqlparser does not know: a table function of that name.
//!
//! ```text
//! ROWS FROM (f(1), unnest(a, b)) AS x (c)   "$rows_from"(f(1), unnest(a), unnest(b)) AS x (c, unnest, unnest)
//! ROWS FROM (json_each(j), f(1)) AS x       "$rows_from"(json_each(j), f(1)) AS x (key, value, f)
//! ROWS FROM (json_to_record(j) AS (a int), f(1)) AS x
//!                                           "$rows_from"(json_to_record(j, 'a'), f(1)) AS x ("a" int, f)
//! ```
//!
//! The dialect makes a subquery of it. `columns.rs` has the columns of the functions.

mod columns;

use std::collections::HashSet;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectNamePart, TableAlias, TableAliasColumnDef,
    TableFactor,
};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use self::columns::{Item, items_of};
use super::lists::{places, without};
use super::query::is_word;
use crate::ROWS_FROM;
use crate::ast::Unsupported;

/// Writes `ROWS FROM (` as the call of a function.
pub(super) fn called(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|token| is_word(&token.token, "ROWS")) {
        return tokens;
    }
    let places = places(&tokens);
    let of = |at: usize| Some(&tokens.get(*places.get(at)?)?.token);
    let is = |at: usize, word: &str| of(at).is_some_and(|token| is_word(token, word));
    let is_name = |at: usize| matches!(of(at), Some(Token::Word(_)));
    let begins_table = |at: usize| {
        let words = ["FROM", "JOIN", "LATERAL"];
        words.iter().any(|word| is(at, word))
            || matches!(of(at), Some(Token::Comma | Token::LParen))
    };
    // `SELECT a, rows FROM (SELECT …)` and `… FROM (t JOIN u …)` read a column.
    let is_call = |at: usize| {
        let mut last = at;
        while is_name(last) && of(last + 1) == Some(&Token::Period) {
            last += 2;
        }
        let words = ["SELECT", "VALUES", "WITH", "TABLE", "LATERAL"];
        is_name(last)
            && of(last + 1) == Some(&Token::LParen)
            && !words.iter().any(|word| is(last, word))
    };
    let found: Vec<(usize, usize)> = (1..places.len())
        .filter(|at| begins_table(at - 1) && is(*at, "ROWS") && is(at + 1, "FROM"))
        .filter(|at| of(at + 2) == Some(&Token::LParen) && is_call(at + 3))
        .filter_map(|at| Some((*places.get(at)?, *places.get(at + 1)?)))
        .collect();
    for (rows, _) in &found {
        if let Some(token) = tokens.get_mut(*rows) {
            token.token = Token::make_word(ROWS_FROM, Some('"'));
        }
    }
    let froms: HashSet<usize> = found.into_iter().map(|(_, from)| from).collect();
    match froms.is_empty() {
        true => tokens,
        false => columns::as_arguments(without(tokens, &froms)),
    }
}

/// Names all columns of such a table, gives those of records their types, and makes an item of each
/// argument of `unnest`.
///
/// # Errors
///
/// An item is not a call of a function, or of one whose columns are not known.
pub(super) fn name_columns(factor: &mut TableFactor) -> Result<(), Unsupported> {
    let (args, ordinality, alias) = match factor {
        TableFactor::Table {
            name,
            args: Some(args),
            with_ordinality,
            alias,
            ..
        } if is_rows_from(&name.0) => (&mut args.args, *with_ordinality, alias),
        TableFactor::Function {
            name,
            args,
            with_ordinality,
            alias,
            ..
        } if is_rows_from(&name.0) => (args, *with_ordinality, alias),
        _ => return Ok(()),
    };
    let mut items: Vec<Item> = Vec::with_capacity(args.len());
    for arg in std::mem::take(args) {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(function))) = arg else {
            return Err(refused("an item of ROWS FROM that is no function"));
        };
        items.extend(items_of(function)?);
    }
    let Some(first) = items.first() else {
        return Err(refused("ROWS FROM without a function"));
    };
    let function = Ident::new(&first.function);
    let alias = alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: function,
        columns: Vec::new(),
        at: None,
    });
    // The only column of a table has its name, if it is not one of a row.
    let is_only = items.len() == 1;
    let own = alias.name.clone();
    let mut columns = Vec::new();
    for item in items {
        let call = FunctionArgExpr::Expr(Expr::Function(item.call));
        args.push(FunctionArg::Unnamed(call));
        match item.columns {
            Some(of_row) => columns.extend(of_row),
            None if is_only => columns.push((own.clone(), None)),
            None => columns.push((Ident::new(item.function), None)),
        }
    }
    if ordinality {
        columns.push((Ident::new("ordinality"), None));
    }
    // Names that the statement gives come first; the types are those of the functions.
    let mut columns = columns.into_iter();
    for (given, (_, data_type)) in alias.columns.iter_mut().zip(columns.by_ref()) {
        given.data_type = data_type;
    }
    let others = columns.map(|(name, data_type)| TableAliasColumnDef { name, data_type });
    alias.columns.extend(others);
    Ok(())
}

fn is_rows_from(name: &[ObjectNamePart]) -> bool {
    match name {
        [name] => name.as_ident().is_some_and(|name| name.value == ROWS_FROM),
        _ => false,
    }
}

fn refused(what: &str) -> Unsupported {
    Unsupported {
        what: what.to_owned(),
        nearest: Some(
            "calls of functions, with their columns if they return records: f(x), json_to_record(y) AS (a int)"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use crate::Statement;

    #[test]
    fn rows_of_functions_are_a_table_function() {
        for (sql, expected) in [
            (
                "SELECT * FROM ROWS FROM (f(1), unnest(a, b)) WITH ORDINALITY AS x (c)",
                r#"SELECT * FROM "$rows_from"(f(1), unnest(a), unnest(b)) WITH ORDINALITY AS x (c, unnest, unnest, ordinality)"#,
            ),
            (
                "SELECT * FROM t, rows from (pg_catalog.f(1)) n",
                r#"SELECT * FROM t, "$rows_from"(pg_catalog.f(1)) n (n)"#,
            ),
            (
                "SELECT * FROM t JOIN ROWS FROM (F(1), g()) ON true",
                r#"SELECT * FROM t JOIN "$rows_from"(F(1), g()) AS f (f, g) ON true"#,
            ),
            (
                "SELECT a, rows FROM (SELECT 1 AS a, 2 AS rows) AS t",
                "SELECT a, rows FROM (SELECT 1 AS a, 2 AS rows) AS t",
            ),
            (
                "SELECT a, rows FROM (t CROSS JOIN u)",
                "SELECT a, rows FROM (t CROSS JOIN u)",
            ),
            (
                "SELECT * FROM ROWS FROM (aclexplode(a), f(1)) AS x",
                r#"SELECT * FROM "$rows_from"(aclexplode(a), f(1)) AS x (grantor, grantee, privilege_type, is_grantable, f)"#,
            ),
        ] {
            match crate::parse(sql).unwrap().remove(0).statement {
                Statement::Query(query) => assert_eq!(query.to_string(), expected),
                other => panic!("no query: {other:?}"),
            }
        }
    }

    #[test]
    fn columns_of_rows_have_names_and_types() {
        for (sql, expected) in [
            (
                "SELECT * FROM ROWS FROM (jsonb_each(a), f(1)) WITH ORDINALITY AS x (c)",
                r#"SELECT * FROM "$rows_from"(jsonb_each(a), f(1)) WITH ORDINALITY AS x (c, value, f, ordinality)"#,
            ),
            (
                "SELECT * FROM ROWS FROM (json_each(a))",
                r#"SELECT * FROM "$rows_from"(json_each(a)) AS json_each (key, value)"#,
            ),
            (
                r#"SELECT * FROM ROWS FROM (f(1), json_to_recordset(a) AS (A int, "B" varchar(3))) AS x (p, q)"#,
                r#"SELECT * FROM "$rows_from"(f(1), json_to_recordset(a, 'a', 'B')) AS x (p, q INT, "B" VARCHAR(3))"#,
            ),
        ] {
            match crate::parse(sql).unwrap().remove(0).statement {
                Statement::Query(query) => assert_eq!(query.to_string(), expected),
                other => panic!("no query: {other:?}"),
            }
        }
    }

    #[test]
    fn records_without_columns_are_refused() {
        for (sql, what) in [
            (
                "SELECT * FROM ROWS FROM (json_to_record(a), f())",
                "json_to_record in ROWS FROM without AS (a type, …)",
            ),
            (
                "SELECT * FROM ROWS FROM (f(1) AS (a int))",
                "f in ROWS FROM with AS (a type, …)",
            ),
        ] {
            match crate::parse(sql).unwrap().remove(0).statement {
                Statement::Unsupported(refused) => assert_eq!(refused.what, what),
                other => panic!("not refused: {other:?}"),
            }
        }
    }
}
