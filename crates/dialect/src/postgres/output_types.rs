//! What casts say about the columns of a query that the engine's types do not: lengths of texts and bit
//! strings, digits of seconds, and fields of intervals.
//!
//! ```text
//! x::varchar(2)                  varchar, 6
//! x::bit(3)                      bit, 3
//! x::timestamp(0)                0
//! interval '1' day               589823
//! x::oid[]                       oid[]
//! coalesce(x::varchar(2), 'y')   varchar
//! ```
//!
//! What chooses between values has their type if all have it, and their modifier if all have it; a
//! literal without a type has any type, and no modifier.

use arrow::datatypes::Field;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, CharacterLength, DataType, DateTimeField, Expr, Function,
    FunctionArg, FunctionArgExpr, FunctionArguments, Interval, IntervalFields, Query, Select,
    SelectItem, SetExpr, TimezoneInfo, Value,
};

use super::cell::{PG_TYPE, PG_TYPMOD};
use super::folded;

/// Digits of the fraction of a second.
const MICROSECONDS: u64 = 6;
/// The modifier of an interval with all fields, above its digits, and with all digits.
const ALL_FIELDS: i32 = 0x7fff;
const ALL_DIGITS: i32 = 0xffff;

/// The type that a column is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputType {
    /// The name of the type, if the engine has it as another one.
    name: Option<&'static str>,
    /// `atttypmod`; -1 if it has none.
    modifier: i32,
    /// Whether it is a time with a zone.
    zoned: bool,
}

/// What is known of the type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Type(OutputType),
    /// A literal without a type.
    Untyped,
    Nothing,
}

impl Known {
    fn output(self) -> Option<OutputType> {
        match self {
            Known::Type(of) => Some(of),
            Known::Untyped | Known::Nothing => None,
        }
    }

    /// Returns what is known of what is one of two values. Texts of several types have the type of the
    /// first one.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Known::Type(one), Known::Type(other)) if one == other => self,
            (Known::Type(one), Known::Type(other)) if one.name == other.name => one.unmodified(),
            (Known::Type(one), Known::Untyped) | (Known::Untyped, Known::Type(one)) => {
                one.unmodified()
            }
            (Known::Type(one), Known::Type(_) | Known::Nothing) if one.has_length() => {
                one.unmodified()
            }
            _ => Known::Nothing,
        }
    }
}

impl OutputType {
    /// Returns a column that is shown as this type.
    pub fn of(self, field: Field) -> Field {
        let mut metadata = field.metadata().clone();
        if let Some(name) = self.name {
            metadata.insert(PG_TYPE.to_owned(), name.to_owned());
        }
        metadata.insert(PG_TYPMOD.to_owned(), self.modifier.to_string());
        field.with_metadata(metadata)
    }

    fn modified(modifier: i32) -> Self {
        Self {
            name: None,
            modifier,
            zoned: false,
        }
    }

    /// Returns whether it is a type of texts with a length, or of arrays of these.
    fn has_length(self) -> bool {
        let name = self.name.map(|name| name.trim_end_matches("[]"));
        matches!(name, Some("varchar" | "bpchar"))
    }

    /// Returns the type without its modifier.
    fn unmodified(self) -> Known {
        match self.name {
            Some(_) => Known::Type(Self {
                modifier: -1,
                ..self
            }),
            None => Known::Nothing,
        }
    }

    fn bits(name: &'static str, length: Option<u64>) -> Self {
        let modifier = length.and_then(|length| i32::try_from(length).ok());
        Self {
            name: Some(name),
            modifier: modifier.unwrap_or(-1),
            zoned: false,
        }
    }

    fn text(name: &'static str, length: Option<u64>) -> Self {
        let modifier = length.and_then(|length| i32::try_from(length).ok()?.checked_add(4));
        Self {
            name: Some(name),
            modifier: modifier.unwrap_or(-1),
            zoned: false,
        }
    }
}

/// Returns the types of the columns of a query that casts say more about; nothing for queries with `*`
/// and of other forms than SELECT and its set operations. Takes the query as written, before the rewrite
/// for the planner.
pub fn output_types(query: &Query) -> Vec<Option<OutputType>> {
    let known = of_body(query.body.as_ref()).into_iter();
    let types: Vec<Option<OutputType>> = known.map(Known::output).collect();
    match types.iter().any(Option::is_some) {
        true => types,
        false => Vec::new(),
    }
}

