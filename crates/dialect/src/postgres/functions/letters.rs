//! `upper`, `lower` and `initcap` as in PostgreSQL, where each character becomes one: `upper('ß')`
//! is `ß`, and the engine's `SS`. Texts in ASCII are the engine's.
//!
//! `upper` and `lower` of a range are its bounds. They have the type of these here; a rule of ranges
//! makes the calls what they are.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::functions::string::{lower, upper};
use datafusion::functions::unicode::initcap;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};
use lakegate_engine::{bounded, stop};
use lakegate_functions::{lower_letter, upper_letter};

use super::ranges::RangeType;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Upper,
    Lower,
    Initial,
}

/// A function that changes the case of letters.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Letters {
    kind: Kind,
    /// The engine's function.
    inner: Arc<ScalarUDF>,
}

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let of = |kind, inner| Arc::new(ScalarUDF::new_from_impl(Letters { kind, inner }));
    vec![
        of(Kind::Upper, upper()),
        of(Kind::Lower, lower()),
        of(Kind::Initial, initcap()),
    ]
}

impl Kind {
    /// Writes a text with its letters changed.
    fn write(self, text: &str, into: &mut String) {
        let mut in_word = false;
        into.extend(text.chars().map(|letter| {
            let changed = match self {
                Self::Upper => upper_letter(letter),
                Self::Initial if !in_word => upper_letter(letter),
                Self::Lower | Self::Initial => lower_letter(letter),
            };
            in_word = letter.is_alphanumeric();
            changed
        }));
    }

    fn changed(self, name: &str, texts: &StringArray) -> Result<ArrayRef> {
        let mut made = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
        let mut changed = String::new();
        let mut size = 0_usize;
        for text in texts {
            stop::check()?;
            let Some(text) = text else {
                made.append_null();
                continue;
            };
            changed.clear();
            self.write(text, &mut changed);
            size = size.saturating_add(changed.len());
            bounded::check_batch(name, size)?;
            made.append_value(&changed);
        }
        Ok(Arc::new(made.finish()))
    }
}

/// Returns whether all texts are in ASCII.
fn is_ascii(texts: &ArrayRef) -> Result<bool> {
    Ok(match texts.data_type() {
        DataType::Utf8 => texts.as_string::<i32>().is_ascii(),
        DataType::LargeUtf8 => texts.as_string::<i64>().is_ascii(),
        DataType::Utf8View => texts.as_string_view().is_ascii(),
        _ => cast(texts, &DataType::Utf8)?.as_string::<i32>().is_ascii(),
    })
}

impl ScalarUDFImpl for Letters {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let argument = args.arg_fields.first();
        let range = argument.and_then(|field| RangeType::of_field(field));
        match range.filter(|_| self.kind != Kind::Initial) {
            Some(of) => Ok(Arc::new(Field::new(self.name(), of.bound_type(), true))),
            None => self.inner.return_field_from_args(args),
        }
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(argument) = args.args.first() else {
            return self.inner.invoke_with_args(args);
        };
        let constant = matches!(argument, ColumnarValue::Scalar(_));
        let texts = match argument {
            ColumnarValue::Array(texts) => Arc::clone(texts),
            ColumnarValue::Scalar(text) => text.to_array()?,
        };
        if is_ascii(&texts)? {
            return self.inner.invoke_with_args(args);
        }
        let texts = cast(&texts, &DataType::Utf8)?;
        let changed = self.kind.changed(self.name(), texts.as_string::<i32>())?;
        let changed = cast(&changed, args.return_field.data_type())?;
        Ok(match constant {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&changed, 0)?),
            false => ColumnarValue::Array(changed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // PostgreSQL 15, with the collation C.UTF-8 of Debian.
    #[test]
    fn each_letter_becomes_one() {
        for (kind, text, expected) in [
            (Kind::Upper, "straße ŉ ﬁ ǆ é", "STRAßE ŉ ﬁ Ǆ É"),
            (Kind::Upper, "ᾳᾀ", "ᾼᾈ"),
            (Kind::Lower, "İΑΣ É", "iασ é"),
            (Kind::Initial, "straße ǆabc ßx a1b", "Straße Ǆabc ßx A1b"),
        ] {
            let mut changed = String::new();
            kind.write(text, &mut changed);
            assert_eq!(changed, expected, "{text}");
        }
    }
}
