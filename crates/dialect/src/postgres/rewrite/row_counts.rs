//! `count(t.*)`, which the engine reads as `count(*)`.
//!
//! ```text
//! FROM a LEFT JOIN b ON … : count(a.*)     is count(*)
//! FROM a LEFT JOIN b ON b.x = … : count(b.*)   count(b.x), which is not NULL in a row of b
//! FROM a LEFT JOIN b ON … : count(b.*)     is refused: PostgreSQL counts the rows that have one of b
//! count()                                  is refused, as in PostgreSQL
//! ```

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, JoinOperator,
    OrderByKind, Query, Select, SetExpr, TableFactor, TableWithJoins, VisitorMut,
};
use lakegate_error::{Code, Error};
use lakegate_sql::walk::{walk_expressions, walk_mut};

use super::conditions::name;
use super::last_part;
use super::missing::{self, Missing};

/// Rejects counts of the rows of a table that an outer join may leave out.
///
/// # Errors
///
/// There is such a count.
pub(super) fn check(select: &Select) -> Result<(), Error> {
    let mut tables = Tables::default();
    for from in &select.from {
        tables.join(from);
    }
    if tables.optional.is_empty() {
        return Ok(());
    }
    let refused = |expr: &Expr| match counted(expr) {
        Some(table) if tables.optional.contains(&table) => ControlFlow::Break(table),
        _ => ControlFlow::Continue(()),
    };
    let in_list = walk_expressions(&select.projection, refused);
    let found = match in_list {
        ControlFlow::Continue(()) => walk_expressions(&select.having, refused),
        in_list => in_list,
    };
    match found {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(table) => Err(not_counted(&table)),
    }
}

fn not_counted(table: &str) -> Error {
    Error::new(
        Code::NotSupported,
        format!("count({table}.*) of a table of an outer join is not supported"),
    )
    .with_hint("count one of its columns that is never NULL")
}

/// Counts the rows of a table that an outer join may leave out by a column that is not NULL in any of
/// them, where one is known.
pub(super) fn rewrite(select: &mut Select) {
    let missing = missing::tables(&select.from);
    if missing.is_empty() {
        return;
    }
    let mut counts = Counts::of(&missing);
    for item in &mut select.projection {
        let _ = walk_mut(item, &mut counts);
    }
    if let Some(having) = &mut select.having {
        let _ = walk_mut(having, &mut counts);
    }
}

/// Does so in the keys of a query.
///
/// # Errors
///
/// No such column of a table that a key counts is known.
pub(super) fn rewrite_keys(query: &mut Query) -> Result<(), Error> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Ok(());
    };
    let Some(OrderByKind::Expressions(keys)) = query.order_by.as_mut().map(|order| &mut order.kind)
    else {
        return Ok(());
    };
    let missing = missing::tables(&select.from);
    if missing.is_empty() {
        return Ok(());
    }
    let mut counts = Counts::of(&missing);
    for key in keys {
        let _ = walk_mut(&mut key.expr, &mut counts);
    }
    match counts.left {
        Some(table) => Err(not_counted(&table)),
        None => Ok(()),
    }
}

struct Counts<'a> {
    missing: &'a [Missing],
    /// The number of queries around the visitor, whose own tables are others.
    queries: usize,
    /// A table that is counted by no column.
    left: Option<String>,
}

impl<'a> Counts<'a> {
    fn of(missing: &'a [Missing]) -> Self {
        Self {
            missing,
            queries: 0,
            left: None,
        }
    }
}

