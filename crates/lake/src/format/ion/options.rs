//! The properties of IonHiveSerDe.

use std::collections::BTreeMap;

use lakegate_error::Result;

use super::kinds::IonKind;
use super::paths::{Step, parse};
use crate::format::encoding::Encoding;
use crate::format::properties::{Properties, invalid};

pub(super) const CLASS: &str = "com.amazon.ionhiveserde.IonHiveSerDe";

/// Ion files, whose fields are found by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IonFormat {
    /// `ion.encoding`: of files that are written. Files say themselves what they are.
    pub encoding: IonEncoding,
    /// `ion.path_extractor.case_sensitive`.
    pub is_case_sensitive: bool,
    /// `ion.ignore_malformed`: a value that its column cannot hold is NULL, else an error.
    pub ignore_malformed: bool,
    /// `ion.fail_on_overflow`: a number out of its column's range is an error, else it is cut.
    pub fail_on_overflow: bool,
    /// `ion.<column>.fail_on_overflow`, ordered by column.
    pub columns_fail_on_overflow: Vec<(String, bool)>,
    /// `ion.<column>.path_extractor`, ordered by column.
    pub paths: Vec<(String, Vec<Step>)>,
    /// `ion.<column>.serialize_as`: of files that are written, ordered by column.
    pub written_as: Vec<(String, IonKind)>,
    /// `ion.serialize_null`: of files that are written.
    pub nulls: NullForm,
    /// `ion.timestamp.serialization_offset`: of files that are written, in minutes east of UTC.
    pub offset: i32,
}

/// The encoding of files that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IonEncoding {
    Binary,
    Text,
}

/// How NULL is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NullForm {
    /// The field is left out.
    Omit,
    /// `null`.
    Untyped,
    /// `null.int`, for example.
    Typed,
}

impl IonFormat {
    /// # Errors
    /// A property whose value is not valid, or not supported.
    pub(super) fn of(properties: &Properties<'_>) -> Result<Self> {
        let flag = |key: &str, default| properties.flag(key, default);
        let encoding = match given(properties, "ion.encoding").as_deref() {
            None | Some("BINARY") => IonEncoding::Binary,
            Some("TEXT") => IonEncoding::Text,
            Some(value) => return Err(invalid("ion.encoding", value, "'BINARY' or 'TEXT'")),
        };
        let nulls = match given(properties, "ion.serialize_null").as_deref() {
            None | Some("OMIT") => NullForm::Omit,
            Some("UNTYPED") => NullForm::Untyped,
            Some("TYPED") => NullForm::Typed,
            Some(value) => {
                return Err(invalid(
                    "ion.serialize_null",
                    value,
                    "'OMIT', 'UNTYPED' or 'TYPED'",
                ));
            }
        };
        let key = "ion.timestamp.serialization_offset";
        let offset = match properties.get(key).map(str::trim) {
            None => 0,
            Some(value) => minutes(value)
                .ok_or_else(|| invalid(key, value, "'Z', or an offset such as '+01:00'"))?,
        };
        let mut paths = BTreeMap::new();
        let mut columns_fail = BTreeMap::new();
        let mut written_as = BTreeMap::new();
        for (key, value) in all(properties) {
            let Some((column, property)) = of_column(key) else {
                continue;
            };
            match property {
                "path_extractor" => {
                    paths.insert(column.to_lowercase(), parse(key, value)?);
                }
                "fail_on_overflow" => {
                    columns_fail.insert(column.to_lowercase(), flag(key, true)?);
                }
                "serialize_as" => {
                    let kind = IonKind::parse(value)
                        .ok_or_else(|| invalid(key, value, "a type of Ion, such as 'symbol'"))?;
                    written_as.insert(column.to_lowercase(), kind);
                }
                _ => {}
            }
        }
        Ok(Self {
            encoding,
            is_case_sensitive: flag("ion.path_extractor.case_sensitive", false)?,
            ignore_malformed: flag("ion.ignore_malformed", false)?,
            fail_on_overflow: flag("ion.fail_on_overflow", true)?,
            columns_fail_on_overflow: columns_fail.into_iter().collect(),
            paths: paths.into_iter().collect(),
            written_as: written_as.into_iter().collect(),
            nulls,
            offset,
        })
    }

    /// Whether a number out of the range of this column is an error.
    pub(super) fn fails_on_overflow(&self, column: &str) -> bool {
        let mut columns = self.columns_fail_on_overflow.iter();
        let own = columns.find(|(name, _)| name == column);
        own.map_or(self.fail_on_overflow, |(_, fails)| *fails)
    }

