//! Keeps the mark of types that Arrow does not have: json, sketches, geometries. It is metadata of
//! a field, which the engine drops from the results of CASE, of functions that take any type, and
//! from items of arrays. Without it, a JSON value is a text, and `CAST(… AS JSON)` would quote it.
//!
//! ```text
//! CASE WHEN c THEN json END         "$marked"(CASE WHEN c THEN json END): the same values, marked
//! ARRAY[json], map_agg(k, json)     marked in their items or values
//! upper(json)                       refused: what it returns would be neither JSON nor text
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Union, Volatility,
    WindowFunctionDefinition,
};
use lakegate_error::{Code, Error};

use super::flows::{common, of_call, of_lambdas};
use crate::arrays::types::of_parts;

/// Keys of the metadata that marks a type.
const KEYS: [&str; 2] = ["ARROW:extension:name", "ARROW:extension:metadata"];

/// How deeply types are nested.
const MAX_DEPTH: usize = 32;

/// What marks a type.
pub(super) type Mark = HashMap<String, String>;

pub(super) fn mark(field: &Field) -> Option<Mark> {
    let entries = KEYS.iter().filter_map(|key| {
        let value = field.metadata().get(*key)?;
        Some(((*key).to_owned(), value.clone()))
    });
    let mark: Mark = entries.collect();
    (!mark.is_empty()).then_some(mark)
}

/// Returns whether a field, or one within it, is marked.
pub(super) fn is_marked(field: &Field) -> bool {
    contains(field, &|field| mark(field).is_some())
}

/// Returns the field that an expression's result should have, if marks are missing in its own.
///
/// # Errors
///
/// The expression mixes JSON values with others, or loses where they are.
pub(super) fn marked(expr: &Expr, schema: &DFSchema) -> Result<Option<FieldRef>> {
    let of = |expr: &Expr| expr.to_field(schema).map(|(_, field)| field);
    match expr {
        Expr::Case(case) => {
            let thens = case.when_then_expr.iter().map(|(_, then)| then.as_ref());
            let results = thens.chain(case.else_expr.as_deref());
            let results: Vec<FieldRef> = results.filter_map(|expr| of(expr).ok()).collect();
            let Ok(own) = of(expr) else { return Ok(None) };
            let Some(mark) = common("CASE", &results)? else {
                return Ok(None);
            };
            Ok(changed(&own, own.data_type().clone(), Some(mark)))
        }
        Expr::ScalarFunction(call) => of_call(expr, call.func.name(), &call.args, schema),
        Expr::AggregateFunction(call) => of_call(expr, call.func.name(), &call.params.args, schema),
        Expr::WindowFunction(window) => {
            let name = match &window.fun {
                WindowFunctionDefinition::AggregateUDF(function) => function.name(),
                WindowFunctionDefinition::WindowUDF(function) => function.name(),
            };
            of_call(expr, name, &window.params.args, schema)
        }
        Expr::HigherOrderFunction(call) => {
            let bodies: Vec<Expr> = call
                .args
                .iter()
                .map(|arg| match arg {
                    Expr::Lambda(lambda) => lambda.body.as_ref().clone(),
                    arg => arg.clone(),
                })
                .collect();
            of_lambdas(expr, call.func.name(), &bodies, schema)
        }
        _ => Ok(None),
    }
}

/// Returns whether an expression is NULL, or NULL cast to the type of a column.
fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(cast) => is_null(&cast.expr),
        _ => false,
    }
}

/// Returns a field with another type and mark, if either is new.
pub(super) fn changed(own: &FieldRef, data_type: DataType, new: Option<Mark>) -> Option<FieldRef> {
    let mut metadata = own.metadata().clone();
    metadata.extend(new.into_iter().flatten());
    let field = own.as_ref().clone().with_data_type(data_type);
    let field = Arc::new(field.with_metadata(metadata));
    (field != *own).then_some(field)
}

