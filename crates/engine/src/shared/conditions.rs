//! What the conditions of similar plans have in common, and which expressions of them never fail.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, ExprSchemable};

use crate::barrier::compares;

/// Columns that the conditions of plans are of, where they differ.
const MOST_COLUMNS: usize = 4;

/// The conditions of several plans.
pub(super) struct Conditions {
    /// Those of all plans.
    pub common: Vec<Expr>,
    /// The others of each plan.
    pub own: Vec<Vec<Expr>>,
}

impl Conditions {
    /// Returns `None` if the conditions that plans do not share are not comparisons of few columns
    /// with constants. These never fail, and a disjunction of them prunes as many files as each does.
    pub(super) fn of(of_each: &[Vec<&Expr>]) -> Option<Self> {
        let is_common = |condition: &Expr| of_each.iter().all(|of_one| of_one.contains(&condition));
        let mut common: Vec<Expr> = Vec::new();
        for condition in of_each.first()? {
            if is_common(condition) && !common.contains(condition) {
                common.push((*condition).clone());
            }
        }
        let mut own: Vec<Vec<Expr>> = Vec::new();
        for of_one in of_each {
            let mut own_of_one: Vec<Expr> = Vec::new();
            for condition in of_one {
                if !is_common(condition) && !own_of_one.contains(condition) {
                    own_of_one.push((*condition).clone());
                }
            }
            own.push(own_of_one);
        }
        let are_plain = own.iter().flatten().all(is_plain);
        let of_columns: BTreeSet<Column> = own.iter().flatten().flat_map(columns).collect();
        (are_plain && of_columns.len() <= MOST_COLUMNS).then_some(Self { common, own })
    }

    /// Returns a condition that all rows of each plan meet; `None` if a plan has no own condition.
    pub(super) fn either(&self) -> Option<Expr> {
        if self.own.iter().any(Vec::is_empty) {
            return None;
        }
        let mut each: Vec<Expr> = Vec::new();
        for condition in self
            .own
            .iter()
            .filter_map(|own| conjunction(own.iter().cloned()))
        {
            if !each.contains(&condition) {
                each.push(condition);
            }
        }
        each.into_iter().reduce(Expr::or)
    }
}

/// Returns the columns that a condition names.
pub(super) fn columns(condition: &Expr) -> Vec<Column> {
    condition.column_refs().into_iter().cloned().collect()
}

/// Returns whether a condition compares columns with constants.
fn is_plain(condition: &Expr) -> bool {
    compares(condition, &|expr| matches!(expr, Expr::Column(_)))
}

/// Returns whether an aggregate function takes columns and constants as they are, or integers as wider
/// ones.
pub(super) fn adds_columns(call: &Expr, schema: &DFSchema) -> bool {
    let is_plain = |argument: &Expr| match argument {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::Cast(to) if to.field.data_type() == &DataType::Int64 => {
            let of = to.expr.get_type(schema);
            matches!(*to.expr, Expr::Column(_)) && of.is_ok_and(|of| of.is_signed_integer())
        }
        _ => false,
    };
    match unaliased(call) {
        Expr::AggregateFunction(call) => {
            call.params.filter.is_none() && call.params.args.iter().all(is_plain)
        }
        _ => false,
    }
}

/// Returns an expression without its names.
pub(super) fn unaliased(mut expr: &Expr) -> &Expr {
    while let Expr::Alias(alias) = expr {
        expr = &alias.expr;
    }
    expr
}
