//! A function with lambdas as plain data, and a call of one.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, UInt32Array, new_empty_array};
use arrow::compute::{concat, take, take_arrays};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs,
    HigherOrderSignature, HigherOrderUDF, HigherOrderUDFImpl, LambdaArgument,
    LambdaParametersProgress, ValueOrLambda, Volatility,
};
use lakegate_engine::{bounded, stop};
use lakegate_error::Error;

use crate::arrays::lists::{Spans, size};
use crate::arrays::types::conformed;
use crate::columns::Column;
use crate::docs::Page;
use crate::entry::Entry;
use crate::work::Work;

/// Items for which a lambda is evaluated at once.
const MAX_ITEMS: usize = 1 << 13;
/// Bytes of captured values and parameters that are copied for such an evaluation.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// More than any lambda's parameters.
const PARAMETERS: usize = 4;

/// The types of a call's arguments: values, and what lambdas return, if that is known.
pub(super) type Known = [ValueOrLambda<DataType, Option<DataType>>];

/// The types of each lambda's parameters.
pub(super) enum Parameters {
    /// Some are not known yet, or may change.
    Some(Vec<Option<Vec<DataType>>>),
    All(Vec<Vec<DataType>>),
}

/// A function that takes lambdas.
#[derive(Debug)]
pub(super) struct Definition {
    pub page: &'static Page,
    /// `v` for each value and `l` for each lambda, in order.
    pub takes: &'static str,
    /// The types that the values are cast to.
    pub coerced: fn(&str, &[DataType]) -> Result<Vec<DataType>>,
    pub parameters: fn(usize, &Known) -> Result<Parameters>,
    /// By the types of the values and of what the lambdas return.
    pub returns: fn(&str, &[DataType], &[DataType]) -> Result<DataType>,
    pub body: fn(&Call<'_>) -> Result<ArrayRef>,
}

/// Returns the function as an entry of the library.
pub(super) fn entry(definition: &'static Definition) -> Entry {
    let takes = definition.takes.chars().map(|kind| match kind {
        'l' => ValueOrLambda::Lambda(()),
        _ => ValueOrLambda::Value(()),
    });
    let function = Lambdas {
        definition,
        signature: HigherOrderSignature::exact(takes.collect(), Volatility::Immutable),
        documentation: Arc::new(definition.page.documentation()),
    };
    Entry::higher_order(HigherOrderUDF::new_from_impl(function), definition.page)
}

#[derive(Debug)]
struct Lambdas {
    definition: &'static Definition,
    signature: HigherOrderSignature,
    documentation: Arc<Documentation>,
}

impl Lambdas {
    fn arguments(&self) -> DataFusionError {
        let (name, syntax) = (self.definition.page.name, self.definition.page.syntax);
        Error::invalid(format!("the arguments of {name} must be those of {syntax}")).into()
    }

    /// Checks that values and lambdas are where they belong.
    fn check<V, L>(&self, arguments: &[ValueOrLambda<V, L>]) -> Result<()> {
        let kinds = self.definition.takes.chars();
        let fit = arguments
            .iter()
            .zip(kinds)
            .all(|(argument, kind)| matches!(argument, ValueOrLambda::Lambda(_)) == (kind == 'l'));
        match fit && arguments.len() == self.definition.takes.len() {
            true => Ok(()),
            false => Err(self.arguments()),
        }
    }
}

// A definition is a static of one function.
impl PartialEq for Lambdas {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.definition, other.definition)
    }
}

impl Eq for Lambdas {}

impl Hash for Lambdas {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.page.name.hash(state);
    }
}

fn split(fields: &[ValueOrLambda<FieldRef, FieldRef>]) -> (Vec<DataType>, Vec<DataType>) {
    let (mut values, mut lambdas) = (Vec::new(), Vec::new());
    for field in fields {
        match field {
            ValueOrLambda::Value(field) => values.push(field.data_type().clone()),
            ValueOrLambda::Lambda(field) => lambdas.push(field.data_type().clone()),
        }
    }
    (values, lambdas)
}

impl HigherOrderUDFImpl for Lambdas {
    fn name(&self) -> &str {
        self.definition.page.name
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        (self.definition.coerced)(self.name(), types)
    }

