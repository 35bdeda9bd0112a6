//! Tables in FROM whose rows an outer join may leave out. The row of such a table is NULL then, and
//! not a row of NULLs.
//!
//! ```text
//! a LEFT JOIN b ON b.y = a.x         a row of b is there where b.y IS NOT NULL
//! a LEFT JOIN b ON true              a row of b is there where any of its columns is not NULL
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Join, JoinConstraint, JoinOperator, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TableWithJoins, Value,
};
use lakegate_sql::join_constraint;
use lakegate_sql::walk::walk_own_expressions;

use super::using::relation;
use super::{build, folded, last_part};

/// A table whose rows may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    /// Its name in front of its columns.
    table: String,
    /// A column that is not NULL in any row that is there, if one is known.
    column: Option<String>,
}

impl Missing {
    /// Returns a column that is not NULL in any row that is there, if one is known.
    pub(super) fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }

    /// Returns the condition that a row is there. `column`: makes the reference to a column.
    pub(super) fn is_there(
        &self,
        columns: &[String],
        column: impl Fn(&str) -> Expr,
    ) -> Option<Expr> {
        let known = self.column.as_ref().filter(|name| columns.contains(name));
        let tested = match known {
            Some(name) => std::slice::from_ref(name),
            None => columns,
        };
        let tests = tested
            .iter()
            .map(|name| Expr::IsNotNull(Box::new(column(name))));
        tests.reduce(|left, right| build::binary(left, BinaryOperator::Or, right))
    }
}

/// Returns the tables of a FROM whose rows may be missing.
pub(super) fn tables(from: &[TableWithJoins]) -> Vec<Missing> {
    let mut all = Vec::new();
    for table in from {
        search(table, &mut all);
    }
    all
}

/// Returns the table of a name, if its rows may be missing.
pub(super) fn find<'a>(all: &'a [Missing], table: &str) -> Option<&'a Missing> {
    all.iter().find(|missing| missing.table == table)
}

fn search(table: &TableWithJoins, all: &mut Vec<Missing>) {
    let mut left = Vec::new();
    within(&table.relation, all);
    leaves(&table.relation, &mut left);
    for join in &table.joins {
        let mut right = Vec::new();
        within(&join.relation, all);
        leaves(&join.relation, &mut right);
        match &join.join_operator {
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => {
                let is_always_there = matches!(right.as_slice(), [only] if has_one_row(only))
                    && is_unconditional(join);
                if !is_always_there {
                    right.iter().for_each(|table| add(table, Some(join), all));
                }
            }
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) => {
                left.iter().for_each(|table| add(table, Some(join), all));
            }
            // A row that meets no other may have a NULL in the columns that are compared.
            JoinOperator::FullOuter(_) => {
                let both = left.iter().chain(&right);
                both.for_each(|table| add(table, None, all));
            }
            _ => {}
        }
        left.append(&mut right);
    }
}

/// Searches joins in parentheses.
fn within(factor: &TableFactor, all: &mut Vec<Missing>) {
    if let TableFactor::NestedJoin {
        table_with_joins, ..
    } = factor
    {
        search(table_with_joins, all);
    }
}

/// Collects the tables of a part of FROM.
fn leaves<'a>(factor: &'a TableFactor, found: &mut Vec<&'a TableFactor>) {
    match factor {
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => {
            leaves(&table_with_joins.relation, found);
            for join in &table_with_joins.joins {
                leaves(&join.relation, found);
            }
        }
        factor => found.push(factor),
    }
}

/// Adds a table. `join`: the one in which a row of it is there only if the condition holds.
fn add(factor: &TableFactor, join: Option<&Join>, all: &mut Vec<Missing>) {
    let Some(table) = relation(factor).and_then(|parts| parts.last().map(folded)) else {
        return;
    };
    let compared = join.and_then(|join| of_condition(join, &table));
    let column = compared.or_else(|| of_query(factor));
    match all.iter_mut().find(|missing| missing.table == table) {
        Some(known) => known.column = known.column.take().or(column),
        None => all.push(Missing { table, column }),
    }
}

/// Returns a column that the condition of a join compares.
fn of_condition(join: &Join, table: &str) -> Option<String> {
    match join_constraint(join)? {
        JoinConstraint::On(condition) => compared(condition, |operand: &Expr| match operand {
            Expr::CompoundIdentifier(parts) => {
                let mut parts = parts.iter().rev();
                let column = parts.next()?;
                let is_of_table = parts.next().is_some_and(|name| folded(name) == table);
                is_of_table.then(|| folded(column))
            }
            _ => None,
        }),
        JoinConstraint::Using(names) => names.first().and_then(last_part),
        JoinConstraint::Natural | JoinConstraint::None => None,
    }
}

/// Returns a column that the condition of a subquery compares.
fn of_query(factor: &TableFactor) -> Option<String> {
    let TableFactor::Derived {
        subquery,
        alias: Some(alias),
        ..
    } = factor
    else {
        return None;
    };
    let SetExpr::Select(select) = subquery.body.as_ref() else {
        return None;
    };
    let GroupByExpr::Expressions(keys, modifiers) = &select.group_by else {
        return None;
    };
    // Keys of grouping sets are NULL in some groups.
    let has_sets = !modifiers.is_empty()
        || keys
            .iter()
            .any(|key| matches!(key, Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_)));
    if !alias.columns.is_empty() || has_sets {
        return None;
    }
    let condition = select.selection.as_ref()?;
    compared(condition, |operand: &Expr| output(select, operand))
}

