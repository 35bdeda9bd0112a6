//! Casts to arrays: those of texts read PostgreSQL's text form, and those of arrays keep all levels,
//! as `int[]` is the type of arrays of any number of dimensions.
//!
//! ```text
//! CAST(a text AS int[])              CAST("$array_in"(a text) AS int[])
//! CAST(an array of arrays AS text[]) CAST(an array of arrays AS text[][])
//! CAST(a float8[] AS int[])          with items as casts of values make them
//! CAST(ARRAY[x, y] AS int[])         CAST(ARRAY[CAST(x AS int), CAST(y AS int)] AS int[])
//! typed_text('{1,2}', an int[])      CAST("$array_in"('{1,2}') AS int[])
//! SELECT an int[] UNION SELECT '{1}' … UNION SELECT CAST("$array_in"('{1}') AS int[])
//! ```
//!
//! An analyzer rule that runs before type coercion, when all casts are explicit. The dimensions that
//! a text has are those of the type that the cast names.

use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{DataType, Field};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, Projection, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Union, Volatility, cast, lit,
};
use datafusion::optimizer::AnalyzerRule;
use lakegate_engine::arrays::{is_other_cast, item_cast};
use lakegate_engine::untyped_texts::{TYPED_TEXT, array_text};
use lakegate_engine::{bounded, has_expression, has_operator, retyped};
use lakegate_error::Error;

use crate::postgres::cell::cells_of;
use crate::postgres::function::{column_of, each_row};
use crate::postgres::functions::coalesce::ARRAY;
use crate::postgres::{ArrayItem, Cell, parse_array};

const NAME: &str = "$array_in";

/// Returns the rule to add.
pub(crate) fn rule() -> Arc<dyn AnalyzerRule + Send + Sync> {
    Arc::new(ArrayCasts)
}

#[derive(Debug)]
struct ArrayCasts;

impl AnalyzerRule for ArrayCasts {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let is_to_array = |expr: &Expr| match expr {
            Expr::Cast(cast) => dimensions(cast.field.data_type()).0 > 0,
            Expr::ScalarFunction(call) => call.func.name() == TYPED_TEXT,
            _ => false,
        };
        let has_texts = |node: &LogicalPlan| Ok(of_union(node)?.is_some());
        if !has_expression(&plan, is_to_array)? && !has_operator(&plan, has_texts)? {
            return Ok(plan);
        }
        retyped(plan, &rewritten, &of_union)
    }

    fn name(&self) -> &str {
        "array_casts"
    }
}

/// Returns how many dimensions an array has, and the type of its items; 0 for other types.
fn dimensions(data_type: &DataType) -> (usize, &DataType) {
    let (mut count, mut of) = (0, data_type);
    while let DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) =
        of
    {
        count += 1;
        of = item.data_type();
    }
    (count, of)
}

/// Returns the type of arrays of so many dimensions.
fn array_of(item: &DataType, dimensions: usize) -> DataType {
    let mut of = item.clone();
    for _ in 0..dimensions {
        of = DataType::new_list(of, true);
    }
    of
}

fn rewritten(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let expr = match array_text(&expr, schema) {
        Some((text, of)) => cast(lit(text), of),
        None => expr,
    };
    let cast = match expr {
        Expr::Cast(cast) => cast,
        expr => return Ok(Transformed::no(expr)),
    };
    // The type of an expression that is not coerced yet may be unknown.
    let from = cast.expr.get_type(schema).ok();
    let (wanted, item) = dimensions(cast.field.data_type());
    let apart = match wanted {
        1 => of_items(&cast, item, schema),
        _ => None,
    };
    let replaced = apart.or_else(|| match from {
        Some(from) if wanted > 0 && from.is_string() => Some(Expr::Cast(Cast {
            expr: Box::new(read(cast.expr.as_ref().clone(), wanted)),
            field: Arc::clone(&cast.field),
        })),
        Some(from) if wanted > 0 => {
            let depth = dimensions(&from).0;
            let of = match depth > wanted {
                true => array_of(item, depth),
                false => cast.field.data_type().clone(),
            };
            let deeper = || {
                let field = Field::clone(&cast.field).with_data_type(of.clone());
                Expr::Cast(Cast {
                    expr: cast.expr.clone(),
                    field: Arc::new(field),
                })
            };
            item_cast(&cast.expr, &from, &of).or_else(|| (depth > wanted).then(deeper))
        }
        _ => None,
    });
    Ok(match replaced {
        Some(replaced) => Transformed::yes(replaced),
        None => Transformed::no(Expr::Cast(cast)),
    })
}

/// Returns the cast of `ARRAY[…]` as one whose items are cast one by one, as PostgreSQL does. `None` if
/// an item is an array, or the engine casts items as values.
fn of_items(array: &Cast, item: &DataType, schema: &DFSchema) -> Option<Expr> {
    let Expr::ScalarFunction(call) = array.expr.as_ref() else {
        return None;
    };
    if call.func.name() != ARRAY {
        return None;
    }
    let mut is_other = false;
    let mut items = Vec::with_capacity(call.args.len());
    for value in &call.args {
        let of = value.get_type(schema).ok()?;
        if of.is_nested() {
            return None;
        }
        let is_time = matches!(item, DataType::Date32 | DataType::Timestamp(..));
        is_other |= is_other_cast(&of, item) || (of.is_string() && is_time);
        items.push(cast(value.clone(), item.clone()));
    }
    is_other.then(|| {
        Expr::Cast(Cast {
            expr: Box::new(call.func.call(items)),
            field: Arc::clone(&array.field),
        })
    })
}

