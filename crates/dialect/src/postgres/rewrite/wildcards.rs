//! `t.*` of a table that FROM names as `d.t`: the engine knows the table by that name only.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, Select, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins, VisitorMut,
};
use lakegate_sql::walk::walk_mut;

use super::{folded, parts};

/// Writes the qualifiers of `*` as FROM writes the names of the tables.
pub(super) fn qualify(select: &mut Select) {
    let mut tables = Tables::default();
    for table in &select.from {
        tables.collect(table);
    }
    for item in &mut select.projection {
        if let SelectItem::QualifiedWildcard(
            SelectItemQualifiedWildcardKind::ObjectName(qualifier),
            _,
        ) = item
            && let Some(name) = tables.named(qualifier)
        {
            *qualifier = name.clone();
        }
    }
    let mut arguments = Arguments(&tables);
    for item in &mut select.projection {
        // The visitor never breaks.
        let _ = walk_mut(item, &mut arguments);
    }
}

/// Qualifies `*` as an argument: `count(t.*)`.
struct Arguments<'a>(&'a Tables<'a>);

impl VisitorMut for Arguments<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let FunctionArguments::List(list) = &mut function.args
        {
            for argument in &mut list.args {
                if let FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(qualifier)) =
                    argument
                    && let Some(name) = self.0.named(qualifier)
                {
                    *qualifier = name.clone();
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// What FROM names.
#[derive(Default)]
struct Tables<'a> {
    aliases: Vec<String>,
    /// The tables without an alias.
    names: Vec<(&'a ObjectName, Vec<String>)>,
}

impl<'a> Tables<'a> {
    fn collect(&mut self, table: &'a TableWithJoins) {
        let joined = table.joins.iter().map(|join| &join.relation);
        for factor in std::iter::once(&table.relation).chain(joined) {
            match factor {
                TableFactor::Table {
                    alias: Some(alias), ..
                }
                | TableFactor::Derived {
                    alias: Some(alias), ..
                } => self.aliases.push(folded(&alias.name)),
                TableFactor::Table { name, .. } => {
                    self.names.extend(parts(name).map(|parts| (name, parts)));
                }
                TableFactor::NestedJoin {
                    table_with_joins, ..
                } => self.collect(table_with_joins),
                _ => {}
            }
        }
    }

    /// Returns the one table that a qualifier leaves out parts of the name of.
    fn named(&self, qualifier: &ObjectName) -> Option<&'a ObjectName> {
        let wanted = parts(qualifier)?;
        if matches!(wanted.as_slice(), [name] if self.aliases.contains(name)) {
            return None;
        }
        let mut found = self
            .names
            .iter()
            .filter(|(_, parts)| parts.ends_with(&wanted));
        match (found.next(), found.next()) {
            (Some((name, parts)), None) if parts.len() > wanted.len() => Some(*name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::with_select;
    use super::*;

    fn qualified(sql: &str) -> String {
        with_select(sql, qualify)
    }

    #[test]
    fn qualifiers_are_the_names_in_from() {
        for (sql, expected) in [
            ("SELECT t.* FROM d.t", "SELECT d.t.* FROM d.t"),
            (
                "SELECT T.*, u.* FROM d.t JOIN c.d.u ON true",
                "SELECT d.t.*, c.d.u.* FROM d.t JOIN c.d.u ON true",
            ),
            ("SELECT d.t.* FROM d.t", "SELECT d.t.* FROM d.t"),
            ("SELECT t.* FROM t", "SELECT t.* FROM t"),
            ("SELECT x.* FROM d.t AS x", "SELECT x.* FROM d.t AS x"),
            // An alias takes precedence; the planner reports a name that two tables have.
            (
                "SELECT t.* FROM d.t, e.u AS t",
                "SELECT t.* FROM d.t, e.u AS t",
            ),
            ("SELECT t.* FROM d.t, e.t", "SELECT t.* FROM d.t, e.t"),
            (
                "SELECT 1 + count(t.*) FROM d.t",
                "SELECT 1 + count(d.t.*) FROM d.t",
            ),
        ] {
            assert_eq!(qualified(sql), expected);
        }
    }
}
