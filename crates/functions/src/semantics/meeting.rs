//! The type that values have in common, where the engine finds another one or none.
//!
//! ```text
//! CASE WHEN b THEN NULL ELSE X'01' END      NULL is a varbinary
//! coalesce(ROW(1), x)                       rows by position, as in UNION
//! SELECT ROW(1) UNION SELECT ROW(2e0)       rows by position: row(double), without names that differ
//! lag(1, 1, 2.5)                            a decimal, as the default
//! ```
//!
//! The engine types the arguments of a function while it plans, before any rule: [`of_types`] is what
//! functions of one type tell it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarUDF, Union,
    WindowFunctionDefinition, cast,
};

use crate::arrays::types::common;
use crate::json::has_json;

/// How deeply types are nested.
const MAX_DEPTH: usize = 32;

/// Functions whose arguments, and result, have one type.
const OF_ONE_TYPE: [&str; 4] = ["coalesce", "greatest", "least", "make_array"];

/// Gives the results of a CASE, the arguments of a function of one type, or the value and the
/// default of `lag` and `lead`, their common type. `cast` is the function that casts rows by
/// position.
pub(super) fn of_values(
    cast: &Arc<ScalarUDF>,
    expr: Expr,
    schema: &DFSchema,
) -> Result<Transformed<Expr>> {
    match expr {
        Expr::Case(mut case) => {
            let results = case.when_then_expr.iter_mut();
            let results = results.map(|(_, then)| then.as_mut());
            let results = results.chain(case.else_expr.as_deref_mut()).collect();
            let met = meet(cast, results, schema);
            Ok(Transformed::new_transformed(Expr::Case(case), met))
        }
        Expr::ScalarFunction(mut call) if OF_ONE_TYPE.contains(&call.func.name()) => {
            let met = meet(cast, call.args.iter_mut().collect(), schema);
            Ok(Transformed::new_transformed(
                Expr::ScalarFunction(call),
                met,
            ))
        }
        Expr::WindowFunction(mut window) if is_shift(&window.fun) => {
            let met = match window.params.args.as_mut_slice() {
                [value, _, default] => meet_scalars([value, default], schema),
                _ => false,
            };
            let window = Expr::WindowFunction(window);
            Ok(Transformed::new_transformed(window, met))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn is_shift(function: &WindowFunctionDefinition) -> bool {
    matches!(function, WindowFunctionDefinition::WindowUDF(function)
        if matches!(function.name(), "lag" | "lead"))
}

/// Casts numbers or times to the type that holds both. Returns whether anything changed.
fn meet_scalars(values: [&mut Expr; 2], schema: &DFSchema) -> bool {
    let [one, other] = values;
    let (Ok(of_one), Ok(of_other)) = (one.get_type(schema), other.get_type(schema)) else {
        return false;
    };
    let is_plain = |of: &DataType| of.is_numeric() || of.is_temporal();
    if !is_plain(&of_one) || !is_plain(&of_other) {
        return false;
    }
    let Ok(both) = common("", &of_one, &of_other) else {
        return false;
    };
    let mut is_changed = false;
    for (value, of) in [(one, of_one), (other, of_other)] {
        if of != both {
            *value = cast(std::mem::take(value), both.clone());
            is_changed = true;
        }
    }
    is_changed
}

/// Gives the columns of a union's parts their common types; `None` if nothing changes.
pub(super) fn of_union(cast: &Arc<ScalarUDF>, node: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::Union(union) = node else {
        return Ok(None);
    };
    let mut inputs: Vec<Arc<LogicalPlan>> = union.inputs.clone();
    let mut is_changed = false;
    for place in 0..union.schema.fields().len() {
        let columns: Vec<FieldRef> = inputs
            .iter()
            .filter_map(|input| input.schema().fields().get(place).cloned())
            .collect();
        let Some(common) = wanted(&columns) else {
            continue;
        };
        for (input, column) in inputs.iter_mut().zip(&columns) {
            if column.data_type() != common.data_type() {
                *input = Arc::new(with_column(cast, input, place, &common)?);
                is_changed = true;
            }
        }
    }
    match is_changed {
        true => Ok(Some(LogicalPlan::Union(Union::try_new_with_loose_types(
            inputs,
        )?))),
        false => Ok(None),
    }
}

/// Returns the relation with another type of one column.
fn with_column(
    cast: &Arc<ScalarUDF>,
    input: &LogicalPlan,
    place: usize,
    to: &FieldRef,
) -> Result<LogicalPlan> {
    let columns = input.schema().iter().enumerate();
    let columns: Vec<Expr> = columns
        .map(|(at, (qualifier, field))| {
            let column = Expr::from((qualifier, field));
            match at == place {
                true => converted(cast, column, field, to)
                    .alias_qualified(qualifier.cloned(), field.name().clone()),
                false => column,
            }
        })
        .collect();
    LogicalPlanBuilder::from(input.clone())
        .project(columns)?
        .build()
}

/// Gives values their common type. Returns whether anything changed.
fn meet(cast: &Arc<ScalarUDF>, values: Vec<&mut Expr>, schema: &DFSchema) -> bool {
    let fields: Result<Vec<FieldRef>> = values
        .iter()
        .map(|value| value.to_field(schema).map(|(_, field)| field))
        .collect();
    // A parameter has no type yet.
    let Ok(fields) = fields else {
        return false;
    };
    let Some(common) = wanted(&fields) else {
        return false;
    };
    let mut is_changed = false;
    for (value, field) in values.into_iter().zip(&fields) {
        if field.data_type() != common.data_type() {
            *value = converted(cast, std::mem::take(value), field, &common);
            is_changed = true;
        }
    }
    is_changed
}

fn converted(cast: &Arc<ScalarUDF>, value: Expr, from: &Field, to: &FieldRef) -> Expr {
    let null = |of: Expr| {
        Expr::Cast(Cast {
            expr: Box::new(of),
            field: Arc::clone(to),
        })
    };
    match from.data_type().is_null() {
        true => null(value),
        false => Expr::ScalarFunction(ScalarFunction {
            func: Arc::clone(cast),
            args: vec![value, null(Expr::Literal(ScalarValue::Null, None))],
        }),
    }
}

/// Returns the type of arguments of these types; `None` if the engine's is right.
pub(crate) fn of_types(types: &[DataType]) -> Option<DataType> {
    let fields = types.iter().cloned();
    let fields: Vec<FieldRef> = fields
        .map(|data_type| Arc::new(Field::new("", data_type, true)))
        .collect();
    if let Some(field) = wanted(&fields) {
        return Some(field.data_type().clone());
    }
    let mut of = types.iter().filter(|data_type| !data_type.is_null());
    let first = of.next()?;
    // The engine has no type of bytes of two kinds, nor of maps beside NULL or other maps.
    let is_without =
        is_bytes(first) || matches!(first, DataType::Map(..)) && !types.iter().any(has_json);
    if !is_without || types.iter().all(|data_type| data_type == first) {
        return None;
    }
    of.try_fold(first.clone(), |all, other| joined(&all, other, 0))
}

/// Returns the field of the type that columns should have; `None` if the engine's is right.
fn wanted(columns: &[FieldRef]) -> Option<FieldRef> {
    let mut types = columns.iter().filter(|field| !field.data_type().is_null());
    let first = types.next()?;
    let has_nulls = columns.iter().any(|field| field.data_type().is_null());
    if is_bytes(first.data_type()) {
        let are_bytes = types.all(|other| other.data_type() == first.data_type());
        return (has_nulls && are_bytes).then(|| Arc::clone(first));
    }
    let mut of_rows = columns.iter().map(|of| has_rows(of.data_type(), 0));
    if !of_rows.any(|has| has) || columns.iter().any(|of| has_json(of.data_type())) {
        return None;
    }
    let mut of_all = first.data_type().clone();
    let mut differ = false;
    for other in types {
        differ |= other.data_type() != first.data_type();
        of_all = joined(&of_all, other.data_type(), 0)?;
    }
    let field = first.as_ref().clone().with_data_type(of_all);
    differ.then(|| Arc::new(field.with_nullable(true)))
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView
    )
}

/// Whether values are rows, or have rows within them.
fn has_rows(data_type: &DataType, depth: usize) -> bool {
    match data_type {
        _ if depth > MAX_DEPTH => false,
        DataType::Struct(_) => true,
        DataType::List(item) => has_rows(item.data_type(), depth + 1),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => fields
                .iter()
                .any(|field| has_rows(field.data_type(), depth + 1)),
            _ => false,
        },
        _ => false,
    }
}

/// Returns the type of both values. Fields of rows meet by position, and keep a name that both
/// have.
fn joined(left: &DataType, right: &DataType, depth: usize) -> Option<DataType> {
    let of_fields = |left: &FieldRef, right: &FieldRef, name: String| {
        let data_type = joined(left.data_type(), right.data_type(), depth + 1)?;
        let field = left.as_ref().clone().with_data_type(data_type);
        Some(Arc::new(
            field
                .with_name(name)
                .with_nullable(left.is_nullable() || right.is_nullable()),
        ))
    };
    match (left, right) {
        _ if depth > MAX_DEPTH => None,
        (left, right) if left == right => Some(left.clone()),
        (DataType::List(left), DataType::List(right)) => {
            let item = of_fields(left, right, left.name().clone())?;
            Some(DataType::List(item))
        }
        (DataType::Map(left, sorted), DataType::Map(right, other)) => {
            let (DataType::Struct(lefts), DataType::Struct(rights)) =
                (left.data_type(), right.data_type())
            else {
                return None;
            };
            let fields = lefts.iter().zip(rights);
            let fields = fields.map(|(left, right)| of_fields(left, right, left.name().clone()));
            let fields = DataType::Struct(fields.collect::<Option<Fields>>()?);
            let entries = left.as_ref().clone().with_data_type(fields);
            Some(DataType::Map(Arc::new(entries), *sorted && *other))
        }
        (DataType::Struct(left), DataType::Struct(right)) if left.len() == right.len() => {
            let fields = left.iter().zip(right).enumerate();
            let fields = fields.map(|(place, (left, right))| {
                let name = match left.name() == right.name() {
                    true => left.name().clone(),
                    // As the engine names a field without a name.
                    false => format!("c{place}"),
                };
                of_fields(left, right, name)
            });
            Some(DataType::Struct(fields.collect::<Option<Fields>>()?))
        }
        (left, right) => common("", left, right).ok(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::trino::{rows, value};

    #[tokio::test]
    async fn rows_meet_by_position() {
        let row = "CAST(ROW(1, 'a') AS ROW(x INTEGER, y VARCHAR))";
        let expression = format!(
            "CASE WHEN false THEN {row} ELSE CAST(ROW(2, 'b') AS ROW(y BIGINT, x VARCHAR)) END"
        );
        assert_eq!(value(&expression).await.unwrap(), "{c0=2, c1=b}");
        let query = format!(
            "SELECT x FROM (SELECT {row} AS x, 1 AS i UNION ALL SELECT CAST(ROW(2, 'b') AS ROW(y BIGINT, x VARCHAR)), 2) ORDER BY i"
        );
        assert_eq!(
            rows(&query).await.unwrap(),
            ["{c0=1, c1=a}", "{c0=2, c1=b}"]
        );
    }

    #[tokio::test]
    async fn null_is_a_varbinary_beside_one() {
        for (expression, expected) in [
            ("CASE WHEN false THEN NULL ELSE X'01' END", "01"),
            ("CASE WHEN true THEN NULL ELSE X'01' END", "NULL"),
        ] {
            assert_eq!(value(expression).await.unwrap(), expected, "{expression}");
        }
        let query = "SELECT x FROM (SELECT NULL AS x, 1 AS i UNION ALL SELECT X'01', 2) ORDER BY i";
        assert_eq!(rows(query).await.unwrap(), ["NULL", "01"]);
    }
}
