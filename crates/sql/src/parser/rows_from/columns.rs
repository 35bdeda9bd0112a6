//! The columns of the functions in `ROWS FROM`.

use sqlparser::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    Value,
};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::super::lists::places;
use super::super::query::is_word;
use super::{ROWS_FROM, refused};
use crate::ast::Unsupported;

/// The last argument of a function of records, with the names of its columns and casts to their
/// types. It is gone once they are read.
const COLUMNS: &str = "$columns";

/// A function, and what it is called by without a name of its own.
pub(super) struct Item {
    pub call: Function,
    pub function: String,
    /// The columns of its rows; `None` if it returns values.
    pub columns: Option<Vec<(Ident, Option<DataType>)>>,
}

/// What a function returns.
enum Returns {
    Values,
    /// Rows of columns with these names.
    Named(&'static [&'static str]),
    /// Rows whose columns the statement names.
    Records,
}

fn returned(function: &str) -> Returns {
    match function {
        "json_each" | "json_each_text" | "jsonb_each" | "jsonb_each_text" => {
            Returns::Named(&["key", "value"])
        }
        "json_to_record" | "json_to_recordset" | "jsonb_to_record" | "jsonb_to_recordset" => {
            Returns::Records
        }
        "aclexplode" => Returns::Named(&["grantor", "grantee", "privilege_type", "is_grantable"]),
        _ => Returns::Values,
    }
}

/// Returns the items that a call is: those of `unnest` for each of its arguments.
///
/// # Errors
///
/// The columns of the function are not known.
pub(super) fn items_of(mut call: Function) -> Result<Vec<Item>, Unsupported> {
    let Some(name) = call.name.0.last().and_then(|part| part.as_ident()) else {
        return Err(refused("an item of ROWS FROM that is no function"));
    };
    let function = match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    };
    let typed = take_columns(&mut call);
    let columns = match (returned(&function), typed) {
        (Returns::Records, Some(typed)) => {
            if let FunctionArguments::List(list) = &mut call.args {
                let names = typed.iter().map(|(name, _)| {
                    let name = Value::SingleQuotedString(name.value.clone());
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(name.into())))
                });
                list.args.extend(names);
            }
            let typed = typed.into_iter();
            Some(typed.map(|(name, of)| (name, Some(of))).collect())
        }
        (Returns::Records, None) => {
            let what = format!("{function} in ROWS FROM without AS (a type, …)");
            return Err(refused(&what));
        }
        (_, Some(_)) => {
            let what = format!("{function} in ROWS FROM with AS (a type, …)");
            return Err(refused(&what));
        }
        (Returns::Named(names), None) => {
            let names = names.iter();
            Some(names.map(|name| (Ident::new(*name), None)).collect())
        }
        (Returns::Values, None) => None,
    };
    let several = match &call.args {
        FunctionArguments::List(list) if function == "unnest" && list.args.len() > 1 => {
            list.args.clone()
        }
        _ => Vec::new(),
    };
    if several.is_empty() {
        return Ok(vec![Item {
            call,
            function,
            columns,
        }]);
    }
    let items = several.into_iter().map(|array| {
        let mut call = call.clone();
        if let FunctionArguments::List(list) = &mut call.args {
            list.args = vec![array];
        }
        Item {
            call,
            function: function.clone(),
            columns: None,
        }
    });
    Ok(items.collect())
}

/// Takes the columns that [`as_arguments`] put into a call.
fn take_columns(call: &mut Function) -> Option<Vec<(Ident, DataType)>> {
    let FunctionArguments::List(list) = &mut call.args else {
        return None;
    };
    let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(last)))) = list.args.last()
    else {
        return None;
    };
    let [name] = last.name.0.as_slice() else {
        return None;
    };
    if name.as_ident().is_none_or(|name| name.value != COLUMNS) {
        return None;
    }
    let FunctionArguments::List(columns) = &last.args else {
        return None;
    };
    let columns = columns.args.chunks(2).map(|column| match column {
        [
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(name))),
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Cast {
                kind: CastKind::Cast,
                data_type,
                ..
            })),
        ] => match &name.value {
            Value::SingleQuotedString(name) => {
                Some((Ident::with_quote('"', name.clone()), data_type.clone()))
            }
            _ => None,
        },
        _ => None,
    });
    let columns: Vec<(Ident, DataType)> = columns.collect::<Option<_>>()?;
    list.args.pop();
    Some(columns)
}

