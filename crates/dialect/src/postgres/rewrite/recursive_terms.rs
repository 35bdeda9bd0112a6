//! Recursive queries that PostgreSQL does not accept.
//!
//! ```text
//! SELECT 1 AS x UNION ALL SELECT max(x) FROM r               an aggregate function of the rows so far
//! SELECT 1 AS x UNION ALL SELECT … FROM t LEFT JOIN r …      r may be missing
//! SELECT 1 AS x UNION ALL SELECT … WHERE y IN (SELECT x FROM r)
//! ```
//!
//! Their results would depend on how many rows are read at a time, or they would not end. The parser
//! refuses an order and a limit.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SetExpr, SetOperator, SetQuantifier, Statement, TableFactor, TableWithJoins, Visitor,
};
use lakegate_error::{Code, Error, Operands};
use lakegate_sql::join_constraint;
use lakegate_sql::walk::{Tree, walk, walk_own_expressions};

use super::{folded, last_part};
use crate::postgres::pg_catalog::overloads::FunctionKinds;

/// How deeply the parts of a recursive term are searched; the parser bounds them lower.
const MAX_DEPTH: usize = 256;

/// Checks the recursive queries of a statement.
///
/// # Errors
///
/// PostgreSQL refuses one of them.
pub fn check(statement: &Statement) -> Result<(), Error> {
    match walk(statement, &mut Recursions) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Recursions;

impl Visitor for Recursions {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        let Some(with) = query.with.as_ref().filter(|with| with.recursive) else {
            return ControlFlow::Continue(());
        };
        for table in &with.cte_tables {
            let name = folded(&table.alias.name);
            if let Err(error) = of_table(&table.alias.name, &name, &table.query) {
                return ControlFlow::Break(error);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Where a recursive query is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Allowed,
    OuterJoin,
    Subquery,
    Intersect,
    Except,
    FirstTerm,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Allowed => "this place",
            Self::OuterJoin => "an outer join",
            Self::Subquery => "a subquery",
            Self::Intersect => "INTERSECT",
            Self::Except => "EXCEPT",
            Self::FirstTerm => "its non-recursive term",
        }
    }
}

/// # Errors
///
/// The query reads itself in a way that PostgreSQL refuses.
fn of_table(alias: &Ident, name: &str, query: &Query) -> Result<(), Error> {
    let mut term = Term { name, reads: 0 };
    if term.reference(query).is_none() {
        return Ok(());
    }
    let SetExpr::SetOperation {
        op: SetOperator::Union,
        left,
        right,
        ..
    } = query.body.as_ref()
    else {
        let message = format!(
            "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
        );
        return Err(placed(Code::InvalidRecursion, message, alias));
    };
    term.in_set(left, Place::FirstTerm, 0)?;
    term.in_set(right, Place::Allowed, 0)
}

/// Returns an error about a name.
fn placed(code: Code, message: String, name: &Ident) -> Error {
    Error::new(code, message).with_operands(Operands {
        sign: name.value.clone(),
        place: Some((name.span.start.line, name.span.start.column)),
        ..Operands::default()
    })
}

/// A recursive query that is checked.
struct Term<'a> {
    name: &'a str,
    /// How often it has been read so far.
    reads: usize,
}

