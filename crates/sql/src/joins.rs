//! What joins of a statement have.

use sqlparser::ast::{Join, JoinConstraint, JoinOperator, TableFactor, TableWithJoins};

/// The constraint of a join operator, borrowed as the operator is.
macro_rules! constraint {
    ($operator:expr) => {
        match $operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::Semi(constraint)
            | JoinOperator::LeftSemi(constraint)
            | JoinOperator::RightSemi(constraint)
            | JoinOperator::Anti(constraint)
            | JoinOperator::LeftAnti(constraint)
            | JoinOperator::RightAnti(constraint) => Some(constraint),
            _ => None,
        }
    };
}

/// Returns the constraint of a join: ON, USING, NATURAL or none. `None` for joins that never have
/// one, such as CROSS JOIN.
pub fn join_constraint(join: &Join) -> Option<&JoinConstraint> {
    constraint!(&join.join_operator)
}

/// Returns what [`join_constraint`] does, to be changed.
pub fn join_constraint_mut(join: &mut Join) -> Option<&mut JoinConstraint> {
    constraint!(&mut join.join_operator)
}

/// Returns the tables of a FROM by whose names columns are qualified, in the order in which they are
/// written. Those of a join in parentheses are among them, unless the join has an alias.
pub fn named_tables(from: &[TableWithJoins]) -> Vec<&TableFactor> {
    let mut found = Vec::with_capacity(from.len());
    for tables in from {
        add_named(tables, &mut found);
    }
    found
}

fn add_named<'a>(tables: &'a TableWithJoins, found: &mut Vec<&'a TableFactor>) {
    let joined = tables.joins.iter().map(|join| &join.relation);
    for table in std::iter::once(&tables.relation).chain(joined) {
        match table {
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => add_named(table_with_joins, found),
            table => found.push(table),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use sqlparser::ast::SetExpr;

    use super::*;
    use crate::Statement;

    #[test]
    fn tables_of_joins_in_parentheses_are_named() {
        let sql =
            "SELECT 1 FROM a JOIN (b CROSS JOIN (c CROSS JOIN d)) ON true, (e CROSS JOIN f) AS g";
        let Statement::Query(query) = crate::parse(sql).unwrap().remove(0).statement else {
            panic!("no query");
        };
        let SetExpr::Select(select) = query.body.as_ref() else {
            panic!("no SELECT");
        };
        let found = named_tables(&select.from);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, ["a", "b", "c", "d", "(e CROSS JOIN f) AS g"]);
    }
}
