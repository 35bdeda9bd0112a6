//! `json_value`.

use std::borrow::Cow;

use arrow::array::{Array, ArrayRef};
use arrow::compute::{cast, interleave};
use arrow::datatypes::FieldRef;
use datafusion::error::Result;

use super::{Found, Input, each_row, failed, missing, unknown_clause, word};
use crate::columns::Column;
use crate::json::canonical::Writer;
use crate::json::convert::Failure;
use crate::json::numbers::{self, Decimal};
use crate::json::path::{Item, Num};
use crate::json::scan::{Number, Raw, Scalar, too_deep};
use crate::json::sink::{Context, Sink};
use crate::json::types;
use crate::kernel::Call;

/// Where a row's value of `json_value` is: an array, and the index in it.
type Place = (usize, usize);

/// What `json_value` returns instead of a missing scalar.
#[derive(Debug)]
struct Otherwise<'a> {
    clause: String,
    default: &'a Column,
}

impl<'a> Otherwise<'a> {
    /// The clause at an index, which its default follows.
    fn of(call: &'a Call<'_>, index: usize) -> Result<Self> {
        let default = call.optional(index + 1);
        Ok(Self {
            clause: word(call, index)?,
            default: default.ok_or_else(|| missing(call.name))?,
        })
    }

    /// Returns the place of a row's result; `defaults` is the array of this clause's defaults.
    ///
    /// # Errors
    ///
    /// The clause asks for an error.
    fn place(&self, call: &Call<'_>, row: usize, defaults: usize, why: &str) -> Result<Place> {
        match self.clause.as_str() {
            "NULL" | "" => Ok((0, row)),
            "DEFAULT" => Ok((defaults, self.default.at(row))),
            "ERROR" => Err(failed(call.name, why)),
            _ => Err(unknown_clause(call, &self.clause)),
        }
    }
}

/// Why there is no scalar.
#[derive(Debug)]
enum Missing {
    Items,
    Error(Cow<'static, str>),
}

/// Returns the one scalar that is found; `None` for NULL and null.
fn scalar(found: Found<'_>) -> Result<Option<Item<'_>>, Missing> {
    let items = match found {
        Found::Null => return Ok(None),
        Found::Error(why) => return Err(Missing::Error(why)),
        Found::Items(items) => items,
    };
    let mut items = items.into_iter();
    match (items.next(), items.next()) {
        (None, _) => Err(Missing::Items),
        (Some(_), Some(_)) => Err(Missing::Error("the path finds several items".into())),
        (Some(Item::Null), None) => Ok(None),
        (Some(Item::Array(_) | Item::Object(_) | Item::Entry(_)), None) => {
            Err(Missing::Error("the path finds no scalar".into()))
        }
        (item, None) => Ok(item),
    }
}

pub(super) fn value(call: &Call<'_>) -> Result<ArrayRef> {
    let target = call.fields.get(2).ok_or_else(|| missing(call.name))?;
    let (on_empty, on_error) = (Otherwise::of(call, 3)?, Otherwise::of(call, 5)?);
    let input = Input::of(call, 7)?;
    let mut sink = Sink::of(target)?;
    let mut context = Context {
        work: &call.work,
        scratch: String::new(),
        writer: Writer::default(),
    };
    let mut places: Vec<Place> = Vec::new();
    let mut defaulted = false;
    each_row(call, &input, |row, found| {
        let place = match scalar(found) {
            Ok(None) => {
                sink.append_null();
                (0, row)
            }
            Ok(Some(item)) => match append(&item, target, &mut sink, &mut context) {
                Ok(()) => (0, row),
                Err(Failure::Fault(fault)) => return Err(fault.error(too_deep)),
                Err(Failure::Value(_)) => {
                    sink.fill(row + 1);
                    let why = format!("the item cannot be cast to {}", types::name(target));
                    on_error.place(call, row, 2, &why)?
                }
            },
            Err(Missing::Items) => {
                sink.append_null();
                on_empty.place(call, row, 1, "the path finds no items")?
            }
            Err(Missing::Error(why)) => {
                sink.append_null();
                on_error.place(call, row, 2, &why)?
            }
        };
        defaulted |= place.0 > 0;
        places.push(place);
        Ok(())
    })?;
    let array = sink.finish()?;
    if !defaulted {
        return Ok(array);
    }
    let data_type = array.data_type().clone();
    let empty_default = cast(&on_empty.default.array, &data_type)?;
    let error_default = cast(&on_error.default.array, &data_type)?;
    let arrays: [&dyn Array; 3] = [&array, &empty_default, &error_default];
    Ok(interleave(&arrays, &places)?)
}

/// Appends a scalar item, cast to the column's type.
fn append(
    item: &Item<'_>,
    target: &FieldRef,
    sink: &mut Sink,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let mut text = String::new();
    let scalar = match item {
        Item::Boolean(boolean) => Scalar::Boolean(*boolean),
        Item::Written(number) => Scalar::Number(*number),
        Item::Text(text) => Scalar::String(Raw {
            text,
            escaped: false,
        }),
        Item::Number(Num::Whole(number, _)) => {
            text = number.to_string();
            Scalar::Number(Number {
                text: &text,
                whole: true,
            })
        }
        Item::Number(Num::Double(number)) => {
            numbers::push_double(*number, &mut text);
            match number.is_finite() {
                true => Scalar::Number(Number {
                    text: &text,
                    whole: false,
                }),
                false => Scalar::String(Raw {
                    text: &text,
                    escaped: false,
                }),
            }
        }
        Item::Number(Num::Decimal(value, scale)) => {
            numbers::push_decimal(*value, i8::try_from(*scale).unwrap_or(0), &mut text);
            if target.data_type().is_integer() {
                text = match numbers::read_decimal(&text, 0) {
                    Some(Decimal::Value(value)) => value.to_string(),
                    _ => return Err(Failure::Value(None)),
                };
                Scalar::Number(Number {
                    text: &text,
                    whole: true,
                })
            } else if types::is_text(target.data_type()) {
                Scalar::String(Raw {
                    text: &text,
                    escaped: false,
                })
            } else {
                Scalar::Number(Number {
                    text: &text,
                    whole: false,
                })
            }
        }
        // `datetime()` is a method of PostgreSQL's paths only.
        Item::Null | Item::Array(_) | Item::Object(_) | Item::Entry(_) | Item::Time(_) => {
            Scalar::Null
        }
    };
    sink.append_scalar(scalar, context)
}
