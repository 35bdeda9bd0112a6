//! Text types with a length, such as `varchar(3)`, which the engine lacks, and the bounds of lengths.
//!
//! ```text
//! x::varchar(3), x::char                   left(x::text, 3), left(x::text, 1)
//! x::varchar(3)[]                          "$cut_items"(x::text[], 3)
//! varchar(3) 'abcd'                        left('abcd'::text, 3)
//! ```

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, CharacterLength, DataType, Expr,
};
use lakegate_error::{Code, Error};

use super::super::build;
use super::literal_array;

/// The greatest length of a type, in characters.
const MOST: u64 = 10_485_760;

/// The greatest length of a bit string's type, in bits.
const MOST_BITS: u64 = 83_886_080;

/// Checks the length of a type, or of the items of an array.
///
/// # Errors
///
/// PostgreSQL has no such type.
pub(in super::super) fn check(data_type: &DataType) -> Result<(), Error> {
    let (name, length, most) = match data_type {
        DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) => return check(item),
        DataType::Char(length) | DataType::Character(length) => ("char", number(length), MOST),
        DataType::CharVarying(length)
        | DataType::CharacterVarying(length)
        | DataType::Varchar(length) => ("varchar", number(length), MOST),
        DataType::Bit(length) => ("bit", *length, MOST_BITS),
        DataType::BitVarying(length) | DataType::VarBit(length) => ("varbit", *length, MOST_BITS),
        _ => return Ok(()),
    };
    let message = match length {
        Some(0) => format!("length for type {name} must be at least 1"),
        Some(length) if length > most => format!("length for type {name} cannot exceed {most}"),
        _ => return Ok(()),
    };
    Err(Error::new(Code::InvalidParameter, message))
}

fn number(length: &Option<CharacterLength>) -> Option<u64> {
    match length {
        Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
        _ => None,
    }
}

/// Returns whether values of a type are cut.
pub(in super::super) fn has_length(data_type: &DataType) -> bool {
    characters(data_type).is_some()
}

/// Removes the length from the type of the items that an array of one dimension is cast to, and returns
/// it.
pub(in super::super) fn taken_length(expr: &mut Expr) -> Option<i64> {
    let Expr::Cast {
        kind: CastKind::Cast | CastKind::DoubleColon,
        expr: array,
        data_type: DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)),
        ..
    } = expr
    else {
        return None;
    };
    let length = characters(item).filter(|_| !has_arrays(array))?;
    **item = DataType::Text;
    Some(length)
}

/// Returns whether an array is written as one of arrays.
fn has_arrays(expr: &Expr) -> bool {
    let is_array = |item: &Expr| matches!(item, Expr::Array(_));
    match expr {
        Expr::Nested(inner) => has_arrays(inner),
        Expr::Array(array) => array.elem.iter().any(is_array),
        literal => match literal_array(literal) {
            Ok(Some(items)) => items.iter().any(is_array),
            _ => false,
        },
    }
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
pub(super) fn cut(expr: &mut Expr) -> bool {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn cast(sql: &str) -> Expr {
        let parser = Parser::new(&PostgreSqlDialect {});
        parser.try_with_sql(sql).unwrap().parse_expr().unwrap()
    }

    #[test]
    fn lengths_have_bounds() {
        for (sql, expected) in [
            ("x::VARCHAR(1)", None),
            ("x::VARCHAR", None),
            ("x::CHAR(10485760)", None),
            ("x::TEXT[]", None),
            (
                "x::VARCHAR(0)",
                Some("length for type varchar must be at least 1"),
            ),
            (
                "x::CHAR(0)[]",
                Some("length for type char must be at least 1"),
            ),
            (
                "x::CHARACTER VARYING(10485761)",
                Some("length for type varchar cannot exceed 10485760"),
            ),
            ("x::BIT(83886080)", None),
            ("x::BIT(0)", Some("length for type bit must be at least 1")),
            (
                "x::BIT VARYING(83886081)",
                Some("length for type varbit cannot exceed 83886080"),
            ),
        ] {
            let Expr::Cast { data_type, .. } = cast(sql) else {
                unreachable!("{sql}");
            };
            let error = check(&data_type).err();
            let message = error.as_ref().map(|error| error.message());
            assert_eq!(message, expected, "{sql}");
        }
    }

    #[test]
    fn lengths_of_items_are_taken_from_arrays_only() {
        for (sql, length, expected) in [
            ("x::VARCHAR(2)[]", Some(2), "x::TEXT[]"),
            ("'{a,b}'::CHAR[]", Some(1), "'{a,b}'::TEXT[]"),
            ("x::CHAR[][]", None, "x::CHAR[][]"),
            ("'{{a},{b}}'::CHAR[]", None, "'{{a},{b}}'::CHAR[]"),
            ("x::VARCHAR[]", None, "x::VARCHAR[]"),
            ("x::VARCHAR(2)", None, "x::VARCHAR(2)"),
            ("x::INT[]", None, "x::INT[]"),
        ] {
            let mut expr = cast(sql);
            assert_eq!(taken_length(&mut expr), length, "{sql}");
            assert_eq!(expr.to_string(), expected);
        }
    }
}
