//! PostgreSQL's functions of `json` and `jsonb`. Both are text here; a column's field says which of
//! the two it is.
//!
//! ```text
//! value.rs     values, and reading of them
//! write.rs     values as text: that of jsonb, without blanks, on lines
//! column.rs    values of any type as JSON text: to_json, row_to_json
//! read.rs      -> ->> #> #>>, json_typeof, IS JSON …
//! parts.rs     json_array_elements, json_each, json_object_keys, record sets
//! containment.rs  ? ?| ?& @> <@
//! entries.rs   the members of objects as rows: json_each in a list
//! subscripts.rs  j['a'][0]
//! paths.rs     jsonb_path_query, jsonb_path_exists, @?, @@
//! change.rs    jsonb_set, jsonb_insert, - #- ||, json_strip_nulls, jsonb_pretty
//! made.rs      casts, json_build_object, json_object, json_agg
//! variadic.rs  json_build_object(VARIADIC …)
//! order.rs     the order of jsonb: the keys of values, greatest and least
//! results.rs   the type of literals in CASE and coalesce
//! comparisons.rs  IN, ANY, CASE, nullif, IS DISTINCT FROM by the keys; refusals of json
//! ```
//!
//! The operators, and the functions that return rows or aggregate, become calls of functions whose
//! names begin with `$` (`rewrite/json.rs`).

mod change;
mod column;
mod comparisons;
mod containment;
mod entries;
mod made;
mod operators;
mod order;
mod parts;
mod paths;
mod read;
mod results;
mod subscripts;
mod value;
mod variadic;
mod write;

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
pub(crate) use comparisons::{key_of, rule};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use lakegate_engine::bounded;
use lakegate_engine::time::Clock;
use lakegate_error::Error;
pub(in crate::postgres) use operators::planner;
pub(crate) use subscripts::planner as subscripts;

use self::value::{Node, parse};
use self::write::write_jsonb;
use crate::postgres::cell::{PG_TYPE, cells_of};
use crate::postgres::function::{column_of, each_row, of_any};
use crate::postgres::{ArrayItem, Cell, parse_array};

/// Which of the two types a function reads and returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Binary,
    /// That of the first argument.
    OfFirst,
}

/// How a function takes its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arguments {
    Plain,
    /// Each as JSON text; NULL stays NULL.
    Values,
    /// Keys, which are plain, and values as JSON text, in turn.
    Pairs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Returns {
    Json,
    Text,
    Integer,
    Boolean,
    /// A list of texts.
    Texts,
    /// A list of lists of texts.
    TextLists,
    /// A list of rows of a key and a value that is JSON.
    Entries,
    /// The same with values that are texts.
    TextEntries,
}

/// A call of a function.
#[derive(Debug, Clone, Copy)]
struct Job {
    name: &'static str,
    binary: bool,
    /// Whether the first argument is an array or a row, and no other JSON text.
    nested: bool,
    /// The session's, if the function depends on it.
    clock: Option<Clock>,
}

impl Job {
    /// Returns the text of a value.
    fn text(self, node: &Node<'_>) -> Result<String, Error> {
        if !self.binary {
            return Ok(node.raw.to_owned());
        }
        let mut out = String::new();
        write_jsonb(&mut out, node)?;
        Ok(out)
    }

    /// Returns a JSON text as this call's type shows it.
    fn shown(self, text: String) -> Result<String, Error> {
        match self.binary {
            true => self.text(&parse(&text)?),
            false => Ok(text),
        }
    }
}

