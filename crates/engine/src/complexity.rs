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
//! their columns are read, may have fewer parts.

use std::collections::HashMap;
use std::rc::Rc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion, TreeNodeVisitor};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};
use lakegate_error::{Code, Error};

use crate::plain_fallbacks;

/// Maximum nodes of a plan; a node that is used twice counts twice.
const MAX_NODES: usize = 10_000;
/// Maximum depth of a plan: walking and dropping it takes stack for each level.
const MAX_DEPTH: usize = 2_500;
/// Maximum parts of an expression whose columns are written out down to where they are read or
/// aggregated.
const MAX_WRITTEN_OUT: u64 = 100_000;
/// What a part of a `coalesce` weighs that the optimizer makes a CASE, with each part twice.
const OF_COALESCE: u64 = 4;
/// Maximum weight of an expression as it is written.
const MAX_WEIGHT: u64 = 100_000;
/// Maximum weight of a condition whose columns are written out, if it is not long as it is written.
const MAX_CONDITION: u64 = 20_000;
/// Of a long one, how many times its own parts it may weigh.
const WRITTEN_OUT_GROWTH: u64 = 8;
/// Maximum depth of such an expression: walking, evaluating and dropping it takes stack for each
/// level. An expression as written in a statement is less deep.
const MAX_WRITTEN_DEPTH: u64 = 4_000;

/// Checks the size and the depth of a plan and its expressions.
///
/// # Errors
///
/// Returns [`Code::TooComplex`] if the plan has too many nodes, is too deep, or has an expression
/// that is too large when its columns are written out.
pub fn check(plan: &LogicalPlan) -> Result<()> {
    plan.visit_with_subqueries(&mut Check::default())?;
    Ok(())
}

/// The size of a column's expression when it is written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    parts: u64,
    /// Levels of nested parts.
    depth: u64,
    /// Its parts, those of some calls several times.
    weight: u64,
}

impl Size {
    const ONE: Self = Self {
        parts: 1,
        depth: 1,
        weight: 1,
    };
    const NONE: Self = Self {
        parts: 0,
        depth: 0,
        weight: 0,
    };

    fn or_larger(self, other: Self) -> Self {
        Self {
            parts: self.parts.max(other.parts),
            depth: self.depth.max(other.depth),
            weight: self.weight.max(other.weight),
        }
    }
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
        let written_out = size(expr, &input)?;
        let own = match input.is_empty() {
            true => written_out,
            false => size_of(expr, &input, false)?,
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
        let size = size(expr, &input)?;
        if is_computed(expr, &input) {
            sizes.insert(field.name().clone(), size);
        }
    }
    Ok(Rc::new(sizes))
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

/// Returns the size of an expression with its columns written out.
fn size(expr: &Expr, columns: &HashMap<String, Size>) -> Result<Size> {
    size_of(expr, columns, true)
}

/// Returns the size of an expression. `written_out`: with its columns written out.
fn size_of(expr: &Expr, columns: &HashMap<String, Size>, written_out: bool) -> Result<Size> {
    let mut walk = Walk {
        columns,
        written_out,
        parts: 0,
        above: vec![Weights::default()],
        deepest: 0,
    };
    expr.visit(&mut walk)?;
    let whole = walk.above.pop().unwrap_or_default();
    Ok(Size {
        parts: walk.parts,
        depth: walk.deepest,
        weight: whole.last,
    })
}

/// The weights of the parts of an expression that were walked so far.
#[derive(Default)]
struct Weights {
    before: u64,
    last: u64,
}

struct Walk<'a> {
    columns: &'a HashMap<String, Size>,
    written_out: bool,
    parts: u64,
    /// One for each part above the current one, below one for the whole.
    above: Vec<Weights>,
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
}