impl Term<'_> {
    fn is_it(&self, name: &ObjectName) -> bool {
        name.0.len() == 1 && last_part(name).is_some_and(|name| name == self.name)
    }

    /// Returns the first reference to the query in a part of the statement.
    fn reference(&self, part: &impl Tree) -> Option<Ident> {
        let mut references = References {
            term: self,
            hidden: 0,
        };
        match walk(part, &mut references) {
            ControlFlow::Break(name) => Some(name),
            ControlFlow::Continue(()) => None,
        }
    }

    /// Returns whether the WITH of a query has a table of the same name, which the name means in it.
    fn is_hidden_in(&self, query: &Query) -> bool {
        let mut tables = query.with.iter().flat_map(|with| with.cte_tables.iter());
        tables.any(|table| folded(&table.alias.name) == self.name)
    }

    fn misplaced(&self, place: Place, name: &Ident) -> Error {
        let message = format!(
            "recursive reference to query \"{}\" must not appear within {}",
            self.name,
            place.name()
        );
        placed(Code::InvalidRecursion, message, name)
    }

    fn in_set(&mut self, body: &SetExpr, place: Place, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Ok(());
        }
        match body {
            SetExpr::Select(select) => self.in_select(select, place, depth + 1),
            SetExpr::Query(query) => self.in_query(query, place, depth + 1),
            SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } => {
                let is_all = *set_quantifier == SetQuantifier::All;
                let (of_left, of_right) = match (op, place) {
                    (SetOperator::Intersect, Place::Allowed) if is_all => {
                        (Place::Intersect, Place::Intersect)
                    }
                    (SetOperator::Except, Place::Allowed) if is_all => {
                        (Place::Except, Place::Except)
                    }
                    (SetOperator::Except, Place::Allowed) => (place, Place::Except),
                    _ => (place, place),
                };
                self.in_set(left, of_left, depth + 1)?;
                self.in_set(right, of_right, depth + 1)
            }
            other => match self.reference(other) {
                Some(name) => Err(self.misplaced(Place::Subquery, &name)),
                None => Ok(()),
            },
        }
    }

    fn in_query(&mut self, query: &Query, place: Place, depth: usize) -> Result<(), Error> {
        let tables = query.with.iter().flat_map(|with| with.cte_tables.iter());
        for table in tables {
            // The name means this table from here on.
            if folded(&table.alias.name) == self.name {
                return Ok(());
            }
            self.in_query(&table.query, place, depth + 1)?;
        }
        self.in_set(&query.body, place, depth)
    }

    fn in_select(&mut self, select: &Select, place: Place, depth: usize) -> Result<(), Error> {
        let before = self.reads;
        let mut is_read_here = false;
        for tables in &select.from {
            self.in_tables(tables, place, depth, &mut is_read_here)?;
        }
        let is_own = is_read_here && self.reads > before;
        for expr in expressions(select) {
            if let Some(name) = self.reference(expr) {
                let place = match place {
                    Place::FirstTerm => place,
                    _ => Place::Subquery,
                };
                return Err(self.misplaced(place, &name));
            }
            if is_own {
                without_aggregates(expr)?;
            }
        }
        Ok(())
    }

    /// `is_read_here`: set if a table of the FROM itself, in no subquery, is the recursive query.
    fn in_tables(
        &mut self,
        tables: &TableWithJoins,
        place: Place,
        depth: usize,
        is_read_here: &mut bool,
    ) -> Result<(), Error> {
        // A table is left out of rows by its own join, or by one behind it.
        let is_left_out = |from: usize, own: Option<&Join>| {
            let of_own = own.is_some_and(|join| leaves_out(join).1);
            let mut later = tables.joins.iter().skip(from);
            of_own || later.any(|join| leaves_out(join).0)
        };
        let within = |is_left_out: bool| match (place, is_left_out) {
            (Place::Allowed, true) => Place::OuterJoin,
            _ => place,
        };
        let first = within(is_left_out(0, None));
        self.in_factor(&tables.relation, first, depth, is_read_here)?;
        for (index, join) in tables.joins.iter().enumerate() {
            let place = within(is_left_out(index + 1, Some(join)));
            self.in_factor(&join.relation, place, depth, is_read_here)?;
            if let Some(JoinConstraint::On(condition)) = join_constraint(join)
                && let Some(name) = self.reference(condition)
            {
                return Err(self.misplaced(Place::Subquery, &name));
            }
        }
        Ok(())
    }

    fn in_factor(
        &mut self,
        factor: &TableFactor,
        place: Place,
        depth: usize,
        is_read_here: &mut bool,
    ) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Ok(());
        }
        match factor {
            TableFactor::Table { name, .. } if self.is_it(name) => {
                let Some(written) = name.0.first().and_then(|part| part.as_ident()) else {
                    return Ok(());
                };
                if place != Place::Allowed {
                    return Err(self.misplaced(place, written));
                }
                self.reads += 1;
                *is_read_here = true;
                if self.reads > 1 {
                    let message = format!(
                        "recursive reference to query \"{}\" must not appear more than once",
                        self.name
                    );
                    return Err(placed(Code::InvalidRecursion, message, written));
                }
                Ok(())
            }
            TableFactor::Derived { subquery, .. } => self.in_query(subquery, place, depth + 1),
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => self.in_tables(table_with_joins, place, depth + 1, is_read_here),
            _ => Ok(()),
        }
    }
}

/// Returns whether a join may leave out the rows before it, and those of its own table.
fn leaves_out(join: &Join) -> (bool, bool) {
    match &join.join_operator {
        JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => (false, true),
        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => (true, false),
        JoinOperator::FullOuter(_) => (true, true),
        _ => (false, false),
    }
}

/// Returns the expressions of a SELECT, without those of its FROM.
fn expressions(select: &Select) -> impl Iterator<Item = &Expr> {
    let items = select.projection.iter().filter_map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    });
    items.chain(&select.selection).chain(&select.having)
}

