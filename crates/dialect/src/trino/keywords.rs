//! Words that are functions in PostgreSQL, and plain names in Trino.
//!
//! ```text
//! user, t.user, user.name       the column "user": the parser makes the first a call without parentheses
//! ```

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, FunctionArguments, Ident};

/// Calls without parentheses that Trino does not have.
const NAMES: [&str; 2] = ["user", "session_user"];

/// Makes a name of such a call, and of a chain that begins with one.
pub(super) fn as_name(expr: &mut Expr) {
    if let Some(mut parts) = called(expr) {
        *expr = match (parts.len(), parts.pop()) {
            (1, Some(name)) => Expr::Identifier(name),
            (_, name) => Expr::CompoundIdentifier(parts.into_iter().chain(name).collect()),
        };
    } else if let Expr::CompoundFieldAccess { root, access_chain } = expr
        && let Some(parts) = names_of(root, access_chain)
    {
        *expr = Expr::CompoundIdentifier(parts);
    }
}

/// Returns the parts of the name of a call without parentheses, if it is a plain name in Trino.
fn called(expr: &Expr) -> Option<Vec<Ident>> {
    let Expr::Function(call) = expr else {
        return None;
    };
    let (FunctionArguments::None, None) = (&call.args, &call.over) else {
        return None;
    };
    let parts = call.name.0.iter().map(|part| part.as_ident().cloned());
    let parts = parts.collect::<Option<Vec<Ident>>>()?;
    let last = parts.last()?;
    let known = NAMES
        .iter()
        .any(|known| last.value.eq_ignore_ascii_case(known));
    (known && last.quote_style.is_none()).then_some(parts)
}

/// Returns the parts of `a.b.c`; `None` if one is not a name.
pub(super) fn names_of(root: &Expr, chain: &[AccessExpr]) -> Option<Vec<Ident>> {
    let mut parts = match root {
        Expr::Identifier(name) => vec![name.clone()],
        Expr::CompoundIdentifier(parts) => parts.clone(),
        root => called(root)?,
    };
    for access in chain {
        match access {
            AccessExpr::Dot(Expr::Identifier(name)) => parts.push(name.clone()),
            AccessExpr::Dot(expr) => parts.extend(called(expr)?),
            AccessExpr::Subscript(_) => return None,
        }
    }
    Some(parts)
}

/// Returns the last part of a column's name, before the rewrite.
pub(super) fn column(expr: &Expr) -> Option<Ident> {
    match expr {
        Expr::CompoundFieldAccess { root, access_chain } => names_of(root, access_chain)?.pop(),
        expr => called(expr)?.pop(),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::Statement;

    use crate::trino::names::plain;
    use crate::trino::testing::query;

    #[test]
    fn user_is_a_column() {
        for (sql, expected) in [
            ("user, USER", "user, USER"),
            (
                "t.user, user.name, t.user.name",
                "t.user, user.name AS \"name\", t.user.name AS \"name\"",
            ),
            ("user['a'], upper(user)", "user['a'], upper(user)"),
            ("current_user", "current_user"),
        ] {
            let mut statement = Statement::Query(query(&format!("SELECT {sql} FROM t")));
            plain(&mut statement);
            assert_eq!(statement.to_string(), format!("SELECT {expected} FROM t"));
            let calls = format!("{statement:?}").contains("Function(Function");
            assert_eq!(
                calls,
                sql.contains("upper") || sql.contains("current"),
                "{sql}"
            );
        }
    }
}
