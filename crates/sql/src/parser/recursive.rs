//! The order and the limit of a query in WITH RECURSIVE.
//!
//! DataFusion plans only the UNION of such a query, and would ignore them (`recursive_cte` of
//! `datafusion-sql`, 55.2):
//!
//! ```text
//! WITH RECURSIVE t AS (SELECT 1 UNION SELECT 2 LIMIT 1)       the UNION is read as a query of its own
//! WITH RECURSIVE t AS (SELECT 1 UNION SELECT … FROM t LIMIT 1)   refused, as in PostgreSQL
//! ```

use std::ops::ControlFlow;

use sqlparser::ast::{
    LimitClause, ObjectName, ObjectNamePart, Query, SetExpr, SetOperator, Visitor, With,
};

use crate::ast::Unsupported;
use crate::walk::walk;

/// Encloses the queries that do not read themselves.
///
/// # Errors
///
/// A query that reads itself has an order or a limit.
pub(super) fn enclose(with: &mut With) -> Result<(), Unsupported> {
    if !with.recursive {
        return Ok(());
    }
    for cte in &mut with.cte_tables {
        let is_union = matches!(
            cte.query.body.as_ref(),
            SetExpr::SetOperation {
                op: SetOperator::Union,
                ..
            }
        );
        let Some(clause) = clause(&cte.query).filter(|_| is_union) else {
            continue;
        };
        let mut itself = Itself {
            name: &cte.alias.name.value,
        };
        if walk(cte.query.as_ref(), &mut itself).is_break() {
            return Err(Unsupported {
                what: format!("{clause} in a recursive query"),
                nearest: Some(format!("{clause} in the query that reads its rows")),
            });
        }
        let inner = cte.query.clone();
        cte.query.with = None;
        cte.query.order_by = None;
        cte.query.limit_clause = None;
        cte.query.fetch = None;
        *cte.query.body = SetExpr::Query(inner);
    }
    Ok(())
}

/// Returns the clause of a query that DataFusion would ignore.
fn clause(query: &Query) -> Option<&'static str> {
    if query.order_by.is_some() {
        return Some("ORDER BY");
    }
    match &query.limit_clause {
        Some(LimitClause::LimitOffset {
            limit: None,
            offset: Some(_),
            ..
        }) if query.fetch.is_none() => Some("OFFSET"),
        Some(_) => Some("LIMIT"),
        None => query.fetch.is_some().then_some("LIMIT"),
    }
}

/// Ends the walk at a reading of a name.
struct Itself<'a> {
    name: &'a str,
}

impl Visitor for Itself<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = match relation.0.as_slice() {
            [name] => ObjectNamePart::as_ident(name),
            _ => None,
        };
        match name.is_some_and(|name| name.value.eq_ignore_ascii_case(self.name)) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use crate::Statement;

    #[test]
    fn a_union_that_does_not_read_itself_keeps_its_order() {
        for (sql, expected) in [
            (
                "WITH RECURSIVE a AS (SELECT 2 UNION SELECT 1 ORDER BY 1 LIMIT 1) SELECT * FROM a",
                "WITH RECURSIVE a AS ((SELECT 2 UNION SELECT 1 ORDER BY 1 LIMIT 1)) SELECT * FROM a",
            ),
            (
                "WITH RECURSIVE a AS (SELECT 2 UNION SELECT x FROM a) SELECT * FROM a ORDER BY 1",
                "WITH RECURSIVE a AS (SELECT 2 UNION SELECT x FROM a) SELECT * FROM a ORDER BY 1",
            ),
            (
                "WITH a AS (SELECT 2 UNION SELECT x FROM a LIMIT 1) SELECT * FROM a",
                "WITH a AS (SELECT 2 UNION SELECT x FROM a LIMIT 1) SELECT * FROM a",
            ),
        ] {
            match crate::parse(sql).unwrap().remove(0).statement {
                Statement::Query(query) => assert_eq!(query.to_string(), expected),
                other => panic!("no query: {other:?}"),
            }
        }
    }

    #[test]
    fn a_recursive_query_has_no_order_and_no_limit() {
        for (clause, expected) in [
            ("ORDER BY 1 LIMIT 1", "ORDER BY in a recursive query"),
            ("LIMIT 1 OFFSET 1", "LIMIT in a recursive query"),
            ("OFFSET 1", "OFFSET in a recursive query"),
            ("FETCH FIRST ROW ONLY", "LIMIT in a recursive query"),
        ] {
            let sql = format!(
                "SELECT * FROM (WITH RECURSIVE a AS (SELECT 2 UNION SELECT x FROM A {clause}) SELECT * FROM a) s"
            );
            match crate::parse(&sql).unwrap().remove(0).statement {
                Statement::Unsupported(refused) => assert_eq!(refused.what, expected),
                other => panic!("not refused: {other:?}"),
            }
        }
    }
}
