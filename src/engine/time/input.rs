//! A timestamp from text, to the microsecond or coarser: what is finer is rounded half up, as Trino's casts do.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, TimestampMicrosecondArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::util::display::FormatOptions;
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::engine::expressions;
use crate::error::{Code, Error};

/// Digits of a second's fraction that are kept at most.
pub(super) const MAX_DIGITS: u8 = 6;

/// `CAST(text AS TIMESTAMP(digits))`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct TimestampOfText {
    zone: Option<Arc<str>>,
    /// At most [`MAX_DIGITS`].
    digits: u8,
    /// What is no timestamp is an error, and else NULL.
    strict: bool,
    signature: Signature,
}

impl TimestampOfText {
    pub(super) fn call(text: Expr, zone: Option<Arc<str>>, digits: u8, strict: bool) -> Expr {
        let function = Self {
            zone,
            digits: digits.min(MAX_DIGITS),
            strict,
            signature: Signature::any(1, Volatility::Immutable),
        };
        expressions::call(function, vec![text])
    }

    /// The same text as a timestamp of other digits, if `call` is one of text.
    pub(super) fn with_digits(call: &ScalarFunction, digits: u8) -> Option<Expr> {
        let function = call.func.inner().downcast_ref::<Self>()?;
        let [text] = call.args.as_slice() else {
            return None;
        };
        let zone = function.zone.clone();
        Some(Self::call(text.clone(), zone, digits, function.strict))
    }
}

impl ScalarUDFImpl for TimestampOfText {
    fn name(&self) -> &str {
        "timestamp"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Timestamp(
            TimeUnit::Microsecond,
            self.zone.clone(),
        ))
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        expressions::applied(args.args.first(), |texts| {
            parsed(texts, self.zone.clone(), self.digits, self.strict)
        })
    }
}

/// Texts as timestamps.
///
/// # Errors
/// If `strict`, what is no timestamp.
pub(super) fn parsed(
    texts: &ArrayRef,
    zone: Option<Arc<str>>,
    digits: u8,
    strict: bool,
) -> Result<ArrayRef> {
    let target = DataType::Timestamp(TimeUnit::Microsecond, zone);
    let options = CastOptions {
        safe: !strict,
        format_options: FormatOptions::default(),
    };
    let texts = cast(texts, &DataType::Utf8)?;
    let all = texts.as_string::<i32>();
    let finer = all
        .iter()
        .flatten()
        .any(|text| fraction(text).is_some_and(|(_, fraction)| fraction.len() > digits.into()));
    if !finer {
        return Ok(cast_with_options(&texts, &target, &options)?);
    }
    let mut kept = Vec::with_capacity(all.len());
    let mut carries = Vec::with_capacity(all.len());
    for text in all {
        let split = text.and_then(|text| split(text, digits));
        carries.push(split.as_ref().is_some_and(|(_, up)| *up));
        kept.push(match split {
            Some((short, _)) => Some(short),
            None => text.map(str::to_owned),
        });
    }
    let kept: ArrayRef = Arc::new(StringArray::from(kept));
    let times = cast_with_options(&kept, &target, &options)?;
    let unit = 10i64.pow(u32::from(MAX_DIGITS.saturating_sub(digits)));
    let rounded = times
        .as_primitive::<TimestampMicrosecondType>()
        .iter()
        .zip(carries)
        .map(|(time, up)| match (time, up) {
            (Some(time), true) => time.checked_add(unit).map(Some).ok_or_else(out_of_range),
            (time, _) => Ok(time),
        })
        .collect::<Result<TimestampMicrosecondArray, Error>>()?;
    Ok(Arc::new(rounded.with_data_type(target)))
}

/// Where the digits of a second's fraction begin, and they.
fn fraction(text: &str) -> Option<(usize, &str)> {
    let (_, rest) = text.split_once('.')?;
    let start = text.len() - rest.len();
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    rest.get(..length).map(|digits| (start, digits))
}

/// A text whose fraction is cut to `digits`, and whether what was cut rounds up; `None` if it has no more.
fn split(text: &str, digits: u8) -> Option<(String, bool)> {
    let (start, fraction) = fraction(text)?;
    let next = fraction.as_bytes().get(usize::from(digits))?;
    let after = text.get(start + fraction.len()..)?;
    // Without digits there is no point either.
    let kept = match digits {
        0 => text.get(..start.checked_sub(1)?)?,
        digits => text.get(..start + usize::from(digits))?,
    };
    Some((format!("{kept}{after}"), *next >= b'5'))
}

pub(super) fn out_of_range() -> Error {
    Error::new(Code::NumericOutOfRange, "timestamp out of range")
}