    fn lambda_parameters(
        &self,
        step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> Result<LambdaParametersProgress> {
        self.check(fields)?;
        let known: Vec<ValueOrLambda<DataType, Option<DataType>>> = fields
            .iter()
            .map(|field| match field {
                ValueOrLambda::Value(field) => ValueOrLambda::Value(field.data_type().clone()),
                ValueOrLambda::Lambda(field) => {
                    ValueOrLambda::Lambda(field.as_ref().map(|field| field.data_type().clone()))
                }
            })
            .collect();
        let fields = |types: Vec<DataType>| -> Vec<FieldRef> {
            let types = types.into_iter();
            types
                .map(|data_type| Arc::new(Field::new("", data_type, true)))
                .collect()
        };
        Ok(match (self.definition.parameters)(step, &known)? {
            Parameters::Some(some) => {
                let some = some.into_iter().map(|types| types.map(fields));
                LambdaParametersProgress::Partial(some.collect())
            }
            Parameters::All(all) => {
                LambdaParametersProgress::Complete(all.into_iter().map(fields).collect())
            }
        })
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.check(args.arg_fields)?;
        let (values, lambdas) = split(args.arg_fields);
        let data_type = (self.definition.returns)(self.name(), &values, &lambdas)?;
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    /// A lambda is evaluated for the items that there are, if any.
    fn short_circuits(&self) -> bool {
        true
    }

    fn conditional_arguments<'a>(
        &self,
        args: &'a [Expr],
    ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        Some(args.iter().partition(|arg| !matches!(arg, Expr::Lambda(_))))
    }

    // The functions read only the items that rows show; a constant array is not repeated.
    fn clear_null_values(&self) -> bool {
        false
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> Result<ColumnarValue> {
        self.check(&args.args)?;
        let (values, lambdas) = split(&args.arg_fields);
        let mut call = Call {
            name: self.definition.page.name,
            rows: args.number_rows,
            values: Vec::new(),
            types: values,
            lambdas: Vec::new(),
            returned: lambdas,
            returns: args.return_field.data_type(),
            work: Work::new(self.definition.page.name, false),
        };
        for argument in &args.args {
            match argument {
                ValueOrLambda::Value(value) => call.values.push(Column::of(value.clone())?),
                ValueOrLambda::Lambda(lambda) => call.lambdas.push(lambda),
            }
        }
        Ok(ColumnarValue::Array((self.definition.body)(&call)?))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// One call of a function that takes lambdas.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub name: &'static str,
    pub rows: usize,
    /// The values; a constant has one row.
    pub values: Vec<Column>,
    /// Their planned types.
    pub types: Vec<DataType>,
    lambdas: Vec<&'a LambdaArgument>,
    /// The types that the lambdas return.
    pub returned: Vec<DataType>,
    pub returns: &'a DataType,
    pub work: Work,
}

impl Call<'_> {
    /// The planned type of a value; `Null` if there is none.
    pub(super) fn type_of(&self, index: usize) -> &DataType {
        self.types.get(index).unwrap_or(&DataType::Null)
    }

    /// A lambda, whose results are cast to a type.
    ///
    /// # Errors
    ///
    /// The call has no such lambda.
    pub(super) fn lambda(&self, index: usize, returns: &DataType) -> Result<Lambda<'_>> {
        let argument = self.lambdas.get(index).copied();
        let argument =
            argument.ok_or_else(|| DataFusionError::Internal("a missing lambda".to_owned()))?;
        Ok(Lambda {
            name: self.name,
            argument,
            captures: captures(argument),
            returns: returns.clone(),
        })
    }

    /// The items of all rows, with the row of each.
    ///
    /// # Errors
    ///
    /// There are too many, or the query was stopped.
    pub(super) fn items(&self, spans: &Spans, values: usize) -> Result<Items> {
        let mut items = Items {
            rows: Vec::new(),
            indexes: Vec::new(),
            in_order: true,
        };
        for row in 0..self.rows {
            let Some(range) = spans.range(row) else {
                self.work.step()?;
                continue;
            };
            self.work.builds(8 * range.len())?;
            items.in_order &= range.is_empty() || range.start == items.rows.len();
            items
                .rows
                .extend(std::iter::repeat_n(row as u32, range.len()));
            items.indexes.extend(range.map(|index| index as u32));
        }
        items.in_order &= items.rows.len() == values;
        Ok(items)
    }
}

/// Items of all rows.
#[derive(Debug)]
pub(super) struct Items {
    /// The row of each item.
    pub rows: Vec<u32>,
    /// The index of each item in the values of the array.
    pub indexes: Vec<u32>,
    /// Whether the items are the values, in their order.
    in_order: bool,
}

impl Items {
    /// These items' values, as a parameter.
    pub(super) fn of<'a>(&'a self, values: &'a ArrayRef) -> Parameter<'a> {
        match self.in_order {
            true => Parameter::Each(values),
            false => Parameter::At(values, &self.indexes),
        }
    }
}

/// The values of a lambda's parameter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Parameter<'a> {
    /// One for each evaluation.
    Each(&'a ArrayRef),
    /// By an index for each evaluation.
    At(&'a ArrayRef, &'a [u32]),
    /// By an index, or NULL.
    AtOrNull(&'a ArrayRef, &'a UInt32Array),
}

impl Parameter<'_> {
    fn slice(&self, start: usize, length: usize) -> Result<ArrayRef> {
        Ok(match self {
            Self::Each(values) => values.slice(start, length),
            Self::At(values, indexes) => {
                let indexes = indexes.get(start..start + length).unwrap_or_default();
                take(values, &UInt32Array::from(indexes.to_vec()), None)?
            }
            Self::AtOrNull(values, indexes) => take(values, &indexes.slice(start, length), None)?,
        })
    }

