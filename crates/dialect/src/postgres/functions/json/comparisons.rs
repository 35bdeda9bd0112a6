//! Comparisons of `jsonb` by value where no operator is written, and refusals of `json`, which has
//! no comparisons.
//!
//! ```text
//! j IN ('1', '[]')          $jsonb_key(j) IN ($jsonb_key('1'), $jsonb_key('[]'))
//! j IN (SELECT k …)         $jsonb_key(j) IN (SELECT $jsonb_key(k) …)
//! j = ANY (array)           compare_any('=', $jsonb_key(j), $jsonb_keys(array))
//! j IS DISTINCT FROM k      $jsonb_key(j) IS DISTINCT FROM $jsonb_key(k)
//! CASE j WHEN k THEN x END  CASE $jsonb_key(j) WHEN $jsonb_key(k) THEN x END
//! nullif(j, k)              CASE WHEN $jsonb_key(j) = $jsonb_key(k) THEN NULL ELSE j END
//! greatest(j, k)            $jsonb_greatest(j, k)
//! coalesce(j, '[]')         $jsonb_kept(coalesce(j, $jsonb_in('[]')))
//! CASE WHEN c THEN j ELSE '{}' END
//!                           $jsonb_kept(CASE WHEN c THEN j ELSE $jsonb_in('{}') END)
//! ```
//!
//! The operators are planned so (`operators.rs`), and the engine groups, joins and sorts by the
//! keys ([`key_of`]). An analyzer rule before type coercion, which would make texts of both types.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::{InList, InSubquery, ScalarFunction, SetComparison};
use datafusion::logical_expr::{
    BinaryExpr, Case, Cast, Distinct, Expr, ExprSchemable, LogicalPlan, ScalarUDF, Subquery,
    TryCast,
};
use datafusion::optimizer::AnalyzerRule;
use lakegate_engine::quantified::{ALL, ANY};
use lakegate_engine::{has_values, retyped};
use lakegate_error::{Code, Error};

use super::operators::{is_of_jsonb, is_untyped};
use super::order::{GREATEST, KEY, KEYS, LEAST};
use super::results::{KEPT, Results};
use super::{JSON, JSONB, ROW, functions, is_jsonb};
use crate::postgres::cell::{PG_TYPE, drops_marks};
use crate::postgres::functions::coalesce::{ARRAY, COALESCE};
use crate::postgres::functions::compared::{
    case_with_operands, operands, operands_of_case, returning, symbol, with_operands,
};
use crate::postgres::functions::keyed::{results_of, written};

/// Makes an item of `json_agg`.
const ITEM: &str = "$json_item";

/// The rule, with the functions that it calls.
#[derive(Debug)]
struct JsonComparisons {
    key: Arc<ScalarUDF>,
    keys: Arc<ScalarUDF>,
    greatest: Arc<ScalarUDF>,
    least: Arc<ScalarUDF>,
    results: Results,
}

static MADE: LazyLock<Option<Arc<JsonComparisons>>> = LazyLock::new(|| {
    let all = functions();
    let named = |name: &str| {
        let mut found = all.iter().filter(|function| function.name() == name);
        found.next().cloned()
    };
    Some(Arc::new(JsonComparisons {
        key: named(KEY)?,
        keys: named(KEYS)?,
        greatest: named(GREATEST)?,
        least: named(LEAST)?,
        results: Results::of(named)?,
    }))
});

/// Returns the rule to add; `None` if a function is missing.
pub(crate) fn rule() -> Option<Arc<dyn AnalyzerRule + Send + Sync>> {
    let rule = MADE.clone()?;
    Some(rule)
}

/// Returns the function whose results compare as the values of a field do, if it is `jsonb`.
pub(crate) fn key_of(field: &Field) -> Option<Arc<ScalarUDF>> {
    if !is_jsonb(field) {
        return None;
    }
    MADE.as_ref().map(|made| Arc::clone(&made.key))
}

