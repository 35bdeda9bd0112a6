//! Nested values that the engine's planner takes in fewer places, in every dialect.
//!
//! ```text
//! CAST(x AS ROW(…)).a.b     get_field(get_field(CAST(x AS ROW(…)), 'a'), 'b')
//! ARRAY[x, y]               make_array(x, y)      a literal does not see the columns of outer queries
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Statement, Value, VisitorMut};
use lakegate_sql::trino::call;
use lakegate_sql::walk::walk_mut;

use crate::postgres::folded;

/// Rewrites the fields of fields in a statement.
pub(crate) fn fields(statement: &mut Statement) {
    let _: ControlFlow<()> = walk_mut(statement, &mut Fields);
}

/// Rewrites the arrays of a statement. Their literal form must not be needed any more.
pub(crate) fn arrays(statement: &mut Statement) {
    let _: ControlFlow<()> = walk_mut(statement, &mut Arrays);
}

struct Fields;

impl VisitorMut for Fields {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundFieldAccess { root, access_chain } = expr
            && access_chain.len() > 1
            && let Some(rewritten) = accessed(root, access_chain)
        {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }
}

/// Returns the calls for a chain with fields; `None` if it has none.
fn accessed(root: &Expr, chain: &[AccessExpr]) -> Option<Expr> {
    let is_field = |access: &AccessExpr| matches!(access, AccessExpr::Dot(Expr::Identifier(_)));
    // The first names after a name may be those of a column.
    let of_name = match root {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
            chain.iter().take_while(|access| is_field(access)).count()
        }
        _ => 0,
    };
    if !chain.iter().skip(of_name).any(is_field) {
        return None;
    }
    let mut value = root.clone();
    let mut pending: Vec<AccessExpr> = Vec::new();
    let with_pending = |value: Expr, pending: Vec<AccessExpr>| match pending.is_empty() {
        true => value,
        false => Expr::CompoundFieldAccess {
            root: Box::new(value),
            access_chain: pending,
        },
    };
    for (place, access) in chain.iter().enumerate() {
        match access {
            AccessExpr::Dot(Expr::Identifier(field)) if place >= of_name => {
                let of = with_pending(value, std::mem::take(&mut pending));
                let name = Value::SingleQuotedString(folded(field));
                value = call("get_field", vec![of, Expr::Value(name.with_empty_span())]);
            }
            other => pending.push(other.clone()),
        }
    }
    Some(with_pending(value, pending))
}

struct Arrays;

impl VisitorMut for Arrays {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Array(array) = expr
            && !array.elem.iter().all(is_constant)
        {
            *expr = call("make_array", std::mem::take(&mut array.elem));
        }
        ControlFlow::Continue(())
    }
}

fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::Nested(of) | Expr::UnaryOp { expr: of, .. } | Expr::Cast { expr: of, .. } => {
            is_constant(of)
        }
        Expr::Array(array) => array.elem.iter().all(is_constant),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trino::testing::query;

    #[test]
    fn fields_of_fields_are_calls() {
        for (sql, expected) in [
            ("f(x).a.\"B\"", "get_field(get_field(f(x), 'a'), 'b')"),
            ("f(x)[1].a", "get_field(f(x)[1], 'a')"),
            ("f(x)[1][2]", "f(x)[1][2]"),
            ("t.a.b", "t.a.b"),
            ("t.a[1].b.c", "get_field(get_field(t.a[1], 'b'), 'c')"),
        ] {
            let mut statement = Statement::Query(query(&format!("SELECT {sql}")));
            fields(&mut statement);
            assert_eq!(statement.to_string(), format!("SELECT {expected}"), "{sql}");
        }
    }

    #[test]
    fn arrays_of_columns_are_calls() {
        for (sql, expected) in [
            ("ARRAY[1, -2, NULL]", "ARRAY[1, -2, NULL]"),
            (
                "ARRAY[ARRAY[x], ARRAY[1]]",
                "make_array(make_array(x), ARRAY[1])",
            ),
        ] {
            let mut statement = Statement::Query(query(&format!("SELECT {sql}")));
            arrays(&mut statement);
            assert_eq!(statement.to_string(), format!("SELECT {expected}"), "{sql}");
        }
    }
}
