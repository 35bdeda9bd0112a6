//! What a query's plan says of the rows that it needs of system relations: a query about one table
//! does not read the columns of all tables then.
//!
//! ```text
//! pg_class c JOIN pg_inherits i      no rows: pg_inherits is always empty
//! pg_class c JOIN pg_attribute a     a: only of relations that c is restricted to
//!   ON a.attrelid = c.oid
//! pg_attribute a JOIN pg_type t      t: no types of the rows of tables
//!   ON t.oid = a.atttypid
//! ```
//!
//! Conditions on a relation's own columns need nothing of this: the engine hands them to the
//! relation ([`RelationPins::of`]).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinType, NullEquality};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Aggregate, Distinct, EmptyRelation, Expr, Join, LogicalPlan, TableScan,
};

use super::pins::RelationPins;
use super::provider::SystemTable;

/// Replaces the relations that are always empty, so that the optimizer removes what is joined with
/// them.
///
/// Those whose columns an outer join fills with NULLs stay: the optimizer would write NULLs in
/// their place, which do not have the columns' types of PostgreSQL.
///
/// # Errors
///
/// The engine rejects the changed plan.
pub fn without_empty_relations(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut found = false;
    plan.apply(|node| {
        found = is_always_empty(node);
        Ok(match found {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    match found {
        true => emptied(plan).data(),
        false => Ok(plan),
    }
}

fn emptied(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match plan {
        plan if is_always_empty(&plan) => {
            let schema = Arc::clone(plan.schema());
            let empty = EmptyRelation {
                produce_one_row: false,
                schema,
            };
            Ok(Transformed::yes(LogicalPlan::EmptyRelation(empty)))
        }
        LogicalPlan::Join(mut join) => {
            let (fills_left, fills_right) = match join.join_type {
                JoinType::Left | JoinType::LeftMark => (false, true),
                JoinType::Right | JoinType::RightMark => (true, false),
                JoinType::Full => (true, true),
                _ => (false, false),
            };
            let mut changed = false;
            for (side, is_filled) in [(&mut join.left, fills_left), (&mut join.right, fills_right)]
            {
                if !is_filled {
                    let replaced = emptied(LogicalPlan::clone(side))?;
                    changed |= replaced.transformed;
                    *side = Arc::new(replaced.data);
                }
            }
            let join = LogicalPlan::Join(join);
            Ok(Transformed::new_transformed(join, changed))
        }
        // What an operator of the engine's own does with its inputs is not known here.
        LogicalPlan::Extension(_) => Ok(Transformed::no(plan)),
        plan => plan.map_children(emptied),
    }
}

fn is_always_empty(node: &LogicalPlan) -> bool {
    let LogicalPlan::TableScan(scan) = node else {
        return false;
    };
    source_as_provider(&scan.source).is_ok_and(|provider| {
        provider
            .downcast_ref::<SystemTable>()
            .is_some_and(SystemTable::is_always_empty)
    })
}

/// Restricts the system relations of an optimised plan to the rows that its joins need.
///
/// # Errors
///
/// The engine rejects the changed plan.
pub fn narrowed(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut sources = HashSet::new();
    let mut shares = false;
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && system_table(scan).is_some()
        {
            shares |= !sources.insert(source_of(scan));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if sources.is_empty() {
        return Ok(plan);
    }
    let plan = match shares {
        true => with_own_tables(plan)?,
        false => plan,
    };
    let mut reading = Reading::default();
    reading.origins(&plan)?;
    let narrowed = reading.narrowed();
    if narrowed.is_empty() {
        return Ok(plan);
    }
    let replaced = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else {
            return Ok(Transformed::no(node));
        };
        let table = narrowed.get(&source_of(&scan)).map(Arc::clone);
        let changed = table.is_some();
        if let Some(table) = table {
            scan.source = provider_as_source(table);
        }
        Ok(Transformed::new_transformed(
            LogicalPlan::TableScan(scan),
            changed,
        ))
    });
    replaced.data()
}

/// Gives each scan of a system relation a table of its own. The planner makes one table for all
/// references to a relation, and parts of a plan are copied.
fn with_own_tables(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut sources = HashSet::new();
    let apart = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(mut scan) = node else {
            return Ok(Transformed::no(node));
        };
        // The first scan keeps its table, so that no other one gets the same address.
        let copy = match sources.insert(source_of(&scan)) {
            true => None,
            false => system_table(&scan),
        };
        let changed = copy.is_some();
        if let Some(copy) = copy {
            scan.source = provider_as_source(Arc::new(copy));
        }
        Ok(Transformed::new_transformed(
            LogicalPlan::TableScan(scan),
            changed,
        ))
    });
    apart.data()
}

/// Returns a copy of the system relation that is scanned; `None` for any other table.
fn system_table(scan: &TableScan) -> Option<SystemTable> {
    let table = source_as_provider(&scan.source).ok()?;
    table.downcast_ref::<SystemTable>().cloned()
}

/// Returns the address of a scan's table, of which there is one for each scan of a system relation
/// ([`with_own_tables`]).
fn source_of(scan: &TableScan) -> usize {
    Arc::as_ptr(&scan.source).cast::<()>() as usize
}

/// The kind of object that the values of a column name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    Relation,
    /// A relation, but never one that there is.
    NoRelation,
    Namespace,
    Type,
}