impl AnalyzerRule for JsonComparisons {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        if !has_json(&plan)? {
            return Ok(plan);
        }
        let compared = |expr: Expr, schema: &DFSchema| -> Result<Transformed<Expr>> {
            let expr = match unmarked(expr, schema) {
                cast if cast.transformed => return Ok(cast),
                Transformed { data, .. } => data,
            };
            check_expression(&expr, schema)?;
            let compared = self.compared(&expr, schema);
            Ok(compared.map_or_else(|| Transformed::no(expr), Transformed::yes))
        };
        let checked = |node: &LogicalPlan| -> Result<Option<LogicalPlan>> {
            check_operator(node)?;
            Ok(None)
        };
        retyped(plan, &compared, &checked)
    }

    fn name(&self) -> &str {
        "json_comparisons"
    }
}

/// Returns whether a plan has values of `json` or `jsonb`.
fn has_json(plan: &LogicalPlan) -> Result<bool> {
    let column = |field: &Field| is_plain_json(field) || is_jsonb(field);
    has_values(plan, column, is_json_call)
}

fn is_json_call(expr: &Expr) -> bool {
    match expr {
        Expr::ScalarFunction(call) => call.func.name().contains("json"),
        _ => false,
    }
}

/// Returns whether a field is `json`, and no row of a table that is shown as one.
fn is_plain_json(field: &Field) -> bool {
    let marks = field.metadata();
    marks.get(PG_TYPE).is_some_and(|name| name == JSON) && !marks.contains_key(ROW)
}

/// Returns a cast of JSON without the mark of its operand.
fn unmarked(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let is_marked = |operand: &Expr| {
        let field = operand.to_field(schema);
        field.is_ok_and(|(_, field)| is_plain_json(&field) || is_jsonb(&field))
    };
    match expr {
        Expr::Cast(mut cast) if is_marked(&cast.expr) => {
            let changed = drops_marks(&mut cast.field);
            Transformed::new_transformed(Expr::Cast(cast), changed)
        }
        Expr::TryCast(mut cast) if is_marked(&cast.expr) => {
            let changed = drops_marks(&mut cast.field);
            Transformed::new_transformed(Expr::TryCast(cast), changed)
        }
        expr => Transformed::no(expr),
    }
}

/// Returns whether an expression is of the type `json`.
pub(super) fn is_of_json(expr: &Expr, schema: &DFSchema) -> bool {
    match expr {
        Expr::BinaryExpr(_) | Expr::Literal(..) => false,
        Expr::Cast(Cast { field, .. }) | Expr::TryCast(TryCast { field, .. }) => {
            is_plain_json(field)
        }
        // The argument of an aggregate function that makes JSON of any values.
        Expr::ScalarFunction(call) if call.func.name() == ITEM => {
            let mut values = call.args.iter();
            values.any(|value| is_of_json(value, schema))
        }
        _ => expr
            .to_field(schema)
            .is_ok_and(|(_, field)| is_plain_json(&field)),
    }
}

fn without(what: &str) -> DataFusionError {
    Error::new(
        Code::FunctionNotFound,
        format!("could not identify {what} operator for type json"),
    )
    .with_hint("cast it to jsonb, which is compared by value, or to text")
    .into()
}