/// Makes the column lists of functions their last arguments.
///
/// ```text
/// "$rows_from"(f(x) AS (a int, b text))
///     "$rows_from"(f(x, "$columns"('a', CAST(NULL AS int), 'b', CAST(NULL AS text))))
/// ```
pub(super) fn as_arguments(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let places = places(&tokens);
    let of = |at: usize| Some(&tokens.get(*places.get(at)?)?.token);
    let mut changed = Vec::with_capacity(tokens.len());
    // Whether each open parenthesis is that of the functions.
    let mut open: Vec<bool> = Vec::new();
    let (mut at, mut next) = (0, 0);
    while let Some(place) = places.get(at) {
        // White space and comments stay where they are.
        changed.extend(tokens.get(next..*place).unwrap_or_default().iter().cloned());
        next = place + 1;
        match of(at) {
            Some(Token::LParen) => {
                let before = at.checked_sub(1).and_then(of);
                open.push(before.is_some_and(is_rows_from));
            }
            Some(Token::RParen) => {
                open.pop();
                if open.last() == Some(&true)
                    && let Some((columns, end)) = list_at(at + 1, of)
                {
                    let has_arguments = at
                        .checked_sub(1)
                        .and_then(of)
                        .is_some_and(|token| *token != Token::LParen);
                    let comma = has_arguments.then_some(Token::Comma);
                    let columns = comma.into_iter().chain(columns);
                    changed.extend(columns.map(TokenWithSpan::wrap));
                    changed.extend(tokens.get(*place).cloned());
                    at = end;
                    next = places.get(end).copied().unwrap_or(tokens.len());
                    continue;
                }
            }
            _ => {}
        }
        changed.extend(tokens.get(*place).cloned());
        at += 1;
    }
    changed.extend(tokens.get(next..).unwrap_or_default().iter().cloned());
    changed
}

fn is_rows_from(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.quote_style == Some('"') && word.value == ROWS_FROM)
}

/// Reads `AS (a int, b text)`: the argument that it becomes, and the place after it. `None` if the
/// tokens are something else.
fn list_at<'a>(at: usize, of: impl Fn(usize) -> Option<&'a Token>) -> Option<(Vec<Token>, usize)> {
    if !is_word(of(at)?, "AS") || *of(at + 1)? != Token::LParen {
        return None;
    }
    let mut made = vec![Token::make_word(COLUMNS, Some('"')), Token::LParen];
    let mut at = at + 2;
    loop {
        let Token::Word(name) = of(at)? else {
            return None;
        };
        at += 1;
        let name = match name.quote_style {
            Some(_) => name.value.clone(),
            None => name.value.to_lowercase(),
        };
        made.extend([Token::SingleQuotedString(name), Token::Comma]);
        made.extend([Token::make_keyword("CAST"), Token::LParen]);
        made.extend([Token::make_keyword("NULL"), Token::make_keyword("AS")]);
        let first = at;
        let mut depth = 0usize;
        loop {
            match of(at)? {
                Token::Comma | Token::RParen if depth == 0 => break,
                Token::LParen => depth += 1,
                Token::RParen => depth -= 1,
                _ => {}
            }
            made.push(of(at)?.clone());
            at += 1;
        }
        if at == first {
            return None;
        }
        made.push(Token::RParen);
        at += 1;
        if of(at - 1)? == &Token::RParen {
            made.push(Token::RParen);
            return Some((made, at));
        }
        made.push(Token::Comma);
    }
}