type Body = fn(Job, &[Cell<'static>]) -> Result<Cell<'static>, Error>;

/// A function that is evaluated row by row.
#[derive(Clone)]
struct JsonFunction {
    name: &'static str,
    signature: Signature,
    form: Form,
    arguments: Arguments,
    returns: Returns,
    /// Returns NULL for a NULL argument, without a call.
    strict: bool,
    /// Whether its result depends on the session's time zone.
    zoned: bool,
    body: Body,
}

impl JsonFunction {
    fn new(
        name: &'static str,
        arity: RangeInclusive<usize>,
        form: Form,
        returns: Returns,
        body: Body,
    ) -> Self {
        Self {
            name,
            signature: of_any(arity, Volatility::Immutable),
            form,
            arguments: Arguments::Plain,
            returns,
            strict: true,
            zoned: false,
            body,
        }
    }

    fn called_on_null(mut self) -> Self {
        self.strict = false;
        self
    }

    /// Depends on the session's time zone.
    fn in_zone(mut self) -> Self {
        self.signature.volatility = Volatility::Stable;
        self.zoned = true;
        self
    }

    fn of(mut self, arguments: Arguments) -> Self {
        self.arguments = arguments;
        self
    }

    /// Takes any number of arguments.
    fn of_many(mut self) -> Self {
        self.signature = Signature::variadic_any(Volatility::Immutable);
        self
    }

    fn is_binary(&self, arguments: &[FieldRef]) -> bool {
        match self.form {
            Form::Text => false,
            Form::Binary => true,
            Form::OfFirst => arguments.first().is_some_and(|field| is_jsonb(field)),
        }
    }

    fn data_type(&self) -> DataType {
        match self.returns {
            Returns::Json | Returns::Text => DataType::Utf8,
            Returns::Integer => DataType::Int32,
            Returns::Boolean => DataType::Boolean,
            Returns::Texts => DataType::new_list(DataType::Utf8, true),
            Returns::TextLists => {
                DataType::new_list(DataType::new_list(DataType::Utf8, true), true)
            }
            Returns::Entries => entries::list_of(Some(match self.form {
                Form::Binary => JSONB,
                Form::Text | Form::OfFirst => JSON,
            })),
            Returns::TextEntries => entries::list_of(None),
        }
    }

    /// Returns the values of an argument.
    fn cells(
        &self,
        place: usize,
        argument: &ColumnarValue,
        field: &Field,
        rows: usize,
    ) -> Result<Vec<Cell<'static>>> {
        let as_json = match self.arguments {
            Arguments::Plain => false,
            Arguments::Values => true,
            Arguments::Pairs => place % 2 == 1,
        };
        let array = match argument {
            ColumnarValue::Array(array) => Arc::clone(array),
            ColumnarValue::Scalar(scalar) => scalar.to_array()?,
        };
        let cells = match as_json {
            true => column::texts(&array, field)?,
            false => cells_of(&array)?,
        };
        Ok(match argument {
            ColumnarValue::Array(_) => cells,
            ColumnarValue::Scalar(_) => {
                let cell = cells.into_iter().next().unwrap_or(Cell::Null);
                vec![cell; rows]
            }
        })
    }
}

impl fmt::Debug for JsonFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonFunction")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

// A name has one function.
impl PartialEq for JsonFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for JsonFunction {}

impl Hash for JsonFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for JsonFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.data_type())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = Field::new(self.name, self.data_type(), true);
        if self.returns != Returns::Json {
            return Ok(Arc::new(field));
        }
        let name = match self.is_binary(args.arg_fields) {
            true => JSONB,
            false => JSON,
        };
        let mut metadata: HashMap<String, String> = [(PG_TYPE.to_owned(), name.to_owned())].into();
        if self.name == ROW {
            metadata.insert(ROW.to_owned(), String::new());
        }
        Ok(Arc::new(field.with_metadata(metadata)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        // Each row copies each argument.
        bounded::check_arguments(self.name, &args.args, rows)?;
        let zone = args.config_options.execution.time_zone.as_deref();
        let zone = zone.filter(|_| self.zoned);
        let job = Job {
            clock: zone.map(Clock::of).transpose()?,
            name: self.name,
            binary: self.is_binary(&args.arg_fields),
            nested: args.arg_fields.first().is_some_and(|field| {
                field.data_type().is_nested() || field.metadata().contains_key(ROW)
            }),
        };
        let columns = args
            .args
            .iter()
            .zip(&args.arg_fields)
            .enumerate()
            .map(|(place, (argument, field))| self.cells(place, argument, field, rows))
            .collect::<Result<Vec<_>>>()?;
        let mut size = 0;
        let results = each_row(&columns, rows, |arguments| {
            let result = match self.strict && arguments.iter().any(Cell::is_null) {
                true => Cell::Null,
                false => (self.body)(job, arguments)?,
            };
            size += size_of(&result);
            match constant {
                true => bounded::check_value(self.name, size)?,
                false => bounded::check_batch(self.name, size)?,
            }
            Ok(result)
        })?;
        match self.returns {
            Returns::Entries | Returns::TextEntries => {
                entries::column_of(&self.data_type(), results, constant)
            }
            _ => column_of(&self.data_type(), results, constant),
        }
    }
}

