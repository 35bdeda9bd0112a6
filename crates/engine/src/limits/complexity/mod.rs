//! Limits on a plan before it is analyzed and optimized.
//!
//! A short text may be a large plan. A WITH that is named twice is planned twice, and if each WITH
//! names the previous one twice, the plan doubles with each step. The optimizer writes out a
//! column's expression where it moves a filter below a projection, so a column that is used twice
//! in the next projection doubles too.
//!
//! ```text
//! WITH a AS (SELECT x …), b AS (SELECT x || x AS x FROM a),
//!      c AS (SELECT x || x AS x FROM b) … WHERE x = 'y'
//!
//! a.x is 1 part, b.x is 2 of a's, c.x is 4 of a's
//! ```
//!
//! A CASE takes more to plan than it has parts: the optimizer asks whether it may be NULL, which asks
//! that of its conditions and of its values several times (`Expr::nullable`, 55.2). So the parts of a
//! `coalesce` that becomes a CASE weigh more, and filters, which are written out down to where
//! their columns are read, may have fewer parts. Other expressions are written several times by the
//! optimizer (`weight.rs`), and by rules that analyze a plan (`copies.rs`).

mod copies;
mod weight;

use std::collections::HashMap;
use std::rc::Rc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNodeRecursion, TreeNodeVisitor};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};
use lakegate_error::{Code, Error};

pub use self::copies::check_copies;
pub(crate) use self::copies::{check_made, check_nodes};
use self::weight::{Size, size};

/// Maximum nodes of a plan; a node that is used twice counts twice.
const MAX_NODES: usize = 10_000;
/// Maximum depth of a plan: walking and dropping it takes stack for each level.
const MAX_DEPTH: usize = 2_500;
/// Maximum parts of an expression whose columns are written out down to where they are read or
/// aggregated.
const MAX_WRITTEN_OUT: u64 = 100_000;
/// Maximum weight of an expression as it is written.
const MAX_WEIGHT: u64 = 100_000;
/// Maximum weight of a condition whose columns are written out, if it is not long as it is written.
const MAX_CONDITION: u64 = 20_000;
/// Of a long one, how many times its own parts it may weigh.
const WRITTEN_OUT_GROWTH: u64 = 8;
/// Maximum depth of such an expression: walking, evaluating and dropping it takes stack for each
/// level. An expression as written in a statement is less deep.
const MAX_WRITTEN_DEPTH: u64 = 4_000;

/// Maximum parts of the type of a column, which doubles as an expression does.
const MAX_TYPE: usize = 10_000;

/// Checks the size and the depth of a plan and its expressions.
///
/// # Errors
///
/// Returns [`Code::TooComplex`] if the plan has too many nodes, is too deep, or has an expression
/// that is too large when its columns are written out, or a column of too large a type.
pub fn check(plan: &LogicalPlan) -> Result<()> {
    plan.visit_with_subqueries(&mut Check::default())?;
    Ok(())
}

/// The sizes of the columns of a node that are computed, by name.
type Sizes = Rc<HashMap<String, Size>>;

#[derive(Default)]
struct Check {
    nodes: usize,
    /// For each node above, the number of results before those of its own inputs.
    above: Vec<usize>,
    results: Vec<Sizes>,
}

fn too_complex(what: String, hint: &'static str) -> DataFusionError {
    Error::new(Code::TooComplex, what).with_hint(hint).into()
}

impl TreeNodeVisitor<'_> for Check {
    type Node = LogicalPlan;

    fn f_down(&mut self, _: &LogicalPlan) -> Result<TreeNodeRecursion> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(too_complex(
                format!(
                    "the query has more than {MAX_NODES} steps when each WITH is put in its places"
                ),
                "name each WITH once, or split the query",
            ));
        }
        if self.above.len() >= MAX_DEPTH {
            return Err(too_complex(
                format!("the query has more than {MAX_DEPTH} steps within one another"),
                "split it into several queries",
            ));
        }
        self.above.push(self.results.len());
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, node: &LogicalPlan) -> Result<TreeNodeRecursion> {
        let first = self.above.pop().unwrap_or(0);
        let below = self.results.split_off(first.min(self.results.len()));
        // The results of subqueries in its expressions come before those of its inputs.
        let inputs = node.inputs().len().min(below.len());
        let inputs = &below[below.len() - inputs..];
        let sizes = sizes(node, inputs)?;
        check_types(node)?;
        self.results.push(sizes);
        Ok(TreeNodeRecursion::Continue)
    }
}

