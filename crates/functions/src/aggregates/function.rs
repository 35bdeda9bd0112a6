//! An aggregate function as plain data: the types that it takes, and the states of its groups.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Documentation, GroupsAccumulator,
    ReversedUDAF, Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use lakegate_error::{Code, Error};

use super::gathered;
use super::state::{Maker, Many, Moving, One, State};
use crate::docs::Page;
use crate::entry::Entry;

/// What a result depends on besides the set of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depends {
    /// Neither on the order of the rows nor on how often each is there.
    Nothing,
    Duplicates,
    Order,
}

/// An aggregate function. Its functions take its name, which they use in messages.
pub(crate) struct Aggregate {
    pub page: &'static Page,
    /// The types that the arguments are cast to.
    pub takes: fn(&str, &[DataType]) -> Result<Vec<DataType>>,
    pub returns: fn(&str, &[FieldRef]) -> Result<Field>,
    /// The columns of a state, by the arguments and the result.
    pub state: fn(&[FieldRef], &Field) -> Result<Vec<Field>>,
    pub make: fn(&Call) -> Result<Box<dyn State>>,
    pub depends: Depends,
}

impl Aggregate {
    pub(crate) fn entry(self) -> Entry {
        self.named(&[])
    }

    /// The function under further names too.
    pub(crate) fn named(self, aliases: &[&str]) -> Entry {
        let page = self.page;
        Entry::aggregate(self.function(aliases), page)
    }

    /// The function, which [`Self::named`] makes an entry of.
    pub(crate) fn function(self, aliases: &[&str]) -> AggregateUDF {
        AggregateUDF::new_from_impl(Registered {
            signature: Signature::user_defined(Volatility::Immutable),
            aliases: aliases.iter().map(|name| (*name).to_owned()).collect(),
            documentation: Arc::new(self.page.documentation()),
            aggregate: self,
        })
    }
}

/// One call of an aggregate.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub name: &'static str,
    pub fields: Vec<FieldRef>,
    pub returns: FieldRef,
    /// The values of the arguments that are constants.
    constants: Vec<Option<ScalarValue>>,
    pub distinct: bool,
    /// The columns of ORDER BY, which follow the arguments.
    pub order: Vec<(DataType, SortOptions)>,
    pub make: fn(&Call) -> Result<Box<dyn State>>,
}

impl Call {
    pub(crate) fn data_type(&self, index: usize) -> DataType {
        let field = self.fields.get(index);
        field.map_or(DataType::Null, |field| field.data_type().clone())
    }

    /// Returns the value of a constant argument.
    ///
    /// # Errors
    ///
    /// The argument is not a constant.
    pub(crate) fn constant(&self, index: usize) -> Result<&ScalarValue> {
        let constant = self.constants.get(index).and_then(Option::as_ref);
        constant.ok_or_else(|| {
            let message = format!("argument {} of {} must be a constant", index + 1, self.name);
            Error::new(Code::InvalidParameter, message).into()
        })
    }

    /// Returns a constant argument that is a whole number.
    pub(crate) fn whole(&self, index: usize) -> Result<i64> {
        match self.constant(index)?.cast_to(&DataType::Int64)? {
            ScalarValue::Int64(Some(number)) => Ok(number),
            _ => Err(invalid(format!(
                "argument {} of {} must not be null",
                index + 1,
                self.name
            ))),
        }
    }
}

/// The error of an argument's value.
pub(crate) fn invalid(message: impl Into<String>) -> datafusion::error::DataFusionError {
    Error::new(Code::InvalidParameter, message.into()).into()
}

/// The error of arguments of other types than the function takes.
pub(crate) fn wrong_types(
    name: &str,
    takes: &str,
    types: &[DataType],
) -> datafusion::error::DataFusionError {
    let types: Vec<String> = types.iter().map(ToString::to_string).collect();
    let message = format!("{name} takes {takes}, not ({})", types.join(", "));
    Error::new(Code::TypeMismatch, message).into()
}

/// The error of a result that no array can hold.
pub(crate) fn too_large(name: &str) -> datafusion::error::DataFusionError {
    let message = format!("the values that {name} would return take more than 2 GiB");
    Error::new(Code::ResultTooLarge, message)
        .with_hint("aggregate fewer rows at once: add columns to GROUP BY, or a filter")
        .into()
}