/// The function of a row as JSON, and the key of the mark of its result. A struct would forget which
/// of its fields are JSON.
pub(in crate::postgres) const ROW: &str = "$json_row";

const JSON: &str = "json";
const JSONB: &str = "jsonb";

/// The key of Arrow's own mark of JSON columns, and its value.
const EXTENSION: (&str, &str) = ("ARROW:extension:name", "arrow.json");

fn is_jsonb(field: &Field) -> bool {
    field
        .metadata()
        .get(PG_TYPE)
        .is_some_and(|name| name == JSONB)
}

/// Returns whether a column is of the type `json` or `jsonb`.
fn is_json(field: &Field) -> bool {
    let metadata = field.metadata();
    metadata
        .get(PG_TYPE)
        .is_some_and(|name| name == JSON || name == JSONB)
        || metadata
            .get(EXTENSION.0)
            .is_some_and(|name| name == EXTENSION.1)
}

/// Returns whether a column is shown as one of these types.
fn is_of(field: &Field, types: &[&str]) -> bool {
    let pg_type = field.metadata().get(PG_TYPE);
    pg_type.is_some_and(|pg_type| types.contains(&pg_type.as_str()))
}

/// Returns the bytes that a result holds.
fn size_of(cell: &Cell<'_>) -> usize {
    match cell {
        Cell::Text(text) => text.len(),
        Cell::List(items) => items.iter().map(|item| 16 + size_of(item)).sum(),
        _ => 8,
    }
}

/// Returns the text of an argument that is a JSON value; NULL arguments do not get here.
fn document(arguments: &[Cell<'static>]) -> String {
    arguments
        .first()
        .and_then(Cell::to_text)
        .unwrap_or_default()
}

/// Returns the texts of an argument that is an array, or the text of one. `None`: an item is NULL.
///
/// # Errors
///
/// The text is not an array.
fn path(cell: Option<&Cell<'static>>) -> Result<Option<Vec<String>>, Error> {
    Ok(match cell {
        Some(Cell::List(items)) => items.iter().map(Cell::to_text).collect(),
        Some(Cell::Text(text)) => {
            let items = parse_array(text)?.into_iter().map(ArrayItem::into_cell);
            items.map(|item| item.to_text()).collect()
        }
        _ => None,
    })
}

/// Returns all of them.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let mut all = read::functions();
    all.extend(parts::functions());
    all.extend(containment::functions());
    all.extend(change::functions());
    all.extend(made::functions());
    all.extend(variadic::functions());
    all.extend(paths::functions());
    all.extend(order::key_functions());
    all.into_iter()
        .map(|function| Arc::new(ScalarUDF::new_from_impl(function)))
        .collect()
}

/// Returns whether a function is one of these, which measure their results themselves.
#[cfg(test)]
pub(super) fn is_one(function: &ScalarUDF) -> bool {
    function.inner().is::<JsonFunction>()
}
