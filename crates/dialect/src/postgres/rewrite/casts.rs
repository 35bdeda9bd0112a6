//! Casts to types that the engine lacks.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, CastKind, CharacterLength, DataType, ExactNumberInfo, Expr,
    ObjectName, UnaryOperator, Value,
};
use lakegate_engine::time::PRECISION_FUNCTION;
use lakegate_error::{Code, Error};

use super::times::MICROSECONDS;
use super::{build, folded, zoned_times};
use crate::postgres::bytea::bytea_of;
use crate::postgres::{ArrayItem, parse_array};

/// The replacement of a cast to a Postgres type.
enum Target {
    /// A type of the engine.
    Engine(DataType),
    /// A call of a function that parses the type.
    Function(&'static str),
    /// A cast to text, and a call of a function that parses it.
    Text(&'static str),
    /// An array of an engine's type, of as many dimensions.
    Array(DataType, usize),
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
        DataType::CharacterVarying(None)
        | DataType::CharVarying(None)
        | DataType::Nvarchar(None) => Target::Engine(DataType::Text),
        DataType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => match target(element) {
            Target::Engine(element) => Target::Array(element, 1),
            Target::Unchanged if zoned_times::is_zoned(element) => Target::Array(DataType::Text, 1),
            Target::Unchanged => Target::Array(element.as_ref().clone(), 1),
            Target::Array(element, dimensions) => Target::Array(element, dimensions + 1),
            Target::Function(
                "regclass_in" | "regtype_in" | "regnamespace_in" | "regproc_in" | "regrole_in"
                | "regoper_in" | "regoperator_in" | "regcollation_in",
            ) => Target::Array(DataType::BigInt(None), 1),
            Target::Text(_) => Target::Array(DataType::Text, 1),
            Target::Function(_) => Target::Unchanged,
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
                | "regrole_in"
                | "regtype_in"
        )
    )
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
        "regproc" | "regprocedure" => return Target::Function("regproc_in"),
        "regoper" => return Target::Function("regoper_in"),
        "regoperator" => return Target::Function("regoperator_in"),
        "regcollation" => return Target::Function("regcollation_in"),
        "oid" | "xid" | "cid" | "xid8" | "int8" | "regconfig" | "regdictionary" => {
            DataType::BigInt(None)
        }
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
        "text" | "varchar" | "bpchar" | "name" | "char" | "cstring" | "unknown" | "xml"
        | "inet" | "cidr" | "aclitem" | "pg_node_tree" | "citext" | "pg_lsn" | "tid"
        | "jsonpath" | "sql_identifier" | "character_data" | "yes_or_no" => DataType::Text,
        "cardinal_number" => DataType::Int(None),
        "oidvector" => return Target::Array(DataType::BigInt(None), 1),
        "int2vector" => return Target::Array(DataType::SmallInt(None), 1),
        _ => return Target::Unchanged,
    })
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

/// Returns the items of a literal array, such as `'{a,b}'`.
///
/// # Errors
///
/// The text is not an array literal.
pub(super) fn literal_array(expr: &Expr) -> Result<Option<Vec<Expr>>, Error> {
    let Expr::Value(value) = expr else {
        return Ok(None);
    };
    let text = match &value.value {
        Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => text,
        _ => return Ok(None),
    };
    let items = parse_array(text)?.into_iter().map(item);
    Ok(Some(items.collect()))
}

/// Returns the dimensions of an array that is written as one of arrays. `int[]` is the type of all of
/// them.
fn written_dimensions(expr: &Expr) -> usize {
    match expr {
        Expr::Array(array) => {
            let items = array.elem.iter().map(written_dimensions);
            1 + items.max().unwrap_or_default()
        }
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => written_dimensions(inner),
        _ => 0,
    }
}

fn item(item: ArrayItem) -> Expr {
    match item {
        ArrayItem::Null => build::null(),
        ArrayItem::Text(text) => build::text(text),
        ArrayItem::Array(items) => build::array(items.into_iter().map(self::item).collect()),
    }
}

/// Casts the items of an array, which may be arrays.
fn cast_item(item: Expr, element: &DataType) -> Expr {
    match item {
        Expr::Array(array) => {
            let items = array.elem.into_iter();
            build::array(items.map(|item| cast_item(item, element)).collect())
        }
        item => build::cast(item, element.clone()),
    }
}

/// Returns the replacement of a cast of an expression to `bytea`: text is decoded. `None` if it
/// stays a cast.
fn bytea(kind: &CastKind, inner: &mut Expr) -> Result<Option<Expr>, Error> {
    let strict = matches!(kind, CastKind::Cast | CastKind::DoubleColon);
    if let Expr::Value(value) = inner {
        let text = match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => text,
            Value::DollarQuotedString(text) => &text.value,
            Value::Number(digits, _) => {
                let of = match digits.bytes().all(|digit| digit.is_ascii_digit()) {
                    true => "integer",
                    false => "numeric",
                };
                let message = format!("cannot cast type {of} to bytea");
                return Err(Error::new(Code::CannotCoerce, message));
            }
            // A parameter has the type of its cast, and its value is already bytes.
            _ => return Ok(None),
        };
        let literal = match bytea_of(text) {
            Ok(bytes) => {
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                Value::HexStringLiteral(hex)
            }
            Err(_) if !strict => Value::Null,
            Err(error) => return Err(error),
        };
        *inner = Expr::Value(literal.into());
        return Ok(None);
    }
    if !strict {
        return Ok(None);
    }
    let argument = build::taken(inner);
    Ok(Some(build::call("bytea_in", vec![argument])))
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

