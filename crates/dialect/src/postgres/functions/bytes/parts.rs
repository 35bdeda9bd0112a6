//! Functions of texts that PostgreSQL has for bytes, too: `length`, `substring`, `position`,
//! `overlay` and `trim`. Calls of texts stay the engine's.
//!
//! A quoted literal beside bytes is bytes in their text form: `position('\x02' IN b)`.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, Int32Builder, Int64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::types::{NativeType, logical_binary, logical_int64, logical_string};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::core::overlay;
use datafusion::functions::string::{btrim, ltrim, rtrim};
use datafusion::functions::unicode::{character_length, strpos, substr};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult};
use datafusion::logical_expr::{
    Coercion, ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, TypeSignature, TypeSignatureClass, Volatility,
};
use lakegate_engine::{bounded, stop};
use lakegate_error::{Code, Error};

use super::{evaluated, is_bytes};
use crate::postgres::bytea;
use crate::postgres::cell::marked;
use crate::postgres::functions::keyed::is_bits;

/// How many bytes are compared between checks whether to stop.
const STEPS: usize = 1 << 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// `length(bytes)`
    Length,
    /// `substr(bytes, start[, length])`
    Substr,
    /// `strpos(bytes, part)`, which `position(part IN bytes)` is planned as
    Position,
    /// `overlay(bytes, replacement, start[, length])`
    Overlay,
    /// `btrim(bytes, set)` and its like
    Trim { start: bool, end: bool },
}

/// A function of texts and of bytes.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TextOrBytes {
    kind: Kind,
    /// The engine's function of texts.
    inner: Arc<ScalarUDF>,
    signature: Signature,
}

fn of(kind: Kind, inner: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    let of_texts = vec![inner.signature().type_signature.clone()];
    let of_bytes = lists(kind).into_iter().map(TypeSignature::Coercible);
    // NULL is of any type. The engine's `length` and `overlay` take bytes as texts, so they come last.
    let all: Vec<TypeSignature> = match kind {
        Kind::Length | Kind::Overlay => of_bytes.chain(of_texts).collect(),
        _ => of_texts.into_iter().chain(of_bytes).collect(),
    };
    Arc::new(ScalarUDF::new_from_impl(TextOrBytes {
        kind,
        inner,
        signature: Signature::one_of(all, Volatility::Immutable),
    }))
}

/// Returns what a function takes that the engine's does not.
fn lists(kind: Kind) -> Vec<Vec<Coercion>> {
    let bytes = || Coercion::new_exact(TypeSignatureClass::Native(logical_binary()));
    let text = || Coercion::new_exact(TypeSignatureClass::Native(logical_string()));
    let number = || {
        Coercion::new_implicit(
            TypeSignatureClass::Native(logical_int64()),
            vec![TypeSignatureClass::Integer],
            NativeType::Int64,
        )
    };
    match kind {
        Kind::Length => vec![vec![bytes()]],
        // The engine's function takes no smallint.
        Kind::Substr => vec![
            vec![bytes(), number()],
            vec![bytes(), number(), number()],
            vec![text(), number()],
            vec![text(), number(), number()],
        ],
        Kind::Position | Kind::Trim { .. } => vec![
            vec![bytes(), bytes()],
            vec![bytes(), text()],
            vec![text(), bytes()],
        ],
        Kind::Overlay => vec![
            vec![bytes(), bytes(), number()],
            vec![bytes(), text(), number()],
            vec![bytes(), bytes(), number(), number()],
            vec![bytes(), text(), number(), number()],
        ],
    }
}

/// The functions, made once.
static ALL: LazyLock<[Arc<ScalarUDF>; 7]> = LazyLock::new(|| {
    let trim = |start, end| Kind::Trim { start, end };
    [
        of(Kind::Substr, substr()),
        of(Kind::Position, stop::linear(strpos())),
        of(Kind::Overlay, overlay()),
        of(trim(true, true), stop::linear(btrim())),
        of(trim(true, false), stop::linear(ltrim())),
        of(trim(false, true), stop::linear(rtrim())),
        of(Kind::Length, character_length()),
    ]
});

pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    ALL.to_vec()
}

/// Plans the forms with keywords as calls of these functions.
#[derive(Debug)]
struct WithKeywords;

/// Returns the planner to register, before the engine's own.
pub(crate) fn planner() -> Arc<dyn ExprPlanner> {
    Arc::new(WithKeywords)
}

impl ExprPlanner for WithKeywords {
    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        let [function, ..] = &*ALL;
        Ok(PlannerResult::Planned(function.call(args)))
    }

    fn plan_position(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        let [_, function, ..] = &*ALL;
        Ok(PlannerResult::Planned(function.call(args)))
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        let [_, _, function, ..] = &*ALL;
        Ok(PlannerResult::Planned(function.call(args)))
    }
}

impl ScalarUDFImpl for TextOrBytes {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types.iter().any(is_bytes) {
            true => Ok(self.returns()),
            false => self.inner.return_type(types),
        }
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types = args.arg_fields.iter().map(|field| field.data_type());
        let types: Vec<&DataType> = types.collect();
        if !types.iter().any(|of| is_bytes(of)) {
            // The parts of a bit string are bit strings.
            let is_part = matches!(self.kind, Kind::Substr | Kind::Overlay)
                && args.arg_fields.first().is_some_and(|field| is_bits(field));
            let field = self.inner.return_field_from_args(args)?;
            return Ok(match is_part {
                true => Arc::new(marked(Field::clone(&field), "bit")),
                false => field,
            });
        }
        // Only a literal has no type of its own yet.
        let mut arguments = types.iter().zip(args.scalar_arguments);
        let is_typed_text = arguments.any(|(of, constant)| of.is_string() && constant.is_none());
        if is_typed_text {
            let message = format!("function {} does not take bytes and a text", self.name());
            return Err(Error::new(Code::FunctionNotFound, message)
                .with_hint("convert_to(x, 'UTF8') returns the bytes of a text")
                .into());
        }
        Ok(Arc::new(Field::new(self.name(), self.returns(), true)))
    }

    fn is_strict(&self) -> bool {
        self.inner.is_strict()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if !args.args.iter().any(|arg| is_bytes(&arg.data_type())) {
            return self.inner.invoke_with_args(args);
        }
        evaluated(self.name(), &args, |arrays, rows| {
            let mut columns = Columns::default();
            for array in arrays {
                match array.data_type().is_integer() {
                    true => columns.numbers.push(integers(array)?),
                    false => columns.values.push(bytes_of(array)?),
                }
            }
            self.made(&columns, rows)
        })
    }
}

/// The arguments of a call, in order: bytes, and the numbers after them.
#[derive(Default)]
struct Columns {
    values: Vec<BinaryArray>,
    numbers: Vec<Int64Array>,
}

/// Returns an argument as bytes. A text is the text form of bytes, and NULL is NULL.
pub(super) fn bytes_of(values: &ArrayRef) -> Result<BinaryArray> {
    let bytes = match values.data_type().is_string() {
        true => bytea::decoded(values)?,
        false => cast(values, &DataType::Binary)?,
    };
    Ok(bytes.as_binary::<i32>().clone())
}

fn integers(values: &ArrayRef) -> Result<Int64Array> {
    let integers = cast(values, &DataType::Int64)?;
    Ok(integers.as_primitive::<Int64Type>().clone())
}

impl Columns {
    /// Returns the arguments of a row; `None` if one is NULL.
    fn row(&self, row: usize) -> Option<(Vec<&[u8]>, Vec<i64>)> {
        let values = self.values.iter();
        let values = values.map(|of| of.is_valid(row).then(|| of.value(row)));
        let numbers = self.numbers.iter();
        let numbers = numbers.map(|of| of.is_valid(row).then(|| of.value(row)));
        Some((
            values.collect::<Option<_>>()?,
            numbers.collect::<Option<_>>()?,
        ))
    }
}

