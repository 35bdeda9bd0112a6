//! Makes the tree of nodes of a tree of operators.

use std::cell::Cell;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use datafusion::common::JoinType;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::expressions::{Column, DynamicFilterPhysicalExpr};
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::streaming::StreamingTableExec;
use datafusion::physical_plan::work_table::WorkTableExec;
use datafusion::physical_plan::{ExecutionPlan, StatisticsArgs, StatisticsContext};
use lakegate_engine::{barrier, shared_part};

use super::expressions::{name, sort_key, sql};
use super::numbers::{
    Cost, FILTER_PART, Ran, UNKNOWN_ITEMS, UNKNOWN_ROWS, began, measured, rows_of, rows_read,
    shown_fields, width,
};
use super::scans::{Relation, relation_scan};
use super::{Fact, Input, Node, Role};

/// Returns the plan of a tree of operators. `ran`: whether it ran, and has measurements.
pub(crate) fn of(plan: &Arc<dyn ExecutionPlan>, relations: &[Relation], ran: bool) -> Node {
    let began = ran.then(|| began(plan.as_ref()).unwrap_or_else(Utc::now));
    let builder = Builder {
        statistics: StatisticsContext::new(),
        relations,
        began,
        subqueries: Cell::new(0),
    };
    builder.node(plan)
}

/// What nodes are made with.
pub(super) struct Builder<'a> {
    statistics: StatisticsContext,
    pub(super) relations: &'a [Relation],
    /// When a query that ran has started.
    began: Option<DateTime<Utc>>,
    /// The number of subqueries so far.
    subqueries: Cell<usize>,
}