pub(super) fn with_mark(field: &FieldRef, mark: &Mark) -> FieldRef {
    let mut metadata = field.metadata().clone();
    metadata.extend(mark.clone());
    Arc::new(field.as_ref().clone().with_metadata(metadata))
}

/// Returns the field of an array's items or of a map's values.
pub(super) fn item(data_type: &DataType) -> Option<&FieldRef> {
    match data_type {
        DataType::List(item) => Some(item),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => fields.get(1),
            _ => None,
        },
        _ => None,
    }
}

/// Returns a type whose items, or whose map's values, are `field`.
pub(super) fn with_item(data_type: &DataType, of: impl Fn(&FieldRef) -> FieldRef) -> DataType {
    match data_type {
        DataType::List(item) => DataType::List(of(item)),
        DataType::Map(entries, sorted) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return data_type.clone();
            };
            let fields = fields.iter().enumerate().map(|(place, field)| match place {
                1 => of(field),
                _ => Arc::clone(field),
            });
            let fields = DataType::Struct(fields.collect());
            let entries = entries.as_ref().clone().with_data_type(fields);
            DataType::Map(Arc::new(entries), *sorted)
        }
        other => other.clone(),
    }
}

fn has(data_type: &DataType, is: &dyn Fn(&Field) -> bool, depth: usize) -> bool {
    let field = |field: &FieldRef| is(field) || has(field.data_type(), is, depth + 1);
    match data_type {
        _ if depth > MAX_DEPTH => false,
        DataType::List(item) => field(item),
        DataType::Map(entries, _) => has(entries.data_type(), is, depth + 1),
        DataType::Struct(fields) => fields.iter().any(field),
        _ => false,
    }
}

/// Whether a field is or contains what `is` finds.
pub(super) fn contains(field: &Field, is: &dyn Fn(&Field) -> bool) -> bool {
    is(field) || has(field.data_type(), is, 0)
}

/// Gives a node's columns the marks that its aggregates, window functions or inputs miss.
///
/// # Errors
///
/// A column mixes JSON values with others, or loses where they are.
pub(super) fn of_columns(node: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    match node {
        LogicalPlan::Aggregate(aggregate) => {
            projected(node, &aggregate.aggr_expr, aggregate.input.schema())
        }
        LogicalPlan::Window(window) => projected(node, &window.window_expr, window.input.schema()),
        LogicalPlan::Unnest(unnest) => {
            let input = unnest.input.schema();
            let items: Vec<(String, Mark)> = unnest
                .list_type_columns
                .iter()
                .filter(|(_, list)| list.depth == 1)
                .filter_map(|(index, list)| {
                    let mark = mark(item(input.fields().get(*index)?.data_type())?)?;
                    Some((list.output_column.name.clone(), mark))
                })
                .collect();
            if items.is_empty() {
                return Ok(None);
            }
            with_columns(node.clone(), |field| {
                let (_, mark) = items.iter().find(|(name, _)| name == field.name())?;
                changed(field, field.data_type().clone(), Some(mark.clone()))
            })
            .map(Some)
        }
        LogicalPlan::Values(values) => {
            let none = DFSchema::empty();
            let mut marks: Vec<Option<Mark>> = Vec::new();
            for place in 0..values.schema.fields().len() {
                let column = || values.values.iter().filter_map(|row| row.get(place));
                // Most columns are literals, which have no marks.
                if column().all(|expr| matches!(expr, Expr::Literal(_, None))) {
                    marks.push(None);
                    continue;
                }
                let fields: Vec<FieldRef> = column()
                    .filter(|expr| !is_null(expr))
                    .filter_map(|expr| expr.to_field(&none).ok().map(|(_, field)| field))
                    .collect();
                marks.push(common("VALUES", &fields)?);
            }
            let fields = values.schema.fields().clone();
            let missing = fields
                .iter()
                .zip(&marks)
                .any(|(field, wanted)| wanted.is_some() && mark(field) != *wanted);
            if !missing {
                return Ok(None);
            }
            with_columns(node.clone(), |field| {
                let place = fields.iter().position(|other| Arc::ptr_eq(other, field))?;
                let wanted = marks.get(place)?.clone()?;
                changed(field, field.data_type().clone(), Some(wanted))
            })
            .map(Some)
        }
        LogicalPlan::Union(union) => {
            for place in 0..union.schema.fields().len() {
                let columns: Vec<FieldRef> = union
                    .inputs
                    .iter()
                    .filter_map(|input| input.schema().fields().get(place).cloned())
                    .collect();
                common("UNION", &columns)?;
            }
            let made = Union::try_new_with_loose_types(union.inputs.clone())?;
            let same = made.schema.fields() == union.schema.fields();
            Ok((!same).then_some(LogicalPlan::Union(made)))
        }
        _ => Ok(None),
    }
}

