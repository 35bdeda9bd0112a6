//! A scalar function as plain data: its names, the types that it takes, and the code that
//! evaluates it over columns.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, TypeSignature, Volatility,
};

use crate::columns::Column;
use crate::docs::Page;
use crate::work::Work;

/// Evaluates a function over all rows of a call. The array has [`Call::rows`] rows.
pub(crate) type Body = fn(&Call<'_>) -> Result<ArrayRef>;

/// The type of a function's result.
#[derive(Debug, Clone)]
pub(crate) enum Returns {
    Type(DataType),
    /// By the types of the arguments, after coercion.
    From(fn(&[DataType]) -> Result<DataType>),
    /// By the fields of the arguments, for types that Arrow marks in a field's metadata.
    Field(fn(&[FieldRef]) -> Result<FieldRef>),
}

/// A scalar function.
#[derive(Clone)]
pub(crate) struct Kernel {
    name: &'static str,
    aliases: Vec<String>,
    signature: Signature,
    returns: Returns,
    page: &'static Page,
    documentation: Arc<Documentation>,
    body: Body,
}

impl Kernel {
    /// An immutable function that takes one of these lists of types.
    pub(crate) fn new(
        page: &'static Page,
        takes: Vec<TypeSignature>,
        returns: Returns,
        body: Body,
    ) -> Self {
        Self {
            name: page.name,
            aliases: Vec::new(),
            signature: Signature::one_of(takes, Volatility::Immutable),
            returns,
            page,
            documentation: Arc::new(page.documentation()),
            body,
        }
    }

    /// Further names of the function.
    pub(crate) fn also(mut self, names: &[&str]) -> Self {
        self.aliases = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    pub(crate) fn volatile(mut self) -> Self {
        self.signature.volatility = Volatility::Volatile;
        self
    }

    pub(crate) fn page(&self) -> &'static Page {
        self.page
    }

    pub(crate) fn into_udf(self) -> ScalarUDF {
        ScalarUDF::new_from_impl(self)
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

// A page is a static of one function.
impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.page, other.page)
    }
}

impl Eq for Kernel {}

impl Hash for Kernel {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Kernel {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match &self.returns {
            Returns::Type(data_type) => Ok(data_type.clone()),
            Returns::From(of) => of(types),
            Returns::Field(of) => {
                let fields: Vec<FieldRef> = types
                    .iter()
                    .map(|data_type| Arc::new(Field::new("", data_type.clone(), true)))
                    .collect();
                Ok(of(&fields)?.data_type().clone())
            }
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = match &self.returns {
            Returns::Field(of) => of(args.arg_fields)?.as_ref().clone().with_name(self.name),
            _ => {
                let types: Vec<DataType> = args
                    .arg_fields
                    .iter()
                    .map(|field| field.data_type().clone())
                    .collect();
                Field::new(self.name, self.return_type(&types)?, true)
            }
        };
        Ok(Arc::new(field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
            && self.signature.volatility != Volatility::Volatile;
        let rows = if constant { 1 } else { args.number_rows };
        let columns = args
            .args
            .into_iter()
            .map(Column::of)
            .collect::<Result<Vec<_>>>()?;
        let call = Call {
            name: self.name,
            rows,
            columns,
            fields: &args.arg_fields,
            returns: args.return_field.data_type(),
            work: Work::new(self.name, constant),
        };
        let array = (self.body)(&call)?;
        Ok(match constant {
            true => ColumnarValue::Scalar(match array.as_list_opt::<i32>() {
                // The general way drops the metadata of a list's items.
                Some(list) => ScalarValue::List(Arc::new(list.slice(0, 1))),
                None => ScalarValue::try_from_array(&array, 0)?,
            }),
            false => ColumnarValue::Array(array),
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// One call of a function.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub name: &'static str,
    /// Rows of the result.
    pub rows: usize,
    /// The arguments, in order; a constant has one row.
    pub columns: Vec<Column>,
    pub fields: &'a [FieldRef],
    /// The type of the result.
    pub returns: &'a DataType,
    pub work: Work,
}

impl Call<'_> {
    /// The argument at `index`, if the call has so many.
    pub(crate) fn optional(&self, index: usize) -> Option<&Column> {
        self.columns.get(index)
    }
}
