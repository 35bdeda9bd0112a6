//! The Postgres type that a column is shown as.
//!
//! The mapping is total: a type that Postgres lacks (map, struct, union, list of them) is `json`. A
//! list of lists is an array of several dimensions, which has the type of one of a single one.
//! OIDs and lengths are those of PostgreSQL's `pg_type.dat`. A catalog table can request a type
//! that Arrow lacks (`name`, `oid`, `"char"` …) with the field metadata key [`PG_TYPE`].

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};

/// Field metadata key: the name of the Postgres type to show, as in `pg_type.typname`; `x[]` or
/// `_x` is an array of `x`.
pub(crate) const PG_TYPE: &str = "pg.type";

/// Type OIDs by name, from `pg_type.dat`.
pub(crate) mod oid {
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const CHAR: u32 = 18;
    pub(crate) const NAME: u32 = 19;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT2VECTOR: u32 = 22;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const REGPROC: u32 = 24;
    pub(crate) const TEXT: u32 = 25;
    pub(crate) const OID: u32 = 26;
    pub(crate) const XID: u32 = 28;
    pub(crate) const OIDVECTOR: u32 = 30;
    pub(crate) const JSON: u32 = 114;
    pub(crate) const FLOAT4: u32 = 700;
    pub(crate) const FLOAT8: u32 = 701;
    pub(crate) const UNKNOWN: u32 = 705;
    pub(crate) const BPCHAR: u32 = 1042;
    pub(crate) const VARCHAR: u32 = 1043;
    pub(crate) const DATE: u32 = 1082;
    pub(crate) const TIME: u32 = 1083;
    pub(crate) const TIMESTAMP: u32 = 1114;
    pub(crate) const TIMESTAMPTZ: u32 = 1184;
    pub(crate) const INTERVAL: u32 = 1186;
    pub(crate) const TIMETZ: u32 = 1266;
    pub(crate) const NUMERIC: u32 = 1700;
    pub(crate) const RECORD: u32 = 2249;
    pub(crate) const REGCLASS: u32 = 2205;
    pub(crate) const REGTYPE: u32 = 2206;
    pub(crate) const UUID: u32 = 2950;
    pub(crate) const JSONB: u32 = 3802;
    pub(crate) const REGNAMESPACE: u32 = 4089;
}

/// `(typname, oid, typlen, oid of its array type)`: the types that a column or a parameter can
/// have.
const TYPES: &[(&str, u32, i16, u32)] = &[
    ("bool", oid::BOOL, 1, 1000),
    ("bytea", oid::BYTEA, -1, 1001),
    ("char", oid::CHAR, 1, 1002),
    ("name", oid::NAME, 64, 1003),
    ("int8", oid::INT8, 8, 1016),
    ("int2", oid::INT2, 2, 1005),
    ("int2vector", oid::INT2VECTOR, -1, 1006),
    ("int4", oid::INT4, 4, 1007),
    ("regproc", oid::REGPROC, 4, 1008),
    ("text", oid::TEXT, -1, 1009),
    ("oid", oid::OID, 4, 1028),
    ("tid", 27, 6, 1010),
    ("xid", oid::XID, 4, 1011),
    ("cid", 29, 4, 1012),
    ("oidvector", oid::OIDVECTOR, -1, 1013),
    ("json", oid::JSON, -1, 199),
    ("xml", 142, -1, 143),
    ("pg_node_tree", 194, -1, 0),
    ("float4", oid::FLOAT4, 4, 1021),
    ("float8", oid::FLOAT8, 8, 1022),
    ("inet", 869, -1, 1041),
    ("aclitem", 1033, 16, 1034),
    ("bpchar", oid::BPCHAR, -1, 1014),
    ("varchar", oid::VARCHAR, -1, 1015),
    ("date", oid::DATE, 4, 1182),
    ("time", oid::TIME, 8, 1183),
    ("timestamp", oid::TIMESTAMP, 8, 1115),
    ("timestamptz", oid::TIMESTAMPTZ, 8, 1185),
    ("interval", oid::INTERVAL, 16, 1187),
    ("timetz", oid::TIMETZ, 12, 1270),
    ("numeric", oid::NUMERIC, -1, 1231),
    ("regprocedure", 2202, 4, 2207),
    ("regoper", 2203, 4, 2208),
    ("regoperator", 2204, 4, 2209),
    ("regclass", oid::REGCLASS, 4, 2210),
    ("regtype", oid::REGTYPE, 4, 2211),
    ("uuid", oid::UUID, 16, 2951),
    ("pg_lsn", 3220, 8, 3221),
    ("regconfig", 3734, 4, 3735),
    ("regdictionary", 3769, 4, 3770),
    ("jsonb", oid::JSONB, -1, 3807),
    ("regnamespace", oid::REGNAMESPACE, 4, 4090),
    ("regrole", 4096, 4, 4097),
    ("regcollation", 4191, 4, 4192),
];

