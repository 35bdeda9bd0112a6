//! Functions that need no catalog: those about the session, text, bytes, arrays, angles, JSON and
//! times with a zone, and those that always return nothing.

mod absent;
mod array_casts;
mod arrays;
mod bit_strings;
mod byte_sizes;
mod bytes;
pub(super) mod coalesce;
mod column_size;
mod compared;
mod control;
mod cut_items;
mod degrees;
mod extract;
mod family;
mod hashes;
mod identifiers;
mod joined;
mod json;
mod keyed;
mod letters;
mod log_positions;
mod marks;
mod networks;
mod oid_lists;
mod percentiles;
mod ranges;
mod recursive_types;
mod refused_casts;
mod refused_operators;
mod row_places;
mod session;
mod similar;
mod slices;
mod snapshots;
#[cfg(test)]
mod tests;
mod text;
mod timetz;
mod undefined;
pub(super) mod value_types;
mod variadic;

use std::sync::{Arc, LazyLock};

pub(crate) use array_casts::rule as array_casts;
pub(super) use arrays::{MOST_FREQUENT, with_backslash};
pub(super) use bit_strings::{BIT_CAST, VARBIT_CAST};
pub(super) use bytes::{BIT_COUNT, BIT_LENGTH};
pub(crate) use bytes::{
    keywords as byte_keywords, operators as byte_operators, rule as texts_beside_bytes,
};
pub(super) use cut_items::CUT_ITEMS;
use datafusion::logical_expr::ScalarUDF;
pub(crate) use extract::planner as extracts;
pub(super) use joined::JOINED;
pub(super) use json::{ROW as JSON_ROW, planner as json_operators};
pub(crate) use json::{
    key_of as json_key_of, rule as json_comparisons, subscripts as json_subscripts,
};
pub(crate) use keyed::{
    extremes_planner, extremes_rule, key_of as typed_text_key_of, rule as typed_texts,
};
pub(super) use keyed::{input_of, planner as typed_text_operators};
pub(super) use log_positions::LSN_IN;
pub(super) use marks::INPUTS;
pub use networks::network_text;
pub(super) use percentiles::{DESCENDING, PERCENTILE};
pub use ranges::{RangeBound, RangeNumber, RangePoint, RangeType, RangeValue};
pub(crate) use recursive_types::rule as recursive_types;
pub use refused_casts::accepted as accepted_casts;
pub(crate) use refused_casts::rule as refused_casts;
pub(crate) use refused_operators::{
    planner as refused_operators_planner, rule as refused_operators,
};
pub(super) use session::TRANSACTION_AGE;
pub(super) use similar::{SIMILAR_PART, SIMILAR_PATTERN};
pub(super) use slices::SLICES;
pub use text::{quote_ident, split_name};
pub(super) use timetz::TIMETZ_IN;
pub use undefined::{UNDEFINED, call_names};

use super::SessionInfo;

/// Those that are the same for all sessions, made once.
static SHARED: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(|| {
    let mut all = text::functions();
    all.extend(absent::functions());
    all.push(byte_sizes::function());
    all.push(cut_items::function());
    all.extend(degrees::functions());
    all.extend(hashes::functions());
    all.extend(identifiers::functions());
    all.extend(variadic::functions());
    all.extend(oid_lists::functions());
    all.extend(similar::functions());
    all.extend(snapshots::functions());
    let mut udfs = family::udfs(all);
    udfs.extend(arrays::functions());
    udfs.extend(bit_strings::all());
    udfs.push(column_size::function());
    udfs.push(slices::function());
    udfs.push(percentiles::percentile());
    udfs.extend(ranges::all());
    udfs.push(joined::joined());
    udfs.extend(bytes::functions());
    udfs.extend(json::functions());
    udfs.extend(letters::functions());
    udfs.extend(timetz::functions());
    udfs.extend(keyed::functions());
    udfs.extend(marks::functions());
    udfs.extend(networks::all());
    udfs.push(log_positions::distance());
    udfs.push(super::bytea::ByteaIn::udf());
    udfs.push(undefined::function());
    udfs
});

/// Returns those that are the same for all sessions.
pub fn shared_functions() -> &'static [Arc<ScalarUDF>] {
    &SHARED
}

/// Returns those that are of one session, and registered for each statement.
pub fn functions(session: &Arc<SessionInfo>) -> Vec<Arc<ScalarUDF>> {
    let mut own = session::functions(session);
    own.extend(control::functions(session));
    family::udfs(own)
}
