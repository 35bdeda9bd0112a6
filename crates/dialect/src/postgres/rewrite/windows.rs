//! Resolves windows that refer to other windows, whose clauses the engine drops (`datafusion-sql`,
//! 55.2).
//!
//! ```text
//! OVER (w ORDER BY x) … WINDOW w AS (PARTITION BY y)      OVER (PARTITION BY y ORDER BY x)
//! WINDOW v AS (PARTITION BY y), w AS (v ORDER BY x)       WINDOW v AS …, w AS (PARTITION BY y ORDER BY x)
//! … WINDOW w AS (…) ORDER BY rank() OVER w                … ORDER BY rank() OVER (…)
//! OVER (w PARTITION BY 'mark TIES' ROWS …)                OVER (PARTITION BY 'mark TIES', y ROWS …)
//! ```
//!
//! Delete this when the engine plans them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, Ident, NamedWindowDefinition, NamedWindowExpr, OrderByKind, Query, Select,
    SetExpr, Statement, Value, VisitorMut, WindowSpec, WindowType,
};
use lakegate_error::{Code, Error};
use lakegate_sql::FRAME_EXCLUSION;
use lakegate_sql::walk::walk_mut;

use super::folded;

/// The windows of a SELECT's WINDOW clause by name, fully resolved.
pub(super) type Windows = BTreeMap<String, WindowSpec>;

/// Resolves a SELECT's WINDOW clause, in which a window may refer to earlier ones.
pub(super) fn defined(select: &mut Select) -> Result<Windows, Error> {
    let mut windows = Windows::new();
    for NamedWindowDefinition(name, definition) in &mut select.named_window {
        let spec = match definition {
            NamedWindowExpr::NamedWindow(base) => found(&windows, base)?.clone(),
            NamedWindowExpr::WindowSpec(spec) => {
                resolve(&windows, spec)?;
                spec.clone()
            }
        };
        windows.insert(folded(name), spec);
    }
    Ok(windows)
}

/// Resolves the window of a call.
pub(super) fn resolve_call(windows: Option<&Windows>, call: &mut Function) -> Result<(), Error> {
    match &mut call.over {
        Some(WindowType::WindowSpec(spec)) if spec.window_name.is_some() => {
            resolve(windows.unwrap_or(&Windows::new()), spec)
        }
        _ => Ok(()),
    }
}

/// Resolves the windows that the ORDER BY of a query names.
pub(super) fn in_order(statement: &mut Statement) -> Result<(), Error> {
    match walk_mut(statement, &mut Orders) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Orders;

impl VisitorMut for Orders {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let SetExpr::Select(select) = query.body.as_mut() else {
            return ControlFlow::Continue(());
        };
        if select.named_window.is_empty() {
            return ControlFlow::Continue(());
        }
        let Some(order) = &mut query.order_by else {
            return ControlFlow::Continue(());
        };
        let windows = match defined(select) {
            Ok(windows) => windows,
            Err(error) => return ControlFlow::Break(error),
        };
        if let OrderByKind::Expressions(keys) = &mut order.kind {
            let mut named = Named {
                windows: &windows,
                subqueries: 0,
            };
            for key in keys {
                walk_mut(&mut key.expr, &mut named)?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Resolves the windows that the calls of an expression name, outside of its subqueries.
struct Named<'a> {
    windows: &'a Windows,
    subqueries: usize,
}

impl VisitorMut for Named<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.subqueries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<Error> {
        self.subqueries -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Expr::Function(call) = expr else {
            return ControlFlow::Continue(());
        };
        if self.subqueries > 0 {
            return ControlFlow::Continue(());
        }
        let resolved = match &call.over {
            Some(WindowType::NamedWindow(name)) => match found(self.windows, name) {
                Ok(spec) => {
                    call.over = Some(WindowType::WindowSpec(spec.clone()));
                    Ok(())
                }
                Err(error) => Err(error),
            },
            _ => resolve_call(Some(self.windows), call),
        };
        match resolved {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn found<'a>(windows: &'a Windows, name: &Ident) -> Result<&'a WindowSpec, Error> {
    windows.get(&folded(name)).ok_or_else(|| {
        Error::new(
            Code::UndefinedObject,
            format!("window \"{}\" does not exist", folded(name)),
        )
    })
}

/// Copies the clauses of the referenced window into this one.
fn resolve(windows: &Windows, spec: &mut WindowSpec) -> Result<(), Error> {
    let Some(name) = &spec.window_name else {
        return Ok(());
    };
    let base = found(windows, name)?;
    let of = folded(name);
    let refused = |message: String| Err(Error::new(Code::WindowingError, message));
    if !spec.partition_by.iter().all(is_exclusion) {
        return refused(format!(
            "cannot override PARTITION BY clause of window \"{of}\""
        ));
    }
    if !spec.order_by.is_empty() && !base.order_by.is_empty() {
        return refused(format!(
            "cannot override ORDER BY clause of window \"{of}\""
        ));
    }
    if base.window_frame.is_some() {
        return refused(format!(
            "cannot copy window \"{of}\" because it has a frame clause"
        ));
    }
    spec.partition_by.extend(base.partition_by.iter().cloned());
    if spec.order_by.is_empty() {
        spec.order_by.clone_from(&base.order_by);
    }
    spec.window_name = None;
    Ok(())
}

/// Returns whether a key of a partition says which rows the frame excludes.
fn is_exclusion(key: &Expr) -> bool {
    match key {
        Expr::Nested(inner) => is_exclusion(inner),
        Expr::Value(value) => {
            matches!(&value.value, Value::SingleQuotedString(text) if text.starts_with(FRAME_EXCLUSION))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn windows_in_order_by_are_resolved() {
        for (sql, expected) in [
            (
                "SELECT a FROM t WINDOW w AS (PARTITION BY b) ORDER BY count(*) OVER w, sum(c) OVER (w ORDER BY d)",
                "SELECT a FROM t WINDOW w AS (PARTITION BY b) ORDER BY count(*) OVER (PARTITION BY b), sum(c) OVER (PARTITION BY b ORDER BY d)",
            ),
            (
                "SELECT a FROM t ORDER BY count(*) OVER (ORDER BY a)",
                "SELECT a FROM t ORDER BY count(*) OVER (ORDER BY a)",
            ),
        ] {
            let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
            let statement = statements.first_mut().unwrap();
            in_order(statement).unwrap();
            assert_eq!(statement.to_string(), expected);
        }
    }

    #[test]
    fn what_a_frame_excludes_is_no_key_of_the_named_window() {
        let of = |key: &str| {
            let sql = format!(
                "SELECT a FROM t WINDOW w AS (PARTITION BY b) ORDER BY sum(c) OVER (w PARTITION BY {key} ROWS 1 PRECEDING)"
            );
            let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, &sql).unwrap();
            let mut statement = statements.remove(0);
            in_order(&mut statement).map(|()| statement.to_string())
        };
        let mark = format!("('{FRAME_EXCLUSION}TIES')");
        let resolved = of(&mark).unwrap();
        assert!(
            resolved.ends_with(&format!("OVER (PARTITION BY {mark}, b ROWS 1 PRECEDING)")),
            "{resolved}"
        );
        assert!(of("'x'").is_err());
    }

    #[test]
    fn a_window_in_order_by_must_exist() {
        let sql = "SELECT a FROM t WINDOW w AS (PARTITION BY b) ORDER BY count(*) OVER v";
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        assert!(in_order(statements.first_mut().unwrap()).is_err());
    }
}