/// Returns a type without encodings, which the states of groups do not keep.
pub(crate) fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::RunEndEncoded(_, values) => plain(values.data_type()),
        other => other.clone(),
    }
}

struct Registered {
    aggregate: Aggregate,
    signature: Signature,
    aliases: Vec<String>,
    documentation: Arc<Documentation>,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

// A page is a static of one function.
impl PartialEq for Registered {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.aggregate.page, other.aggregate.page)
    }
}

impl Eq for Registered {}

impl Hash for Registered {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

/// Returns the value of an expression without columns.
fn constant(expr: &Arc<dyn PhysicalExpr>) -> Option<ScalarValue> {
    if !collect_columns(expr).is_empty() {
        return None;
    }
    let nothing = RecordBatch::new_empty(Arc::new(Schema::empty()));
    match expr.evaluate(&nothing) {
        Ok(ColumnarValue::Scalar(value)) => Some(value),
        _ => None,
    }
}

impl Registered {
    fn maker(&self, args: &AccumulatorArgs<'_>) -> Result<Maker> {
        let ordered = self.aggregate.depends == Depends::Order;
        let distinct = self.aggregate.depends != Depends::Nothing && args.is_distinct;
        let mut order = Vec::new();
        for item in args.order_bys.iter().filter(|_| ordered) {
            if distinct && !args.exprs.iter().any(|expr| expr.eq(&item.expr)) {
                let message = format!(
                    "{} with DISTINCT can be ordered by its arguments only",
                    self.name()
                );
                return Err(Error::new(Code::InvalidQuery, message).into());
            }
            order.push((item.expr.data_type(args.schema)?, item.options));
        }
        let gathers = distinct || !order.is_empty();
        let call = Call {
            name: self.aggregate.page.name,
            fields: args.expr_fields.to_vec(),
            returns: Arc::clone(&args.return_field),
            constants: args.exprs.iter().map(constant).collect(),
            distinct,
            order,
            make: self.aggregate.make,
        };
        Ok(Maker {
            call: Arc::new(call),
            make: match gathers {
                true => gathered::make,
                false => self.aggregate.make,
            },
        })
    }
}

impl AggregateUDFImpl for Registered {
    fn name(&self) -> &str {
        self.aggregate.page.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let fields: Vec<FieldRef> = types
            .iter()
            .map(|data_type| Arc::new(Field::new("", data_type.clone(), true)))
            .collect();
        let field = (self.aggregate.returns)(self.name(), &fields)?;
        Ok(field.data_type().clone())
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        let field = (self.aggregate.returns)(self.name(), fields)?;
        Ok(Arc::new(field.with_name(self.name()).with_nullable(true)))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let types: Vec<DataType> = types.iter().map(plain).collect();
        (self.aggregate.takes)(self.name(), &types)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let ordered = self.aggregate.depends == Depends::Order && !args.ordering_fields.is_empty();
        let distinct = self.aggregate.depends != Depends::Nothing && args.is_distinct;
        let fields = match ordered || distinct {
            true => {
                let orders: &[FieldRef] = match ordered {
                    true => args.ordering_fields,
                    false => &[],
                };
                gathered::fields(args.input_fields, orders)
            }
            false => (self.aggregate.state)(args.input_fields, &args.return_field)?,
        };
        let named = fields.into_iter().enumerate().map(|(index, field)| {
            let name = format!("{}[{index}]", args.name);
            Arc::new(field.with_name(name).with_nullable(true))
        });
        Ok(named.collect())
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(One::new(self.maker(&args)?.state()?)))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        let maker = self.maker(&args)?;
        let state = maker.state()?;
        Ok(match state.retracts() {
            true => Box::new(One::new(state)),
            false => Box::new(Moving::new(maker)),
        })
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Many::new(self.maker(&args)?)?))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        match self.aggregate.depends {
            // Sorted input would help nothing: `gathered` sorts by itself.
            Depends::Order => AggregateOrderSensitivity::Beneficial,
            _ => AggregateOrderSensitivity::Insensitive,
        }
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        _: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::NotSupported
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match self.name() {
            "count_if" | "approx_distinct" => Ok(ScalarValue::Int64(Some(0))),
            _ => ScalarValue::try_from(data_type),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
