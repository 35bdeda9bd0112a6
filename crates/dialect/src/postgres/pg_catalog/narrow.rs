//! What a query's plan says of the rows that it needs of system relations: a query about one table
//! does not read the columns of all tables then.
//!
//! ```text
//! pg_class c JOIN pg_attribute a     a: only of relations that c is restricted to
//!   ON a.attrelid = c.oid
//! pg_attribute a JOIN pg_type t      t: no types of the rows of tables, because no column has one
//!   ON t.oid = a.atttypid
//! ```
//!
//! Conditions on a relation's own columns need nothing of this: the engine hands them to the
//! relation ([`RelationPins::of`]). Functions about tables look up those of the rows that they are
//! called for.

mod object;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinType, NullEquality, ScalarValue};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Join, LogicalPlan, TableScan, Unnest, Values,
};

use self::object::Object;
use super::asked::{self, Asked};
use super::literals;
use super::pins::{RelationPins, cast_to_oid, without_casts};
use super::provider::SystemTable;

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
    reading.follow_links();
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

/// Returns the tables that the calls in an optimised plan are about.
///
/// # Errors
///
/// The plan cannot be walked.
pub(super) fn asked_by(plan: &LogicalPlan) -> Result<Asked> {
    if !asked::has_calls(plan)? {
        return Ok(Asked::default());
    }
    let mut reading = Reading::default();
    reading.origins(plan)?;
    reading.follow_links();
    Ok(reading.asked())
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
pub(super) fn system_table(scan: &TableScan) -> Option<SystemTable> {
    let table = source_as_provider(&scan.source).ok()?;
    table.downcast_ref::<SystemTable>().cloned()
}

/// Returns the address of a scan's table, of which there is one for each scan of a system relation
/// ([`with_own_tables`]).
fn source_of(scan: &TableScan) -> usize {
    Arc::as_ptr(&scan.source).cast::<()>() as usize
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

/// A scan of a system relation, or the values of a column that the query itself has.
struct Scan {
    source: usize,
    /// `None` for values.
    table: Option<SystemTable>,
    /// What the filters of the scan say of its rows.
    given: RelationPins,
    /// What is known of all rows that the scan contributes.
    known: RelationPins,
}

/// An input of a node: the origins of its columns, and their names.
type Input<'a> = (Origins, &'a DFSchema);

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
    /// The arguments of the calls of functions about tables.
    arguments: Vec<Argument>,
}

/// An argument of a function about tables.
enum Argument {
    Constant(ScalarValue),
    /// A number of a relation, of the rows of this scan.
    Of(usize),
    Unknown,
}