/// Returns a text of an array as an array of texts.
fn read(text: Expr, dimensions: usize) -> Expr {
    let function = ScalarUDF::new_from_impl(ArrayIn {
        dimensions,
        signature: Signature::any(1, Volatility::Immutable),
    });
    function.call(vec![text])
}

/// Returns a union whose literals of arrays beside arrays are arrays; `None` if it has none.
fn of_union(node: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::Union(union) = node else {
        return Ok(None);
    };
    let mut inputs = union.inputs.clone();
    let mut is_changed = false;
    for place in 0..union.schema.fields().len() {
        let types = inputs.iter().filter_map(|input| {
            let field = input.schema().fields().get(place)?;
            Some(field.data_type())
        });
        let mut arrays = types.filter(|of| dimensions(of).0 > 0);
        let Some(of) = arrays.next().cloned() else {
            continue;
        };
        for input in &mut inputs {
            if let Some(typed) = with_array(input, place, &of)? {
                *input = Arc::new(typed);
                is_changed = true;
            }
        }
    }
    match is_changed {
        true => {
            let union = Union::try_new_with_loose_types(inputs)?;
            Ok(Some(LogicalPlan::Union(union)))
        }
        false => Ok(None),
    }
}

/// Returns a part of a union with a literal as an array of this type; `None` if the column is no
/// literal of an array.
fn with_array(part: &LogicalPlan, place: usize, of: &DataType) -> Result<Option<LogicalPlan>> {
    let LogicalPlan::Projection(list) = part else {
        return Ok(None);
    };
    let mut exprs = list.expr.clone();
    let Some(expr) = exprs.get_mut(place) else {
        return Ok(None);
    };
    let (literal, relation, name) = match &*expr {
        Expr::Alias(alias) => (
            alias.expr.as_ref(),
            alias.relation.clone(),
            alias.name.clone(),
        ),
        other => (other, None, other.schema_name().to_string()),
    };
    let text = match literal {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    };
    if !text.is_some_and(|text| text.trim_start().starts_with('{')) {
        return Ok(None);
    }
    let array = cast(read(literal.clone(), dimensions(of).0), of.clone());
    *expr = array.alias_qualified(relation, name);
    let list = Projection::try_new(exprs, Arc::clone(&list.input))?;
    Ok(Some(LogicalPlan::Projection(list)))
}

/// Reads texts of arrays into arrays of texts.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayIn {
    dimensions: usize,
    signature: Signature,
}

impl ArrayIn {
    fn read(&self, text: &str) -> Result<Cell<'static>, Error> {
        let items = ArrayItem::Array(parse_array(text)?).into_cell();
        let found = depth(&items);
        match found == self.dimensions || is_empty(&items) {
            true => Ok(items),
            false => Err(Error::not_supported(format!(
                "an array of {found} dimensions is cast to one of {}",
                self.dimensions
            ))
            .with_hint("write a pair of brackets for each dimension, such as text[][]")),
        }
    }
}

/// Returns how many dimensions a value has.
fn depth(cell: &Cell<'_>) -> usize {
    match cell {
        Cell::List(items) => 1 + items.first().map_or(0, depth),
        _ => 0,
    }
}

fn is_empty(cell: &Cell<'_>) -> bool {
    matches!(cell, Cell::List(items) if items.is_empty())
}

/// Returns the bytes that a value holds.
fn size_of(cell: &Cell<'_>) -> usize {
    match cell {
        Cell::Text(text) => 32 + text.len(),
        Cell::List(items) => 32 + items.iter().map(size_of).sum::<usize>(),
        _ => 32,
    }
}

impl ScalarUDFImpl for ArrayIn {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(array_of(&DataType::Utf8, self.dimensions))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(texts) = args.args.first() else {
            return Err(DataFusionError::Internal(
                "an array is read from no text".to_owned(),
            ));
        };
        let (texts, constant) = match texts {
            ColumnarValue::Array(texts) => (Arc::clone(texts), false),
            ColumnarValue::Scalar(text) => (text.to_array()?, true),
        };
        let rows = texts.len();
        let columns = [cells_of(&texts)?];
        let mut size = 0;
        let results = each_row(&columns, rows, |texts| {
            let read = match texts.first().and_then(Cell::as_str) {
                Some(text) => self.read(text)?,
                None => Cell::Null,
            };
            size += size_of(&read);
            bounded::check_batch(NAME, size)?;
            Ok(read)
        })?;
        column_of(
            &array_of(&DataType::Utf8, self.dimensions),
            results,
            constant,
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_error::Code;

    use super::*;

    #[test]
    fn texts_have_the_dimensions_of_the_type() {
        let array_in = |dimensions| ArrayIn {
            dimensions,
            signature: Signature::any(1, Volatility::Immutable),
        };
        let flat = Cell::List(vec![Cell::text("a"), Cell::Null]);
        assert_eq!(array_in(1).read("{a,NULL}").unwrap(), flat);
        assert_eq!(
            array_in(2).read("{{a,NULL}}").unwrap(),
            Cell::List(vec![flat])
        );
        assert_eq!(array_in(2).read("{}").unwrap(), Cell::List(vec![]));
        for (dimensions, text, code) in [
            (1, "{{a}}", Code::NotSupported),
            (2, "{a}", Code::NotSupported),
            (1, "a", Code::InvalidCast),
        ] {
            let error = array_in(dimensions).read(text).unwrap_err();
            assert_eq!(error.code(), code, "{text}");
        }
    }

    #[test]
    fn dimensions_are_counted() {
        let nested = array_of(&DataType::Int32, 3);
        assert_eq!(dimensions(&nested), (3, &DataType::Int32));
        assert_eq!(dimensions(&DataType::Utf8), (0, &DataType::Utf8));
    }
}