impl VisitorMut for Counts<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.queries == 0
            && let Some(table) = counted(expr)
            && let Some(missing) = missing::find(self.missing, &table)
        {
            let is_put = missing.column().is_some_and(|column| put(expr, column));
            if !is_put {
                self.left = Some(table);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Counts a column of the table. Returns whether the call has such a form.
fn put(count: &mut Expr, column: &str) -> bool {
    if let Expr::Function(function) = count
        && let FunctionArguments::List(list) = &mut function.args
        && list.duplicate_treatment.is_none()
        && let [FunctionArg::Unnamed(argument)] = list.args.as_mut_slice()
        && let FunctionArgExpr::QualifiedWildcard(table) = argument
        && let Some(mut parts) = table
            .0
            .iter()
            .map(|part| part.as_ident().cloned())
            .collect::<Option<Vec<Ident>>>()
    {
        parts.push(Ident::with_quote('"', column));
        *argument = FunctionArgExpr::Expr(Expr::CompoundIdentifier(parts));
        return true;
    }
    false
}

/// Rejects `count()`.
///
/// # Errors
///
/// It is such a call.
pub(super) fn check_arguments(name: &str, function: &Function) -> Result<(), Error> {
    match &function.args {
        FunctionArguments::List(list) if name == "count" && list.args.is_empty() => {
            Err(Error::new(
                Code::WrongObjectType,
                "count(*) must be used to call a parameterless aggregate function",
            ))
        }
        _ => Ok(()),
    }
}

/// The names of the tables of a FROM, and which of them an outer join may leave out.
#[derive(Default)]
struct Tables {
    all: BTreeSet<String>,
    optional: BTreeSet<String>,
}

impl Tables {
    fn join(&mut self, tables: &TableWithJoins) {
        let mut left = Self::of(&tables.relation);
        for join in &tables.joins {
            let mut right = Self::of(&join.relation);
            let (leaves_left, leaves_right) = match &join.join_operator {
                JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => (false, true),
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) => (true, false),
                JoinOperator::FullOuter(_) => (true, true),
                _ => (false, false),
            };
            if leaves_left {
                left.optional = left.all.clone();
            }
            if leaves_right {
                right.optional = right.all.clone();
            }
            left.add(right);
        }
        self.add(left);
    }

    fn add(&mut self, mut other: Self) {
        self.all.append(&mut other.all);
        self.optional.append(&mut other.optional);
    }

    fn of(factor: &TableFactor) -> Self {
        let mut tables = Self::default();
        match factor {
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => tables.join(table_with_joins),
            factor => tables.all.extend(name(factor)),
        }
        tables
    }
}

/// Returns the table whose rows an expression counts, if it does that.
fn counted(expr: &Expr) -> Option<String> {
    let Expr::Function(function) = expr else {
        return None;
    };
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(table))]
            if last_part(&function.name).is_some_and(|name| name == "count") =>
        {
            last_part(table)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::testing::with_select;
    use super::*;

    fn refused(sql: &str) -> bool {
        let mut refused = false;
        with_select(sql, |select| refused = check(select).is_err());
        refused
    }

    #[test]
    fn rows_are_counted_by_a_column_that_a_join_compares() {
        for (sql, expected) in [
            (
                "SELECT count(b.*) + 1, count(a.*) FROM a LEFT JOIN d.b ON a.x = b.y AND true HAVING count(b.*) > 1",
                "SELECT count(b.\"y\") + 1, count(a.*) FROM a LEFT JOIN d.b ON a.x = b.y AND true HAVING count(b.\"y\") > 1",
            ),
            (
                "SELECT count(s.a.*) FILTER (WHERE z) OVER () FROM s.a RIGHT JOIN b USING (k)",
                "SELECT count(s.a.\"k\") FILTER (WHERE z) OVER () FROM s.a RIGHT JOIN b USING(k)",
            ),
            (
                "SELECT count(DISTINCT b.*), count(c.*) FROM a LEFT JOIN b ON a.x = b.x LEFT JOIN c ON true",
                "SELECT count(DISTINCT b.*), count(c.*) FROM a LEFT JOIN b ON a.x = b.x LEFT JOIN c ON true",
            ),
        ] {
            assert_eq!(with_select(sql, rewrite), expected);
        }
    }

    #[test]
    fn only_rows_that_a_join_may_leave_out_are_not_counted() {
        for sql in [
            "SELECT count(b.*) FROM a LEFT JOIN b ON true",
            "SELECT 1 FROM a RIGHT JOIN b ON true HAVING count(a.*) > 1",
            "SELECT count(c.*) + 1 FROM x, a JOIN (b FULL JOIN c ON true) ON true",
            "SELECT count(s.a.*) FROM s.a FULL JOIN b ON true",
        ] {
            assert!(refused(sql), "{sql}");
        }
        for sql in [
            "SELECT count(a.*), count(*), count(b.x) FROM a LEFT JOIN b ON true",
            "SELECT count(b.*) FROM a JOIN b ON true",
            "SELECT count(x.*) FROM x, a LEFT JOIN b ON true",
        ] {
            assert!(!refused(sql), "{sql}");
        }
    }
}