fn object(relation: &str, column: &str) -> Option<Object> {
    match (relation, column) {
        ("pg_class", "oid")
        | ("pg_attribute", "attrelid")
        | ("pg_description", "objoid")
        | ("pg_type", "typrelid")
        | (_, "relid") => Some(Object::Relation),
        ("pg_class", "reltoastrelid") => Some(Object::NoRelation),
        ("pg_namespace", "oid") | ("pg_class", "relnamespace") | ("pg_type", "typnamespace") => {
            Some(Object::Namespace)
        }
        ("pg_type", "oid") | ("pg_attribute", "atttypid") => Some(Object::Type),
        _ => None,
    }
}

/// A column of a plan that is a column of a scan.
#[derive(Debug, Clone, Copy)]
struct Origin {
    scan: usize,
    object: Object,
    /// Whether rows may be left out of the scan that a join above drops by this column.
    may_narrow: bool,
}

type Origins = Vec<Option<Origin>>;

/// A scan of a system relation.
struct Scan {
    source: usize,
    relation: &'static str,
    table: SystemTable,
    /// What is known of all rows that the scan contributes.
    known: RelationPins,
}

/// Rows of the scan `to` are needed only if they are about an object that rows of `from` are about.
#[derive(Debug, Clone, Copy)]
struct Link {
    from: usize,
    to: usize,
    object: Object,
}

#[derive(Default)]
struct Reading {
    scans: Vec<Scan>,
    links: Vec<Link>,
}

impl Reading {
    /// Reads a plan. Returns the origins of its columns, in their order.
    fn origins(&mut self, plan: &LogicalPlan) -> Result<Origins> {
        plan.apply_subqueries(|subquery| {
            self.origins(subquery)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::Filter(filter) => self.origins(&filter.input)?,
            LogicalPlan::SubqueryAlias(alias) => self.origins(&alias.input)?,
            LogicalPlan::Repartition(repartition) => self.origins(&repartition.input)?,
            LogicalPlan::Distinct(Distinct::All(input)) => self.origins(input)?,
            LogicalPlan::Sort(sort) => {
                let origins = self.origins(&sort.input)?;
                match sort.fetch {
                    None => origins,
                    Some(_) => all_rows(origins),
                }
            }
            // Other rows would take the place of those that are left out.
            LogicalPlan::Limit(limit) => all_rows(self.origins(&limit.input)?),
            LogicalPlan::Projection(projection) => {
                let input = self.origins(&projection.input)?;
                columns(&projection.expr, &input, projection.input.schema())
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate)?,
            LogicalPlan::Window(window) => {
                let mut origins = all_rows(self.origins(&window.input)?);
                origins.resize(plan.schema().fields().len(), None);
                origins
            }
            LogicalPlan::Join(join) => self.join(join)?,
            other => {
                for input in other.inputs() {
                    self.origins(input)?;
                }
                vec![None; other.schema().fields().len()]
            }
        })
    }

    fn scan(&mut self, scan: &TableScan) -> Origins {
        let fields = scan.projected_schema.fields();
        let nothing = vec![None; fields.len()];
        let Some(table) = system_table(scan) else {
            return nothing;
        };
        let relation = table.relation();
        let number = self.scans.len();
        self.scans.push(Scan {
            source: source_of(scan),
            relation,
            known: RelationPins::of(relation, &scan.filters),
            table,
        });
        let origin = |name: &str| {
            Some(Origin {
                scan: number,
                object: object(relation, name)?,
                may_narrow: scan.fetch.is_none(),
            })
        };
        fields.iter().map(|field| origin(field.name())).collect()
    }

    /// A group is left out as a whole, by its key.
    fn aggregate(&mut self, aggregate: &Aggregate) -> Result<Origins> {
        let input = self.origins(&aggregate.input)?;
        let is_set = |key: &Expr| matches!(key, Expr::GroupingSet(_));
        let mut origins = match aggregate.group_expr.iter().any(is_set) {
            true => Vec::new(),
            false => columns(&aggregate.group_expr, &input, aggregate.input.schema()),
        };
        origins.resize(aggregate.schema.fields().len(), None);
        Ok(origins)
    }

