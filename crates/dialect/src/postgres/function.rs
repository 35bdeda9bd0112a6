//! Wraps a Postgres function over plain values as a scalar function of the engine.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use lakegate_engine::{as_written, bounded, stop};

use super::cell::{Cell, PG_TYPE, build_array, cells_of, hinted_field};

type Body = dyn Fn(&ConfigOptions, &[Cell<'static>]) -> Result<Cell<'static>> + Send + Sync;
type Simpler = dyn Fn(&[Expr], &DFSchema) -> Option<Expr> + Send + Sync;

/// A scalar function that is evaluated row by row.
///
/// Catalog functions run over at most a few thousand rows; they favour brevity and correctness over
/// speed.
#[derive(Clone)]
pub struct PgFunction {
    name: String,
    signature: Signature,
    returns: DataType,
    /// The Postgres type to show, if Arrow has no equivalent.
    pg_type: Option<&'static str>,
    /// Shows the result as the Postgres type that an argument is shown as.
    marked_as_arguments: bool,
    /// Returns what a call is in other words.
    simpler: Option<Arc<Simpler>>,
    /// Returns NULL for a NULL argument, without a call.
    strict: bool,
    /// Takes what is not a text, integer or boolean as its text.
    of_texts: bool,
    body: Arc<Body>,
}

impl PgFunction {
    /// Builds a function. `arity`: the accepted range of argument counts.
    pub fn new(
        name: &str,
        arity: RangeInclusive<usize>,
        returns: DataType,
        body: impl Fn(&[Cell<'static>]) -> Result<Cell<'static>> + Send + Sync + 'static,
    ) -> Self {
        Self::in_session(name, arity, returns, move |_, args| body(args))
    }

    /// Builds a function whose results depend on settings of the session.
    pub(super) fn in_session(
        name: &str,
        arity: RangeInclusive<usize>,
        returns: DataType,
        body: impl Fn(&ConfigOptions, &[Cell<'static>]) -> Result<Cell<'static>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            signature: of_any(arity, Volatility::Stable),
            returns,
            pg_type: None,
            marked_as_arguments: false,
            simpler: None,
            strict: true,
            of_texts: false,
            body: Arc::new(body),
        }
    }

    /// Checks the arguments before each call.
    pub fn checked(
        mut self,
        check: impl Fn(&[Cell<'static>]) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        let body = self.body;
        self.body = Arc::new(move |options: &ConfigOptions, args: &[Cell<'static>]| {
            check(args)?;
            body(options, args)
        });
        self
    }

    /// Calls the function with the texts that casts write, in place of numbers with a fraction, times,
    /// arrays and rows.
    pub fn of_texts(mut self) -> Self {
        self.of_texts = true;
        self
    }

    /// Calls the function for NULL arguments too.
    pub(crate) fn called_on_null(mut self) -> Self {
        self.strict = false;
        self
    }

    /// Declares that the same arguments always have the same result.
    pub(crate) fn immutable(mut self) -> Self {
        self.signature.volatility = Volatility::Immutable;
        self
    }

    /// Declares that each call may have another result.
    pub fn volatile(mut self) -> Self {
        self.signature.volatility = Volatility::Volatile;
        self
    }

    /// Shows the result as this Postgres type.
    pub(crate) fn shown_as(mut self, pg_type: &'static str) -> Self {
        self.pg_type = Some(pg_type);
        self
    }

    /// Shows the result as the Postgres type that the first argument with one is shown as.
    pub(super) fn marked_as_arguments(mut self) -> Self {
        self.marked_as_arguments = true;
        self
    }

    /// Plans calls for whose arguments `simpler` returns an expression as that.
    pub(super) fn simplified(
        mut self,
        simpler: impl Fn(&[Expr], &DFSchema) -> Option<Expr> + Send + Sync + 'static,
    ) -> Self {
        self.simpler = Some(Arc::new(simpler));
        self
    }

    /// Returns the same function under another name.
    pub fn renamed(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// Makes it a function of the engine.
    pub fn into_udf(self) -> Arc<ScalarUDF> {
        Arc::new(ScalarUDF::new_from_impl(self))
    }

    fn cells(&self, array: ArrayRef) -> Result<Vec<Cell<'static>>> {
        match self.of_texts {
            true => cells_of(&as_written(array)?),
            false => cells_of(&array),
        }
    }
}

impl fmt::Debug for PgFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgFunction")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

// Functions of the same name can belong to different sessions.
impl PartialEq for PgFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.body, &other.body)
    }
}

impl Eq for PgFunction {}

impl Hash for PgFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for PgFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let returns = self.returns.clone();
        let mut marks = args
            .arg_fields
            .iter()
            .filter_map(|field| field.metadata().get(PG_TYPE));
        let mark = match self.marked_as_arguments {
            true => marks.next().map(String::as_str),
            false => self.pg_type,
        };
        Ok(Arc::new(match mark {
            Some(pg_type) => hinted_field(&self.name, returns, pg_type),
            None => Field::new(&self.name, returns, true),
        }))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
            && self.signature.volatility != Volatility::Volatile;
        let rows = if constant { 1 } else { args.number_rows };
        // Each row copies each argument.
        bounded::check_arguments(&self.name, &args.args, rows)?;
        let options: &ConfigOptions = &args.config_options;
        let columns: Vec<Vec<Cell<'static>>> = args
            .args
            .into_iter()
            .map(|arg| match arg {
                ColumnarValue::Array(array) => self.cells(array),
                ColumnarValue::Scalar(scalar) => {
                    let cell = self.cells(scalar.to_array()?)?.pop().unwrap_or(Cell::Null);
                    Ok(vec![cell; rows])
                }
            })
            .collect::<Result<_>>()?;
        let mut size = 0_usize;
        let results = each_row(&columns, rows, |arguments| {
            let result = match self.strict && arguments.iter().any(Cell::is_null) {
                true => Cell::Null,
                false => (self.body)(options, arguments)?,
            };
            size = size.saturating_add(result.as_str().map_or(0, str::len));
            bounded::check_batch(&self.name, size)?;
            Ok(result)
        })?;
        column_of(&self.returns, results, constant)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let schema: &DFSchema = info.schema();
        let simpler = self.simpler.as_ref();
        let found = simpler.and_then(|simpler| simpler(args.as_slice(), schema));
        Ok(match found {
            Some(expr) => ExprSimplifyResult::Simplified(expr),
            None => ExprSimplifyResult::Original(args),
        })
    }
}

/// Returns the signature of a function of so many arguments of any types.
pub(super) fn of_any(arity: RangeInclusive<usize>, volatility: Volatility) -> Signature {
    let signatures = arity.map(|count| match count {
        0 => TypeSignature::Nullary,
        count => TypeSignature::Any(count),
    });
    Signature::one_of(signatures.collect(), volatility)
}

/// Calls a function with the arguments of each row.
///
/// # Errors
///
/// The function fails, or the query must stop.
pub(super) fn each_row(
    columns: &[Vec<Cell<'static>>],
    rows: usize,
    mut body: impl FnMut(&[Cell<'static>]) -> Result<Cell<'static>>,
) -> Result<Vec<Cell<'static>>> {
    let mut results = Vec::with_capacity(rows);
    for row in 0..rows {
        stop::check()?;
        let arguments = columns.iter().map(|column| column.get(row));
        let arguments: Vec<Cell<'static>> = arguments
            .map(|cell| cell.cloned().unwrap_or(Cell::Null))
            .collect();
        results.push(body(&arguments)?);
    }
    Ok(results)
}

/// Returns the results as a column, or as a constant if they are one.
///
/// # Errors
///
/// A result is not of the type.
pub(super) fn column_of(
    data_type: &DataType,
    results: Vec<Cell<'static>>,
    constant: bool,
) -> Result<ColumnarValue> {
    let array = build_array(data_type, results.into_iter())?;
    Ok(match (constant, data_type) {
        // `try_from_array` would drop the metadata of the items.
        (true, DataType::List(_)) if array.len() == 1 => {
            let list = array.as_list::<i32>().clone();
            ColumnarValue::Scalar(ScalarValue::List(Arc::new(list)))
        }
        (true, _) => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
        (false, _) => ColumnarValue::Array(array),
    })
}

/// Builds the error for a value that a function does not accept.
pub fn invalid(message: impl Into<String>) -> DataFusionError {
    lakegate_error::Error::invalid(message.into()).into()
}
