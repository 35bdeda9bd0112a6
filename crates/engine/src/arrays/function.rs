//! An array function that replaces one of the engine's.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::error::Result;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use lakegate_error::{Code, Error};

use crate::plans::expressions;

/// The definition of a function.
pub(super) struct Definition {
    /// The name, then aliases.
    pub names: &'static [&'static str],
    /// Names and descriptions of the arguments, optional ones last.
    pub arguments: &'static [(&'static str, &'static str)],
    /// The number of required arguments.
    pub needs: usize,
    pub description: &'static str,
    /// Returns the types to coerce the arguments to, from the function's name and the argument
    /// types. The number of arguments is checked before.
    pub coerced: fn(&str, &[DataType]) -> Result<Vec<DataType>>,
    /// The result type, from the coerced argument types.
    pub returns: fn(&[DataType]) -> Result<DataType>,
    /// Computes the result column from columns of the coerced types, which have the same number of
    /// rows, and the result type.
    pub body: fn(&[ArrayRef], &DataType) -> Result<ArrayRef>,
}

/// Registers functions.
///
/// # Errors
///
/// Returns an error if a function cannot be registered.
pub(super) fn register(state: &mut SessionState, definitions: &'static [Definition]) -> Result<()> {
    for definition in definitions {
        let function = ArrayFunction::new(definition);
        state.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

pub(super) struct ArrayFunction {
    definition: &'static Definition,
    aliases: Vec<String>,
    signature: Signature,
    documentation: Documentation,
}

impl ArrayFunction {
    pub(super) fn new(definition: &'static Definition) -> Self {
        let names = definition.names.iter().skip(1);
        let arguments = definition.arguments.iter();
        let listed: Vec<&str> = arguments.clone().map(|(name, _)| *name).collect();
        let syntax = format!("{}({})", name(definition), listed.join(", "));
        let section = DocSection {
            include: true,
            label: "Array Functions",
            description: None,
        };
        let documentation = Documentation::builder(section, definition.description, syntax);
        let documentation = arguments.fold(documentation, |documentation, (name, what)| {
            documentation.with_argument(*name, *what)
        });
        Self {
            definition,
            aliases: names.map(|name| (*name).to_owned()).collect(),
            signature: Signature::user_defined(Volatility::Immutable),
            documentation: documentation.build(),
        }
    }
}

fn name(definition: &'static Definition) -> &'static str {
    definition.names.first().copied().unwrap_or_default()
}

impl std::fmt::Debug for ArrayFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArrayFunction")
            .field("name", &name(self.definition))
            .finish_non_exhaustive()
    }
}

impl PartialEq for ArrayFunction {
    fn eq(&self, other: &Self) -> bool {
        name(self.definition) == name(other.definition)
    }
}

impl Eq for ArrayFunction {}

impl Hash for ArrayFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        name(self.definition).hash(state);
    }
}

impl ScalarUDFImpl for ArrayFunction {
    fn name(&self) -> &str {
        name(self.definition)
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (least, most) = (self.definition.needs, self.definition.arguments.len());
        if types.len() < least || types.len() > most {
            let wanted = match least == most {
                true => format!("{most}"),
                false => format!("{least} to {most}"),
            };
            let given = types.len();
            return Err(Error::new(
                Code::FunctionNotFound,
                format!("{} takes {wanted} arguments, not {given}", self.name()),
            )
            .into());
        }
        (self.definition.coerced)(self.name(), types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        (self.definition.returns)(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types = args.arg_fields.iter().map(|field| field.data_type());
        let types: Vec<DataType> = types.cloned().collect();
        let returns = (self.definition.returns)(&types)?;
        Ok(Arc::new(Field::new(self.name(), returns, true)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = expressions::are_constants(&args.args);
        let rows = if constant { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|arg| arg.to_array(rows));
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let made = (self.definition.body)(&columns, args.return_field.data_type())?;
        expressions::made(made, constant)
    }
}

/// Returns the type of the items of an array.
///
/// # Errors
///
/// Returns an error if the type is not an array.
pub(super) fn item_type(function: &str, array: &DataType) -> Result<DataType> {
    match array {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Ok(item.data_type().clone())
        }
        DataType::Null => Ok(DataType::Null),
        other => Err(mismatch(format!(
            "{function} takes an array, not a value of type {other}"
        ))),
    }
}

pub(super) fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

pub(super) fn mismatch(message: String) -> datafusion::error::DataFusionError {
    Error::new(Code::TypeMismatch, message).into()
}

/// Returns the coerced types of an array and of the values that are compared with its items.
///
/// # Errors
///
/// Returns an error if the types cannot be compared.
pub(super) fn with_items(
    function: &str,
    array: &DataType,
    values: &[DataType],
) -> Result<Vec<DataType>> {
    let mut common = item_type(function, array)?;
    for value in values {
        common = match (&common, value) {
            (common, DataType::Null) => common.clone(),
            (DataType::Null, value) => value.clone(),
            // A text is read as a value of the item's type.
            (common, value) if value.is_string() && !common.is_string() => common.clone(),
            (common, value) => comparison_coercion(common, value).ok_or_else(|| {
                mismatch(format!(
                    "{function} cannot compare items of type {common} with a value of type {value}"
                ))
            })?,
        };
    }
    let mut types = vec![list_of(common.clone())];
    types.extend(values.iter().map(|_| common.clone()));
    Ok(types)
}

/// A column of lists.
pub(super) struct Lists<'a> {
    pub list: &'a ListArray,
}

impl<'a> Lists<'a> {
    /// Reads a column as lists.
    ///
    /// # Errors
    ///
    /// Returns an error if the column does not hold lists.
    pub(super) fn of(function: &str, column: Option<&'a ArrayRef>) -> Result<Self> {
        let list = column.and_then(|column| column.as_list_opt::<i32>());
        let list = list.ok_or_else(|| mismatch(format!("{function} takes an array")))?;
        Ok(Self { list })
    }

    pub(super) fn rows(&self) -> usize {
        self.list.len()
    }

    /// Returns the range of a row's items in the values of the column; `None` for NULL.
    pub(super) fn items(&self, row: usize) -> Option<std::ops::Range<usize>> {
        if self.list.is_null(row) {
            return None;
        }
        let place = |row: usize| {
            let offset = self.list.value_offsets().get(row).copied();
            offset
                .and_then(|offset| usize::try_from(offset).ok())
                .unwrap_or_default()
        };
        Some(place(row)..place(row + 1))
    }
}
