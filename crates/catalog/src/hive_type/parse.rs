//! Text to [`HiveType`]: one pass, depth bounded, any whitespace between tokens, any case.

use std::collections::HashSet;
use std::str::FromStr;

use super::{HiveType, MAX_DEPTH, MAX_TEXT_BYTES, StructField, TypeError, is_name_char};

impl FromStr for HiveType {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Self, TypeError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(TypeError::new(format!(
                "the type text is {} bytes long; the most is {MAX_TEXT_BYTES}",
                text.len()
            )));
        }
        let mut parser = Parser { text, at: 0 };
        let hive = parser.parse_type(1)?;
        parser.skip_space();
        if parser.at < text.len() {
            return Err(parser.unexpected("the end of the type"));
        }
        Ok(hive)
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Byte offset, always on a character boundary.
    at: usize,
}

impl<'a> Parser<'a> {
    fn parse_type(&mut self, depth: usize) -> Result<HiveType, TypeError> {
        if depth > MAX_DEPTH {
            return Err(TypeError::new(format!(
                "the type nests deeper than {MAX_DEPTH} levels"
            )));
        }
        self.skip_space();
        let start = self.at;
        let word = self
            .take_while(|c| c.is_ascii_alphanumeric() || c == '_')
            .to_ascii_lowercase();
        Ok(match word.as_str() {
            "boolean" => HiveType::Boolean,
            "tinyint" => HiveType::TinyInt,
            "smallint" => HiveType::SmallInt,
            "int" | "integer" => HiveType::Int,
            "bigint" | "long" => HiveType::BigInt,
            "float" | "real" => HiveType::Float,
            "double" => {
                self.accept_word("precision");
                HiveType::Double
            }
            "decimal" | "dec" | "numeric" => self.parse_decimal()?,
            "char" => HiveType::Char(self.parse_length("char", 255)?),
            "varchar" => HiveType::Varchar(self.parse_length("varchar", 65_535)?),
            "string" => HiveType::String,
            "binary" => HiveType::Binary,
            "date" => HiveType::Date,
            "timestamp" => HiveType::Timestamp,
            "array" => {
                self.expect('<')?;
                let item = self.parse_type(depth + 1)?;
                self.expect('>')?;
                HiveType::Array(Box::new(item))
            }
            "map" => {
                self.expect('<')?;
                let key = self.parse_type(depth + 1)?;
                if key.is_nested() {
                    return Err(TypeError::new(format!(
                        "a map key has type {key}; it must be primitive"
                    )));
                }
                self.expect(',')?;
                let value = self.parse_type(depth + 1)?;
                self.expect('>')?;
                HiveType::Map(Box::new(key), Box::new(value))
            }
            "struct" => self.parse_struct(depth)?,
            "" => {
                self.at = start;
                return Err(self.unexpected("a type"));
            }
            _ => {
                return Err(TypeError::new(format!(
                    "\"{}\" is not a supported type; use boolean, tinyint, smallint, int, bigint, float, double, decimal(p,s), \
                     char(n), varchar(n), string, binary, date, timestamp, array<>, map<,> or struct<:>",
                    shown(&word)
                )));
            }
        })
    }

    fn parse_decimal(&mut self) -> Result<HiveType, TypeError> {
        if !self.accept('(') {
            return Ok(HiveType::Decimal(10, 0));
        }
        let precision = self.parse_number()?;
        let scale = if self.accept(',') {
            self.parse_number()?
        } else {
            0
        };
        self.expect(')')?;
        match (u8::try_from(precision), u8::try_from(scale)) {
            (Ok(precision @ 1..=38), Ok(scale)) if scale <= precision => {
                Ok(HiveType::Decimal(precision, scale))
            }
            _ => Err(TypeError::new(format!(
                "decimal({precision},{scale}) is out of range; the precision is 1 to 38 and the scale 0 to the precision"
            ))),
        }
    }

    fn parse_length(&mut self, name: &str, most: u32) -> Result<u32, TypeError> {
        if !self.accept('(') {
            return Err(TypeError::new(format!(
                "{name} needs a length, for example {name}(100); use string for text of any length"
            )));
        }
        let length = self.parse_number()?;
        self.expect(')')?;
        if length == 0 || length > most {
            return Err(TypeError::new(format!(
                "{name}({length}) is out of range; the length is 1 to {most}"
            )));
        }
        Ok(length)
    }

    fn parse_struct(&mut self, depth: usize) -> Result<HiveType, TypeError> {
        self.expect('<')?;
        let mut fields = Vec::new();
        let mut names = HashSet::new();
        loop {
            let name = self.parse_field_name()?.to_lowercase();
            self.expect(':')?;
            let data_type = self.parse_type(depth + 1)?;
            if !names.insert(name.clone()) {
                return Err(TypeError::new(format!(
                    "struct field \"{}\" is given twice",
                    shown(&name)
                )));
            }
            fields.push(StructField { name, data_type });
            if !self.accept(',') {
                break;
            }
        }
        self.expect('>')?;
        Ok(HiveType::Struct(fields))
    }

    fn parse_field_name(&mut self) -> Result<String, TypeError> {
        self.skip_space();
        let quote = match self.peek() {
            Some(c @ ('`' | '"')) => c,
            _ => {
                let name = self.take_while(is_name_char);
                return if name.is_empty() {
                    Err(self.unexpected("a field name"))
                } else {
                    Ok(name.to_owned())
                };
            }
        };
        self.at += quote.len_utf8();
        let mut name = String::new();
        loop {
            let Some(c) = self.peek() else {
                return Err(self.unexpected("the closing quote of a field name"));
            };
            self.at += c.len_utf8();
            if c != quote {
                name.push(c);
            } else if self.peek() == Some(quote) {
                self.at += quote.len_utf8();
                name.push(quote);
            } else {
                break;
            }
        }
        if name.is_empty() {
            Err(TypeError::new("a struct field has an empty name"))
        } else {
            Ok(name)
        }
    }

