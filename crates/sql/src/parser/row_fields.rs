//! `row.*` in a SELECT list, which sqlparser only reads after the name of a table.
//!
//! ```text
//! SELECT (r).*, f(x)[1].a.* AS (x, y)      SELECT "$fields"((r)), "$fields"(f(x)[1].a, 'x', 'y')
//! SELECT t.* AS (x, y)                     SELECT "$fields"(t, 'x', 'y')
//! ```
//!
//! The planner replaces the call by the fields of the row, or by the columns of the table.

use std::ops::ControlFlow;

use sqlparser::ast::{AccessExpr, Expr, Ident, Select, SelectItem, Value, VisitorMut};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::lists::places;
use super::query::is_word;
use crate::ast::Unsupported;
use crate::trino::{FIELDS, call};
use crate::walk::walk_mut;

/// Stands for the `*` after a row. No name is like it.
const STAR: &str = "\u{1}fields";

/// Makes a name of each `*` after a row, and of one with names for its columns.
pub(super) fn named(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let places = places(&tokens);
    let of = |at: usize| Some(&tokens.get(*places.get(at)?)?.token);
    let is_name = |at: usize| matches!(of(at), Some(Token::Word(_)));
    let is_period = |at: usize| of(at) == Some(&Token::Period);
    let found: Vec<usize> = (2..places.len())
        .filter(|at| of(*at) == Some(&Token::Mul) && is_period(at - 1))
        .filter(|at| {
            let mut first = at - 2;
            while first >= 2 && is_name(first) && is_period(first - 1) {
                first -= 2;
            }
            let has_names = of(at + 1).is_some_and(|token| is_word(token, "AS"))
                && of(at + 2) == Some(&Token::LParen);
            has_names || matches!(of(first), Some(Token::RParen | Token::RBracket))
        })
        .filter_map(|at| places.get(at).copied())
        .collect();
    for place in found {
        if let Some(token) = tokens.get_mut(place) {
            token.token = Token::make_word(STAR, Some('"'));
        }
    }
    tokens
}

/// Makes calls of the rows in a SELECT list.
///
/// # Errors
///
/// Another expression has several names.
pub(super) fn called(select: &mut Select) -> Result<(), Unsupported> {
    for item in &mut select.projection {
        let (expr, names): (&Expr, &[Ident]) = match &*item {
            SelectItem::UnnamedExpr(expr) => (expr, &[]),
            SelectItem::ExprWithAliases { expr, aliases } => (expr, aliases),
            _ => continue,
        };
        match row(expr) {
            Some(row) => {
                let names = names.iter().map(text);
                let arguments = std::iter::once(row).chain(names).collect();
                *item = SelectItem::UnnamedExpr(call(FIELDS, arguments));
            }
            None if names.is_empty() => {}
            None => {
                return Err(Unsupported {
                    what: "AS (..) after an expression that is not row.*".to_owned(),
                    nearest: Some("one name".to_owned()),
                });
            }
        }
    }
    Ok(())
}

/// Returns an alias as a string, folded as it would be as a name.
fn text(name: &Ident) -> Expr {
    let name = match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    };
    Expr::Value(Value::SingleQuotedString(name).with_empty_span())
}

/// Returns the row of `row.*`.
fn row(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::CompoundIdentifier(parts) => {
            let (last, row) = parts.split_last()?;
            let row = (last.value == STAR).then_some(row)?;
            Some(match row {
                [name] => Expr::Identifier(name.clone()),
                names => Expr::CompoundIdentifier(names.to_vec()),
            })
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            let (last, chain) = access_chain.split_last()?;
            is_star(last).then(|| match chain {
                [] => root.as_ref().clone(),
                chain => Expr::CompoundFieldAccess {
                    root: root.clone(),
                    access_chain: chain.to_vec(),
                },
            })
        }
        _ => None,
    }
}

fn is_star(access: &AccessExpr) -> bool {
    matches!(access, AccessExpr::Dot(Expr::Identifier(name)) if name.value == STAR)
}

/// Refuses `row.*` within an expression.
pub(super) fn refused(expr: &Expr) -> Option<Unsupported> {
    let found = match expr {
        Expr::CompoundIdentifier(parts) => parts.iter().any(|part| part.value == STAR),
        Expr::CompoundFieldAccess { access_chain, .. } => access_chain.iter().any(is_star),
        _ => false,
    };
    found.then(|| Unsupported {
        what: "row.* outside of a SELECT list".to_owned(),
        nearest: Some("the row, or the names of its fields".to_owned()),
    })
}

/// Refuses `row.*` in expressions that are no part of a query.
pub(super) fn check(expressions: &mut Vec<Expr>) -> Result<(), Unsupported> {
    struct Stars;

    impl VisitorMut for Stars {
        type Break = Unsupported;

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Unsupported> {
            match refused(expr) {
                Some(refused) => ControlFlow::Break(refused),
                None => ControlFlow::Continue(()),
            }
        }
    }

    match walk_mut(expressions, &mut Stars) {
        ControlFlow::Break(refused) => Err(refused),
        ControlFlow::Continue(()) => Ok(()),
    }
}