impl TextOrBytes {
    fn returns(&self) -> DataType {
        match self.kind {
            Kind::Length | Kind::Position => DataType::Int32,
            Kind::Substr | Kind::Overlay | Kind::Trim { .. } => DataType::Binary,
        }
    }

    fn made(&self, columns: &Columns, rows: usize) -> Result<ArrayRef> {
        if matches!(self.kind, Kind::Length | Kind::Position) {
            let mut numbers = Int32Builder::with_capacity(rows);
            for row in 0..rows {
                stop::check()?;
                numbers.append_option(match (self.kind, columns.row(row)) {
                    (Kind::Length, Some((values, _))) => Some(length(&values)?),
                    (_, Some((values, _))) => Some(position(&values)?),
                    (_, None) => None,
                });
            }
            return Ok(Arc::new(numbers.finish()));
        }
        let mut made = BinaryBuilder::new();
        let mut size = 0_usize;
        for row in 0..rows {
            stop::check()?;
            let value = match columns.row(row) {
                Some((values, numbers)) => Some(self.value(&values, &numbers)?),
                None => None,
            };
            size = size.saturating_add(value.as_ref().map_or(0, Vec::len));
            bounded::check_batch(self.name(), size)?;
            made.append_option(value);
        }
        Ok(Arc::new(made.finish()))
    }

    fn value(&self, values: &[&[u8]], numbers: &[i64]) -> Result<Vec<u8>> {
        let internal = || {
            let message = format!("{} of bytes with other arguments", self.name());
            DataFusionError::from(Error::internal(message))
        };
        Ok(match (self.kind, values, numbers) {
            (Kind::Substr, [value], [start]) => part(value, *start, None)?.to_vec(),
            (Kind::Substr, [value], [start, length]) => {
                part(value, *start, Some(*length))?.to_vec()
            }
            (Kind::Overlay, [value, replacement], [start]) => {
                let length = i64::try_from(replacement.len()).unwrap_or(i64::MAX);
                overlaid(value, replacement, *start, length)?
            }
            (Kind::Overlay, [value, replacement], [start, length]) => {
                overlaid(value, replacement, *start, *length)?
            }
            (Kind::Trim { start, end }, [value, set], []) => {
                trimmed(value, set, start, end).to_vec()
            }
            _ => return Err(internal()),
        })
    }
}

fn negative_length() -> Error {
    Error::new(
        Code::InvalidSubstring,
        "negative substring length not allowed",
    )
}

/// Returns the part from the place `start`, which is counted from 1 and may be before the first.
fn part(value: &[u8], start: i64, length: Option<i64>) -> Result<&[u8], Error> {
    let end = match length {
        None => i64::MAX,
        Some(length) if length < 0 => return Err(negative_length()),
        Some(length) => start.saturating_add(length),
    };
    let place = |from_one: i64| {
        let place = usize::try_from(from_one.saturating_sub(1).max(0));
        place.unwrap_or(usize::MAX).min(value.len())
    };
    let (start, end) = (place(start), place(end));
    Ok(value.get(start..end.max(start)).unwrap_or_default())
}

fn overlaid(value: &[u8], with: &[u8], start: i64, length: i64) -> Result<Vec<u8>, Error> {
    if start <= 0 {
        return Err(negative_length());
    }
    let before = part(value, 1, Some(start - 1))?;
    let after = part(value, start.saturating_add(length), None)?;
    let total = before
        .len()
        .saturating_add(with.len())
        .saturating_add(after.len());
    let mut made = Vec::with_capacity(total);
    made.extend_from_slice(before);
    made.extend_from_slice(with);
    made.extend_from_slice(after);
    Ok(made)
}

