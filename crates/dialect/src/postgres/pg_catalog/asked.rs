//! The tables that a query's functions are about, such as those of `pg_table_is_visible(c.oid)`:
//! what is looked up for a query about one table is that table.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan};
use lakegate_engine::has_operator;

use super::functions::ABOUT_TABLES;
use super::oids;
use super::pins::{integer, without_casts};
use crate::postgres::split_name;
use crate::visible::Pins;

/// Tables that functions are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Whether they may be about any table.
    pub all: bool,
    pub ids: BTreeSet<i64>,
    /// Without schemas.
    pub names: BTreeSet<String>,
    /// Tables that a relation of the query is restricted to.
    pub pins: Vec<Pins>,
}

impl Asked {
    pub(super) fn everything() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    /// Adds the table that a constant may identify, as a number or as a name.
    pub(super) fn add_constant(&mut self, value: &ScalarValue) {
        if value.data_type().is_integer() {
            self.ids.extend(integer(value).and_then(oids::table_id));
            return;
        }
        match value.try_as_str() {
            Some(Some(text)) => self.add_text(text),
            Some(None) => {}
            None => self.all |= !value.is_null(),
        }
    }

    fn add_text(&mut self, text: &str) {
        match text.trim().parse::<i64>() {
            Ok(oid) => self.ids.extend(oids::table_id(oid)),
            Err(_) => self.names.extend(name_of(text)),
        }
    }

    /// Adds the tables that a relation of the query is restricted to.
    pub(super) fn add_pins(&mut self, pins: Pins) {
        // All tables of some databases are looked up as all tables.
        self.all |= pins.table_ids.is_none() && pins.tables.is_empty();
        if !self.pins.contains(&pins) {
            self.pins.push(pins);
        }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Returns the name of a table in a name with or without its schema.
pub(crate) fn name_of(text: &str) -> Option<String> {
    split_name(text)?.pop()
}

/// Returns the tables that the calls with constant arguments are about. The optimizer evaluates
/// these calls.
///
/// # Errors
///
/// The plan cannot be walked.
pub(super) fn constants(plan: &LogicalPlan) -> Result<Asked> {
    let mut asked = Asked::default();
    plan.apply_with_subqueries(|node| {
        each_call(node, |argument| match without_casts(argument) {
            Expr::Literal(value, _) => asked.add_constant(value),
            call if finds_a_table(call) => {}
            other => asked.all |= is_constant(other),
        })?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(asked)
}

/// Returns whether a plan calls functions about tables.
///
/// # Errors
///
/// The plan cannot be walked.
pub(super) fn has_calls(plan: &LogicalPlan) -> Result<bool> {
    has_operator(plan, |node| {
        let mut found = false;
        each_call(node, |_| found = true)?;
        Ok(found)
    })
}

/// Calls `visit` with the arguments of the calls in a node's expressions that are about tables.
///
/// # Errors
///
/// The expressions cannot be walked.
pub(super) fn each_call(node: &LogicalPlan, mut visit: impl FnMut(&Expr)) -> Result<()> {
    node.apply_expressions(|expr| {
        expr.apply(|expr| {
            if let Expr::ScalarFunction(call) = expr
                && ABOUT_TABLES.contains(&call.name())
            {
                call.args.iter().for_each(&mut visit);
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(())
}

/// Returns whether an expression is a call whose result is a table that its argument identifies.
pub(super) fn finds_a_table(expr: &Expr) -> bool {
    let Expr::ScalarFunction(call) = expr else {
        return false;
    };
    matches!(call.name(), "regclass_in" | "to_regclass")
}

fn is_constant(expr: &Expr) -> bool {
    let found = expr.exists(|part| {
        Ok(matches!(
            part,
            Expr::Column(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::LambdaVariable(_)
                | Expr::Placeholder(_)
                | Expr::ScalarSubquery(_)
        ))
    });
    !found.unwrap_or(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn constants_name_tables_by_number_or_by_name() {
        let mut asked = Asked::default();
        for value in [
            ScalarValue::from(100_003_i64),
            ScalarValue::from("100005"),
            ScalarValue::from("Curated.\"Orders\""),
            ScalarValue::from("USERS"),
            ScalarValue::Utf8(None),
            ScalarValue::Null,
            // No table has this number.
            ScalarValue::from(25_i32),
        ] {
            asked.add_constant(&value);
        }
        assert!(!asked.all);
        assert_eq!(asked.ids, [1, 2].into());
        assert_eq!(
            asked.names,
            ["Orders".to_owned(), "users".to_owned()].into()
        );
        asked.add_constant(&ScalarValue::from(true));
        assert!(asked.all);
    }

    #[test]
    fn tables_of_a_database_are_all_tables() {
        let mut asked = Asked::default();
        asked.add_pins(Pins::none());
        assert!(!asked.all);
        asked.add_pins(Pins {
            database_ids: Some([1].into()),
            ..Pins::default()
        });
        assert!(asked.all);
    }
}