/// Returns the name of the type of an expression, if its casts say one that the engine has as another.
pub(super) fn shown_as(expr: &Expr) -> Option<&'static str> {
    of_expr(expr).output()?.name
}

/// Returns what is known of the columns of a query; nothing if not all are known one by one.
fn of_body(body: &SetExpr) -> Vec<Known> {
    let mut first = body;
    let mut others = Vec::new();
    // Set operations in a row are as deep as they are many.
    while let SetExpr::SetOperation { left, right, .. } = first {
        others.push(right.as_ref());
        first = left.as_ref();
    }
    let mut known = match first {
        SetExpr::Select(select) => of_select(select),
        SetExpr::Query(query) => of_body(query.body.as_ref()),
        _ => return Vec::new(),
    };
    for other in others.into_iter().rev() {
        if known.iter().all(|column| *column == Known::Nothing) {
            return Vec::new();
        }
        let other = of_body(other);
        if other.len() != known.len() {
            return Vec::new();
        }
        let both = known.into_iter().zip(other);
        known = both.map(|(one, other)| one.or(other)).collect();
    }
    known
}

fn of_select(select: &Select) -> Vec<Known> {
    let columns = select.projection.iter().map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            Some(of_expr(expr))
        }
        _ => None,
    });
    columns.collect::<Option<Vec<Known>>>().unwrap_or_default()
}

fn of_expr(expr: &Expr) -> Known {
    let found = match expr {
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => return of_expr(inner),
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            data_type,
            ..
        } => of_type(data_type),
        Expr::TypedString(typed) => match &typed.data_type {
            // Unlike a cast, the literal has any length.
            DataType::Bit(None) => Some(OutputType::bits("bit", None)),
            other => of_type(other),
        },
        Expr::Interval(interval) => of_interval(interval),
        Expr::Value(value) => {
            return match value.value {
                Value::SingleQuotedString(_)
                | Value::EscapedStringLiteral(_)
                | Value::UnicodeStringLiteral(_)
                | Value::DollarQuotedString(_)
                | Value::Null => Known::Untyped,
                _ => Known::Nothing,
            };
        }
        Expr::Case {
            conditions,
            else_result,
            ..
        } => {
            let results = conditions.iter().map(|case| of_expr(&case.result));
            // Without ELSE, NULL is one of the results.
            let last = else_result.as_deref().map_or(Known::Untyped, of_expr);
            return results.fold(last, Known::or);
        }
        Expr::Function(function) => return of_call(function),
        _ => None,
    };
    found.map_or(Known::Nothing, Known::Type)
}

/// Returns what is known of a call that returns one of its arguments.
fn of_call(function: &Function) -> Known {
    let name = match function.name.0.as_slice() {
        [name] => name.as_ident(),
        [schema, name]
            if schema
                .as_ident()
                .is_some_and(|name| folded(name) == "pg_catalog") =>
        {
            name.as_ident()
        }
        _ => None,
    };
    let (Some(name), FunctionArguments::List(list)) = (name, &function.args) else {
        return Known::Nothing;
    };
    let mut arguments = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => of_expr(expr),
        _ => Known::Nothing,
    });
    let first = arguments.next().unwrap_or(Known::Nothing);
    match folded(name).as_str() {
        "coalesce" | "greatest" | "least" => arguments.fold(first, Known::or),
        // The second argument is only compared. Texts are compared as `text`, which the result is then.
        "nullif" => match first {
            Known::Type(of) if of.name != Some("varchar") => first,
            _ => Known::Nothing,
        },
        _ => Known::Nothing,
    }
}

fn of_type(data_type: &DataType) -> Option<OutputType> {
    let digits = |precision: Option<u64>| {
        let digits = precision?.min(MICROSECONDS);
        i32::try_from(digits).ok().map(OutputType::modified)
    };
    match data_type {
        DataType::Varchar(length)
        | DataType::CharVarying(length)
        | DataType::CharacterVarying(length) => {
            Some(OutputType::text("varchar", characters(length.as_ref())))
        }
        DataType::Char(length) | DataType::Character(length) => {
            let length = characters(length.as_ref()).unwrap_or(1);
            Some(OutputType::text("bpchar", Some(length)))
        }
        DataType::Bit(length) => Some(OutputType::bits("bit", Some(length.unwrap_or(1)))),
        DataType::BitVarying(length) | DataType::VarBit(length) => {
            Some(OutputType::bits("varbit", *length))
        }
        DataType::Timestamp(precision, zone) | DataType::Time(precision, zone) => {
            let zoned = matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone);
            digits(*precision).map(|of| OutputType { zoned, ..of })
        }
        DataType::Interval { fields, precision } => {
            interval_modifier(fields.as_ref().map(bits_of_type), *precision)
        }
        DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) => of_items(item),
        _ => None,
    }
}