/// Refuses to group and to sort by `json`.
fn check_operator(node: &LogicalPlan) -> Result<()> {
    let of_json = |exprs: &[Expr], input: &LogicalPlan| {
        exprs
            .iter()
            .any(|expr| is_of_json(expr, input.schema().as_ref()))
    };
    match node {
        LogicalPlan::Distinct(Distinct::All(input)) => {
            match input
                .schema()
                .fields()
                .iter()
                .any(|field| is_plain_json(field))
            {
                true => Err(without("an equality")),
                false => Ok(()),
            }
        }
        LogicalPlan::Distinct(Distinct::On(distinct))
            if of_json(&distinct.on_expr, &distinct.input) =>
        {
            Err(without("an equality"))
        }
        LogicalPlan::Aggregate(aggregate) => {
            let distinct = aggregate.aggr_expr.iter().filter_map(distinct_arguments);
            let mut groups = std::iter::once(aggregate.group_expr.as_slice()).chain(distinct);
            match groups.any(|exprs| of_json(exprs, &aggregate.input)) {
                true => Err(without("an equality")),
                false => Ok(()),
            }
        }
        LogicalPlan::Sort(sort) => {
            let schema = sort.input.schema();
            match sort
                .expr
                .iter()
                .any(|key| is_of_json(&key.expr, schema.as_ref()))
            {
                true => Err(without("an ordering")),
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Returns the arguments of an aggregate function of distinct values.
fn distinct_arguments(function: &Expr) -> Option<&[Expr]> {
    match function {
        Expr::Alias(alias) => distinct_arguments(&alias.expr),
        Expr::AggregateFunction(call) if call.params.distinct => Some(&call.params.args),
        _ => None,
    }
}

/// Refuses a comparison of `json`.
fn check_expression(expr: &Expr, schema: &DFSchema) -> Result<()> {
    let (left, symbol, right) = match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match symbol(*op) {
            Some(symbol) => (left, symbol, right.as_ref()),
            None => return Ok(()),
        },
        Expr::InList(InList { expr, list, .. }) => match list.first() {
            Some(first) => (expr, "=", first),
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    if !is_of_json(left, schema) && !is_of_json(right, schema) {
        return Ok(());
    }
    let name = |expr: &Expr| match expr {
        expr if is_of_json(expr, schema) => JSON,
        expr if is_of_jsonb(expr, schema) => JSONB,
        expr if is_untyped(expr) => "unknown",
        expr => match expr.get_type(schema) {
            Ok(of) if of.is_string() => "text",
            Ok(DataType::Boolean) => "boolean",
            Ok(of) if of.is_integer() => "bigint",
            _ => "unknown",
        },
    };
    Err(Error::new(
        Code::FunctionNotFound,
        format!(
            "operator does not exist: {} {symbol} {}",
            name(left),
            name(right)
        ),
    )
    .with_hint("cast it to jsonb, which is compared by value, or to text")
    .into())
}

impl JsonComparisons {
    /// Returns the values without the types of others, if one is `jsonb` and the others may be.
    fn values<'e>(
        &self,
        values: impl IntoIterator<Item = &'e Expr>,
        schema: &DFSchema,
    ) -> Option<Vec<&'e Expr>> {
        let values: Vec<&Expr> = values.into_iter().map(written).collect();
        let mut found = false;
        for value in &values {
            let is_jsonb = is_of_jsonb(value, schema);
            if !is_jsonb && !is_untyped(value) {
                return None;
            }
            found |= is_jsonb;
        }
        found.then_some(values)
    }

    fn key(&self, value: &Expr) -> Expr {
        self.key.call(vec![value.clone()])
    }

    /// Returns the keys of values of which one is `jsonb`.
    fn keys<'e>(
        &self,
        values: impl IntoIterator<Item = &'e Expr>,
        schema: &DFSchema,
    ) -> Option<std::vec::IntoIter<Expr>> {
        let values = self.values(values, schema)?.into_iter();
        let keys: Vec<Expr> = values.map(|value| self.key(value)).collect();
        Some(keys.into_iter())
    }

    /// Returns a comparison of keys; `None` for expressions that compare no `jsonb`.
    fn compared(&self, expr: &Expr, schema: &DFSchema) -> Option<Expr> {
        match expr {
            Expr::InSubquery(within) => {
                let (value, subquery) = self.within(&within.expr, &within.subquery, schema)?;
                let within = InSubquery::new(Box::new(value), subquery, within.negated);
                Some(Expr::InSubquery(within))
            }
            Expr::SetComparison(set) => {
                let (value, subquery) = self.within(&set.expr, &set.subquery, schema)?;
                Some(Expr::SetComparison(SetComparison::new(
                    Box::new(value),
                    subquery,
                    set.op,
                    set.quantifier,
                )))
            }
            Expr::Case(case) => self.case(case, schema),
            Expr::ScalarFunction(call) => self.called(call, schema),
            expr => {
                let (values, _) = operands(expr)?;
                with_operands(expr, self.keys(values, schema)?)
            }
        }
    }

    /// Returns a CASE that compares keys, and whose results have one of the types; `None` for others.
    fn case(&self, case: &Case, schema: &DFSchema) -> Option<Expr> {
        let compared = operands_of_case(case)
            .and_then(|operands| case_with_operands(case, self.keys(operands, schema)?));
        let Some((results, makers)) = self.results.typed(results_of(case), schema) else {
            return compared.map(Expr::Case);
        };
        let case = compared.unwrap_or_else(|| case.clone());
        let mut results = results.into_iter().map(Box::new);
        let whens = case.when_then_expr.into_iter();
        let whens: Vec<_> = whens
            .zip(results.by_ref())
            .map(|((when, _), then)| (when, then))
            .collect();
        let otherwise = case.else_expr.and_then(|_| results.next());
        let case = Case::new(case.expr, whens, otherwise);
        Some(makers.marked(Expr::Case(case)))
    }

    fn called(&self, call: &ScalarFunction, schema: &DFSchema) -> Option<Expr> {
        match (call.func.name(), call.args.as_slice()) {
            ("nullif", [value, other]) => {
                let mut keys = self.keys([value, other], schema)?;
                let equal = keys.next()?.eq(keys.next()?);
                let null = Expr::Literal(ScalarValue::Utf8(None), None);
                let value = Case::new(
                    None,
                    vec![(Box::new(equal), Box::new(null))],
                    Some(Box::new(written(value).clone())),
                );
                Some(self.results.jsonb(Expr::Case(value)))
            }
            (COALESCE, args) => {
                let (values, makers) = self.results.typed(args, schema)?;
                Some(makers.marked(call.func.call(values)))
            }
            (ARRAY, args) if args.iter().any(|item| is_untyped(written(item))) => {
                let (items, _) = self.results.typed(args, schema)?;
                Some(call.func.call(items))
            }
            // The form of an expression has marked it before.
            (name, [Expr::ScalarFunction(inner)])
                if KEPT.contains(&name) && inner.func.name() == name =>
            {
                Some(Expr::ScalarFunction(inner.clone()))
            }
            (name @ ("greatest" | "least"), args) => {
                let args = self.values(args, schema)?.into_iter().cloned().collect();
                Some(match name {
                    "greatest" => self.greatest.call(args),
                    _ => self.least.call(args),
                })
            }
            (ANY | ALL, [op, value, list]) if is_of_jsonb(value, schema) => {
                let keys = self.keys.call(vec![list.clone()]);
                let args = vec![op.clone(), self.key(value), keys];
                Some(call.func.call(args))
            }
            _ => None,
        }
    }

    /// Returns the key of a value, and a subquery that returns keys.
    fn within(
        &self,
        value: &Expr,
        subquery: &Subquery,
        schema: &DFSchema,
    ) -> Option<(Expr, Subquery)> {
        let plan = &subquery.subquery;
        let [column]: [Column; 1] = plan.schema().columns().try_into().ok()?;
        let column = Expr::Column(column);
        let value = written(value);
        let are_jsonb = is_of_jsonb(&column, plan.schema().as_ref())
            && (is_of_jsonb(value, schema) || is_untyped(value));
        if !are_jsonb {
            return None;
        }
        let keys = returning(subquery, self.key(&column).alias("__json_key")).ok()?;
        Some((self.key(value), keys))
    }
}
