//! Comparing, ordering, grouping and joining by intervals, arrays, and values of a library's types:
//! values that may be equal but differ in their bytes, or that sort in another order than their
//! bytes.
//!
//! The engine groups, joins and compares them by their bytes, so that a month is not 30 days, and
//! `{0}` is not `{-0}`; and it sorts a NULL item before all others, not after them. This rule
//! compares the length of an interval, the key of an array (`arrays/keys.rs`) and what the library
//! names for its types ([`KeyOf`]) instead. The result of a group has one of the group's values:
//!
//! ```text
//! GROUP BY i             GROUP BY interval_length(i), and first_value(i) in the result
//! SELECT DISTINCT i      GROUP BY, as above
//! JOIN … USING (i)       ON interval_length(l.i) = interval_length(r.i)
//! a < b, ORDER BY a      array_key(a) < array_key(b), ORDER BY array_key(a)
//! x IN (SELECT y …)      array_key(x) IN (SELECT array_key(y) …)
//! ```
//!
//! An analyzer rule that runs after type coercion. Delete it when the engine has comparable forms
//! of all types.

mod groups;
mod marks;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Between, InList, InSubquery, ScalarFunction};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Case, Distinct, Expr, ExprSchemable, Join, LogicalPlan,
    LogicalPlanBuilder, ScalarUDF, Subquery,
};
use datafusion::optimizer::AnalyzerRule;
use lakegate_error::{Code, Error};

pub use self::marks::marked;
use crate::numbers::floats;
use crate::{arrays, plans::expressions, time};

/// Returns the function of a value that makes its key, for the fields whose type Arrow lacks and
/// whose values do not compare as their bytes do: equal values have equal keys, and keys have the
/// order of the values. `None` for all other fields.
pub type KeyOf = fn(&Field) -> Option<Arc<ScalarUDF>>;

/// The analyzer rule.
#[derive(Debug)]
pub(crate) struct EqualKeys {
    pub of_library: KeyOf,
}

impl AnalyzerRule for EqualKeys {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let keys = Comparable(self.of_library);
        if !keys.concerns(&plan)? {
            return Ok(plan);
        }
        check_distinct(&plan)?;
        let compared = |expr: Expr, schema: &DFSchema| keys.compared(expr, schema);
        let plan = expressions::rewritten(plan, is_comparison, compared)?;
        let rewritten = plan.transform_up_with_subqueries(|node| keys.rewritten(node))?;
        match rewritten.transformed {
            // Columns of rewritten nodes may be nullable now, and so may columns above them.
            true => rewritten
                .data
                .transform_up_with_subqueries(|node| node.recompute_schema().map(Transformed::yes))
                .data(),
            false => Ok(rewritten.data),
        }
    }

    fn name(&self) -> &str {
        "equal_keys"
    }
}

/// Returns whether this rule compares values of a type.
fn is_compared(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_)) || arrays::is_keyed(data_type)
}

/// Returns whether a function may make arrays, intervals, or values of a library's type, of other
/// values.
fn makes_keyed(function: &str) -> bool {
    function.contains("array")
        || function.contains("json")
        || function.contains("timetz")
        || function.contains("net")
        || function.contains("lsn")
        || function.contains("range")
        || matches!(
            function,
            "$cidr_in" | "$tid_in" | "broadcast" | "hostmask" | "set_masklen" | time::AGE
        )
        || matches!(
            function,
            "generate_series" | "regexp_match" | "map_keys" | "map_values" | "flatten"
        )
}

/// Returns whether equal values of a type may have different bytes, which the engine does not
/// recognize.
fn differs(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_))
        || floats::are_lists(data_type)
        || time::are_lists(data_type)
}

