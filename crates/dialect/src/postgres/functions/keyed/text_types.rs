//! Functions of types whose values are texts, by what their texts mean.
//!
//! ```text
//! $inet_in(text)                    reads a value, and returns its text as PostgreSQL writes it
//! $inet_key(x), $inet_keys(list)    texts that compare as the values do
//! $inet_greatest(x, y, …)           and $inet_least
//! $inet_text(x)                     an address as a cast to text writes it
//! ```

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{Expr, ScalarUDF};
use lakegate_error::Error;

use super::{Act, Keyed};
use crate::postgres::functions::ranges::{self, RangeType};
use crate::postgres::functions::{bit_strings, log_positions, networks, row_places, value_types};
use crate::postgres::{Cell, PgFunction};

const TYPES: [Keyed; 13] = [
    Keyed::Inet,
    Keyed::Cidr,
    Keyed::MacAddress,
    Keyed::LogPosition,
    Keyed::RowPlace,
    Keyed::Bit,
    Keyed::VarBit,
    Keyed::Range(RangeType::Int4),
    Keyed::Range(RangeType::Int8),
    Keyed::Range(RangeType::Num),
    Keyed::Range(RangeType::Ts),
    Keyed::Range(RangeType::Tstz),
    Keyed::Range(RangeType::Date),
];

const ACTS: [Act; 5] = [Act::In, Act::Key, Act::Keys, Act::Greatest, Act::Least];

/// The most arguments of `greatest` and `least`.
const MAX_ARGUMENTS: usize = 100;

/// Returns the types, also those with an entry in a table.
fn types() -> impl Iterator<Item = Keyed> {
    let values = value_types::all().iter().map(Keyed::Value);
    TYPES.into_iter().chain(values)
}

/// Functions that return values of one of the types, besides those that are made here.
const RETURN_ONE: [&str; 12] = [
    "broadcast",
    "hostmask",
    "inet_client_addr",
    "inet_merge",
    "inet_server_addr",
    "netmask",
    "network",
    "pg_stat_get_backend_client_addr",
    "range_merge",
    "set_masklen",
    networks::MINUS,
    networks::PLUS,
];

/// Made once: calls of one function are equal only if they share it.
static FUNCTIONS: LazyLock<Vec<(Keyed, Act, Arc<ScalarUDF>)>> = LazyLock::new(|| {
    let all = types().flat_map(|of| ACTS.map(|act| (of, act)));
    let all = all.filter(|(of, act)| of.compares() || *act == Act::In);
    all.map(|(of, act)| (of, act, made(of, act).into_udf()))
        .collect()
});

static TEXT_OF_ADDRESS: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    let text = PgFunction::new("$inet_text", 1..=1, DataType::Utf8, |args| {
        let text = text_at(args, 0);
        Ok(Cell::text(networks::full_text(&text)?))
    });
    text.immutable().into_udf()
});

/// Returns all of them, to be registered.
pub(in crate::postgres::functions) fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    let made = FUNCTIONS
        .iter()
        .map(|(_, _, function)| Arc::clone(function));
    made.chain([Arc::clone(&TEXT_OF_ADDRESS)])
}

/// Returns the function of a type that does something.
pub(super) fn function(of: Keyed, act: Act) -> Arc<ScalarUDF> {
    let mut all = FUNCTIONS.iter();
    let found = all.find(|(known, does, _)| (*known, *does) == (of, act));
    match found {
        Some((_, _, function)) => Arc::clone(function),
        None => made(of, act).into_udf(),
    }
}

/// Returns the text of an address that a cast makes of it, which always has the bits of its network.
pub(super) fn text_of_address(address: Expr) -> Expr {
    TEXT_OF_ADDRESS.call(vec![address])
}

/// Returns the address of a call that [`text_of_address`] has made.
pub(super) fn address_of(text: &Expr) -> Option<&Expr> {
    match text {
        Expr::ScalarFunction(call) if call.func.name() == TEXT_OF_ADDRESS.name() => {
            call.args.first()
        }
        _ => None,
    }
}

