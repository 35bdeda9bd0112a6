//! The order of the queries in WITH RECURSIVE, and the order and the limit of one of them.
//!
//! As in PostgreSQL, a query of WITH RECURSIVE may read one that is written behind it. DataFusion plans
//! them as they are written, so that they change places:
//!
//! ```text
//! WITH RECURSIVE a AS (SELECT x FROM b), b AS (SELECT 1 AS x)
//! WITH RECURSIVE b AS (SELECT 1 AS x), a AS (SELECT x FROM b)
//! ```
//!
//! DataFusion plans only the UNION of such a query, and would ignore them (`recursive_cte` of
//! `datafusion-sql`, 55.2):
//!
//! ```text
//! WITH RECURSIVE t AS (SELECT 1 UNION SELECT 2 LIMIT 1)       the UNION is read as a query of its own
//! WITH RECURSIVE t AS (SELECT 1 UNION SELECT … FROM t LIMIT 1)   refused, as in PostgreSQL
//! ```

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use sqlparser::ast::{
    Cte, LimitClause, ObjectName, ObjectNamePart, Query, SetExpr, SetOperator, Visitor, With,
};

use crate::ast::Unsupported;
use crate::walk::walk;

/// Puts the queries in an order in which each reads only those before it, and encloses those that do
/// not read themselves.
///
/// # Errors
///
/// Queries read each other, or a query that reads itself has an order or a limit.
pub(super) fn enclose(with: &mut With) -> Result<(), Unsupported> {
    if !with.recursive {
        return Ok(());
    }
    sort(&mut with.cte_tables)?;
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

/// Puts each query behind those that it reads, and leaves the order otherwise.
///
/// # Errors
///
/// Queries read each other.
fn sort(tables: &mut Vec<Cte>) -> Result<(), Unsupported> {
    let mut numbers: HashMap<String, usize> = HashMap::new();
    for (number, cte) in tables.iter().enumerate() {
        numbers.entry(folded(cte)).or_insert(number);
    }
    // The others that each table reads.
    let mut readings: Vec<BTreeSet<usize>> = Vec::with_capacity(tables.len());
    for (number, cte) in tables.iter().enumerate() {
        let mut readings_of = Readings {
            numbers: &numbers,
            hidden: Vec::new(),
            found: BTreeSet::new(),
        };
        // The visitor never breaks.
        let _ = walk(cte.query.as_ref(), &mut readings_of);
        readings_of.found.remove(&number);
        readings.push(readings_of.found);
    }
    let mut in_order = readings.iter().enumerate();
    if in_order.all(|(number, read)| read.iter().all(|of| *of < number)) {
        return Ok(());
    }
    let mut left: Vec<_> = std::mem::take(tables)
        .into_iter()
        .zip(readings)
        .enumerate()
        .collect();
    let mut placed: BTreeSet<usize> = BTreeSet::new();
    while !left.is_empty() {
        let next = left
            .iter()
            .position(|(_, (_, read))| read.is_subset(&placed));
        let Some(next) = next else {
            return Err(Unsupported {
                what: "mutual recursion between WITH items".to_owned(),
                nearest: Some("one recursive query with a column that tells them apart".to_owned()),
            });
        };
        let (number, (cte, _)) = left.remove(next);
        placed.insert(number);
        tables.push(cte);
    }
    Ok(())
}

fn folded(cte: &Cte) -> String {
    cte.alias.name.value.to_lowercase()
}

/// Collects the tables of a WITH that a query reads.
struct Readings<'a> {
    /// The places of the tables, by name.
    numbers: &'a HashMap<String, usize>,
    /// The names that the WITH of each query around gives to others.
    hidden: Vec<BTreeSet<String>>,
    found: BTreeSet<usize>,
}

impl Visitor for Readings<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.hidden.push(tables.map(folded).collect());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.hidden.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        if let [name] = relation.0.as_slice()
            && let Some(name) = name.as_ident()
        {
            let name = name.value.to_lowercase();
            let is_hidden = self.hidden.iter().any(|names| names.contains(&name));
            if let Some(number) = self.numbers.get(&name).filter(|_| !is_hidden) {
                self.found.insert(*number);
            }
        }
        ControlFlow::Continue(())
    }
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
    fn queries_stand_behind_those_that_they_read() {
        for (sql, expected) in [
            (
                "WITH RECURSIVE a AS (SELECT * FROM B), b AS (SELECT 1) SELECT * FROM a",
                "WITH RECURSIVE b AS (SELECT 1), a AS (SELECT * FROM B) SELECT * FROM a",
            ),
            (
                "WITH RECURSIVE a AS (SELECT * FROM c, d), b AS (SELECT 1), c AS (SELECT * FROM b UNION SELECT * FROM c), d AS (SELECT 2) SELECT * FROM a",
                "WITH RECURSIVE b AS (SELECT 1), c AS (SELECT * FROM b UNION SELECT * FROM c), d AS (SELECT 2), a AS (SELECT * FROM c, d) SELECT * FROM a",
            ),
            (
                "WITH RECURSIVE a AS (WITH b AS (SELECT 2) SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM b",
                "WITH RECURSIVE a AS (WITH b AS (SELECT 2) SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM b",
            ),
            (
                "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
                "WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a",
            ),
        ] {
            match crate::parse(sql).unwrap().remove(0).statement {
                Statement::Query(query) => assert_eq!(query.to_string(), expected),
                other => panic!("no query: {other:?}"),
            }
        }
        let sql = "WITH RECURSIVE a AS (SELECT 1 UNION SELECT * FROM b), b AS (SELECT 1 UNION SELECT * FROM a) SELECT * FROM a";
        match crate::parse(sql).unwrap().remove(0).statement {
            Statement::Unsupported(refused) => {
                assert_eq!(refused.what, "mutual recursion between WITH items");
            }
            other => panic!("not refused: {other:?}"),
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
