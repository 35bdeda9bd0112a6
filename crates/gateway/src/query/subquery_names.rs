//! The names in the SELECTs of a statement, and the columns of queries around that its plan has for
//! some of them.
//!
//! A plan does not say whether a column had a qualifier, so checks of names
//! ([`hidden_names`](super::hidden_names), [`inner_names`](super::inner_names)) look at both.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::common::Column;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, LogicalPlan};
use lakegate_error::{Result, from_engine};
use lakegate_sql::walk::walk;
use sqlparser::ast::{self, Select, Visitor};

use crate::query::rewrites::twice_in_from::names_in;

/// A SELECT, with the names in its own expressions, in lower case.
#[derive(Default)]
pub(super) struct NamedSelect {
    /// The names of its tables.
    pub tables: Vec<String>,
    /// Whether it is part of another SELECT.
    pub is_inner: bool,
    /// The names that have no qualifier.
    pub plain: BTreeSet<String>,
    /// Tables and names of `table.name` where the table is its own, and a SELECT around has a table
    /// of the same name. While the SELECT is being visited, all of its own tables.
    pub hiding: BTreeSet<(String, String)>,
    /// The names whose qualifier is not one of its tables.
    pub of_others: BTreeSet<String>,
}

/// Returns the SELECTs of a statement, those within others before these.
pub(super) fn named_selects(statement: &ast::Statement) -> Vec<NamedSelect> {
    let mut search = Search::default();
    let _ = walk(statement, &mut search);
    search.found
}

/// Returns what `find` returns first of the operators of a plan and of its subqueries.
///
/// # Errors
///
/// Returns those of `find`.
pub(super) fn first_in<T>(
    plan: &LogicalPlan,
    find: impl Fn(&LogicalPlan) -> EngineResult<Option<T>>,
) -> Result<Option<T>> {
    let mut found = None;
    let walked = plan.apply_with_subqueries(|node| {
        found = find(node)?;
        Ok(match found {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    });
    walked.map_err(from_engine)?;
    Ok(found)
}

/// Returns the columns of queries around that the expressions of an operator read.
///
/// # Errors
///
/// Returns an error if the expressions cannot be walked.
pub(super) fn outer_columns(node: &LogicalPlan) -> EngineResult<Vec<Column>> {
    let mut outer = Vec::new();
    node.apply_expressions(|expr| {
        expr.apply(|part| {
            if let Expr::OuterReferenceColumn(_, column) = part {
                outer.push(column.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(outer)
}

/// Collects the SELECTs.
#[derive(Default)]
struct Search {
    /// Those that are being visited, the innermost last.
    open: Vec<NamedSelect>,
    found: Vec<NamedSelect>,
}

impl Visitor for Search {
    type Break = ();

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let mut tables = Vec::new();
        for from in &select.from {
            names_in(from, &mut tables);
        }
        self.open.push(NamedSelect {
            tables,
            is_inner: !self.open.is_empty(),
            ..NamedSelect::default()
        });
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &Select) -> ControlFlow<()> {
        if let Some(mut select) = self.open.pop() {
            select.hiding.retain(|(table, _)| {
                let mut around = self.open.iter();
                around.any(|outer| outer.tables.contains(table))
            });
            self.found.push(select);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &ast::Expr) -> ControlFlow<()> {
        let Some(select) = self.open.last_mut() else {
            return ControlFlow::Continue(());
        };
        match expr {
            ast::Expr::Identifier(name) => {
                select.plain.insert(name.value.to_lowercase());
            }
            ast::Expr::CompoundIdentifier(parts) => {
                if let [schemas @ .., table, name] = parts.as_slice() {
                    let (table, name) = (table.value.to_lowercase(), name.value.to_lowercase());
                    if !select.tables.contains(&table) {
                        select.of_others.insert(name);
                    } else if schemas.is_empty() {
                        select.hiding.insert((table, name));
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