/// Returns the maximum length of a text type such as `varchar(3)`, in characters; 1 for `char`;
/// `None` if unbounded.
fn characters(data_type: &DataType) -> Option<i64> {
    let length = match data_type {
        DataType::Char(None) | DataType::Character(None) => return Some(1),
        DataType::Char(length)
        | DataType::Character(length)
        | DataType::CharVarying(length)
        | DataType::CharacterVarying(length)
        | DataType::Varchar(length)
        | DataType::Nvarchar(length) => length.as_ref()?,
        _ => return None,
    };
    match length {
        CharacterLength::IntegerLength { length, .. } => i64::try_from(*length).ok(),
        CharacterLength::Max => None,
    }
}

/// Rewrites a cast to a text type with a length limit, which the engine lacks, to a function that
/// truncates longer values.
fn cut(expr: &mut Expr) -> bool {
    let Expr::Cast { data_type, .. } = expr else {
        return false;
    };
    let Some(length) = characters(data_type) else {
        return false;
    };
    *data_type = DataType::Text;
    let cast = build::taken(expr);
    *expr = build::call("left", vec![cast, build::integer(length)]);
    true
}

/// Quotes a literal number that is cast to a decimal, so that it keeps the digits as written, not
/// those of the nearest float.
fn exactly(inner: &mut Expr, data_type: &DataType) {
    let is_decimal = matches!(
        data_type,
        DataType::Decimal(_) | DataType::Numeric(_) | DataType::Dec(_)
    );
    if is_decimal && let Some(number) = number_text(inner) {
        *inner = build::text(number);
    }
}

/// Returns the text of a literal number as written; `None` with an exponent, which no text of a decimal
/// has.
pub(super) fn number_text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) if !number.contains(['e', 'E']) => Some(number.clone()),
            _ => None,
        },
        Expr::Nested(inner) => number_text(inner),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => number_text(expr).map(|number| match number.strip_prefix('-') {
            Some(number) => number.to_owned(),
            None => format!("-{number}"),
        }),
        _ => None,
    }
}

/// Rewrites a literal with more digits than a float holds to a decimal, as in PostgreSQL and Athena.
/// A literal with an exponent, or with more digits than a decimal holds, stays a float.
pub(super) fn long_number(expr: &mut Expr) {
    let Expr::Value(value) = expr else { return };
    let Value::Number(number, _) = &value.value else {
        return;
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return;
    }
    let significant = format!("{whole}{fraction}");
    let significant = significant.trim_start_matches('0').len();
    // Whole numbers of 64 bits are exact, the least of which has the digits of 2^63.
    let is_exact =
        fraction.is_empty() && whole.parse::<u64>().is_ok_and(|number| number <= 1 << 63);
    if is_exact || significant <= FLOAT_DIGITS {
        return;
    }
    let precision = significant.max(fraction.len());
    let (Ok(precision @ ..=MAX_DIGITS), Ok(scale)) =
        (u64::try_from(precision), i64::try_from(fraction.len()))
    else {
        return;
    };
    let size = ExactNumberInfo::PrecisionAndScale(precision, scale);
    *expr = build::cast(build::text(number.clone()), DataType::Numeric(size));
}

/// Returns the replacement of a literal whose value depends on the day, such as `date 'today'`;
/// `None` for any other expression.
pub(super) fn relative_time(expr: &Expr) -> Option<Expr> {
    let (data_type, value) = match expr {
        Expr::TypedString(typed) => (&typed.data_type, &typed.value.value),
        Expr::Cast {
            expr, data_type, ..
        } => match expr.as_ref() {
            Expr::Value(value) => (data_type, &value.value),
            _ => return None,
        },
        _ => return None,
    };
    let data_type = match target(data_type) {
        Target::Engine(engine) => engine,
        _ => data_type.clone(),
    };
    let (DataType::Date | DataType::Timestamp(..), Value::SingleQuotedString(word)) =
        (&data_type, value)
    else {
        return None;
    };
    let today = || build::call("current_date", vec![]);
    let time = match word.trim().to_ascii_lowercase().as_str() {
        "now" => build::call("now", vec![]),
        "today" => today(),
        "tomorrow" => build::nested(build::binary(
            today(),
            BinaryOperator::Plus,
            build::integer(1),
        )),
        "yesterday" => build::nested(build::binary(
            today(),
            BinaryOperator::Minus,
            build::integer(1),
        )),
        _ => return None,
    };
    Some(build::cast(time, data_type))
}

/// Decimal digits that survive a round trip through a double.
const FLOAT_DIGITS: usize = 15;

/// Digits of the widest decimal.
const MAX_DIGITS: u64 = 38;

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
        Target::Function(function) => {
            let argument = build::taken(inner);
            *expr = build::call(function, vec![argument]);
        }
        Target::Array(element, dimensions) => {
            if let Some(items) = literal_array(inner)? {
                let items = items.into_iter().map(|item| cast_item(item, &element));
                let items: Vec<Expr> = items.collect();
                if !items.is_empty() {
                    *expr = build::array(items);
                    return Ok(());
                }
                **inner = build::array(vec![]);
            }
            let dimensions = dimensions.max(written_dimensions(inner));
            let array =
                |item| DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(item), None));
            *data_type = (0..dimensions).fold(element, |item, _| array(item));
        }
    }
    Ok(())
}
