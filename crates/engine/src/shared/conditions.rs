//! What the conditions of similar plans have in common.

use std::collections::BTreeSet;

use datafusion::common::Column;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;

use crate::barrier::compares;

/// The conditions of several plans.
pub(super) struct Conditions {
    /// Those of all plans.
    pub common: Vec<Expr>,
    /// The others of each plan.
    pub own: Vec<Vec<Expr>>,
}

impl Conditions {
    /// Returns `None` if the conditions that plans do not share are not comparisons of columns with
    /// constants, which never fail, or if they are of other columns in one plan than in another: no
    /// file is left out by one column or another one.
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
        let mut of_columns = own
            .iter()
            .filter(|own| !own.is_empty())
            .map(|own| -> BTreeSet<Column> { own.iter().flat_map(columns).collect() });
        let first = of_columns.next();
        let are_of_one_kind = of_columns.all(|columns| Some(columns) == first);
        (are_plain && are_of_one_kind).then_some(Self { common, own })
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