/// `oid[]`.
pub(crate) const OID_LIST: u32 = 1028;
/// `record[]`.
const RECORD_LIST: u32 = 2287;

/// A column's type as `RowDescription` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PgType {
    pub oid: u32,
    /// Size of a value in bytes; -1 if it varies.
    pub len: i16,
    /// `atttypmod`: for numeric `((precision << 16) | (scale & 0x7ff)) + 4`, else -1.
    pub typmod: i32,
    /// For an array the type of its elements, else 0.
    pub element: u32,
}

impl PgType {
    const fn of(oid: u32) -> Self {
        let mut i = 0;
        while i < TYPES.len() {
            if TYPES[i].1 == oid {
                return PgType {
                    oid,
                    len: TYPES[i].2,
                    typmod: -1,
                    element: 0,
                };
            }
            i += 1;
        }
        PgType {
            oid,
            len: -1,
            typmod: -1,
            element: 0,
        }
    }

    /// Returns the array type of `element`, or `json` if Postgres has no such array.
    fn array_of(element: PgType) -> Self {
        match array_oid(element.oid) {
            Some(oid) => PgType {
                oid,
                len: -1,
                typmod: element.typmod,
                element: element.oid,
            },
            None => PgType::of(oid::JSON),
        }
    }

    /// Returns whether a value is four bytes of unsigned object id on the wire (`oid`, `xid`,
    /// `regclass` …).
    pub(crate) fn is_oid_like(self) -> bool {
        oid_like(self.oid)
    }
}

pub(crate) fn oid_like(type_oid: u32) -> bool {
    matches!(
        type_oid,
        oid::OID | oid::XID | 29 | oid::REGPROC | 2202
            ..=2206 | 3734 | 3769 | oid::REGNAMESPACE | 4096 | 4191
    )
}

fn array_oid(element: u32) -> Option<u32> {
    TYPES
        .iter()
        .find(|t| t.1 == element)
        .map(|t| t.3)
        .filter(|oid| *oid != 0)
}

/// Returns the element type of an array type: `int4` of `int4[]`.
pub(crate) fn element_oid(array: u32) -> Option<u32> {
    if array == 0 {
        return None;
    }
    TYPES.iter().find(|t| t.3 == array).map(|t| t.1)
}

/// Returns the type's name in error messages; `integer[]` is written `int4[]`.
pub(crate) fn type_name(type_oid: u32) -> String {
    if let Some(t) = TYPES.iter().find(|t| t.1 == type_oid) {
        return t.0.to_owned();
    }
    match TYPES.iter().find(|t| t.3 == type_oid && type_oid != 0) {
        Some(t) => format!("{}[]", t.0),
        None => format!("type {type_oid}"),
    }
}

/// Returns the name of a type in the errors of its input function, as PostgreSQL writes it.
pub(crate) fn input_name(type_oid: u32) -> String {
    match type_oid {
        oid::BOOL => "boolean".to_owned(),
        oid::INT2 => "smallint".to_owned(),
        oid::INT4 => "integer".to_owned(),
        oid::INT8 => "bigint".to_owned(),
        oid::FLOAT4 => "real".to_owned(),
        oid::FLOAT8 => "double precision".to_owned(),
        oid::TIMESTAMPTZ => "timestamp with time zone".to_owned(),
        oid::TIMETZ => "time with time zone".to_owned(),
        other => type_name(other),
    }
}