fn sizes(node: &LogicalPlan, inputs: &[Sizes]) -> Result<Sizes> {
    let input = together(inputs);
    let is_filter = matches!(node, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
    let mut largest = Size::ONE;
    let mut is_heavy = false;
    node.apply_expressions(|expr| {
        let written_out = size(expr, node, &input, true)?;
        let own = match input.is_empty() {
            true => written_out,
            false => size(expr, node, &input, false)?,
        };
        let max_written_out = MAX_CONDITION.max(own.parts.saturating_mul(WRITTEN_OUT_GROWTH));
        is_heavy |= own.weight > MAX_WEIGHT;
        is_heavy |= is_filter && written_out.weight > max_written_out;
        largest = largest.or_larger(written_out);
        Ok(TreeNodeRecursion::Continue)
    })?;
    if is_heavy {
        return Err(too_complex(
            "an expression has too many COALESCE or CASE within one another".to_owned(),
            "compute the inner ones in a subquery, and do not filter by what is made of them",
        ));
    }
    if largest.depth > MAX_WRITTEN_DEPTH {
        return Err(too_complex(
            format!(
                "an expression has more than {MAX_WRITTEN_DEPTH} parts within one another when the columns of subqueries are written out in it"
            ),
            "use fewer operators in a row, or fewer subqueries in one another",
        ));
    }
    if largest.parts > MAX_WRITTEN_OUT {
        return Err(too_complex(
            format!(
                "an expression has more than {MAX_WRITTEN_OUT} parts when the columns of subqueries are written out in it"
            ),
            "use each column of a subquery once in the next, or fewer subqueries in one another",
        ));
    }
    let made: &[Expr] = match node {
        LogicalPlan::Projection(projection) => &projection.expr,
        // Aggregate functions are computed once.
        LogicalPlan::Aggregate(aggregate) => &aggregate.group_expr,
        LogicalPlan::Union(_) => return Ok(union(node, inputs)),
        _ => return Ok(input),
    };
    let mut sizes = HashMap::new();
    for (expr, field) in made.iter().zip(node.schema().fields()) {
        if is_computed(expr, &input) {
            let size = size(expr, node, &input, true)?;
            sizes.insert(field.name().clone(), size);
        }
    }
    Ok(Rc::new(sizes))
}

/// Checks the types of the columns of a node.
fn check_types(node: &LogicalPlan) -> Result<()> {
    for field in node.schema().fields() {
        let mut left = MAX_TYPE;
        if !fits(field.data_type(), &mut left) {
            return Err(too_complex(
                format!("a column has a type of more than {MAX_TYPE} parts"),
                "use each value once in a row, and fewer rows and arrays in one another",
            ));
        }
    }
    Ok(())
}

/// Returns whether a type has no more parts than are left, and counts them.
fn fits(data_type: &DataType, left: &mut usize) -> bool {
    let Some(fewer) = left.checked_sub(1) else {
        return false;
    };
    *left = fewer;
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            fits(item.data_type(), left)
        }
        DataType::Map(entries, _) => fits(entries.data_type(), left),
        DataType::Struct(fields) => fields.iter().all(|field| fits(field.data_type(), left)),
        _ => true,
    }
}

/// Returns whether an expression makes another column than a column or a constant is.
fn is_computed(expr: &Expr, input: &HashMap<String, Size>) -> bool {
    match expr {
        Expr::Alias(alias) => is_computed(&alias.expr, input),
        Expr::Column(column) => input.contains_key(&column.name),
        Expr::Literal(..) => false,
        _ => true,
    }
}

/// Returns the columns of all inputs; of two with one name, the larger.
fn together(inputs: &[Sizes]) -> Sizes {
    match inputs {
        [] => Sizes::default(),
        [one] => Rc::clone(one),
        [first, others @ ..] => {
            let mut all = HashMap::clone(first);
            for (name, size) in others.iter().flat_map(|sizes| sizes.iter()) {
                let known = all.entry(name.clone()).or_insert(Size::ONE);
                *known = known.or_larger(*size);
            }
            Rc::new(all)
        }
    }
}

/// Returns the columns of a union, which have the names of its first input's.
fn union(node: &LogicalPlan, inputs: &[Sizes]) -> Sizes {
    let mut all = HashMap::new();
    for (sizes, input) in inputs.iter().zip(node.inputs()) {
        if sizes.is_empty() {
            continue;
        }
        let fields = input.schema().fields().iter();
        for (field, made) in fields.zip(node.schema().fields()) {
            if let Some(size) = sizes.get(field.name()) {
                let known = all.entry(made.name().clone()).or_insert(Size::ONE);
                *known = known.or_larger(*size);
            }
        }
    }
    Rc::new(all)
}

#[cfg(test)]
mod tests;
