//! The parts of an expression, and what they weigh: what the optimizer writes several times weighs
//! as often.
//!
//! ```text
//! coalesce(a, b, c)             a CASE in which all but the last are twice, asked for twice
//! nullif(a, b)                  CASE WHEN a = b THEN NULL ELSE a END, for some types
//! a BETWEEN b AND c             a >= b AND a <= c
//! x IN (a, b)                   x = a OR x = b, of at most three items
//! CASE WHEN p THEN a … END      p AND a OR NOT p AND …, of conditions (`guarded_cases`)
//! floor(a) = 5                  a >= 5 AND a < 6
//! ```

use std::collections::HashMap;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Case, Cast, Expr, ExprSchemable, LogicalPlan, Operator};

use crate::logic::guarded_cases;
use crate::plans::plain_fallbacks;

/// What a part of a `coalesce` weighs that the optimizer makes a CASE, with each part twice.
const OF_COALESCE: u64 = 4;
/// How many items of an IN over a column DataFusion compares one by one
/// (`THRESHOLD_INLINE_INLIST` of `datafusion-optimizer`, 55.2).
const MAX_COMPARED: usize = 3;

/// The size of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub parts: u64,
    /// Levels of nested parts.
    pub depth: u64,
    /// Its parts, those that are written several times as often as that.
    pub weight: u64,
}

impl Size {
    pub(super) const ONE: Self = Self {
        parts: 1,
        depth: 1,
        weight: 1,
    };
    pub(super) const NONE: Self = Self {
        parts: 0,
        depth: 0,
        weight: 0,
    };

    pub(super) fn or_larger(self, other: Self) -> Self {
        Self {
            parts: self.parts.max(other.parts),
            depth: self.depth.max(other.depth),
            weight: self.weight.max(other.weight),
        }
    }
}

/// Returns the size of an expression of an operator. `columns`: the sizes of the columns that its
/// inputs compute, by name, if these are written out.
///
/// # Errors
///
/// Returns an error if the expression cannot be walked.
pub(super) fn size(
    expr: &Expr,
    node: &LogicalPlan,
    columns: &HashMap<String, Size>,
    written_out: bool,
) -> Result<Size> {
    let mut walk = Walk {
        node,
        columns,
        written_out,
        parts: 0,
        above: Vec::new(),
        deepest: 0,
    };
    if let Expr::Column(_) | Expr::Literal(..) = expr {
        let Size {
            parts,
            depth,
            weight,
        } = walk.part(expr);
        return Ok(Size {
            parts,
            depth: depth.saturating_add(1),
            weight,
        });
    }
    walk.above.push(Vec::new());
    expr.visit(&mut walk)?;
    let weights = walk.above.pop().unwrap_or_default();
    Ok(Size {
        parts: walk.parts,
        depth: walk.deepest,
        weight: sum(&weights),
    })
}

fn sum(weights: &[u64]) -> u64 {
    weights.iter().fold(0, |all, one| all.saturating_add(*one))
}

struct Walk<'a> {
    /// The operator that the expression is one of.
    node: &'a LogicalPlan,
    columns: &'a HashMap<String, Size>,
    written_out: bool,
    parts: u64,
    /// For each part above the current one, below one for the whole, the weights of the parts in it
    /// that were walked so far.
    above: Vec<Vec<u64>>,
    deepest: u64,
}

impl Walk<'_> {
    fn part(&self, expr: &Expr) -> Size {
        match expr {
            // Constants do not count: a list of them is only as long as its text.
            Expr::Alias(_) | Expr::Literal(..) => Size::NONE,
            Expr::Column(column) if self.written_out => {
                self.columns.get(&column.name).copied().unwrap_or(Size::ONE)
            }
            _ => Size::ONE,
        }
    }

    /// Returns what is written besides an expression: copies of its parts, which weigh so much.
    fn copies(&self, expr: &Expr, weights: &[u64]) -> u64 {
        let first = weights.first().copied().unwrap_or_default();
        match expr {
            // The last part becomes ELSE, which the optimizer has once.
            Expr::ScalarFunction(call)
                if plain_fallbacks::becomes_case(call, |column| {
                    self.columns.contains_key(&column.name)
                }) =>
            {
                let before = weights.split_last().map_or(0, |(_, before)| sum(before));
                before.saturating_mul(OF_COALESCE - 1)
            }
            Expr::ScalarFunction(call) if call.func.name() == "nullif" => first,
            Expr::Between(_) => first,
            Expr::InList(InList { expr, list, .. }) if list.len() <= MAX_COMPARED => {
                let each: usize = match expr.as_ref() {
                    Expr::Column(_) => 1,
                    expr if is_inverted(expr) => 2,
                    _ => 0,
                };
                let all = list.len().saturating_mul(each);
                first.saturating_mul(all.saturating_sub(1) as u64)
            }
            Expr::BinaryExpr(binary) => {
                let last = weights.last().copied().unwrap_or_default();
                let argument = match (is_inverted(&binary.left), is_inverted(&binary.right)) {
                    (true, _) => first,
                    (false, true) => last,
                    (false, false) => return 0,
                };
                argument.saturating_mul(match binary.op {
                    Operator::Eq | Operator::NotEq => 1,
                    Operator::IsDistinctFrom | Operator::IsNotDistinctFrom => 2,
                    _ => 0,
                })
            }
            Expr::Case(case) if self.is_junction(case) => {
                let whens = weights.iter().step_by(2).take(case.when_then_expr.len());
                let copies = guarded_cases::copies_of_conditions(case);
                whens.zip(copies).fold(0, |all, (weight, copies)| {
                    all.saturating_add(weight.saturating_mul(copies))
                })
            }
            _ => 0,
        }
    }

    /// Returns whether a CASE may become ANDs and ORs. One of values whose type is not known may.
    fn is_junction(&self, case: &Case) -> bool {
        let Some((_, then)) = case.when_then_expr.first() else {
            return false;
        };
        if !guarded_cases::becomes_junction(case) {
            return false;
        }
        let inputs = self.node.inputs().into_iter();
        let mut types = inputs.filter_map(|input| {
            let schema: &DFSchema = input.schema();
            then.get_type(schema).ok()
        });
        let known = types.next();
        known.is_none_or(|of| matches!(of, DataType::Boolean | DataType::Null))
    }
}

/// Returns whether a comparison of a call with a constant becomes comparisons of its argument
/// (`preimage` in `datafusion-optimizer`, 55.2).
fn is_inverted(mut expr: &Expr) -> bool {
    while let Expr::Cast(Cast { expr: inner, .. }) = expr {
        expr = inner;
    }
    let Expr::ScalarFunction(call) = expr else {
        return false;
    };
    matches!(call.func.name(), "date_part" | "extract" | "floor")
}

impl<'n> TreeNodeVisitor<'n> for Walk<'_> {
    type Node = Expr;

    fn f_down(&mut self, expr: &'n Expr) -> Result<TreeNodeRecursion> {
        let part = self.part(expr);
        self.parts = self.parts.saturating_add(part.parts);
        let depth = (self.above.len() as u64).saturating_add(part.depth);
        self.deepest = self.deepest.max(depth);
        self.above.push(Vec::new());
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, expr: &'n Expr) -> Result<TreeNodeRecursion> {
        let weights = self.above.pop().unwrap_or_default();
        let weight = self.part(expr).weight.saturating_add(sum(&weights));
        let weight = weight.saturating_add(self.copies(expr, &weights));
        if let Some(above) = self.above.last_mut() {
            above.push(weight);
        }
        Ok(TreeNodeRecursion::Continue)
    }
}