fn by_name(name: &str) -> Option<PgType> {
    if let Some(element) = name.strip_suffix("[]").or_else(|| name.strip_prefix('_')) {
        let element = by_name(element)?;
        return array_oid(element.oid).map(|_| PgType::array_of(element));
    }
    TYPES.iter().find(|t| t.0 == name).map(|t| PgType::of(t.1))
}

/// Returns the Postgres type of a result column.
pub(crate) fn of_field(field: &Field) -> PgType {
    let natural = of_data_type(field.data_type());
    let Some(hint) = field.metadata().get(PG_TYPE).and_then(|name| by_name(name)) else {
        return natural;
    };
    if !hint_fits(hint, field.data_type()) {
        return natural;
    }
    PgType {
        typmod: natural.typmod,
        ..hint
    }
}

/// Returns the type of a result column where arrays of arrays are shown as JSON.
pub(crate) fn without_dimensions(field: &Field) -> PgType {
    let is_list = |data_type: &DataType| list_element(unwrapped(data_type)).is_some();
    match list_element(unwrapped(field.data_type())) {
        Some(item) if is_list(item.data_type()) => PgType::of(oid::JSON),
        _ => of_field(field),
    }
}

/// Returns the type of a result column of structs that are shown as rows: they are records, as rows
/// without a table are in PostgreSQL. `None` for other columns.
pub(crate) fn of_records(field: &Field) -> Option<PgType> {
    let data_type = unwrapped(field.data_type());
    let is_struct = |data_type: &DataType| matches!(unwrapped(data_type), DataType::Struct(_));
    if is_struct(data_type) {
        return Some(PgType::of(oid::RECORD));
    }
    let item = list_element(data_type)?;
    is_struct(item.data_type()).then(|| PgType {
        element: oid::RECORD,
        ..PgType::of(RECORD_LIST)
    })
}

/// Returns whether values of `data_type` can be encoded as `hint`. Other hints are ignored, so that
/// the announced type is the one that is sent.
fn hint_fits(hint: PgType, data_type: &DataType) -> bool {
    let data_type = unwrapped(data_type);
    if hint.element != 0 || matches!(hint.oid, oid::INT2VECTOR | oid::OIDVECTOR) {
        let element = match hint.oid {
            oid::INT2VECTOR => oid::INT2,
            oid::OIDVECTOR => oid::OID,
            _ => hint.element,
        };
        return match list_element(data_type) {
            // Elements are encoded without the version that begins a `jsonb`.
            Some(_) if element == oid::JSONB => false,
            Some(field) => hint_fits(PgType::of(element), field.data_type()),
            // A vector that is already text, such as "1 2 3".
            None => hint.element == 0 && is_string(data_type),
        };
    }
    match hint.oid {
        _ if hint.is_oid_like() => is_small_integer(data_type) || is_string(data_type),
        oid::INT2 | oid::INT4 | oid::INT8 => is_small_integer(data_type),
        oid::BOOL
        | oid::BYTEA
        | oid::FLOAT4
        | oid::FLOAT8
        | oid::NUMERIC
        | oid::DATE
        | oid::TIME
        | oid::TIMESTAMP
        | oid::TIMESTAMPTZ
        | oid::INTERVAL => of_data_type(data_type).oid == hint.oid,
        oid::JSON | oid::JSONB => is_string(data_type) || is_json(of_data_type(data_type).oid),
        oid::UUID | oid::TIMETZ => is_string(data_type),
        // Types whose binary form is their text (`pg_node_tree`, `xml`) or that have none
        // (`aclitem`).
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR | 142 | 194 | 1033 => {
            is_string(data_type)
        }
        _ => false,
    }
}

fn is_json(type_oid: u32) -> bool {
    matches!(type_oid, oid::JSON | oid::JSONB)
}

fn is_string(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null
    )
}

fn is_small_integer(data_type: &DataType) -> bool {
    use DataType::*;
    matches!(
        data_type,
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | Null
    )
}

/// Returns the type behind dictionary and run-end encoding.
pub(crate) fn unwrapped(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => unwrapped(values),
        DataType::RunEndEncoded(_, values) => unwrapped(values.data_type()),
        other => other,
    }
}