/// Refuses aggregates of distinct arrays with an order: distinct values of an aggregate can only be
/// sorted by themselves, not by their keys.
fn check_distinct(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        let LogicalPlan::Aggregate(aggregate) = node else {
            return Ok(TreeNodeRecursion::Continue);
        };
        let schema = aggregate.input.schema();
        for function in &aggregate.aggr_expr {
            function.apply(|part| {
                let Expr::AggregateFunction(call) = part else {
                    return Ok(TreeNodeRecursion::Continue);
                };
                let mut sorts = call.params.order_by.iter();
                let of_array =
                    |expr: &Expr| expr.get_type(schema).is_ok_and(|of| arrays::is_array(&of));
                if call.params.distinct && sorts.any(|sort| of_array(&sort.expr)) {
                    return Err(Error::new(
                        Code::NotSupported,
                        format!("{} of distinct arrays has no order", call.func.name()),
                    )
                    .with_hint("select the distinct arrays in a subquery, and sort them outside")
                    .into());
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn is_comparison(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) => expressions::is_comparison(binary.op),
        Expr::Case(case) => case.expr.is_some(),
        Expr::ScalarFunction(call) => matches!(call.func.name(), "nullif" | "greatest" | "least"),
        Expr::AggregateFunction(call) => !call.params.order_by.is_empty(),
        expr => matches!(
            expr,
            Expr::InSubquery(_) | Expr::Between(_) | Expr::InList(_) | Expr::WindowFunction(_)
        ),
    }
}

/// Returns the key of an array of this type; `None` for other types.
fn array_key(expr: &Expr, of: &DataType) -> Option<Expr> {
    (arrays::is_array(of) && arrays::is_keyed(of)).then(|| arrays::key(expr.clone()))
}

fn put(key: &mut Expr, other: Option<Expr>) -> bool {
    match other {
        Some(other) => {
            *key = other;
            true
        }
        None => false,
    }
}

/// The keys that values are compared by.
#[derive(Debug, Clone, Copy)]
struct Comparable(KeyOf);

impl Comparable {
    /// Returns whether a plan has values that this rule compares.
    fn concerns(self, plan: &LogicalPlan) -> Result<bool> {
        let column = |field: &Field| is_compared(field.data_type()) || (self.0)(field).is_some();
        expressions::has_values(plan, column, |expr| match expr {
            Expr::Literal(value, _) => is_compared(&value.data_type()),
            Expr::ScalarFunction(call) => makes_keyed(call.func.name()),
            expr => expressions::cast_type(expr).is_some_and(is_compared),
        })
    }

    /// Returns the key of a value of a library's type; `None` for other types.
    fn of_library(self, expr: &Expr, schema: &DFSchema) -> Option<Expr> {
        let (_, field) = expr.to_field(schema).ok()?;
        let key = (self.0)(&field)?;
        Some(key.call(vec![expr.clone()]))
    }

    /// Returns the expression to compare instead of a value; `None` for the value itself.
    fn comparable(self, expr: &Expr, schema: &DFSchema) -> Option<Expr> {
        let data_type = expr.get_type(schema).ok()?;
        match data_type {
            DataType::Interval(_) => time::length(expr, schema),
            of if of.is_string() => self.of_library(expr, schema),
            of => array_key(expr, &of),
        }
    }

    /// Returns the expression to sort by instead of a value; `None` for the value itself.
    fn sortable(self, expr: &Expr, schema: &DFSchema) -> Option<Expr> {
        self.comparable(expr, schema).or_else(|| {
            let is_struct =
                |of: &DataType| matches!(of, DataType::Struct(_)) && arrays::is_keyed(of);
            let data_type = expr.get_type(schema).ok()?;
            is_struct(&data_type).then(|| arrays::key(expr.clone()))
        })
    }

    /// Returns the expression to group by instead of a value, if the engine would distinguish equal
    /// values. `None` for the value itself.
    fn groupable(self, expr: &Expr, schema: &DFSchema) -> Option<Expr> {
        let data_type = expr.get_type(schema).ok()?;
        match differs(&data_type) {
            true => self.comparable(expr, schema),
            false => self.of_library(expr, schema),
        }
    }

    /// Puts what is sorted by in the place of keys. Returns whether one of them changed.
    fn put_sortable<'a>(
        self,
        keys: impl IntoIterator<Item = &'a mut Expr>,
        schema: &DFSchema,
    ) -> bool {
        let mut changed = false;
        for key in keys {
            changed |= put(key, self.sortable(key, schema));
        }
        changed
    }

    /// Rewrites comparisons of arrays, and comparisons with the rows of a subquery. Other
    /// comparisons of intervals are rewritten before.
    fn compared(self, expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
        let expr = match self.of_arrays(&expr, schema) {
            Some(compared) => return Transformed::yes(compared),
            None => expr,
        };
        match expr {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if expressions::is_comparison(op) => {
                match (
                    self.comparable(&left, schema),
                    self.comparable(&right, schema),
                ) {
                    (Some(left), Some(right)) => Transformed::yes(Expr::BinaryExpr(
                        BinaryExpr::new(Box::new(left), op, Box::new(right)),
                    )),
                    _ => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
                }
            }
            Expr::InSubquery(within) => match self.in_comparable(&within, schema) {
                Some(within) => Transformed::yes(Expr::InSubquery(within)),
                None => Transformed::no(Expr::InSubquery(within)),
            },
            expr => Transformed::no(expr),
        }
    }

    /// Rewrites other comparisons of arrays; `None` for other types.
    fn of_arrays(self, expr: &Expr, schema: &DFSchema) -> Option<Expr> {
        let array = |expr: &Expr| array_key(expr, &expr.get_type(schema).ok()?).map(Box::new);
        match expr {
            Expr::Between(between) => Some(Expr::Between(Between {
                expr: array(&between.expr)?,
                negated: between.negated,
                low: array(&between.low)?,
                high: array(&between.high)?,
            })),
            Expr::InList(within) => {
                let items = within.list.iter().map(|item| Some(*array(item)?));
                let items: Option<Vec<Expr>> = items.collect();
                let expr = array(&within.expr)?;
                Some(Expr::InList(InList::new(expr, items?, within.negated)))
            }
            Expr::Case(case) => {
                let operand = array(case.expr.as_ref()?)?;
                let whens = case.when_then_expr.iter();
                let whens = whens.map(|(when, then)| Some((array(when)?, then.clone())));
                let whens: Option<Vec<_>> = whens.collect();
                let case = Case::new(Some(operand), whens?, case.else_expr.clone());
                Some(Expr::Case(case))
            }
            Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "nullif" => {
                let [value, other] = args.as_slice() else {
                    return None;
                };
                let equal = Expr::eq(*array(value)?, *array(other)?);
                let null = ScalarValue::try_from(value.get_type(schema).ok()?).ok()?;
                let whens = vec![(Box::new(equal), Box::new(Expr::Literal(null, None)))];
                let case = Case::new(None, whens, Some(Box::new(value.clone())));
                Some(Expr::Case(case))
            }
            Expr::ScalarFunction(call) => arrays::greatest_or_least(call, schema),
            Expr::WindowFunction(window) => {
                let mut window = window.clone();
                let params = &mut window.params;
                let orders = params.order_by.iter_mut().map(|sort| &mut sort.expr);
                let keys = params.partition_by.iter_mut().chain(orders);
                self.put_sortable(keys, schema)
                    .then_some(Expr::WindowFunction(window))
            }
            Expr::AggregateFunction(call) if !call.params.distinct => {
                let mut call = call.clone();
                let keys = call.params.order_by.iter_mut().map(|sort| &mut sort.expr);
                self.put_sortable(keys, schema)
                    .then_some(Expr::AggregateFunction(call))
            }
            _ => None,
        }
    }

    fn in_comparable(self, within: &InSubquery, schema: &DFSchema) -> Option<InSubquery> {
        let plan = &within.subquery.subquery;
        let [column] = plan.schema().columns().try_into().ok()?;
        let column = self.comparable(&Expr::Column(column), plan.schema())?;
        let expr = self.comparable(&within.expr, schema)?;
        let plan = LogicalPlanBuilder::from(LogicalPlan::clone(plan))
            .project([column.alias(name("item", 0))])
            .and_then(LogicalPlanBuilder::build)
            .ok()?;
        Some(InSubquery::new(
            Box::new(expr),
            Subquery {
                subquery: Arc::new(plan),
                outer_ref_columns: within.subquery.outer_ref_columns.clone(),
                spans: within.subquery.spans.clone(),
            },
            within.negated,
        ))
    }

    fn rewritten(self, node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        match node {
            LogicalPlan::Aggregate(aggregate) => self.grouped(aggregate),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let schema = input.schema();
                let mut fields = schema.fields().iter();
                if !fields.any(|field| differs(field.data_type()) || (self.0)(field).is_some()) {
                    return Ok(Transformed::no(LogicalPlan::Distinct(Distinct::All(input))));
                }
                let keys = schema.iter().map(Expr::from).collect();
                self.grouped(Aggregate::try_new(input, keys, Vec::new())?)
            }
            LogicalPlan::Distinct(Distinct::On(mut distinct)) => {
                let schema = Arc::clone(distinct.input.schema());
                let sorts = distinct.sort_expr.iter_mut().flatten();
                let sorts = sorts.map(|sort| &mut sort.expr);
                let keys = distinct.on_expr.iter_mut().chain(sorts);
                let changed = self.put_sortable(keys, &schema);
                let distinct = LogicalPlan::Distinct(Distinct::On(distinct));
                Ok(Transformed::new_transformed(distinct, changed))
            }
            LogicalPlan::Sort(mut sort) => {
                let schema = Arc::clone(sort.input.schema());
                let keys = sort.expr.iter_mut().map(|key| &mut key.expr);
                let changed = self.put_sortable(keys, &schema);
                Ok(Transformed::new_transformed(
                    LogicalPlan::Sort(sort),
                    changed,
                ))
            }
            LogicalPlan::Join(join) => self.joined(join),
            node => Ok(Transformed::no(node)),
        }
    }

    fn joined(self, join: Join) -> Result<Transformed<LogicalPlan>> {
        let schema = merge_schema(&[&join.left, &join.right]);
        let mut on = join.on.clone();
        let mut changed = false;
        for (left, right) in &mut on {
            if let (Some(left_key), Some(right_key)) = (
                self.comparable(left, &schema),
                self.comparable(right, &schema),
            ) {
                (*left, *right) = (left_key, right_key);
                changed = true;
            }
        }
        match changed {
            true => Ok(Transformed::yes(LogicalPlan::Join(Join { on, ..join }))),
            false => Ok(Transformed::no(LogicalPlan::Join(join))),
        }
    }
}

/// Returns the name of a column that this rule adds.
fn name(what: &str, place: usize) -> String {
    format!("__equal_{what}_{place}")
}