impl Builder<'_> {
    fn node(&self, plan: &Arc<dyn ExecutionPlan>) -> Node {
        let node = self.unlimited(plan);
        match plan.fetch() {
            Some(fetch) if limits(plan.as_ref()) => self.limited(plan, Some(fetch), node),
            _ => node,
        }
    }

    /// Returns the node of an operator without the limit that it may contain.
    fn unlimited(&self, plan: &Arc<dyn ExecutionPlan>) -> Node {
        let operator = plan.as_ref();
        if let Some(view) = barrier::view_of_operator(operator) {
            let cost = Cost::scan(UNKNOWN_ROWS, width(&operator.schema()));
            let node = Node::new("Subquery Scan", cost)
                .labelled(format!("Subquery Scan on {view}"))
                .with_attribute("Alias", view);
            return self.finished(plan, node);
        }
        if let Some(filter) = operator.downcast_ref::<FilterExec>()
            && !is_of_joins(filter)
        {
            return self.filtered(plan, filter);
        }
        if let Some(projection) = operator.downcast_ref::<ProjectionExec>() {
            return self.projected(plan, projection);
        }
        if let Some(limit) = operator.downcast_ref::<GlobalLimitExec>() {
            let fetch = limit.fetch();
            return self.limited(plan, fetch, self.first(plan));
        }
        if let Some(sort) = operator.downcast_ref::<SortExec>() {
            return self.sorted(plan, sort);
        }
        if let Some(aggregate) = operator.downcast_ref::<AggregateExec>() {
            return self.aggregated(plan, aggregate);
        }
        if let Some(join) = operator.downcast_ref::<HashJoinExec>() {
            return self.hash_joined(plan, join);
        }
        if let Some(join) = operator.downcast_ref::<NestedLoopJoinExec>() {
            let filter = join.filter().map(|filter| sql(filter.expression()));
            return self.looped(plan, *join.join_type(), filter);
        }
        if operator.is::<CrossJoinExec>() {
            return self.looped(plan, JoinType::Inner, None);
        }
        if let Some(join) = operator.downcast_ref::<SortMergeJoinExec>() {
            return self.merge_joined(plan, join);
        }
        if let Some(subqueries) = operator.downcast_ref::<ScalarSubqueryExec>() {
            return self.with_subqueries(plan, subqueries);
        }
        if let Some(scan) = operator.downcast_ref::<DataSourceExec>() {
            return self.scanned(plan, scan);
        }
        match passes_rows_on(operator) {
            true => self.through(plan, self.first(plan)),
            false => self.other(plan),
        }
    }

    /// Returns the node of the first input.
    pub(super) fn first(&self, plan: &Arc<dyn ExecutionPlan>) -> Node {
        self.input(plan, 0)
    }

    pub(super) fn input(&self, plan: &Arc<dyn ExecutionPlan>, place: usize) -> Node {
        match plan.children().get(place) {
            Some(child) => self.node(child),
            None => Node::new("Result", Cost::free(0.0, 0)),
        }
    }

    /// Returns the estimated rows of an operator, if statistics tell them.
    pub(super) fn rows(&self, plan: &Arc<dyn ExecutionPlan>) -> Option<f64> {
        let statistics = self
            .statistics
            .compute(plan.as_ref(), &StatisticsArgs::new())
            .ok()?;
        statistics.num_rows.get_value().map(|rows| *rows as f64)
    }

    /// Gives a node the columns and the measurements of its operator.
    pub(super) fn finished(&self, plan: &Arc<dyn ExecutionPlan>, mut node: Node) -> Node {
        node.output = columns(&plan.schema());
        self.measure(plan, &mut node);
        node
    }

    fn measure(&self, plan: &Arc<dyn ExecutionPlan>, node: &mut Node) {
        let Some(began) = self.began else { return };
        if let Some(ran) = measured(plan.as_ref(), began) {
            let mut ran = ran.around(node.ran);
            for below in node.inputs.iter().filter_map(|input| input.node.ran) {
                ran.end = ran.end.max(below.end);
            }
            node.ran = Some(ran);
        }
    }

    /// Adds an operator that passes the rows of a node on.
    fn through(&self, plan: &Arc<dyn ExecutionPlan>, mut node: Node) -> Node {
        let rows = self.rows(plan).unwrap_or(node.cost.rows);
        node.cost = node.cost.giving(rows, width(&plan.schema()));
        self.measure(plan, &mut node);
        node
    }

    fn limited(&self, plan: &Arc<dyn ExecutionPlan>, fetch: Option<usize>, inner: Node) -> Node {
        let fetched = fetch.map_or(inner.cost.rows, |fetch| inner.cost.rows.min(fetch as f64));
        let rows = self.rows(plan).unwrap_or(fetched);
        let cost = inner.cost.giving(rows, width(&plan.schema()));
        let mut node = match inner.kind.as_str() {
            "Limit" => inner,
            _ => {
                let mut limit = Node::new("Limit", cost);
                limit.ran = inner.ran;
                limit.output = inner.output.clone();
                limit.with_input(Role::Outer, inner)
            }
        };
        node.cost = cost;
        self.measure(plan, &mut node);
        node
    }

    fn filtered(&self, plan: &Arc<dyn ExecutionPlan>, filter: &FilterExec) -> Node {
        let input = self.first(plan);
        let rows = self
            .rows(plan)
            .unwrap_or_else(|| (input.cost.rows * FILTER_PART).max(1.0));
        let removed = || {
            let before = rows_read(filter.input().as_ref())?;
            before.checked_sub(rows_of(plan.as_ref())?)
        };
        let removed = self.began.and_then(|_| removed());
        let cost = input.cost.worked(1.0).giving(rows, width(&plan.schema()));
        let mut node = match takes_filter(&input) {
            true => input,
            false => {
                let mut outer = Node::new("Subquery Scan", cost);
                outer.output = input.output.clone();
                outer.with_input(Role::Outer, input)
            }
        };
        node.cost = cost;
        let condition = Fact::Text(sql(filter.predicate()));
        node = node.with_fact("Filter", condition);
        if let Some(removed) = removed {
            node = node.with_fact("Rows Removed by Filter", Fact::Count(removed));
        }
        if filter.projection().is_some() {
            node.output = columns(&plan.schema());
        }
        self.measure(plan, &mut node);
        node
    }

    fn projected(&self, plan: &Arc<dyn ExecutionPlan>, projection: &ProjectionExec) -> Node {
        let node = self.first(plan);
        let expressions = projection.expr().iter().map(|column| &column.expr);
        let computed = expressions.clone().filter(|expr| !expr.is::<Column>());
        let computed = computed.count() as f64;
        let output = expressions.map(sql).collect();
        let mut node = self.through(plan, node);
        node.cost = node.cost.worked(computed);
        node.output = output;
        node
    }

    fn sorted(&self, plan: &Arc<dyn ExecutionPlan>, sort: &SortExec) -> Node {
        let input = self.first(plan);
        let rows = input.cost.rows;
        let comparisons = 2.0 * rows * rows.max(2.0).log2();
        let width = width(&plan.schema());
        let cost = Cost::after(&[input.cost], comparisons, rows, width);
        let keys = sort.expr().iter().map(sort_key).collect();
        let node = Node::new("Sort", cost)
            .with_fact("Sort Key", Fact::List(keys))
            .with_input(Role::Outer, input);
        self.finished(plan, node)
    }

    fn with_subqueries(
        &self,
        plan: &Arc<dyn ExecutionPlan>,
        subqueries: &ScalarSubqueryExec,
    ) -> Node {
        let mut node = self.node(subqueries.input());
        for link in subqueries.subqueries() {
            let number = self.subqueries.get() + 1;
            self.subqueries.set(number);
            let subquery = self.node(&link.plan);
            node.cost = node.cost.with_subquery(subquery.cost);
            let returned = link.index.as_usize();
            node.inputs.push(Input {
                role: Role::InitPlan(format!("InitPlan {number} (returns ${returned})")),
                node: subquery,
            });
        }
        self.through(plan, node)
    }

    /// Returns the node of an operator that needs no more than its name.
    fn other(&self, plan: &Arc<dyn ExecutionPlan>) -> Node {
        let operator = plan.as_ref();
        let width = width(&operator.schema());
        let count = operator.children().len();
        let inputs: Vec<Node> = (0..count).map(|place| self.input(plan, place)).collect();
        let costs: Vec<Cost> = inputs.iter().map(|input| input.cost).collect();
        let read: f64 = costs.iter().map(|cost| cost.rows).sum();
        let guessed = match (operator.name(), count) {
            ("UnnestExec", _) => read * UNKNOWN_ITEMS,
            (_, 0) => UNKNOWN_ROWS,
            _ => read,
        };
        let rows = self.rows(plan).unwrap_or(guessed);
        let along = |operations: f64| Cost::along(&costs, operations, rows, width);
        let mut node = match operator.name() {
            "UnionExec" | "InterleaveExec" => Node::new("Append", along(0.0)),
            "WindowAggExec" | "BoundedWindowAggExec" => Node::new("WindowAgg", along(read)),
            "UnnestExec" => Node::new("ProjectSet", along(rows)),
            "RecursiveQueryExec" => Node::new("Recursive Union", along(read)),
            "WorkTableExec" => {
                let table = operator.downcast_ref::<WorkTableExec>();
                let table = table.map(WorkTableExec::name);
                relation_scan("WorkTable Scan", table, Cost::scan(rows, width))
            }
            "SharedExec" => {
                let cost = match count {
                    0 => Cost::scan(rows, width),
                    _ => along(0.0),
                };
                let cte = format!("shared_{}", shared_part(operator).unwrap_or_default());
                Node::new("CTE Scan", cost)
                    .labelled(format!("CTE Scan on {cte}"))
                    .with_attribute("CTE Name", &cte)
                    .with_attribute("Alias", &cte)
            }
            "LazyMemoryExec" => relation_scan(
                "Function Scan",
                Some("generate_series"),
                Cost::scan(rows, width),
            ),
            _ if operator.is::<PlaceholderRowExec>() => {
                Node::new("Result", Cost::free(1.0, width).worked(4.0))
            }
            _ if operator.is::<EmptyExec>() => Node::new("Result", Cost::free(0.0, width))
                .with_fact("One-Time Filter", Fact::Text("false".to_owned())),
            _ if operator.is::<StreamingTableExec>() => {
                let table = self.relation(&operator.schema());
                relation_scan("Seq Scan", table.as_deref(), Cost::scan(rows, width))
            }
            other => {
                let kind = other.strip_suffix("Exec").unwrap_or(other);
                match count {
                    0 => Node::new(kind, Cost::scan(rows, width)),
                    _ => Node::new(kind, along(read)),
                }
            }
        };
        let is_append = node.kind == "Append";
        for (place, input) in inputs.into_iter().enumerate() {
            let role = match (is_append, place) {
                (true, _) => Role::Member,
                (false, 0) => Role::Outer,
                (false, _) => Role::Inner,
            };
            node = node.with_input(role, input);
        }
        let mut node = self.finished(plan, node);
        if node.ran.is_none() && self.began.is_some() && node.inputs.is_empty() {
            // Operators that make a constant number of rows measure nothing.
            let rows = match operator.is::<EmptyExec>() {
                true => Some(0),
                false => operator.is::<PlaceholderRowExec>().then_some(1),
            };
            node.ran = rows.map(|rows| Ran {
                start: 0.0,
                end: 0.0,
                rows,
            });
        }
        node
    }
}

