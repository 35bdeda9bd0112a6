//! `count(t.*)`, which the engine reads as `count(*)`.
//!
//! ```text
//! FROM a LEFT JOIN b ON … : count(a.*)     is count(*)
//! FROM a LEFT JOIN b ON … : count(b.*)     is refused: PostgreSQL counts the rows that have one of b
//! count()                                  is refused, as in PostgreSQL
//! ```

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, JoinOperator, Select,
    TableFactor, TableWithJoins,
};
use lakegate_error::{Code, Error};
use lakegate_sql::walk::walk_expressions;

use super::conditions::name;
use super::last_part;

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
        ControlFlow::Break(table) => Err(Error::new(
            Code::NotSupported,
            format!("count({table}.*) of a table of an outer join is not supported"),
        )
        .with_hint("count one of its columns that is never NULL")),
    }
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