/// Marks the columns that a node computes, which come last.
fn projected(
    node: &LogicalPlan,
    computed: &[Expr],
    input: &DFSchema,
) -> Result<Option<LogicalPlan>> {
    let marks: Vec<Option<FieldRef>> = computed
        .iter()
        .map(|expr| match expr {
            Expr::Alias(alias) => marked(&alias.expr, input),
            expr => marked(expr, input),
        })
        .collect::<Result<_>>()?;
    if marks.iter().all(Option::is_none) {
        return Ok(None);
    }
    let first = node.schema().fields().len().saturating_sub(computed.len());
    let fields = node.schema().fields().clone();
    let place = |field: &FieldRef| fields.iter().position(|other| Arc::ptr_eq(other, field));
    with_columns(node.clone(), |field| {
        let index = place(field)?.checked_sub(first)?;
        let wanted = marks.get(index)?.as_ref()?;
        let field = field
            .as_ref()
            .clone()
            .with_data_type(wanted.data_type().clone());
        Some(Arc::new(field.with_metadata(wanted.metadata().clone())))
    })
    .map(Some)
}

/// Puts a projection on a node that marks some of its columns.
fn with_columns(
    node: LogicalPlan,
    new: impl Fn(&FieldRef) -> Option<FieldRef>,
) -> Result<LogicalPlan> {
    let schema = Arc::clone(node.schema());
    let columns = schema.iter().map(|(qualifier, field)| {
        let column = Expr::from((qualifier, field));
        match new(field) {
            Some(field_of) => {
                wrapped(column, field_of).alias_qualified(qualifier.cloned(), field.name().clone())
            }
            None => column,
        }
    });
    LogicalPlanBuilder::from(node)
        .project(columns.collect::<Vec<_>>())?
        .build()
}

/// Returns the expression with the marks of a field.
pub(super) fn wrapped(expr: Expr, field: FieldRef) -> Expr {
    let function = ScalarUDF::new_from_impl(Marked {
        field,
        signature: Signature::any(1, Volatility::Immutable),
    });
    function.call(vec![expr])
}

/// The function that returns its argument as a field of another mark.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Marked {
    field: FieldRef,
    signature: Signature,
}