fn list_element(data_type: &DataType) -> Option<&Field> {
    match data_type {
        DataType::List(f)
        | DataType::LargeList(f)
        | DataType::FixedSizeList(f, _)
        | DataType::ListView(f)
        | DataType::LargeListView(f) => Some(f),
        _ => None,
    }
}

fn numeric(precision: u8, scale: i8) -> PgType {
    let typmod = ((i32::from(precision) << 16) | (i32::from(scale) & 0x7ff)) + 4;
    PgType {
        typmod,
        ..PgType::of(oid::NUMERIC)
    }
}

/// Returns the Postgres type that shows values of `data_type`.
pub(crate) fn of_data_type(data_type: &DataType) -> PgType {
    use DataType::*;
    let oid = match data_type {
        Boolean => oid::BOOL,
        Int8 | UInt8 | Int16 => oid::INT2,
        UInt16 | Int32 => oid::INT4,
        UInt32 | Int64 => oid::INT8,
        UInt64 => oid::NUMERIC,
        Float16 | Float32 => oid::FLOAT4,
        Float64 => oid::FLOAT8,
        Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) | Decimal256(p, s) => {
            return numeric(*p, *s);
        }
        Null | Utf8 | LargeUtf8 | Utf8View => oid::TEXT,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => oid::BYTEA,
        Date32 | Date64 => oid::DATE,
        Time32(_) | Time64(_) => oid::TIME,
        Timestamp(_, None) => oid::TIMESTAMP,
        Timestamp(_, Some(_)) => oid::TIMESTAMPTZ,
        Interval(_) | Duration(_) => oid::INTERVAL,
        Dictionary(..) | RunEndEncoded(..) => return of_data_type(unwrapped(data_type)),
        List(f) | LargeList(f) | FixedSizeList(f, _) | ListView(f) | LargeListView(f) => {
            let element = of_field(f);
            if is_json(element.oid) {
                return PgType::of(oid::JSON);
            }
            if list_element(unwrapped(f.data_type())).is_none() {
                return PgType::array_of(element);
            }
            // A vector is no dimension of an array.
            return match element.element {
                0 => PgType::of(oid::JSON),
                _ => element,
            };
        }
        Map(..) => oid::JSONB,
        Struct(_) | Union(..) => oid::JSON,
    };
    PgType::of(oid)
}