    /// The bytes that an evaluation copies.
    fn copied(&self, place: usize) -> usize {
        let (values, index) = match self {
            Self::Each(_) => return 0,
            Self::At(values, indexes) => (values, indexes.get(place).copied()),
            Self::AtOrNull(values, indexes) => (
                values,
                indexes.is_valid(place).then(|| indexes.value(place)),
            ),
        };
        match index {
            Some(index) if varies(values.data_type()) => size(values, index as usize, 1),
            _ => 8,
        }
    }
}

/// Whether values of a type differ in size.
fn varies(data_type: &DataType) -> bool {
    data_type.primitive_width().is_none() && *data_type != DataType::Boolean
}

/// A lambda of a call.
pub(super) struct Lambda<'a> {
    name: &'static str,
    argument: &'a LambdaArgument,
    /// The values that the lambda takes from its rows.
    captures: Vec<ArrayRef>,
    returns: DataType,
}

/// Returns the columns that a lambda captures. It shows them only to an evaluation, which is ended
/// before it begins.
fn captures(argument: &LambdaArgument) -> Vec<ArrayRef> {
    let columns = RefCell::new(Vec::new());
    let end = || Err(DataFusionError::Internal(String::new()));
    let parameters: [&dyn Fn() -> Result<ArrayRef>; PARAMETERS] = [&end; PARAMETERS];
    let ended = argument.evaluate(&parameters, |captures| {
        *columns.borrow_mut() = captures.to_vec();
        Err(DataFusionError::Internal(String::new()))
    });
    drop(ended);
    columns.into_inner()
}

impl Lambda<'_> {
    /// Evaluates the lambda for each of these rows, of which one may be there many times.
    ///
    /// # Errors
    ///
    /// The lambda fails, the results are too large, or the query was stopped.
    pub(super) fn evaluate(&self, rows: &[u32], parameters: &[Parameter<'_>]) -> Result<ArrayRef> {
        if rows.is_empty() {
            return Ok(new_empty_array(&self.returns));
        }
        let mut parts = Vec::new();
        let (mut start, mut bytes) = (0, 0usize);
        while start < rows.len() {
            stop::check()?;
            let end = self.end(rows, parameters, start);
            let of = rows.get(start..end).unwrap_or_default();
            let part = self.part(of, parameters, start, bytes)?;
            bytes = bytes.saturating_add(size(&part, 0, part.len()));
            bounded::check_batch(self.name, bytes)?;
            parts.push(part);
            start = end;
        }
        if let [part] = parts.as_slice() {
            return Ok(Arc::clone(part));
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        Ok(concat(&parts)?)
    }

    /// Where the evaluations from `start` on end that are done at once.
    fn end(&self, rows: &[u32], parameters: &[Parameter<'_>], start: usize) -> usize {
        let most = rows.len().min(start + MAX_ITEMS);
        let captured = self.captures.iter();
        let varied = |values: &&ArrayRef| varies(values.data_type());
        let captured: Vec<&ArrayRef> = captured.filter(varied).collect();
        let copied = parameters.iter().filter(|parameter| match parameter {
            Parameter::Each(_) => false,
            Parameter::At(values, _) | Parameter::AtOrNull(values, _) => varies(values.data_type()),
        });
        let copied: Vec<&Parameter<'_>> = copied.collect();
        if captured.is_empty() && copied.is_empty() {
            return most;
        }
        let mut bytes = 0usize;
        for place in start..most {
            let row = rows.get(place).map_or(0, |row| *row as usize);
            for values in &captured {
                bytes = bytes.saturating_add(size(values, row, 1));
            }
            for parameter in &copied {
                bytes = bytes.saturating_add(parameter.copied(place));
            }
            if bytes > MAX_BYTES {
                return place.max(start + 1);
            }
        }
        most
    }

    /// `built`: the bytes of the parts before.
    fn part(
        &self,
        rows: &[u32],
        parameters: &[Parameter<'_>],
        start: usize,
        built: usize,
    ) -> Result<ArrayRef> {
        let slices: Vec<Box<dyn Fn() -> Result<ArrayRef> + '_>> = parameters
            .iter()
            .map(|parameter| {
                let slice = move || parameter.slice(start, rows.len());
                Box::new(slice) as Box<dyn Fn() -> Result<ArrayRef> + '_>
            })
            .collect();
        let slices: Vec<&dyn Fn() -> Result<ArrayRef>> =
            slices.iter().map(|slice| slice.as_ref() as _).collect();
        let value = self.argument.evaluate(&slices, |captures| {
            let rows = UInt32Array::from(rows.to_vec());
            Ok(take_arrays(captures, &rows, None)?)
        })?;
        if let ColumnarValue::Scalar(constant) = &value {
            let one = size(&constant.to_array_of_size(1)?, 0, 1);
            let all = one.saturating_mul(rows.len()).saturating_add(built);
            bounded::check_batch(self.name, all)?;
        }
        conformed(&value.into_array(rows.len())?, &self.returns)
    }
}
