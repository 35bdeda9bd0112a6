//! A UNION of `uuid`, `json`, `inet` or the like with another type, which PostgreSQL refuses for most
//! types.
//!
//! To the engine, all of them are texts. It would announce the column as of the one type, and a client
//! would read the values of the other type so. So such a column is a text:
//!
//! ```text
//! SELECT x::uuid UNION ALL SELECT name FROM t     SELECT x::uuid::text UNION ALL …
//! ```
//!
//! Literals beside values of a type with an entry in the table of types are read as such values.
//!
//! It is not an error, because columns of tables that have UUIDs are texts. An analyzer rule of
//! PostgreSQL's sessions that comes before all others, and again after those that give `CASE` and
//! `coalesce` these types.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, Union};
use datafusion::optimizer::AnalyzerRule;
use lakegate_engine::untyped_texts::TYPED_TEXT;
use lakegate_engine::{has_operator, retyped};

use super::cell::PG_TYPE;
use super::functions::{input_of, value_types};

/// Types whose values are texts of a form, besides those with an entry in a table.
const FORMS: [&str; 17] = [
    "uuid",
    "json",
    "jsonb",
    "timetz",
    "inet",
    "cidr",
    "macaddr",
    "pg_lsn",
    "tid",
    "bit",
    "varbit",
    "daterange",
    "int4range",
    "int8range",
    "numrange",
    "tsrange",
    "tstzrange",
];

/// Returns the rule to add.
pub(crate) fn rule() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(MixedUnions)
}

#[derive(Debug)]
struct MixedUnions;

impl AnalyzerRule for MixedUnions {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_mixed = |node: &LogicalPlan| {
            Ok(match node {
                LogicalPlan::Union(union) => {
                    let mut columns = 0..union.schema.fields().len();
                    places(union).next().is_some()
                        || columns.any(|place| reader(union, place).is_some())
                }
                _ => false,
            })
        };
        if !has_operator(&plan, is_mixed)? {
            return Ok(plan);
        }
        let keep = |expr: Expr, _: &DFSchema| Ok(Transformed::no(expr));
        retyped(plan, &keep, &|node: &LogicalPlan| match node {
            LogicalPlan::Union(union) => settled(union),
            _ => Ok(None),
        })
    }

    fn name(&self) -> &str {
        "mixed_unions"
    }
}

/// Returns the places of columns that have such a type in some parts and another type in others.
fn places(union: &Union) -> impl Iterator<Item = usize> + '_ {
    let is_mixed = move |place: &usize| {
        let mut known = None;
        union.inputs.iter().any(|input| {
            let Some(own) = type_of(input, *place) else {
                return false;
            };
            *known.get_or_insert(own) != own
        })
    };
    (0..union.schema.fields().len()).filter(is_mixed)
}

/// Returns the type that a column is shown as, which is `None` if it is none of these; `None` for a
/// column that has the type of the other parts.
fn type_of(input: &LogicalPlan, place: usize) -> Option<Option<&'static str>> {
    let field = input.schema().fields().get(place)?;
    let form = form(field);
    let is_open = form.is_none() && (field.data_type().is_null() || is_untyped(input, place));
    (!is_open).then_some(form)
}

fn form(field: &Field) -> Option<&'static str> {
    let shown = field.metadata().get(PG_TYPE).map(String::as_str);
    let values = value_types::all().iter().map(|of| of.name);
    FORMS
        .into_iter()
        .chain(values)
        .find(|form| shown == Some(*form))
}

/// Returns whether a column is a literal or a parameter, which has the type of the other parts.
fn is_untyped(input: &LogicalPlan, place: usize) -> bool {
    let LogicalPlan::Projection(list) = input else {
        return false;
    };
    let mut expr = list.expr.get(place);
    while let Some(Expr::Alias(alias)) = expr {
        expr = Some(&alias.expr);
    }
    match expr {
        Some(Expr::Literal(..) | Expr::Placeholder(_)) => true,
        Some(Expr::ScalarFunction(call)) => call.func.name() == TYPED_TEXT,
        _ => false,
    }
}

/// Returns the function that reads the literals of a column; `None` if it has none, or no values of a
/// type with an entry in a table.
fn reader(union: &Union, place: usize) -> Option<Arc<ScalarUDF>> {
    let mut inputs = union.inputs.iter();
    if !inputs.any(|input| is_unread(input, place)) {
        return None;
    }
    let of = union.inputs.iter().find_map(|input| {
        let field = input.schema().fields().get(place)?;
        value_types::named(form(field)?)
    });
    of.map(input_of)
}

/// Returns whether a column is a literal or a parameter that is not NULL.
fn is_unread(input: &LogicalPlan, place: usize) -> bool {
    let field = input.schema().fields().get(place);
    field.is_some_and(|field| form(field).is_none() && !field.data_type().is_null())
        && is_untyped(input, place)
}

/// Returns the union with mixed columns as texts, and with its literals read; `None` if it stays as it
/// is.
fn settled(union: &Union) -> Result<Option<LogicalPlan>> {
    let places: Vec<usize> = places(union).collect();
    let readers: Vec<Option<Arc<ScalarUDF>>> = (0..union.schema.fields().len())
        .map(|place| reader(union, place).filter(|_| !places.contains(&place)))
        .collect();
    if places.is_empty() && readers.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut inputs = Vec::with_capacity(union.inputs.len());
    for input in &union.inputs {
        let columns = input.schema().iter().enumerate();
        let columns = columns.map(|(place, (relation, field))| {
            let own = Expr::from((relation, field));
            let reader = readers.get(place).and_then(Option::as_ref);
            let reader = reader.filter(|_| is_unread(input, place));
            let new = match reader {
                Some(reader) => reader.call(vec![own]),
                None if places.contains(&place) && form(field).is_some() => as_text(own),
                None => return own,
            };
            new.alias_qualified(relation.cloned(), field.name())
        });
        let columns: Vec<Expr> = columns.collect();
        let plan = LogicalPlanBuilder::from(LogicalPlan::clone(input)).project(columns)?;
        inputs.push(Arc::new(plan.build()?));
    }
    let union = Union::try_new_with_loose_types(inputs)?;
    Ok(Some(LogicalPlan::Union(union)))
}

/// Returns a value that is shown as a text. A cast to a type without a name would be shown as the
/// value is.
fn as_text(value: Expr) -> Expr {
    let text = Field::new("text", DataType::Utf8, true);
    Expr::Cast(Cast::new_from_field(Box::new(value), Arc::new(text)))
}