    /// Feeds what decides how files are read to a digest.
    pub(in crate::format) fn encode(&self, to: &mut Encoding<'_>) {
        let Self {
            encoding: _,
            is_case_sensitive,
            ignore_malformed,
            fail_on_overflow,
            columns_fail_on_overflow,
            paths,
            written_as: _,
            nulls: _,
            offset: _,
        } = self;
        to.flag(*is_case_sensitive);
        to.flag(*ignore_malformed);
        to.flag(*fail_on_overflow);
        to.length(columns_fail_on_overflow.len());
        for (column, fails) in columns_fail_on_overflow {
            to.text(column);
            to.flag(*fails);
        }
        to.length(paths.len());
        for (column, steps) in paths {
            to.text(column);
            to.length(steps.len());
            for step in steps {
                match step {
                    Step::Field(name) => {
                        to.tag(0);
                        to.text(name);
                    }
                    Step::Index(index) => {
                        to.tag(1);
                        to.number(*index);
                    }
                    Step::Any => to.tag(2),
                }
            }
        }
    }
}

/// A property's value in upper case, if it has one.
fn given(properties: &Properties<'_>, key: &str) -> Option<String> {
    let value = properties.get(key).map(str::trim);
    value
        .filter(|value| !value.is_empty())
        .map(str::to_ascii_uppercase)
}

/// All properties; of those that are there twice the one that counts comes last.
fn all<'a>(properties: &Properties<'a>) -> impl Iterator<Item = (&'a String, &'a String)> {
    let Properties {
        serde,
        descriptor,
        table,
    } = *properties;
    table.iter().chain(descriptor).chain(serde)
}

/// The column and the property of `ion.<column>.<property>`.
fn of_column(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix("ion.")?.rsplit_once('.')
}

/// `Z`, or an offset such as `-08:00`.
fn minutes(text: &str) -> Option<i32> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two = |digits: &str| {
        let are_digits = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        are_digits.then(|| digits.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_error::{Code, Error};

    use super::*;
    use crate::format::TableFormat;

    fn of(properties: &[(&str, &str)]) -> Result<IonFormat> {
        match TableFormat::of_serde(CLASS, properties)? {
            TableFormat::Ion(format) => Ok(format),
            other => Err(Error::internal(format!("{other:?}"))),
        }
    }

    #[test]
    fn properties_are_read_and_checked() {
        let format = of(&[]).unwrap();
        assert_eq!(format.encoding, IonEncoding::Binary);
        assert!(format.fail_on_overflow && !format.is_case_sensitive && !format.ignore_malformed);
        let format = of(&[
            ("ion.encoding", "text"),
            ("ion.fail_on_overflow", "false"),
            ("ion.Id.fail_on_overflow", "true"),
            ("ion.user.path_extractor", "(identity 0 *)"),
            ("ion.path_extractor.case_sensitive", "true"),
            ("ion.timestamp.serialization_offset", "-08:30"),
            ("ion.serialize_null", "typed"),
        ])
        .unwrap();
        assert_eq!(format.encoding, IonEncoding::Text);
        assert!(format.fails_on_overflow("id") && !format.fails_on_overflow("other"));
        assert_eq!(format.paths.len(), 1);
        assert_eq!((format.offset, format.nulls), (-510, NullForm::Typed));
        for (key, value) in [
            ("ion.encoding", "xml"),
            ("ion.fail_on_overflow", "maybe"),
            ("ion.a.fail_on_overflow", "maybe"),
            ("ion.a.path_extractor", "a"),
            ("ion.serialize_null", "none"),
            ("ion.a.serialize_as", "text"),
            ("ion.timestamp.serialization_offset", "1:00"),
            ("ion.timestamp.serialization_offset", "+24:00"),
        ] {
            let error = of(&[(key, value)]).unwrap_err();
            assert_eq!(error.code(), Code::InvalidTable);
            assert!(error.message().contains(key), "{error}");
        }
        let format = of(&[
            ("ion.A.serialize_as", "Symbol"),
            ("ion.b.serialize_as", "sexp"),
        ]);
        let expected = [
            ("a".to_owned(), IonKind::Symbol),
            ("b".to_owned(), IonKind::SExpression),
        ];
        assert_eq!(format.unwrap().written_as, expected);
    }
}