/// Returns the type of an array.
fn of_items(item: &DataType) -> Option<OutputType> {
    if let DataType::Custom(name, _) = item {
        let name = match folded(name.0.last()?.as_ident()?).as_str() {
            "name" => "name[]",
            "oid" => "oid[]",
            _ => return None,
        };
        return Some(OutputType::text(name, None));
    }
    let of_item = of_type(item)?;
    let name = match of_item.name {
        Some("varchar") => "varchar[]",
        Some("bpchar") => "bpchar[]",
        _ => return None,
    };
    Some(OutputType {
        name: Some(name),
        ..of_item
    })
}

fn characters(length: Option<&CharacterLength>) -> Option<u64> {
    match length? {
        CharacterLength::IntegerLength { length, .. } => Some(*length),
        CharacterLength::Max => None,
    }
}

fn of_interval(interval: &Interval) -> Option<OutputType> {
    let digits = interval.leading_precision;
    let digits = digits.or(interval.fractional_seconds_precision);
    let first = interval.leading_field.as_ref();
    let last = interval.last_field.as_ref();
    let bits = match first {
        None => None,
        Some(first) => Some(bits_of_fields(first, last.unwrap_or(first))?),
    };
    interval_modifier(bits, digits)
}

/// Returns the type of an interval with fields or digits. `bits`: of the fields.
fn interval_modifier(bits: Option<i32>, digits: Option<u64>) -> Option<OutputType> {
    if bits.is_none() && digits.is_none() {
        return None;
    }
    let digits = digits.map(|digits| digits.min(MICROSECONDS));
    let digits = digits.and_then(|digits| i32::try_from(digits).ok());
    let modifier = (bits.unwrap_or(ALL_FIELDS) << 16) | digits.unwrap_or(ALL_DIGITS);
    Some(OutputType::modified(modifier))
}

/// Fields from the largest one on, with their bits in a modifier.
static FIELDS: [(DateTimeField, i32); 6] = [
    (DateTimeField::Year, 0x0004),
    (DateTimeField::Month, 0x0002),
    (DateTimeField::Day, 0x0008),
    (DateTimeField::Hour, 0x0400),
    (DateTimeField::Minute, 0x0800),
    (DateTimeField::Second, 0x1000),
];

/// Returns the bits of the fields from one to another.
fn bits_of_fields(first: &DateTimeField, last: &DateTimeField) -> Option<i32> {
    let place = |of: &DateTimeField| FIELDS.iter().position(|(field, _)| field == of);
    let fields = FIELDS.get(place(first)?..=place(last)?)?;
    Some(fields.iter().fold(0, |bits, (_, bit)| bits | bit))
}

fn bits_of_type(fields: &IntervalFields) -> i32 {
    use DateTimeField as Field;
    let (first, last) = match fields {
        IntervalFields::Year => (Field::Year, Field::Year),
        IntervalFields::Month => (Field::Month, Field::Month),
        IntervalFields::Day => (Field::Day, Field::Day),
        IntervalFields::Hour => (Field::Hour, Field::Hour),
        IntervalFields::Minute => (Field::Minute, Field::Minute),
        IntervalFields::Second => (Field::Second, Field::Second),
        IntervalFields::YearToMonth => (Field::Year, Field::Month),
        IntervalFields::DayToHour => (Field::Day, Field::Hour),
        IntervalFields::DayToMinute => (Field::Day, Field::Minute),
        IntervalFields::DayToSecond => (Field::Day, Field::Second),
        IntervalFields::HourToMinute => (Field::Hour, Field::Minute),
        IntervalFields::HourToSecond => (Field::Hour, Field::Second),
        IntervalFields::MinuteToSecond => (Field::Minute, Field::Second),
    };
    bits_of_fields(&first, &last).unwrap_or(ALL_FIELDS)
}

#[cfg(test)]
mod tests;
