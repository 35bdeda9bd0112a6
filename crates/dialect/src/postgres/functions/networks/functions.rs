//! Functions of addresses, and those that their operators are planned as.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use lakegate_error::{Code, Error};

use super::address::Network;
use super::inet_of;
use crate::postgres::functions::family::{Family, udfs};
use crate::postgres::{Cell, PgFunction};

/// The functions of the operators `<<`, `<<=`, `>>`, `>>=` and `&&`, by PostgreSQL's names.
pub(in crate::postgres::functions) const WITHIN: &str = "network_sub";
pub(in crate::postgres::functions) const WITHIN_OR_EQUAL: &str = "network_subeq";
pub(in crate::postgres::functions) const CONTAINS: &str = "network_sup";
pub(in crate::postgres::functions) const CONTAINS_OR_EQUAL: &str = "network_supeq";
pub(in crate::postgres::functions) const OVERLAP: &str = "network_overlap";

/// The function of the network of an address, which is a `cidr`.
pub(in crate::postgres::functions) const NETWORK: &str = "network";

/// The functions of `+` and `-`.
pub(in crate::postgres::functions) const PLUS: &str = "inetpl";
pub(in crate::postgres::functions) const MINUS: &str = "inetmi_int8";
pub(in crate::postgres::functions) const DISTANCE: &str = "inetmi";

static FUNCTIONS: Family = Family::new(|| udfs(made()));

/// Returns all of them.
pub(in crate::postgres::functions) fn all() -> impl Iterator<Item = Arc<ScalarUDF>> {
    FUNCTIONS.all()
}

/// Returns the function of a name, which is one of the constants above.
pub(in crate::postgres::functions) fn function(name: &'static str) -> Arc<ScalarUDF> {
    FUNCTIONS.named(name)
}

/// # Errors
///
/// The argument is not an address.
fn network_at(args: &[Cell<'static>], place: usize) -> Result<Network, Error> {
    let text = args.get(place).and_then(Cell::to_text);
    inet_of(&text.unwrap_or_default())
}

fn number_at(args: &[Cell<'static>], place: usize) -> Result<i64, Error> {
    let number = args.get(place).and_then(Cell::as_int);
    number.ok_or_else(|| Error::invalid("the number is no bigint"))
}

/// Builds a function of one address.
fn of_one(
    name: &str,
    returns: DataType,
    value: impl Fn(Network) -> Cell<'static> + Send + Sync + 'static,
) -> PgFunction {
    PgFunction::new(name, 1..=1, returns, move |args| {
        Ok(value(network_at(args, 0)?))
    })
    .immutable()
}

/// Builds a function of two addresses that is true or false.
fn comparison(name: &str, holds: fn(Network, Network) -> bool) -> PgFunction {
    PgFunction::new(name, 2..=2, DataType::Boolean, move |args| {
        Ok(Cell::Bool(holds(
            network_at(args, 0)?,
            network_at(args, 1)?,
        )))
    })
    .immutable()
}

/// Builds a function that moves an address. `sign`: 1 or -1.
fn moved(name: &str, sign: i64) -> PgFunction {
    PgFunction::new(name, 2..=2, DataType::Utf8, move |args| {
        let by = number_at(args, 1)?.checked_mul(sign);
        let network = network_at(args, 0)?;
        let moved = by.and_then(|by| network.plus(by));
        Ok(Cell::text(moved.ok_or_else(out_of_range)?.inet()))
    })
    .immutable()
    .shown_as("inet")
}

fn out_of_range() -> Error {
    Error::new(Code::NumericOutOfRange, "result is out of range")
}

fn made() -> Vec<PgFunction> {
    let text = || DataType::Utf8;
    let int = || DataType::Int32;
    let distance = PgFunction::new(DISTANCE, 2..=2, DataType::Int64, |args| {
        let (one, other) = (network_at(args, 0)?, network_at(args, 1)?);
        if !one.is_of_family(other) {
            let message = "cannot subtract inet values of different sizes";
            return Err(Error::invalid(message).into());
        }
        Ok(Cell::Int(one.minus(other).ok_or_else(out_of_range)?))
    });
    let with_length = PgFunction::new("set_masklen", 2..=2, text(), |args| {
        let (network, bits) = (network_at(args, 0)?, number_at(args, 1)?);
        let found = network
            .with_length(bits)
            .ok_or_else(|| Error::invalid(format!("invalid mask length: {bits}")))?;
        Ok(Cell::text(found.inet()))
    });
    let merged = PgFunction::new("inet_merge", 2..=2, text(), |args| {
        let merged = network_at(args, 0)?.merged(network_at(args, 1)?);
        let merged = merged
            .ok_or_else(|| Error::invalid("cannot merge addresses from different families"))?;
        Ok(Cell::text(merged.cidr()))
    });
    vec![
        of_one("host", text(), |of| Cell::text(of.host())),
        of_one("family", int(), |of| Cell::Int(of.family())),
        of_one("masklen", int(), |of| Cell::Int(i64::from(of.bits()))),
        of_one(NETWORK, text(), |of| Cell::text(of.start().cidr())).shown_as("cidr"),
        of_one("broadcast", text(), |of| Cell::text(of.end().inet())).shown_as("inet"),
        of_one("netmask", text(), |of| Cell::text(of.netmask().inet())).shown_as("inet"),
        of_one("hostmask", text(), |of| Cell::text(of.hostmask().inet())).shown_as("inet"),
        comparison(WITHIN, |one, other| {
            one.bits() > other.bits() && other.contains(one)
        }),
        comparison(WITHIN_OR_EQUAL, |one, other| other.contains(one)),
        comparison(CONTAINS, |one, other| {
            one.bits() < other.bits() && one.contains(other)
        }),
        comparison(CONTAINS_OR_EQUAL, Network::contains),
        comparison(OVERLAP, |one, other| {
            one.contains(other) || other.contains(one)
        }),
        comparison("inet_same_family", Network::is_of_family),
        moved(PLUS, 1),
        moved(MINUS, -1),
        distance.immutable(),
        with_length.immutable().shown_as("inet"),
        merged.immutable().shown_as("cidr"),
    ]
}