impl<'n> TreeNodeVisitor<'n> for Walk<'_> {
    type Node = Expr;

    fn f_down(&mut self, expr: &'n Expr) -> Result<TreeNodeRecursion> {
        let part = self.part(expr);
        self.parts = self.parts.saturating_add(part.parts);
        let depth = (self.above.len() as u64).saturating_add(part.depth);
        self.deepest = self.deepest.max(depth);
        self.above.push(Weights::default());
        Ok(TreeNodeRecursion::Continue)
    }

    fn f_up(&mut self, expr: &'n Expr) -> Result<TreeNodeRecursion> {
        let Weights { before, last } = self.above.pop().unwrap_or_default();
        let before = match expr {
            // The last part becomes ELSE, which the optimizer has once.
            Expr::ScalarFunction(call)
                if plain_fallbacks::becomes_case(call, |column| {
                    self.columns.contains_key(&column.name)
                }) =>
            {
                before.saturating_mul(OF_COALESCE)
            }
            _ => before,
        };
        let weight = self.part(expr).weight;
        let weight = weight.saturating_add(before).saturating_add(last);
        if let Some(above) = self.above.last_mut() {
            above.before = above.before.saturating_add(above.last);
            above.last = weight;
        }
        Ok(TreeNodeRecursion::Continue)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn checked(sql: &str) -> Result<()> {
        let context = SessionContext::new();
        context.sql("CREATE TABLE t (x TEXT, y BIGINT)").await?;
        let plan = context.state().create_logical_plan(sql).await?;
        check(&plan)
    }

    /// `WITH c0 AS (SELECT x, y FROM t), c1 AS (<step>), …`, where `{}` is the previous one.
    fn chain(steps: usize, step: &str, end: &str) -> String {
        let mut sql = "WITH c0 AS (SELECT x, y FROM t)".to_owned();
        for number in 1..=steps {
            let step = step.replace("{}", &format!("c{}", number - 1));
            sql += &format!(", c{number} AS ({step})");
        }
        format!("{sql} {}", end.replace("{}", &format!("c{steps}")))
    }

    #[tokio::test]
    async fn plans_that_double_are_refused() {
        let end = "SELECT count(*) FROM {} WHERE x = 'a'";
        for (steps, step) in [
            (20, "SELECT x || x AS x, y FROM {}"),
            (
                20,
                "SELECT CASE WHEN x = 'a' THEN x ELSE x || 'b' END AS x, y FROM {}",
            ),
            (20, "SELECT x || x AS x, y FROM {} ORDER BY y"),
            (14, "SELECT a.x, a.y FROM {} a, {} b"),
            (14, "SELECT x, y FROM {} UNION ALL SELECT x, y FROM {}"),
            (
                20,
                &format!("SELECT x || {} AS x, y FROM {{}}", ["y"; 400].join(" || ")),
            ),
        ] {
            let error = checked(&chain(steps, step, end)).await.unwrap_err();
            let error = lakegate_error::from_engine(error);
            assert_eq!(error.code(), Code::TooComplex, "{step}: {error}");
        }
    }

    #[tokio::test]
    async fn nested_cases_are_refused() {
        let nested = |levels: usize, step: &str| {
            let expression =
                (0..levels).fold("y".to_owned(), |inner, _| step.replace("{}", &inner));
            format!("SELECT {expression} FROM t")
        };
        let chained = |levels: usize, step: &str| {
            chain(
                levels,
                &format!("SELECT {step} AS y, x FROM {{}}"),
                "SELECT x FROM {} WHERE y > 1",
            )
        };
        let coalesce = "coalesce({} + 1, y + 1)";
        let by_another = "SELECT y FROM {} WHERE x = 'a'";
        let step = "SELECT coalesce(y + 1, 5 * 2) AS y, x FROM {}";
        checked(&chain(30, step, by_another)).await.unwrap();
        checked(&nested(5, coalesce)).await.unwrap();
        checked(&nested(24, "coalesce({} + 1, y)")).await.unwrap();
        checked(&nested(10, "CASE WHEN y > 1 THEN {} END"))
            .await
            .unwrap();
        checked(&nested(20, "CASE WHEN y > 1 THEN 1 ELSE {} END"))
            .await
            .unwrap();
        checked(&chained(5, "coalesce(y + 1, y * 2)"))
            .await
            .unwrap();
        let of_computed = nested(12, "coalesce({} + 1, z)");
        for query in [
            of_computed.replace("FROM t", "FROM (SELECT y, 1 / 0 AS z FROM t) u"),
            nested(12, coalesce),
            chained(12, "coalesce(y + 1, y * 2)"),
            chained(15, "CASE WHEN y > 1 THEN y ELSE 2 END"),
        ] {
            let error = checked(&query).await.unwrap_err();
            let error = lakegate_error::from_engine(error);
            assert_eq!(error.code(), Code::TooComplex, "{query}: {error}");
        }
    }

    #[tokio::test]
    async fn honest_plans_pass() {
        let wide: Vec<String> = (0..500).map(|n| format!("y + {n} AS y{n}")).collect();
        for sql in [
            chain(50, "SELECT x || 'a' AS x, y FROM {}", "SELECT * FROM {}"),
            chain(
                40,
                "SELECT max(x || x) AS x, y FROM {} GROUP BY y",
                "SELECT * FROM {}",
            ),
            chain(
                8,
                "SELECT x, y FROM {} UNION ALL SELECT x, y FROM {}",
                "SELECT * FROM {}",
            ),
            format!("SELECT {} FROM t", wide.join(", ")),
            vec!["SELECT x FROM t"; 100].join(" UNION ALL "),
        ] {
            checked(&sql).await.unwrap();
        }
    }
}