/// Whether the `fetch` of an operator is a LIMIT of its own.
fn limits(plan: &dyn ExecutionPlan) -> bool {
    plan.is::<FilterExec>()
        || plan.is::<HashJoinExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<SortExec>()
        || plan.is::<SortPreservingMergeExec>()
        || plan.is::<DataSourceExec>()
        || plan.is::<LocalLimitExec>()
}

/// Whether an operator only moves rows between threads, or says something of their order.
pub(super) fn passes_rows_on(plan: &dyn ExecutionPlan) -> bool {
    const PASSING: [&str; 10] = [
        "RepartitionExec",
        "CoalescePartitionsExec",
        "CoalesceBatchesExec",
        "CooperativeExec",
        "BufferExec",
        "OutputRequirementExec",
        "SortPreservingMergeExec",
        "LocalLimitExec",
        "Ordered",
        "Unordered",
    ];
    let filter = plan.downcast_ref::<FilterExec>();
    filter.is_some_and(is_of_joins)
        || (plan.children().len() == 1 && PASSING.contains(&plan.name()))
}

/// Whether a filter tests only what joins above have found while they run. PostgreSQL has none.
fn is_of_joins(filter: &FilterExec) -> bool {
    let mut conditions = split_conjunction(filter.predicate()).into_iter();
    conditions.all(|condition| condition.is::<DynamicFilterPhysicalExpr>())
}

/// Whether a filter of a node's rows is a line of the node.
fn takes_filter(node: &Node) -> bool {
    let kinds = [
        "Seq Scan",
        "Function Scan",
        "Values Scan",
        "WorkTable Scan",
        "CTE Scan",
        "Subquery Scan",
        "Aggregate",
        "Hash Join",
        "Merge Join",
        "Nested Loop",
        "Result",
    ];
    kinds.contains(&node.kind.as_str()) && !node.has("Filter") && !node.has("One-Time Filter")
}

fn columns(schema: &SchemaRef) -> Vec<String> {
    shown_fields(schema)
        .map(|field| name(field.name()))
        .collect()
}