fn trimmed<'a>(value: &'a [u8], set: &[u8], start: bool, end: bool) -> &'a [u8] {
    let mut is_removed = [false; 256];
    for byte in set {
        if let Some(removed) = is_removed.get_mut(usize::from(*byte)) {
            *removed = true;
        }
    }
    let stays = |byte: &u8| is_removed.get(usize::from(*byte)).is_none_or(|is| !*is);
    let first = match start {
        true => value.iter().position(stays).unwrap_or(value.len()),
        false => 0,
    };
    let last = match end {
        true => value.iter().rposition(stays).map_or(first, |last| last + 1),
        false => value.len(),
    };
    value.get(first..last.max(first)).unwrap_or_default()
}

fn too_large() -> Error {
    Error::new(Code::NumericOutOfRange, "integer out of range")
}

/// Returns the number of bytes.
fn length(values: &[&[u8]]) -> Result<i32> {
    let [value] = values else {
        return Err(Error::internal("length without a value").into());
    };
    i32::try_from(value.len()).map_err(|_| too_large().into())
}

/// Returns the place of the first occurrence, from 1; 0 for none.
fn position(values: &[&[u8]]) -> Result<i32> {
    let [value, searched] = values else {
        return Err(Error::internal("position without two values").into());
    };
    let Some(first) = searched.first() else {
        return Ok(1);
    };
    let mut steps = 0_usize;
    for (place, rest) in (0..value.len()).filter_map(|at| Some((at, value.get(at..)?))) {
        steps = match rest.first() == Some(first) {
            true => steps.saturating_add(searched.len()),
            false => steps + 1,
        };
        if steps >= STEPS {
            stop::check()?;
            steps = 0;
        }
        if rest.starts_with(searched) {
            return i32::try_from(place + 1).map_err(|_| too_large().into());
        }
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // Expected values: PostgreSQL 15.
    #[test]
    fn parts_are_counted_from_one_and_may_begin_before() {
        for (start, length, expected) in [
            (2, Some(2), &[2, 3][..]),
            (2, None, &[2, 3, 4]),
            (0, Some(2), &[1]),
            (-5, None, &[1, 2, 3, 4]),
            (-5, Some(3), &[]),
            (9, None, &[]),
            (i64::MIN, Some(i64::MAX), &[]),
            (2, Some(i64::MAX), &[2, 3, 4]),
        ] {
            let found = part(&[1, 2, 3, 4], start, length).unwrap();
            assert_eq!(found, expected, "{start} {length:?}");
        }
        let error = part(&[1], 1, Some(-1)).unwrap_err();
        assert_eq!(error.code(), Code::InvalidSubstring);
    }

    #[test]
    fn bytes_are_overlaid() {
        let value = [1, 2, 3, 4];
        for (start, length, expected) in [
            (2, 2, &[1, 9, 9, 4][..]),
            (2, 1, &[1, 9, 9, 3, 4]),
            (9, 1, &[1, 2, 3, 4, 9, 9]),
            (2, -1, &[1, 9, 9, 1, 2, 3, 4]),
        ] {
            let found = overlaid(&value, &[9, 9], start, length).unwrap();
            assert_eq!(found, expected, "{start} {length}");
        }
        assert!(overlaid(&value, &[9], 0, 1).is_err());
    }

    #[test]
    fn bytes_of_a_set_are_trimmed() {
        let value = [0, 1, 2, 0];
        assert_eq!(trimmed(&value, &[0], true, true), [1, 2]);
        assert_eq!(trimmed(&value, &[0, 1], true, false), [2, 0]);
        assert_eq!(trimmed(&value, &[0, 2], false, true), [0, 1]);
        assert_eq!(trimmed(&value, &[], true, true), value);
        assert_eq!(trimmed(&[0, 0], &[0], true, true), [0u8; 0]);
    }

    #[test]
    fn places_are_counted_from_one() {
        assert_eq!(position(&[&[1, 2, 3], &[2, 3]]).unwrap(), 2);
        assert_eq!(position(&[&[1, 2, 3], &[]]).unwrap(), 1);
        assert_eq!(position(&[&[], &[]]).unwrap(), 1);
        assert_eq!(position(&[&[1, 2], &[2, 3]]).unwrap(), 0);
    }
}
