//! Helpers with which endpoints convert values to their protocol's form and back, re-exported from
//! the engine, the lake and the dialects.

pub use lakegate_dialect::postgres::pg_catalog::object_number;
pub use lakegate_dialect::postgres::{
    Encoding, IntervalStyle, Named, RangeBound, RangeNumber, RangePoint, RangeType, RangeValue,
    decode_bytea, encoding_named, network_text, put_f32, put_f64,
};
pub use lakegate_dialect::visible::VisibleColumn;
pub use lakegate_engine::time;
pub use lakegate_lake::leaves::cast_rounded;
pub use lakegate_lake::sizes::{bytes_in, bytes_of};
pub use lakegate_lake::{STRICT, type_name};