/// Returns the name that a column of a SELECT has in its result.
fn output(select: &Select, column: &Expr) -> Option<String> {
    let (table, name) = match column {
        Expr::Identifier(name) => (None, name),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, name] => (Some(table), name),
            _ => return None,
        },
        _ => return None,
    };
    select.projection.iter().find_map(|item| match item {
        SelectItem::UnnamedExpr(expr) if expr == column => Some(folded(name)),
        SelectItem::ExprWithAlias { expr, alias } if expr == column => Some(folded(alias)),
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(of), _) => {
            let is_its = table.is_some_and(|table| last_part(of) == Some(folded(table)));
            is_its.then(|| folded(name))
        }
        _ => None,
    })
}

/// Returns what `column` finds among the operands of the comparisons that must all be true. A
/// comparison with NULL is not.
fn compared(condition: &Expr, column: impl Fn(&Expr) -> Option<String>) -> Option<String> {
    let mut conditions = vec![condition];
    while let Some(condition) = conditions.pop() {
        let found = match condition {
            Expr::Nested(inner) => {
                conditions.push(inner);
                None
            }
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => {
                conditions.push(right);
                conditions.push(left);
                None
            }
            Expr::BinaryOp {
                left,
                op:
                    BinaryOperator::Eq
                    | BinaryOperator::NotEq
                    | BinaryOperator::Lt
                    | BinaryOperator::LtEq
                    | BinaryOperator::Gt
                    | BinaryOperator::GtEq,
                right,
            } => column(left).or_else(|| column(right)),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn is_unconditional(join: &Join) -> bool {
    match join_constraint(join) {
        Some(JoinConstraint::On(Expr::Value(value))) => value.value == Value::Boolean(true),
        _ => false,
    }
}

/// Returns whether a subquery has one row for certain: that of aggregate functions without groups.
fn has_one_row(factor: &TableFactor) -> bool {
    let TableFactor::Derived { subquery, .. } = factor else {
        return false;
    };
    let Query {
        body,
        limit_clause: None,
        fetch: None,
        ..
    } = subquery.as_ref()
    else {
        return false;
    };
    let SetExpr::Select(select) = body.as_ref() else {
        return false;
    };
    let is_grouped =
        !matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    if is_grouped || select.having.is_some() || select.qualify.is_some() {
        return false;
    }
    let is_aggregate = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => aggregates(expr),
        _ => false,
    };
    select.projection.iter().any(is_aggregate)
}

/// The aggregate functions that are looked for.
const AGGREGATES: &[&str] = &[
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "count",
    "every",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "string_agg",
    "sum",
];

fn aggregates(expr: &Expr) -> bool {
    let found = walk_own_expressions(expr, |part| match part {
        Expr::Function(function) if function.over.is_none() => {
            let name = last_part(&function.name);
            match name.is_some_and(|name| AGGREGATES.contains(&name.as_str())) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

#[cfg(test)]
mod tests {
    use super::super::testing::with_select;
    use super::*;

    fn missing(from: &str) -> Vec<String> {
        let mut found = Vec::new();
        with_select(&format!("SELECT 1 FROM {from}"), |select| {
            found = tables(&select.from);
        });
        let shown = found.into_iter().map(|missing| match missing.column {
            Some(column) => format!("{}.{column}", missing.table),
            None => missing.table,
        });
        shown.collect()
    }

    #[test]
    fn rows_of_outer_joins_may_be_missing() {
        for (from, expected) in [
            ("a JOIN b ON a.x = b.x, c CROSS JOIN d", &[][..]),
            ("a LEFT JOIN s.b ON a.x = 1 AND (a.x = b.Y)", &["b.y"][..]),
            ("a LEFT JOIN b ON a.x = b.y OR b.z = 1", &["b"][..]),
            (
                "a JOIN c ON true RIGHT JOIN b USING (k)",
                &["a.k", "c.k"][..],
            ),
            ("a FULL JOIN b ON a.x = b.x", &["a", "b"][..]),
            (
                "a LEFT JOIN (b LEFT JOIN c ON b.x = c.x) ON a.y = b.y",
                &["c.x", "b.y"][..],
            ),
            (
                "a LEFT JOIN LATERAL (SELECT t.* FROM t WHERE t.id = a.id) b ON true",
                &["b.id"][..],
            ),
            (
                "a LEFT JOIN LATERAL (SELECT t.id AS i FROM t WHERE t.id > a.id) b ON true",
                &["b.i"][..],
            ),
            (
                "a LEFT JOIN LATERAL (SELECT t.x FROM t WHERE t.id = a.id) b ON true",
                &["b"][..],
            ),
            (
                "a LEFT JOIN LATERAL (SELECT max(x) AS m FROM t WHERE id = a.id) b ON true",
                &[][..],
            ),
            (
                "a LEFT JOIN (SELECT y, max(x) FROM t WHERE y = 1 GROUP BY y) b ON true",
                &["b.y"][..],
            ),
            (
                "a LEFT JOIN (SELECT y, max(x) FROM t WHERE y = 1 GROUP BY ROLLUP (y)) b ON true",
                &["b"][..],
            ),
        ] {
            assert_eq!(missing(from), expected, "{from}");
        }
    }

    #[test]
    fn a_row_is_there_if_any_column_is_not_null() {
        let columns = ["x".to_owned(), "y".to_owned()];
        let shown = |column: Option<&str>| {
            let missing = Missing {
                table: "b".to_owned(),
                column: column.map(str::to_owned),
            };
            let condition = missing.is_there(&columns, |name| build::column("b", name));
            condition.map(|condition| condition.to_string())
        };
        assert_eq!(shown(Some("y")).as_deref(), Some(r#""b"."y" IS NOT NULL"#));
        let any = r#""b"."x" IS NOT NULL OR "b"."y" IS NOT NULL"#;
        assert_eq!(shown(None).as_deref(), Some(any));
        assert_eq!(shown(Some("z")).as_deref(), Some(any));
    }
}
