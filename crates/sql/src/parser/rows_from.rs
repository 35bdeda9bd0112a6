//! `ROWS FROM (f(), g())` in FROM, which sqlparser does not know: a table function of that name.
//!
//! ```text
//! ROWS FROM (f(1), unnest(a, b)) AS x (c)   "$rows_from"(f(1), unnest(a), unnest(b)) AS x (c, unnest, unnest)
//! ```
//!
//! The dialect makes a subquery of it.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectNamePart, TableAlias,
    TableAliasColumnDef, TableFactor,
};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lists::{places, without};
use super::query::is_word;
use crate::ROWS_FROM;
use crate::ast::Unsupported;

/// Functions with several columns.
const OF_SEVERAL_COLUMNS: [&str; 9] = [
    "aclexplode",
    "json_each",
    "json_each_text",
    "json_to_record",
    "json_to_recordset",
    "jsonb_each",
    "jsonb_each_text",
    "jsonb_to_record",
    "jsonb_to_recordset",
];

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
    let froms = found.into_iter().map(|(_, from)| from).collect();
    without(tokens, &froms)
}

/// Names all columns of such a table, and makes an item of each argument of `unnest`.
///
/// # Errors
///
/// An item is no call of a function with one column.
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
    let (mut items, mut names) = (Vec::with_capacity(args.len()), Vec::new());
    for item in std::mem::take(args) {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(function))) = &item else {
            return Err(refused("an item of ROWS FROM that is no function"));
        };
        let Some(name) = function.name.0.last().and_then(|part| part.as_ident()) else {
            return Err(refused("an item of ROWS FROM that is no function"));
        };
        let own = match name.quote_style {
            Some(_) => name.value.clone(),
            None => name.value.to_lowercase(),
        };
        if OF_SEVERAL_COLUMNS.contains(&own.as_str()) {
            return Err(refused(&format!("{own} in ROWS FROM")));
        }
        let several = match &function.args {
            FunctionArguments::List(list) if own == "unnest" && list.args.len() > 1 => {
                list.args.clone()
            }
            _ => Vec::new(),
        };
        if several.is_empty() {
            names.push(Ident::new(own));
            items.push(item);
            continue;
        }
        for array in several {
            let mut function = function.clone();
            if let FunctionArguments::List(list) = &mut function.args {
                list.args = vec![array];
            }
            names.push(Ident::new(own.clone()));
            let call = FunctionArgExpr::Expr(Expr::Function(function));
            items.push(FunctionArg::Unnamed(call));
        }
    }
    *args = items;
    let Some(first) = names.first_mut() else {
        return Err(refused("ROWS FROM without a function"));
    };
    let alias = alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: first.clone(),
        columns: Vec::new(),
        at: None,
    });
    // The only column of a table has its name.
    if args.len() == 1 {
        *first = alias.name.clone();
    }
    if ordinality {
        names.push(Ident::new("ordinality"));
    }
    let given = alias.columns.len();
    let others = names.into_iter().skip(given);
    alias.columns.extend(others.map(|name| TableAliasColumnDef {
        name,
        data_type: None,
    }));
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
        nearest: Some("functions with one column each".to_owned()),
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
        ] {
            match crate::parse(sql).unwrap().remove(0).statement {
                Statement::Query(query) => assert_eq!(query.to_string(), expected),
                other => panic!("no query: {other:?}"),
            }
        }
    }

    #[test]
    fn functions_with_several_columns_are_refused() {
        let sql = "SELECT * FROM ROWS FROM (json_each(a), f())";
        match crate::parse(sql).unwrap().remove(0).statement {
            Statement::Unsupported(refused) => {
                assert_eq!(refused.what, "json_each in ROWS FROM");
            }
            other => panic!("not refused: {other:?}"),
        }
    }
}
