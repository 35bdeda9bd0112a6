//! Casts to types that the engine lacks.

mod arrays;
mod bytes;
mod days;
mod digits;
mod lengths;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, ExactNumberInfo, Expr, Function, ObjectName, Value,
};
use lakegate_engine::time::PRECISION_FUNCTION;
use lakegate_error::{Code, Error};

pub(super) use self::arrays::literal_array;
use self::arrays::{cast_item, written_dimensions, written_items};
use self::bytes::bytea;
pub(super) use self::days::relative_time;
use self::digits::exactly;
pub(super) use self::digits::{long_number, number_text};
use self::lengths::cut;
pub(super) use self::lengths::{check as check_length, has_length, taken_length};
use super::calls::{text_of, typed};
use super::times::MICROSECONDS;
use super::{build, folded, parts, zoned_times};
use crate::postgres::ROW_TYPE;
use crate::postgres::functions::{BIT_CAST, INPUTS, LSN_IN, VARBIT_CAST, value_types};
use crate::postgres::pg_catalog::types;

/// The replacement of a cast to a Postgres type.
enum Target {
    /// A type of the engine.
    Engine(DataType),
    /// A call of a function that parses the type.
    Function(&'static str),
    /// A cast to text, and a call of a function that parses it.
    Text(&'static str),
    /// A cast to a type of the engine, and a call of a function that marks its value.
    Marked(DataType, &'static str),
    /// An array of an engine's type, of as many dimensions.
    Array(DataType, usize),
    /// An array of texts that a function parses.
    Items(&'static str),
    /// A call of a function with a number of bits.
    Bits(&'static str, u64),
    /// An array of values that a function reads with a number of bits.
    BitItems(&'static str, u64),
    /// Unchanged.
    Unchanged,
}

/// The domains of `information_schema`.
const DOMAINS: [&str; 5] = [
    "cardinal_number",
    "character_data",
    "sql_identifier",
    "time_stamp",
    "yes_or_no",
];

/// The types of several ranges each.
const MULTIRANGES: [&str; 6] = [
    "datemultirange",
    "int4multirange",
    "int8multirange",
    "nummultirange",
    "tsmultirange",
    "tstzmultirange",
];

/// Returns the last part of a type's name, if its schema is `pg_catalog` or absent, or if it is a
/// domain of `information_schema`; and whether it is quoted.
fn type_name(name: &ObjectName) -> Option<(String, bool)> {
    let idents: Vec<_> = name
        .0
        .iter()
        .map(|part| part.as_ident())
        .collect::<Option<_>>()?;
    match idents.as_slice() {
        [name] => Some((folded(name), name.quote_style.is_some())),
        [schema, name] if folded(schema) == "pg_catalog" => {
            Some((folded(name), name.quote_style.is_some()))
        }
        [schema, name] if folded(schema) == "information_schema" => {
            let name = folded(name);
            DOMAINS.contains(&name.as_str()).then_some((name, true))
        }
        _ => None,
    }
}

fn target(data_type: &DataType) -> Target {
    match data_type {
        DataType::Regclass => Target::Function("regclass_in"),
        DataType::JSON => Target::Text("$json_in"),
        DataType::JSONB => Target::Text("$jsonb_in"),
        DataType::Uuid => Target::Text("$uuid_in"),
        DataType::Bit(length) => Target::Bits(BIT_CAST, length.unwrap_or(1)),
        DataType::BitVarying(length) | DataType::VarBit(length) => varying_bits(*length),
        DataType::CharacterVarying(None)
        | DataType::CharVarying(None)
        | DataType::Nvarchar(None) => Target::Engine(DataType::Text),
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => match target(element) {
            Target::Engine(element) | Target::Marked(element, _) => Target::Array(element, 1),
            Target::Unchanged if zoned_times::is_zoned(element) => Target::Array(DataType::Text, 1),
            Target::Unchanged => Target::Array(element.as_ref().clone(), 1),
            Target::Array(element, dimensions) => Target::Array(element, dimensions + 1),
            Target::Function(
                "regclass_in" | "regtype_in" | "regnamespace_in" | "regproc_in" | "regprocedure_in"
                | "regrole_in" | "regoper_in" | "regoperator_in" | "regcollation_in",
            ) => Target::Array(DataType::BigInt(None), 1),
            Target::Text(function) => Target::Items(function),
            Target::Items(_) => Target::Array(DataType::Text, 2),
            Target::Bits(function, length) => Target::BitItems(function, length),
            Target::Function(_) | Target::BitItems(..) => Target::Unchanged,
        },
        DataType::Custom(name, modifiers) => match type_name(name) {
            Some((name, quoted)) => custom(&name, quoted, modifiers),
            None => Target::Unchanged,
        },
        _ => Target::Unchanged,
    }
}

/// Returns whether the values of a type are objects of the catalog, which are numbers here.
pub(super) fn is_object(data_type: &DataType) -> bool {
    matches!(
        target(data_type),
        Target::Function(
            "regclass_in"
                | "regcollation_in"
                | "regnamespace_in"
                | "regoper_in"
                | "regoperator_in"
                | "regproc_in"
                | "regprocedure_in"
                | "regrole_in"
                | "regtype_in"
        )
    )
}

/// Returns whether the values of a type are numbers or texts here, with a mark.
pub(super) fn is_disguised(data_type: &DataType) -> bool {
    matches!(
        target(data_type),
        Target::Function(_) | Target::Text(_) | Target::Marked(..) | Target::Bits(..)
    )
}

/// Returns whether a type is one of ranges, or has an entry in the table of types.
pub(super) fn is_range_or_value(data_type: &DataType) -> bool {
    match target(data_type) {
        Target::Text(function) => {
            function.ends_with("range_in") || value_types::of_input(function).is_some()
        }
        _ => false,
    }
}

/// Returns whether literals of numbers are values of such a type.
pub(super) fn takes_numbers(data_type: &DataType) -> bool {
    match target(data_type) {
        Target::Function(_) => true,
        Target::Marked(of, _) => of == DataType::BigInt(None),
        _ => false,
    }
}

/// Returns whether a literal that is cast to `regtype` is no known type, so that it may be a table, whose
/// rows are of a type of its name.
fn may_name_table(literal: &Expr) -> bool {
    let Some(name) = text_of(literal).map(str::trim) else {
        return false;
    };
    name != "-" && name.parse::<i64>().is_err() && types::parse_name(name).is_none()
}

/// Returns the function that reads an item of a type of lists, if its items are objects.
pub(super) fn reader_of_items(data_type: &DataType) -> Option<&'static str> {
    let DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) = data_type else {
        return None;
    };
    match target(item) {
        Target::Function(function) => Some(function),
        _ => None,
    }
}

fn varying_bits(length: Option<u64>) -> Target {
    match length {
        Some(length) => Target::Bits(VARBIT_CAST, length),
        None => Target::Text("$varbit_in"),
    }
}

fn custom(name: &str, quoted: bool, modifiers: &[String]) -> Target {
    let length = || {
        modifiers
            .first()
            .and_then(|length| length.parse::<u64>().ok())
    };
    Target::Engine(match name {
        "regclass" => return Target::Function("regclass_in"),
        "regtype" => return Target::Function("regtype_in"),
        "regnamespace" => return Target::Function("regnamespace_in"),
        "regrole" => return Target::Function("regrole_in"),
        "regproc" => return Target::Function("regproc_in"),
        "regprocedure" => return Target::Function("regprocedure_in"),
        "regoper" => return Target::Function("regoper_in"),
        "regoperator" => return Target::Function("regoperator_in"),
        "regcollation" => return Target::Function("regcollation_in"),
        "oid" => return Target::Marked(DataType::BigInt(None), "$oid_in"),
        "xid" => return Target::Marked(DataType::BigInt(None), "$xid_in"),
        "cid" => return Target::Marked(DataType::BigInt(None), "$cid_in"),
        "xid8" => return Target::Marked(DataType::BigInt(None), "$xid8_in"),
        "int8" | "regconfig" | "regdictionary" => DataType::BigInt(None),
        "int2" => DataType::SmallInt(None),
        "int4" => DataType::Int(None),
        "float4" => DataType::Real,
        "float8" => DataType::DoublePrecision,
        "bool" => DataType::Boolean,
        "bytea" => DataType::Bytea,
        "date" => DataType::Date,
        "numeric" if length().is_none() => DataType::Numeric(ExactNumberInfo::None),
        "timestamp" => {
            DataType::Timestamp(None, datafusion::sql::sqlparser::ast::TimezoneInfo::None)
        }
        "timestamptz" | "time_stamp" => {
            DataType::Timestamp(None, datafusion::sql::sqlparser::ast::TimezoneInfo::Tz)
        }
        "char" if !quoted => return Target::Unchanged,
        "json" => return Target::Text("$json_in"),
        "jsonb" => return Target::Text("$jsonb_in"),
        "uuid" => return Target::Text("$uuid_in"),
        "pg_lsn" => return Target::Text(LSN_IN),
        "inet" => return Target::Text("$inet_in"),
        "cidr" => return Target::Text("$cidr_in"),
        "macaddr" => return Target::Text("$macaddr_in"),
        "daterange" => return Target::Text("$daterange_in"),
        "int4range" => return Target::Text("$int4range_in"),
        "int8range" => return Target::Text("$int8range_in"),
        "numrange" => return Target::Text("$numrange_in"),
        "tsrange" => return Target::Text("$tsrange_in"),
        "tstzrange" => return Target::Text("$tstzrange_in"),
        // Without a length, these are of any.
        "bit" => match length() {
            Some(length) => return Target::Bits(BIT_CAST, length),
            None => return Target::Text("$bit_in"),
        },
        "varbit" => return varying_bits(length()),
        "tid" => return Target::Text("$tid_in"),
        "name" => return Target::Marked(DataType::Text, "$name_in"),
        "char" => return Target::Marked(DataType::Text, "$char_in"),
        "text" | "varchar" | "bpchar" | "cstring" | "unknown" | "xml" | "aclitem"
        | "pg_node_tree" | "citext" | "jsonpath" | "sql_identifier" | "character_data"
        | "yes_or_no" => DataType::Text,
        "cardinal_number" => DataType::Int(None),
        "oidvector" => return Target::Array(DataType::BigInt(None), 1),
        "int2vector" => return Target::Array(DataType::SmallInt(None), 1),
        name => {
            return value_types::named(name).map_or(Target::Unchanged, |of| Target::Text(of.input));
        }
    })
}

/// Returns whether a function reads a value as it is: that of `"char"` reads numbers, too. Literals of
/// texts, NULL and parameters have no type of their own.
fn is_of_any_type(function: &str, value: &Expr) -> bool {
    let is_typed = match value {
        Expr::Nested(inner) => return is_of_any_type(function, inner),
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        _ => true,
    };
    is_typed && function == "$char_in"
}

/// Removes the sizes of array types, which Postgres parses and ignores: the engine's fixed-size
/// lists take their full memory for NULL too. Types nest no deeper than the parser allows.
fn without_sizes(data_type: &mut DataType) {
    match data_type {
        DataType::Array(
            ArrayElemTypeDef::AngleBracket(item) | ArrayElemTypeDef::Parenthesis(item),
        ) => without_sizes(item),
        DataType::Array(ArrayElemTypeDef::SquareBracket(item, size)) => {
            *size = None;
            without_sizes(item);
        }
        DataType::Struct(fields, _) => {
            for field in fields {
                without_sizes(&mut field.field_type);
            }
        }
        DataType::Map(key, value) => {
            without_sizes(key);
            without_sizes(value);
        }
        _ => {}
    }
}

/// Rewrites timestamps of a precision below microseconds to a function that rounds; the engine has
/// no such types.
fn rounded(expr: &mut Expr) -> bool {
    let Expr::Cast {
        data_type: DataType::Timestamp(precision, _),
        ..
    } = expr
    else {
        return false;
    };
    let digits = precision.take();
    to_precision(expr, digits)
}

/// Puts a cast into the function that rounds it to so many digits. Returns whether it did: values
/// have microseconds.
pub(super) fn to_precision(expr: &mut Expr, digits: Option<u64>) -> bool {
    let Some(digits) = digits.filter(|digits| *digits < MICROSECONDS) else {
        return false;
    };
    let cast = build::taken(expr);
    let digits = build::integer(i64::try_from(digits).unwrap_or_default());
    *expr = build::call(PRECISION_FUNCTION, vec![cast, digits]);
    true
}

/// Reads the text of a number of an object, or of a transaction, for the function of its type. A
/// negative number has the same four bytes as the number.
///
/// # Errors
///
/// The text is not a number, or needs more bytes than the type has.
fn object_id(text: &str, function: &str) -> Result<i64, Error> {
    let pg_type = function.trim_start_matches('$').trim_end_matches("_in");
    let number: i64 = text.trim().parse().map_err(|_| {
        let message = format!("invalid input syntax for type {pg_type}: \"{text}\"");
        Error::new(Code::InvalidCast, message)
    })?;
    let signed = i32::try_from(number).map(i32::cast_unsigned);
    match (pg_type, u32::try_from(number).or(signed)) {
        ("xid8", _) => Ok(number),
        (_, Ok(number)) => Ok(i64::from(number)),
        (_, Err(_)) => {
            let message = format!("value \"{text}\" is out of range for type {pg_type}");
            Err(Error::new(Code::NumericOutOfRange, message))
        }
    }
}

/// Returns the value that a call of a function of [`Target::Marked`] marks.
pub(super) fn marked(call: &Function) -> Option<Expr> {
    let name = parts(&call.name)?.pop()?;
    let is_input = INPUTS.iter().any(|(function, _)| *function == name);
    let args = build::arguments(&call.args).filter(|_| is_input)?;
    args.into_iter().next()
}

/// Refuses names of what full-text search is configured with. There are none.
///
/// # Errors
///
/// The cast is one of a name to `regconfig` or `regdictionary`.
fn refuse_search(data_type: &DataType, operand: &Expr) -> Result<(), Error> {
    let DataType::Custom(name, _) = data_type else {
        return Ok(());
    };
    let kind = match type_name(name) {
        Some((name, _)) if name == "regconfig" => "configuration",
        Some((name, _)) if name == "regdictionary" => "dictionary",
        _ => return Ok(()),
    };
    match text_of(operand).filter(|text| text.trim().parse::<i64>().is_err()) {
        Some(text) => {
            let message = format!("text search {kind} \"{text}\" does not exist");
            Err(Error::new(Code::UndefinedObject, message)
                .with_hint("there is no full-text search; use LIKE or ~"))
        }
        None => Ok(()),
    }
}

/// Refuses multiranges, and arrays of them.
///
/// # Errors
///
/// The cast is one to a multirange.
fn refuse_multiranges(data_type: &DataType) -> Result<(), Error> {
    let name = match data_type {
        DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) => {
            return refuse_multiranges(item);
        }
        DataType::Custom(name, _) => type_name(name).map(|(name, _)| name),
        _ => None,
    };
    match name.filter(|name| MULTIRANGES.contains(&name.as_str())) {
        Some(name) => {
            let message = format!("values of type {name} are not supported");
            Err(Error::not_supported(message).with_hint("use ranges, such as int4range"))
        }
        None => Ok(()),
    }
}

pub(super) fn rewrite(expr: &mut Expr) -> Result<(), Error> {
    if rounded(expr) || cut(expr) {
        return Ok(());
    }
    let Expr::Cast {
        kind,
        expr: inner,
        data_type,
        ..
    } = expr
    else {
        return Ok(());
    };
    refuse_search(data_type, inner)?;
    refuse_multiranges(data_type)?;
    without_sizes(data_type);
    exactly(inner, data_type);
    let target = match target(data_type) {
        Target::Engine(DataType::Bytea) => {
            *data_type = DataType::Bytea;
            Target::Unchanged
        }
        target => target,
    };
    if *data_type == DataType::Bytea {
        if let Some(read) = bytea(kind, inner)? {
            *expr = read;
        }
        return Ok(());
    }
    match target {
        Target::Unchanged => {}
        Target::Engine(engine) => *data_type = engine,
        Target::Text(function) => {
            *data_type = DataType::Text;
            if !matches!(kind, CastKind::Cast | CastKind::DoubleColon) {
                return Ok(());
            }
            let cast = build::taken(expr);
            *expr = build::call(function, vec![cast]);
        }
        Target::Marked(engine, function) => {
            let is_number = engine == DataType::BigInt(None);
            if is_number && let Some(text) = text_of(inner) {
                **inner = build::integer(object_id(text, function)?);
            }
            *data_type = engine;
            if !matches!(kind, CastKind::Cast | CastKind::DoubleColon) {
                return Ok(());
            }
            let value = match is_of_any_type(function, inner) {
                true => build::taken(inner),
                false => build::taken(expr),
            };
            *expr = build::call(function, vec![value]);
        }
        Target::Function(function) => {
            let function = match function {
                "regtype_in" if may_name_table(inner) => ROW_TYPE,
                function => function,
            };
            let argument = build::taken(inner);
            *expr = build::call(function, vec![argument]);
        }
        Target::Array(element, dimensions) => {
            if let Some(array) = to_array(inner, data_type, element, dimensions)? {
                *expr = array;
            }
        }
        Target::Bits(function, length) => {
            if !matches!(kind, CastKind::Cast | CastKind::DoubleColon) {
                let message = "TRY_CAST to bit strings is not supported";
                return Err(Error::not_supported(message));
            }
            let bits = typed(inner, DataType::Text);
            *expr = build::call(function, vec![bits, build::integer(number_of(length))]);
        }
        Target::BitItems(function, length) => {
            let Some(items) = written_items(inner)? else {
                let message = "casts to arrays of bit strings are not supported";
                return Err(Error::not_supported(message).with_hint("cast the items"));
            };
            let items = items.into_iter().map(|item| {
                let args = vec![
                    typed(&item, DataType::Text),
                    build::integer(number_of(length)),
                ];
                build::call(function, args)
            });
            *expr = build::array(items.collect());
        }
        Target::Items(function) => match written_items(inner)? {
            Some(items) if matches!(kind, CastKind::Cast | CastKind::DoubleColon) => {
                let items = items.into_iter();
                let items = items
                    .map(|item| build::call(function, vec![build::cast(item, DataType::Text)]));
                *expr = build::array(items.collect());
            }
            _ => {
                if let Some(array) = to_array(inner, data_type, DataType::Text, 1)? {
                    *expr = array;
                }
            }
        },
    }
    Ok(())
}

/// Returns a length, which has been checked.
fn number_of(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Makes the type of a cast that of an array of the engine. Returns the array of the items instead, if
/// they are written in a literal.
///
/// # Errors
///
/// A literal is not an array.
fn to_array(
    inner: &mut Expr,
    data_type: &mut DataType,
    element: DataType,
    dimensions: usize,
) -> Result<Option<Expr>, Error> {
    if let Some(items) = literal_array(inner)? {
        let items = items.into_iter().map(|item| cast_item(item, &element));
        let items: Vec<Expr> = items.collect();
        if !items.is_empty() {
            return Ok(Some(build::array(items)));
        }
        *inner = build::array(vec![]);
    }
    let dimensions = dimensions.max(written_dimensions(inner));
    let array = |item| DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(item), None));
    *data_type = (0..dimensions).fold(element, |item, _| array(item));
    Ok(None)
}