    fn parse_number(&mut self) -> Result<u32, TypeError> {
        self.skip_space();
        let digits = self.take_while(|c| c.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.unexpected("a number"));
        }
        digits.parse().map_err(|_| {
            TypeError::new(format!(
                "the number {} in the type is too large",
                shown(digits)
            ))
        })
    }

    fn expect(&mut self, wanted: char) -> Result<(), TypeError> {
        if self.accept(wanted) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("'{wanted}'")))
        }
    }

    fn accept(&mut self, wanted: char) -> bool {
        self.skip_space();
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn accept_word(&mut self, wanted: &str) {
        let before = self.at;
        self.skip_space();
        if !self
            .take_while(|c| c.is_ascii_alphanumeric())
            .eq_ignore_ascii_case(wanted)
        {
            self.at = before;
        }
    }

    fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn unexpected(&self, wanted: &str) -> TypeError {
        let character = self.text.get(..self.at).unwrap_or_default().chars().count() + 1;
        match self.peek() {
            Some(found) => TypeError::new(format!(
                "the type has {found:?} at character {character} where {wanted} was expected"
            )),
            None => TypeError::new(format!(
                "the type ends at character {character} where {wanted} was expected"
            )),
        }
    }
}

/// A piece of the input that is short enough for a message.
fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(64).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn types_are_read_in_any_case_and_spacing_and_written_as_hive_does() {
        for (text, canonical) in [
            ("BOOLEAN", "boolean"),
            ("integer", "int"),
            ("long", "bigint"),
            ("real", "float"),
            ("double precision", "double"),
            ("double", "double"),
            ("decimal", "decimal(10,0)"),
            ("numeric( 38 )", "decimal(38,0)"),
            ("Decimal( 10 , 2 )", "decimal(10,2)"),
            ("char(255)", "char(255)"),
            ("varchar(65535)", "varchar(65535)"),
            (" timestamp ", "timestamp"),
            ("array< array <\tint > >", "array<array<int>>"),
            ("map<string,double precision>", "map<string,double>"),
            (
                "STRUCT<A:INT, b : struct<c:map<date,binary>>>",
                "struct<a:int,b:struct<c:map<date,binary>>>",
            ),
            (
                "struct<`odd name`:int,`a``b`:string>",
                "struct<`odd name`:int,`a``b`:string>",
            ),
        ] {
            let hive: HiveType = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(hive.to_string(), canonical);
            assert_eq!(
                canonical.parse::<HiveType>().unwrap(),
                hive,
                "{canonical} reads back"
            );
        }
    }

    #[test]
    fn what_is_no_type_is_refused_with_its_place() {
        for (text, message) in [
            ("", "the type ends at character 1 where a type was expected"),
            (
                "array<int",
                "the type ends at character 10 where '>' was expected",
            ),
            (
                "int>",
                "the type has '>' at character 4 where the end of the type was expected",
            ),
            (
                "decimal(39,0)",
                "decimal(39,0) is out of range; the precision is 1 to 38 and the scale 0 to the precision",
            ),
            (
                "decimal(5,6)",
                "decimal(5,6) is out of range; the precision is 1 to 38 and the scale 0 to the precision",
            ),
            (
                "decimal(99999999999)",
                "the number 99999999999 in the type is too large",
            ),
            ("char(0)", "char(0) is out of range; the length is 1 to 255"),
            (
                "varchar",
                "varchar needs a length, for example varchar(100); use string for text of any length",
            ),
            (
                "struct<>",
                "the type has '>' at character 8 where a field name was expected",
            ),
            ("struct<a:int,A:int>", "struct field \"a\" is given twice"),
            (
                "struct<`a:int>",
                "the type ends at character 15 where the closing quote of a field name was expected",
            ),
            (
                "map<array<int>,int>",
                "a map key has type array<int>; it must be primitive",
            ),
        ] {
            assert_eq!(
                text.parse::<HiveType>().unwrap_err().to_string(),
                message,
                "{text}"
            );
        }
        assert!(
            "uniontype<int,string>"
                .parse::<HiveType>()
                .unwrap_err()
                .to_string()
                .starts_with("\"uniontype\" is not a supported")
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| {
            format!(
                "{}int{}",
                "array<".repeat(levels - 1),
                ">".repeat(levels - 1)
            )
        };
        assert!(nested(MAX_DEPTH).parse::<HiveType>().is_ok());
        let error = nested(MAX_DEPTH + 1).parse::<HiveType>().unwrap_err();
        assert_eq!(error.to_string(), "the type nests deeper than 32 levels");
        assert!("array<".repeat(20_000).parse::<HiveType>().is_err());
        assert!("x".repeat(MAX_TEXT_BYTES + 1).parse::<HiveType>().is_err());
    }

    #[test]
    fn trino_spelling_differs_where_trino_does() {
        let trino = |text: &str| text.parse::<HiveType>().unwrap().to_trino();
        assert_eq!(trino("string"), "varchar");
        assert_eq!(trino("int"), "integer");
        assert_eq!(trino("float"), "real");
        assert_eq!(trino("binary"), "varbinary");
        assert_eq!(trino("decimal(10,2)"), "decimal(10,2)");
        assert_eq!(
            trino("struct<a:int,`b c`:array<bigint>>"),
            "row(a integer, \"b c\" array(bigint))"
        );
    }
}
