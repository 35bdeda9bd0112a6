//! PostgreSQL on this engine: its catalog functions, its operators on untyped literals, and the SQL
//! that DataFusion's planner does not accept.
//!
//! Nothing here matches the text of a known query: each rewrite applies to any query of its form.

mod array_text;
mod bytea;
mod cell;
mod encodings;
mod exclusions;
mod function;
mod functions;
pub mod information_schema;
mod joined_arrays;
mod memory_setting;
mod mixed_unions;
mod names;
mod operators;
mod output_names;
mod output_types;
pub mod pg_catalog;
mod rewrite;
mod session;
mod session_control;
mod settings;
mod shown_objects;
mod similar_pattern;
mod time_setting;
mod units;
mod vectors;

pub use array_text::{ArrayItem, parse_array};
pub use bytea::decode_bytea;
pub use cell::{Cell, PG_TYPE, build_array, hinted_field};
pub use encodings::{Decoded, Encoding, Named, encoding_named};
pub(crate) use exclusions::planner as frame_exclusions;
pub use function::{PgFunction, invalid};
pub use functions::{
    RangeBound, RangeNumber, RangePoint, RangeType, RangeValue, UNDEFINED, accepted_casts,
    call_names, functions, network_text, quote_ident, shared_functions, split_name,
};
pub(crate) use functions::{
    array_casts, byte_keywords, byte_operators, extracts, extremes_planner, extremes_rule,
    json_comparisons, json_key_of, json_subscripts, recursive_types, refused_casts,
    refused_operators, refused_operators_planner, texts_beside_bytes, typed_text_key_of,
    typed_texts,
};
use functions::{json_operators, typed_text_operators};
pub(crate) use joined_arrays::planner as joined_arrays;
pub use lakegate_engine::{IntervalStyle, OutputNames, apart, shown};
pub use lakegate_lake::float_text::{put_f32, put_f64};
pub(crate) use mixed_unions::rule as mixed_unions;
pub use names::ShownAsNames;
pub use operators::planner;
pub use output_names::{items_of, output_names};
pub use output_types::{OutputType, output_types};
pub use rewrite::{
    CatalogReferences, JoinedColumns, NamedApart, Resolution, SystemRelations, TableColumns,
    Unknown, bits_of_any_length, check_calls, check_recursions, enclose_joins, everything, folded,
    hide_columns, name_casts, name_columns, name_expressions, name_outputs, resolve_joins,
    restore_outputs, rewrite, rewrite_json, sorts_by_number, starred_tables, type_literals,
};
pub use session::SessionInfo;
pub use session_control::{SessionControl, Signal};
pub use settings::{ResultReuse, Settings, ShownSetting, VERSION};
use shown_objects::ROW_TYPE;
pub use time_setting::{milliseconds, shown_time};
pub(crate) use vectors::planner as vector_subscripts;
use vectors::{INT2VECTOR, OIDVECTOR};