/// Returns whether the values of a function may be of one of the types.
pub(super) fn returns_one(function: &str) -> bool {
    let is_made = || types().any(|of| function.contains(of.mark()));
    let is_position = || function.starts_with("pg_") && function.ends_with("_lsn");
    let is_constructor = || RangeType::named(function).is_some();
    function.starts_with('$') && is_made()
        || is_position()
        || is_constructor()
        || RETURN_ONE.contains(&function)
}

/// Returns a value of a type as PostgreSQL writes it.
///
/// # Errors
///
/// The text is not a value of the type.
fn read(of: Keyed, options: &ConfigOptions, text: &str) -> Result<String, Error> {
    match of {
        Keyed::Cidr => networks::cidr(text),
        Keyed::MacAddress => networks::mac_address(text),
        Keyed::Value(of) => (of.read)(text),
        Keyed::LogPosition => log_positions::read(text),
        Keyed::RowPlace => row_places::read(text),
        Keyed::Bit | Keyed::VarBit => bit_strings::read(text),
        Keyed::Range(of) => ranges::read(of, options, text),
        Keyed::Inet | Keyed::Timetz => networks::inet(text),
    }
}

/// Returns a text that compares as a value of a type does.
///
/// # Errors
///
/// The text is not a value of the type.
fn key(of: Keyed, options: &ConfigOptions, text: &str) -> Result<String, Error> {
    match of {
        // Their texts compare as they do.
        Keyed::MacAddress => networks::mac_address(text),
        Keyed::Value(of) => (of.read)(text),
        Keyed::Bit | Keyed::VarBit => bit_strings::read(text),
        Keyed::LogPosition => log_positions::key(text),
        Keyed::RowPlace => row_places::key(text),
        Keyed::Range(of) => ranges::key(of, options, text),
        Keyed::Inet | Keyed::Cidr | Keyed::Timetz => networks::key(text),
    }
}

fn text_at(args: &[Cell<'static>], place: usize) -> String {
    args.get(place).and_then(Cell::to_text).unwrap_or_default()
}

fn made(of: Keyed, act: Act) -> PgFunction {
    let function = of_act(of, act);
    match of {
        // Settings of the session decide what texts of times mean.
        Keyed::Range(of) if of.is_of_times() => function,
        _ => function.immutable(),
    }
}

fn of_act(of: Keyed, act: Act) -> PgFunction {
    let mark = of.mark();
    let text = || DataType::Utf8;
    match act {
        Act::In => {
            let name = format!("${mark}_in");
            PgFunction::in_session(&name, 1..=1, text(), move |options, args| {
                Ok(Cell::text(read(of, options, &text_at(args, 0))?))
            })
            .shown_as(mark)
        }
        Act::Key => {
            let name = format!("${mark}_key");
            PgFunction::in_session(&name, 1..=1, text(), move |options, args| {
                Ok(Cell::text(key(of, options, &text_at(args, 0))?))
            })
        }
        Act::Keys => {
            let list = DataType::new_list(text(), true);
            let name = format!("${mark}_keys");
            PgFunction::in_session(&name, 1..=1, list, move |options, args| {
                let Some(Cell::List(items)) = args.first() else {
                    return Ok(Cell::Null);
                };
                let keys = items.iter().map(|item| match item.to_text() {
                    Some(text) => key(of, options, &text).map(Cell::text),
                    None => Ok(Cell::Null),
                });
                Ok(Cell::List(keys.collect::<Result<_, Error>>()?))
            })
        }
        Act::Greatest | Act::Least => {
            let name = match act {
                Act::Greatest => format!("${mark}_greatest"),
                _ => format!("${mark}_least"),
            };
            PgFunction::in_session(&name, 1..=MAX_ARGUMENTS, text(), move |options, args| {
                let texts = args.iter().filter_map(Cell::to_text);
                let values = texts.map(|text| {
                    let key = key(of, options, &text)?;
                    Ok((key, read(of, options, &text)?))
                });
                let values = values.collect::<Result<Vec<_>, Error>>()?;
                let best = match act {
                    Act::Greatest => values.into_iter().max(),
                    _ => values.into_iter().min(),
                };
                Ok(best.map_or(Cell::Null, |(_, text)| Cell::text(text)))
            })
            .called_on_null()
            .shown_as(mark)
        }
    }
}