    fn join(&mut self, join: &Join) -> Result<Origins> {
        let mut left = self.origins(&join.left)?;
        let right = self.origins(&join.right)?;
        // Which side's rows are needed only if the other one has a row that they meet.
        let (narrows_left, narrows_right) = match join.join_type {
            JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => (true, true),
            JoinType::Left | JoinType::LeftAnti | JoinType::LeftMark => (false, true),
            JoinType::Right | JoinType::RightAnti | JoinType::RightMark => (true, false),
            JoinType::Full => (false, false),
        };
        if join.null_equality == NullEquality::NullEqualsNothing && !join.null_aware {
            for (on_left, on_right) in &join.on {
                let one = origin_of(on_left, &left, join.left.schema());
                let other = origin_of(on_right, &right, join.right.schema());
                if let (Some(one), Some(other)) = (one, other) {
                    self.link(one, other, narrows_right);
                    self.link(other, one, narrows_left);
                }
            }
        }
        Ok(match join.join_type {
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                left.extend(right);
                left
            }
            JoinType::LeftSemi | JoinType::LeftAnti => left,
            JoinType::RightSemi | JoinType::RightAnti => right,
            JoinType::LeftMark => {
                left.push(None);
                left
            }
            JoinType::RightMark => {
                let mut right = right;
                right.push(None);
                right
            }
        })
    }

    fn link(&mut self, from: Origin, to: Origin, narrows: bool) {
        let same = match from.object {
            Object::NoRelation => to.object == Object::Relation,
            object => to.object == object,
        };
        if narrows && to.may_narrow && same {
            self.links.push(Link {
                from: from.scan,
                to: to.scan,
                object: from.object,
            });
        }
    }

    /// Returns the tables to read in the place of others, by the addresses of those.
    fn narrowed(mut self) -> HashMap<usize, Arc<dyn TableProvider>> {
        let given: Vec<RelationPins> = self.scans.iter().map(|scan| scan.known.clone()).collect();
        // What is known passes over one more join in each round.
        for _ in 0..self.scans.len().min(MOST_ROUNDS) {
            let mut changed = false;
            for link in &self.links {
                changed |= passed(&mut self.scans, *link);
            }
            if !changed {
                break;
            }
        }
        let scans = self.scans.into_iter().zip(given);
        let changed = scans.filter(|(scan, given)| scan.known != *given);
        let narrowed = changed.map(|(scan, _)| {
            let table: Arc<dyn TableProvider> = Arc::new(scan.table.narrowed_to(scan.known));
            (scan.source, table)
        });
        narrowed.collect()
    }
}

/// Joins in a row that are followed.
const MOST_ROUNDS: usize = 32;

/// Passes what is known of one scan to another. Returns whether that one is restricted further.
fn passed(scans: &mut [Scan], link: Link) -> bool {
    let Some(from) = scans.get(link.from) else {
        return false;
    };
    let of_attributes = from.relation == "pg_attribute";
    let known = from.known.clone();
    let Some(to) = scans.get_mut(link.to) else {
        return false;
    };
    let before = to.known.clone();
    match link.object {
        Object::Relation => to.known.meet(&known),
        Object::NoRelation => to.known.hold_to_nothing(),
        Object::Namespace => to.known.meet_namespaces(&known),
        // No column has the type of a table's rows.
        Object::Type if of_attributes && to.relation == "pg_type" => {
            to.known.without_row_types = true;
        }
        Object::Type => {}
    }
    to.known != before
}

/// Marks scans as ones of which every row is needed.
fn all_rows(mut origins: Origins) -> Origins {
    for origin in origins.iter_mut().flatten() {
        origin.may_narrow = false;
    }
    origins
}

fn columns(exprs: &[Expr], input: &[Option<Origin>], schema: &DFSchema) -> Origins {
    let each = exprs.iter().map(|expr| origin_of(expr, input, schema));
    each.collect()
}

fn origin_of(expr: &Expr, input: &[Option<Origin>], schema: &DFSchema) -> Option<Origin> {
    match expr {
        Expr::Alias(alias) => origin_of(&alias.expr, input, schema),
        Expr::Cast(cast) => origin_of(&cast.expr, input, schema),
        Expr::Column(column) => {
            let named = |name: &&String| **name == column.name;
            let names = schema.fields().iter().map(|field| field.name());
            if column.relation.is_none() && names.filter(named).count() > 1 {
                return None;
            }
            let index = schema.maybe_index_of_column(column)?;
            input.get(index).copied().flatten()
        }
        _ => None,
    }
}