impl Reading {
    /// Reads a plan. Returns the origins of its columns, in their order.
    fn origins(&mut self, plan: &LogicalPlan) -> Result<Origins> {
        plan.apply_subqueries(|subquery| {
            self.origins(subquery)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        let mut inputs: Vec<Input<'_>> = Vec::new();
        for input in plan.inputs() {
            inputs.push((self.origins(input)?, input.schema().as_ref()));
        }
        self.calls(plan, &inputs)?;
        let fields = plan.schema().fields().len();
        Ok(match (plan, inputs.as_slice()) {
            (LogicalPlan::TableScan(scan), _) => self.scan(scan),
            (LogicalPlan::Values(values), _) => self.values(values),
            (
                LogicalPlan::Filter(_)
                | LogicalPlan::SubqueryAlias(_)
                | LogicalPlan::Repartition(_)
                | LogicalPlan::Distinct(Distinct::All(_)),
                [(input, _)],
            ) => input.clone(),
            (LogicalPlan::Sort(sort), [(input, _)]) if sort.fetch.is_none() => input.clone(),
            // Other rows would take the place of those that are left out.
            (LogicalPlan::Sort(_) | LogicalPlan::Limit(_), [(input, _)]) => all_rows(input.clone()),
            (LogicalPlan::Projection(projection), [input]) => {
                let columns = projection.expr.iter();
                columns.map(|column| self.column(column, input)).collect()
            }
            (LogicalPlan::Unnest(unnest), [(input, _)]) => self.unnested(unnest, input),
            (LogicalPlan::Aggregate(aggregate), [input]) => self.groups(aggregate, input),
            (LogicalPlan::Window(_), [(input, _)]) => {
                let mut origins = all_rows(input.clone());
                origins.resize(fields, None);
                origins
            }
            (LogicalPlan::Join(join), [left, right]) => self.join(join, left, right),
            _ => vec![None; fields],
        })
    }

    /// Notes the calls of functions about tables in a node's expressions.
    fn calls(&mut self, node: &LogicalPlan, inputs: &[Input<'_>]) -> Result<()> {
        asked::each_call(node, |argument| {
            let argument = match without_casts(argument) {
                Expr::Literal(value, _) => Argument::Constant(value.clone()),
                Expr::Column(column) => {
                    let mut inputs = inputs.iter();
                    let input = inputs.find(|(_, schema)| schema.has_column(column));
                    let origin = input
                        .and_then(|(origins, schema)| origin_of(argument, origins, schema))
                        .filter(|origin| {
                            matches!(origin.object, Object::Relation | Object::MaybeRelation)
                        });
                    origin.map_or(Argument::Unknown, |origin| Argument::Of(origin.scan))
                }
                // What it finds is one of those that its own argument asks for.
                call if asked::finds_a_table(call) => return,
                _ => Argument::Unknown,
            };
            self.arguments.push(argument);
        })
    }

    /// Returns the origin of numbers that the query itself has.
    fn constants(&mut self, oids: BTreeSet<i64>) -> Origin {
        let scan = self.scans.len();
        let known = RelationPins::of_oids(oids);
        self.scans.push(Scan {
            source: 0,
            table: None,
            given: known.clone(),
            known,
        });
        Origin {
            scan,
            object: Object::Relation,
            may_narrow: false,
        }
    }

    fn column(&mut self, column: &Expr, (origins, schema): &Input<'_>) -> Option<Origin> {
        match literals::number(column) {
            Some(numbers) => Some(self.constants(numbers)),
            None => origin_of(column, origins, schema),
        }
    }

    fn values(&mut self, values: &Values) -> Origins {
        let columns = 0..values.schema.fields().len();
        columns
            .map(|column| {
                let numbers = literals::of_rows(&values.values, column)?;
                Some(self.constants(numbers))
            })
            .collect()
    }

    /// The numbers of a list that the query itself has, as rows.
    fn unnested(&mut self, unnest: &Unnest, input: &[Option<Origin>]) -> Origins {
        let lists: &[Expr] = match unnest.input.as_ref() {
            LogicalPlan::Projection(projection) => projection.expr.as_slice(),
            _ => &[],
        };
        let inner = unnest.dependency_indices.iter();
        inner
            .map(|inner| {
                let mut nested = unnest.list_type_columns.iter();
                match nested.find(|(column, _)| column == inner) {
                    Some((_, list)) if list.depth == 1 => {
                        let numbers = literals::of_list(lists.get(*inner)?)?;
                        Some(self.constants(numbers))
                    }
                    Some(_) => None,
                    None if unnest.struct_type_columns.contains(inner) => None,
                    None => *input.get(*inner)?,
                }
            })
            .collect()
    }

    fn scan(&mut self, scan: &TableScan) -> Origins {
        let fields = scan.projected_schema.fields();
        let nothing = vec![None; fields.len()];
        let Some(table) = system_table(scan) else {
            return nothing;
        };
        let relation = table.relation();
        let number = self.scans.len();
        let given = RelationPins::of(relation, &scan.filters);
        self.scans.push(Scan {
            source: source_of(scan),
            given: given.clone(),
            known: given,
            table: Some(table),
        });
        let origin = |name: &str| {
            Some(Origin {
                scan: number,
                object: Object::of(relation, name)?,
                may_narrow: scan.fetch.is_none(),
            })
        };
        fields.iter().map(|field| origin(field.name())).collect()
    }

    /// A group is left out as a whole, by its key.
    fn groups(&mut self, aggregate: &Aggregate, input: &Input<'_>) -> Origins {
        let is_set = |key: &Expr| matches!(key, Expr::GroupingSet(_));
        let keys: &[Expr] = match aggregate.group_expr.iter().any(is_set) {
            true => &[],
            false => aggregate.group_expr.as_slice(),
        };
        let mut origins: Origins = keys.iter().map(|key| self.column(key, input)).collect();
        origins.resize(aggregate.schema.fields().len(), None);
        origins
    }

    fn join(&mut self, join: &Join, left: &Input<'_>, right: &Input<'_>) -> Origins {
        // Which side's rows are needed only if the other one has a row that they meet.
        let (narrows_left, narrows_right) = match join.join_type {
            JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => (true, true),
            JoinType::Left | JoinType::LeftAnti | JoinType::LeftMark => (false, true),
            JoinType::Right | JoinType::RightAnti | JoinType::RightMark => (true, false),
            JoinType::Full => (false, false),
        };
        if join.null_equality == NullEquality::NullEqualsNothing && !join.null_aware {
            for (on_left, on_right) in &join.on {
                let one = origin_of(on_left, &left.0, left.1);
                let other = origin_of(on_right, &right.0, right.1);
                if let (Some(one), Some(other)) = (one, other) {
                    self.link(one, other, narrows_right);
                    self.link(other, one, narrows_left);
                }
            }
        }
        let (mut left, mut right) = (left.0.clone(), right.0.clone());
        match join.join_type {
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
                right.push(None);
                right
            }
        }
    }

    fn link(&mut self, from: Origin, to: Origin, narrows: bool) {
        if narrows && to.may_narrow && from.object.meets(to.object) {
            self.links.push(Link {
                from: from.scan,
                to: to.scan,
                object: from.object,
            });
        }
    }

    /// Passes what is known of scans to those that they are joined with.
    fn follow_links(&mut self) {
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
    }

    /// Returns the tables to read in the place of others, by the addresses of those.
    fn narrowed(self) -> HashMap<usize, Arc<dyn TableProvider>> {
        let changed = self.scans.into_iter();
        let changed = changed.filter(|scan| scan.known != scan.given);
        let narrowed = changed.filter_map(|scan| {
            let table: Arc<dyn TableProvider> = Arc::new(scan.table?.narrowed_to(scan.known));
            Some((scan.source, table))
        });
        narrowed.collect()
    }

    fn asked(self) -> Asked {
        let mut asked = Asked::default();
        for argument in &self.arguments {
            match argument {
                Argument::Constant(value) => asked.add_constant(value),
                Argument::Of(scan) => match self.scans.get(*scan) {
                    Some(scan) => asked.add_pins(scan.known.tables()),
                    None => asked.all = true,
                },
                Argument::Unknown => asked.all = true,
            }
        }
        asked
    }
}

/// Joins in a row that are followed.
const MOST_ROUNDS: usize = 32;

/// Passes what is known of one scan to another. Returns whether that one is restricted further.
fn passed(scans: &mut [Scan], link: Link) -> bool {
    let Some(from) = scans.get(link.from) else {
        return false;
    };
    let known = from.known.clone();
    let Some(to) = scans.get_mut(link.to) else {
        return false;
    };
    let before = to.known.clone();
    match link.object {
        Object::Relation | Object::MaybeRelation => to.known.meet(&known),
        Object::NoRelation => to.known.hold_to_nothing(),
        Object::Namespace => to.known.meet_namespaces(&known),
        Object::PlainType => to.known.without_row_types = true,
        // What is known of the type of a relation's rows is known of the relation.
        Object::RowType => to.known.meet(&known),
        Object::Type | Object::SameRows => {
            to.known.meet(&known);
            to.known.without_row_types |= known.without_row_types;
        }
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
        other => origin_of(cast_to_oid(other)?, input, schema),
    }
}