/// # Errors
///
/// An expression calls an aggregate function.
fn without_aggregates(expr: &Expr) -> Result<(), Error> {
    let walked = walk_own_expressions(expr, |part| match part {
        Expr::Function(call) if call.over.is_none() => {
            let kinds = last_part(&call.name).map(|name| FunctionKinds::of(&name));
            let written = call.name.0.first().and_then(|part| part.as_ident());
            match written.filter(|_| kinds.is_some_and(FunctionKinds::is_aggregate)) {
                Some(name) => ControlFlow::Break(placed(
                    Code::InvalidRecursion,
                    "aggregate functions are not allowed in a recursive query's recursive term"
                        .to_owned(),
                    name,
                )),
                None => ControlFlow::Continue(()),
            }
        }
        _ => ControlFlow::Continue(()),
    });
    match walked {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Breaks with the first reference to a recursive query.
struct References<'a> {
    term: &'a Term<'a>,
    /// The number of queries around the visitor in which the name means another table.
    hidden: usize,
}

impl Visitor for References<'_> {
    type Break = Ident;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Ident> {
        self.hidden += usize::from(self.term.is_hidden_in(query));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Ident> {
        self.hidden -= usize::from(self.term.is_hidden_in(query));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Ident> {
        let name = match factor {
            TableFactor::Table {
                name, args: None, ..
            } if self.hidden == 0 && self.term.is_it(name) => {
                name.0.first().and_then(|part| part.as_ident())
            }
            _ => None,
        };
        match name {
            Some(name) => ControlFlow::Break(name.clone()),
            None => ControlFlow::Continue(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn refused(sql: &str) -> Option<String> {
        let statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        let error = check(statements.first().unwrap()).err();
        error.map(|error| error.message().to_owned())
    }

    #[test]
    fn recursive_terms_that_do_not_end_are_refused() {
        let reads = |place: &str| {
            format!("recursive reference to query \"q\" must not appear within {place}")
        };
        let form = "recursive query \"q\" does not have the form non-recursive-term UNION [ALL] recursive-term";
        let aggregates =
            "aggregate functions are not allowed in a recursive query's recursive term";
        for (query, expected) in [
            (
                "SELECT 1 UNION ALL SELECT max(x) FROM q",
                aggregates.to_owned(),
            ),
            (
                "SELECT 1 UNION SELECT x FROM q HAVING count(*) > 1",
                aggregates.to_owned(),
            ),
            (
                "SELECT 1 UNION ALL SELECT x FROM a LEFT JOIN q ON true",
                reads("an outer join"),
            ),
            (
                "SELECT 1 UNION ALL SELECT x FROM q RIGHT JOIN a ON true",
                reads("an outer join"),
            ),
            (
                "SELECT 1 UNION ALL SELECT x FROM b, (q FULL JOIN a ON true)",
                reads("an outer join"),
            ),
            (
                "SELECT 1 UNION ALL SELECT 1 FROM a WHERE EXISTS (SELECT 1 FROM q)",
                reads("a subquery"),
            ),
            (
                "SELECT x FROM q UNION ALL SELECT 1",
                reads("its non-recursive term"),
            ),
            (
                "SELECT 1 UNION ALL (SELECT 1 INTERSECT ALL SELECT x FROM q)",
                reads("INTERSECT"),
            ),
            (
                "SELECT 1 UNION ALL (SELECT x FROM q EXCEPT ALL SELECT 1)",
                reads("EXCEPT"),
            ),
            (
                "SELECT 1 UNION ALL (SELECT 1 EXCEPT SELECT x FROM q)",
                reads("EXCEPT"),
            ),
            ("SELECT x FROM q", form.to_owned()),
            ("SELECT 1 EXCEPT SELECT x FROM q", form.to_owned()),
            (
                "SELECT 1 UNION ALL SELECT 1 FROM q a, q b",
                "recursive reference to query \"q\" must not appear more than once".to_owned(),
            ),
        ] {
            let sql = format!("WITH RECURSIVE q (x) AS ({query}) SELECT * FROM q ORDER BY 1");
            assert_eq!(refused(&sql), Some(expected), "{sql}");
        }
    }

    #[test]
    fn recursive_queries_of_postgres_are_accepted() {
        for query in [
            "SELECT 1 UNION ALL SELECT x + 1 FROM q WHERE x < 5",
            "SELECT max(y) FROM a UNION ALL SELECT x FROM q JOIN a ON a.y = q.x",
            "SELECT 1 UNION SELECT x FROM q LEFT JOIN a ON true",
            "SELECT 1 UNION ALL (SELECT x + 1 FROM q WHERE x < 3 LIMIT 5)",
            "SELECT 1 UNION ALL SELECT max(x) FROM (SELECT x FROM q) s",
            "SELECT 1 UNION ALL SELECT x + (SELECT max(y) FROM a) FROM q",
            "SELECT 1 UNION ALL SELECT rank() OVER (ORDER BY x) FROM q",
            "SELECT 1 LIMIT 5",
            "(SELECT 1 ORDER BY 1) UNION ALL SELECT x FROM q",
            "SELECT 1 UNION ALL SELECT x FROM d.q",
            "SELECT 1 UNION (SELECT 1 INTERSECT SELECT x + 1 FROM q)",
            "SELECT 1 UNION ALL (SELECT x + 1 FROM q EXCEPT SELECT 4)",
            // These read another table of the name.
            "WITH q AS (SELECT 1 AS x) SELECT x FROM q",
            "SELECT x FROM (WITH q AS (SELECT 1 AS x) SELECT x FROM q) s",
            "SELECT 1 UNION ALL SELECT x FROM q WHERE EXISTS (WITH q AS (SELECT 1) SELECT 1 FROM q)",
        ] {
            let sql = format!("WITH RECURSIVE q (x) AS ({query}) SELECT * FROM q, q r");
            assert_eq!(refused(&sql), None, "{sql}");
        }
    }
}