impl ScalarUDFImpl for Marked {
    fn name(&self) -> &str {
        "$marked"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = self.field.as_ref().clone().with_name(self.name());
        Ok(Arc::new(field.with_nullable(true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let to = self.field.data_type();
        match args.args.into_iter().next() {
            Some(ColumnarValue::Array(array)) => {
                Ok(ColumnarValue::Array(relabelled(&array, to, 0)?))
            }
            Some(ColumnarValue::Scalar(value)) => {
                let array = relabelled(&value.to_array()?, to, 0)?;
                let value = match array.as_list_opt::<i32>() {
                    // The general way drops the metadata of a list's items.
                    Some(list) => ScalarValue::List(Arc::new(list.clone())),
                    None => ScalarValue::try_from_array(&array, 0)?,
                };
                Ok(ColumnarValue::Scalar(value))
            }
            None => Err(DataFusionError::Internal("$marked of nothing".to_owned())),
        }
    }
}

/// Returns the same values as another type, which differs in metadata and in kinds of texts only.
fn relabelled(array: &ArrayRef, to: &DataType, depth: usize) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    if depth > MAX_DEPTH {
        return Err(Error::new(Code::TooComplex, "a type is nested too deeply").into());
    }
    let part = |array: &ArrayRef, to: &DataType| relabelled(array, to, depth + 1);
    match of_parts(array, to, part)? {
        Some(made) => Ok(made),
        None => Ok(arrow::compute::cast(array, to)?),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::trino::{error, rows, value};

    const JSON: &str = "json_parse('{\"a\": [1, null]}')";

    #[tokio::test]
    async fn json_stays_json() {
        let plain = r#"{"a":[1,null]}"#;
        for (expression, expected) in [
            ("J", plain.to_owned()),
            ("CASE WHEN true THEN J END", plain.to_owned()),
            ("IF(false, NULL, J)", plain.to_owned()),
            ("coalesce(NULL, J)", plain.to_owned()),
            ("TRY(J)", plain.to_owned()),
            ("(SELECT J)", plain.to_owned()),
            ("ARRAY[J, NULL]", format!("[{plain},null]")),
            ("ARRAY[ARRAY[J]]", format!("[[{plain}]]")),
            ("ARRAY[J][1]", plain.to_owned()),
            ("element_at(ARRAY[J], 1)", plain.to_owned()),
            ("MAP(ARRAY['x'], ARRAY[J])", format!("{{\"x\":{plain}}}")),
            (
                "element_at(MAP(ARRAY['x'], ARRAY[J]), 'x')",
                plain.to_owned(),
            ),
            ("transform(ARRAY[1], x -> J)", format!("[{plain}]")),
            ("(SELECT array_agg(J))", format!("[{plain}]")),
            ("(SELECT map_agg('x', J))", format!("{{\"x\":{plain}}}")),
            ("(SELECT arbitrary(J))", plain.to_owned()),
            ("CASE WHEN true THEN ARRAY[J] END", format!("[{plain}]")),
        ] {
            let call = format!("\"$json_of\"({})", expression.replace('J', JSON));
            assert_eq!(value(&call).await.unwrap(), expected, "{expression}");
        }
    }

    #[tokio::test]
    async fn json_stays_json_in_relations() {
        let plain = r#"{"a":[1,null]}"#;
        for query in [
            "SELECT \"$json_of\"(x) FROM (SELECT CASE WHEN true THEN J END AS x) t",
            "SELECT \"$json_of\"(t.x) FROM (SELECT coalesce(J, NULL) AS x) t, (VALUES 1) u(y)",
            "SELECT \"$json_of\"(x) FROM (SELECT IF(true, J) AS x UNION ALL SELECT NULL WHERE false) t",
            "SELECT \"$json_of\"(x) FROM UNNEST(ARRAY[J]) AS t(x)",
            "WITH t AS (SELECT array_agg(J) AS x) SELECT \"$json_of\"(x[1]) FROM t",
            "SELECT \"$json_of\"(max_by(J, 1))",
            "SELECT \"$json_of\"(first_value(J) OVER ())",
        ] {
            let shown = rows(&query.replace('J', JSON)).await.unwrap();
            assert_eq!(shown, [plain], "{query}");
        }
    }

    #[tokio::test]
    async fn json_that_meets_texts_is_refused() {
        for (expression, expected) in [
            (
                "coalesce(J, 'a')",
                "coalesce needs values of one type, not json and varchar",
            ),
            (
                "CASE WHEN true THEN J ELSE 'a' END",
                "CASE needs values of one type",
            ),
            ("ARRAY[J, 'a']", "ARRAY needs values of one type"),
            (
                "upper(J)",
                "Unexpected parameters (json) for function upper",
            ),
        ] {
            let error = error(&expression.replace('J', JSON)).await;
            assert!(error.contains(expected), "{expression}: {error}");
        }
    }
}