/// Returns the Arrow type of a parameter declared with a type OID, or `None` if the type is unknown
/// and must be inferred.
pub(crate) fn arrow_of(type_oid: u32) -> Option<DataType> {
    Some(match type_oid {
        oid::BOOL => DataType::Boolean,
        oid::INT2 => DataType::Int16,
        oid::INT4 => DataType::Int32,
        oid::INT8 => DataType::Int64,
        // The precision of a numeric is known only when its value is bound; this type leaves 28
        // digits before the point and 10 after it.
        oid::NUMERIC => DataType::Decimal128(38, 10),
        oid::FLOAT4 => DataType::Float32,
        oid::FLOAT8 => DataType::Float64,
        oid::TEXT
        | oid::VARCHAR
        | oid::BPCHAR
        | oid::NAME
        | oid::CHAR
        | oid::UUID
        | oid::TIMETZ
        | oid::JSON
        | oid::JSONB => DataType::Utf8,
        oid::BYTEA => DataType::Binary,
        oid::DATE => DataType::Date32,
        oid::TIME => DataType::Time64(TimeUnit::Microsecond),
        oid::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        oid::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        oid::INTERVAL => {
            DataType::Interval(datafusion::arrow::datatypes::IntervalUnit::MonthDayNano)
        }
        other if oid_like(other) => DataType::Int64,
        other => DataType::List(Field::new_list_field(arrow_of(element_oid(other)?)?, true).into()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::sync::Arc;

    use super::*;

    fn hinted(data_type: DataType, name: &str) -> PgType {
        of_field(
            &Field::new("c", data_type, true)
                .with_metadata([(PG_TYPE.to_owned(), name.to_owned())].into()),
        )
    }

    #[test]
    fn names_and_oids_are_those_of_postgres() {
        for (name, oid, _, array) in TYPES {
            let known = postgres_types::Type::from_oid(*oid)
                .unwrap_or_else(|| panic!("{name} has no type {oid}"));
            assert_eq!(known.name(), *name);
            if *array != 0 {
                let known = postgres_types::Type::from_oid(*array)
                    .unwrap_or_else(|| panic!("{name} has no array {array}"));
                let postgres_types::Kind::Array(element) = known.kind() else {
                    panic!("{array} is not an array")
                };
                assert_eq!(element.oid(), *oid, "element of {array}");
            }
        }
    }

    #[test]
    fn decimal_carries_precision_and_scale_in_its_typmod() {
        assert_eq!(
            of_data_type(&DataType::Decimal128(10, 2)),
            PgType {
                oid: 1700,
                len: -1,
                typmod: 655366,
                element: 0
            }
        );
        assert_eq!(
            of_data_type(&DataType::Decimal256(76, 38)).typmod,
            ((76 << 16) | 38) + 4
        );
    }

    #[test]
    fn encodings_show_their_values_type() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        assert_eq!(of_data_type(&dictionary).oid, oid::TEXT);
        let runs = DataType::RunEndEncoded(
            Arc::new(Field::new("run_ends", DataType::Int32, false)),
            Arc::new(Field::new("values", DataType::Date32, true)),
        );
        assert_eq!(of_data_type(&runs).oid, oid::DATE);
    }

    #[test]
    fn lists_of_scalars_are_arrays_in_any_number_of_dimensions() {
        let ints = DataType::new_list(DataType::Int32, true);
        assert_eq!(
            of_data_type(&ints),
            PgType {
                oid: 1007,
                len: -1,
                typmod: -1,
                element: 23
            }
        );
        let nested = DataType::new_list(ints.clone(), true);
        assert_eq!(of_data_type(&nested), of_data_type(&ints));
        let column = |data_type: &DataType| Field::new("c", data_type.clone(), true);
        assert_eq!(without_dimensions(&column(&nested)).oid, oid::JSON);
        assert_eq!(without_dimensions(&column(&ints)).oid, 1007);
        let maps = DataType::new_list(
            DataType::new_list(
                DataType::Struct(datafusion::arrow::datatypes::Fields::empty()),
                true,
            ),
            true,
        );
        assert_eq!(of_data_type(&maps).oid, oid::JSON);
        assert_eq!(
            of_data_type(&DataType::new_list(
                DataType::Struct(datafusion::arrow::datatypes::Fields::empty()),
                true
            ))
            .oid,
            oid::JSON
        );
    }

    #[test]
    fn hints_apply_only_where_the_values_fit() {
        assert_eq!(hinted(DataType::Utf8, "name").oid, oid::NAME);
        assert_eq!(hinted(DataType::Int32, "oid").oid, oid::OID);
        assert_eq!(
            hinted(DataType::new_list(DataType::Int16, true), "int2vector").oid,
            oid::INT2VECTOR
        );
        assert_eq!(
            hinted(DataType::new_list(DataType::Utf8, true), "name[]").oid,
            1003
        );
        assert_eq!(hinted(DataType::Float64, "oid").oid, oid::FLOAT8);
        assert_eq!(hinted(DataType::Utf8, "no such type").oid, oid::TEXT);
        assert_eq!(hinted(DataType::Boolean, "name").oid, oid::BOOL);
        assert_eq!(hinted(DataType::Utf8, "jsonb").oid, oid::JSONB);
        assert_eq!(hinted(DataType::Utf8View, "uuid").oid, oid::UUID);
        assert_eq!(hinted(DataType::Binary, "uuid").oid, oid::BYTEA);
        assert_eq!(hinted(DataType::Utf8, "timetz").oid, oid::TIMETZ);
        let texts = DataType::new_list(DataType::Utf8, true);
        assert_eq!(hinted(texts, "jsonb[]").oid, 1009);
    }

    #[test]
    fn declared_parameter_types_have_an_arrow_type() {
        assert_eq!(
            arrow_of(1007),
            Some(DataType::new_list(DataType::Int32, true))
        );
        assert_eq!(arrow_of(oid::UNKNOWN), None);
        assert_eq!(arrow_of(0), None);
        assert_eq!(arrow_of(999_999), None);
    }
}
