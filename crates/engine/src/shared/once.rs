//! Rows that must be computed once, because a second computation may return others.
//!
//! The values of a correlated subquery's outer columns are those of the outer rows, which are then
//! joined with its results ([`dependent`](crate::joins::dependent)). If the outer rows have an average
//! of floats or a `row_number()`, both readers must see the same run:
//!
//! ```text
//! SELECT k, (SELECT count(*) FROM u WHERE u.x > s.m) FROM (SELECT k, avg(a) AS m FROM t GROUP BY k) s
//!
//!   LeftJoin: m IS NOT DISTINCT FROM __outer_1_0        LeftJoin
//!     Once                                                Shared: part=1
//!       Aggregate: k, avg(a)                     ──▶      …
//!     …                                                     Shared: part=1
//!       Once
//!         Aggregate: k, avg(a)
//! ```
//!
//! The nodes of one number are readers of one part. No rule moves filters, limits or expressions across
//! them, so that the optimizer does the same to each: this is checked by their texts.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering as AtomicOrdering};

use datafusion::common::DFSchemaRef;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use lakegate_error::{Code, Error};

use super::find::Divided;
use super::part::Part;
use super::standing_for;
use crate::barrier::view_of;
use crate::limits::stop::check;

/// Names that DataFusion numbers across a plan: those of expressions that it computes once and of
/// subqueries that it joins (`datafusion-optimizer`, 55.2).
const GENERATED: [&str; 3] = ["__common_expr_", "__correlated_sq_", "__scalar_sq_"];

/// The number of the last node. Plans of one statement may be made apart, as those of views are.
static LAST: AtomicU64 = AtomicU64::new(0);

/// Returns a node of the rows of `input`. All copies of the node have the rows of one run.
pub(crate) fn once(input: LogicalPlan) -> LogicalPlan {
    LogicalPlan::Extension(Extension {
        node: Arc::new(Once {
            number: LAST.fetch_add(1, AtomicOrdering::Relaxed),
            input,
        }),
    })
}

/// Returns whether a node is of rows that are computed once.
pub(crate) fn is_once(plan: &LogicalPlan) -> bool {
    Once::of(plan).is_some()
}

/// Returns the number that all copies of such a node have, and its rows.
pub(crate) fn rows_of_once(plan: &LogicalPlan) -> Option<(u64, &LogicalPlan)> {
    Once::of(plan).map(|once| (once.number, &once.input))
}

/// Returns whether the plan is one or several filters right above such a node. DataFusion would move
/// conditions without columns below it (`push_down_filter.rs` of `datafusion-optimizer`, 55.2).
pub(crate) fn filters_once(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(filter) => is_once(&filter.input) || filters_once(&filter.input),
        _ => false,
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Once {
    number: u64,
    input: LogicalPlan,
}

impl Once {
    fn of(plan: &LogicalPlan) -> Option<&Self> {
        let LogicalPlan::Extension(extension) = plan else {
            return None;
        };
        extension.node.as_any().downcast_ref()
    }
}

impl PartialOrd for Once {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.number.partial_cmp(&other.number) {
            Some(Ordering::Equal) => self.input.partial_cmp(&other.input),
            unequal => unequal,
        }
    }
}

impl UserDefinedLogicalNodeCore for Once {
    fn name(&self) -> &str {
        "Once"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Once")
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let input = inputs.into_iter().next().ok_or_else(|| {
            DataFusionError::Internal("rows that are computed once have one input".to_owned())
        })?;
        Ok(Self {
            number: self.number,
            input,
        })
    }
}

/// Returns a plan whose nodes of one number read one part; `None` if it has no such node. `bound`:
/// bytes of rows that its parts keep in memory.
///
/// # Errors
///
/// Returns an error if the nodes of a number are not equal, if a recursive query would run one again,
/// or if planning must stop.
pub(super) fn divided(plan: &LogicalPlan, bound: usize) -> Result<Option<Divided>> {
    if !has_once(plan)? {
        return Ok(None);
    }
    let mut numbers = HashSet::new();
    // EXPLAIN shows the numbers of parts, which must not tell of parts behind barriers.
    let mut shown = Vec::new();
    plan.apply_with_subqueries(|node| {
        if view_of(node).is_some() {
            return Ok(TreeNodeRecursion::Jump);
        }
        if let Some(once) = Once::of(node)
            && numbers.insert(once.number)
        {
            shown.push(once.number);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    plan.apply_with_subqueries(|node| {
        if let Some(once) = Once::of(node) {
            numbers.insert(once.number);
        }
        if let LogicalPlan::RecursiveQuery(query) = node
            && has_once(&query.recursive_term)?
        {
            return Err(refused());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut parts = Parts {
        bound: bound / numbers.len().max(1),
        shown,
        hidden: 0,
        known: HashMap::new(),
        made: Vec::new(),
    };
    let plan = parts.read_by(plan.clone())?;
    Ok(Some(Divided {
        plan,
        parts: parts.made,
    }))
}

fn has_once(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        found |= is_once(node);
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(found)
}

/// The parts of a plan that are computed once.
struct Parts {
    /// Bytes of rows that each keeps in memory.
    bound: usize,
    /// The numbers of the nodes that are behind no barrier.
    shown: Vec<u64>,
    /// Parts that are behind barriers.
    hidden: usize,
    /// The parts by the numbers of their nodes, with the texts of their plans.
    known: HashMap<u64, (Arc<Part>, String)>,
    /// A part comes after those that it reads.
    made: Vec<(Arc<Part>, LogicalPlan)>,
}

impl Parts {
    /// Returns a plan that reads the parts.
    fn read_by(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        plan.transform_down_with_subqueries(|node| {
            let Some(once) = Once::of(&node) else {
                return Ok(Transformed::no(node));
            };
            let reader = standing_for(&self.of(once)?);
            Ok(Transformed::new(reader, true, TreeNodeRecursion::Jump))
        })
        .data()
    }

    fn of(&mut self, once: &Once) -> Result<Arc<Part>> {
        check()?;
        let text = text_of(&once.input);
        if let Some((part, known)) = self.known.get(&once.number) {
            let is_equal = *known == text && part.schema.fields() == once.input.schema().fields();
            return match is_equal {
                true => Ok(Arc::clone(part)),
                false => Err(refused()),
            };
        }
        let schema = Arc::clone(once.input.schema());
        let plan = self.read_by(once.input.clone())?;
        let place = self.shown.iter().position(|shown| *shown == once.number);
        let place = place.unwrap_or_else(|| {
            self.hidden += 1;
            self.shown.len() + self.hidden - 1
        });
        let part = Arc::new(Part::new(place + 1, schema, self.bound).of_one_run());
        self.made.push((Arc::clone(&part), plan));
        self.known.insert(once.number, (Arc::clone(&part), text));
        Ok(part)
    }
}

/// Returns the text of a plan, with the types of its columns and without the numbers of generated
/// names.
fn text_of(plan: &LogicalPlan) -> String {
    let text = plan.display_indent_schema().to_string();
    let without_numbers = |text: String, name: &str| {
        let mut pieces = text.split(name);
        let mut plain = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            plain.push_str(name);
            plain.push_str(piece.trim_start_matches(|digit: char| digit.is_ascii_digit()));
        }
        plain
    };
    GENERATED.into_iter().fold(text, without_numbers)
}

/// The error for rows that would have to be computed a second time.
pub(super) fn refused() -> DataFusionError {
    let what = "a correlated subquery reads values that may differ from one reading of the outer rows to the next, \
                and these rows cannot be computed once here";
    Error::new(Code::NotSupported, what.to_owned()).into()
}
