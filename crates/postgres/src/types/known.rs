//! The types of PostgreSQL that a column or a parameter can have: their OIDs, lengths, arrays and
//! names, as in `pg_type.dat`.

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
    pub(crate) const TID: u32 = 27;
    pub(crate) const XID: u32 = 28;
    pub(crate) const CID: u32 = 29;
    pub(crate) const OIDVECTOR: u32 = 30;
    pub(crate) const JSON: u32 = 114;
    pub(crate) const POINT: u32 = 600;
    pub(crate) const LSEG: u32 = 601;
    pub(crate) const PATH: u32 = 602;
    pub(crate) const BOX: u32 = 603;
    pub(crate) const POLYGON: u32 = 604;
    pub(crate) const LINE: u32 = 628;
    pub(crate) const CIDR: u32 = 650;
    pub(crate) const FLOAT4: u32 = 700;
    pub(crate) const FLOAT8: u32 = 701;
    pub(crate) const UNKNOWN: u32 = 705;
    pub(crate) const CIRCLE: u32 = 718;
    pub(crate) const MACADDR8: u32 = 774;
    pub(crate) const MACADDR: u32 = 829;
    pub(crate) const INET: u32 = 869;
    pub(crate) const ACLITEM: u32 = 1033;
    pub(crate) const BPCHAR: u32 = 1042;
    pub(crate) const VARCHAR: u32 = 1043;
    pub(crate) const DATE: u32 = 1082;
    pub(crate) const TIME: u32 = 1083;
    pub(crate) const TIMESTAMP: u32 = 1114;
    pub(crate) const TIMESTAMPTZ: u32 = 1184;
    pub(crate) const INTERVAL: u32 = 1186;
    pub(crate) const TIMETZ: u32 = 1266;
    pub(crate) const BIT: u32 = 1560;
    pub(crate) const VARBIT: u32 = 1562;
    pub(crate) const NUMERIC: u32 = 1700;
    pub(crate) const REFCURSOR: u32 = 1790;
    pub(crate) const RECORD: u32 = 2249;
    pub(crate) const ANYARRAY: u32 = 2277;
    pub(crate) const REGCLASS: u32 = 2205;
    pub(crate) const REGTYPE: u32 = 2206;
    pub(crate) const UUID: u32 = 2950;
    pub(crate) const TXID_SNAPSHOT: u32 = 2970;
    pub(crate) const PG_LSN: u32 = 3220;
    pub(crate) const PG_NDISTINCT: u32 = 3361;
    pub(crate) const PG_DEPENDENCIES: u32 = 3402;
    pub(crate) const JSONB: u32 = 3802;
    pub(crate) const INT4RANGE: u32 = 3904;
    pub(crate) const NUMRANGE: u32 = 3906;
    pub(crate) const TSRANGE: u32 = 3908;
    pub(crate) const TSTZRANGE: u32 = 3910;
    pub(crate) const DATERANGE: u32 = 3912;
    pub(crate) const INT8RANGE: u32 = 3926;
    pub(crate) const REGNAMESPACE: u32 = 4089;
    pub(crate) const PG_MCV_LIST: u32 = 5017;
    pub(crate) const PG_SNAPSHOT: u32 = 5038;
    pub(crate) const XID8: u32 = 5069;
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
    ("tid", oid::TID, 6, 1010),
    ("xid", oid::XID, 4, 1011),
    ("cid", oid::CID, 4, 1012),
    ("oidvector", oid::OIDVECTOR, -1, 1013),
    ("json", oid::JSON, -1, 199),
    ("xml", 142, -1, 143),
    ("pg_node_tree", 194, -1, 0),
    ("point", oid::POINT, 16, 1017),
    ("lseg", oid::LSEG, 32, 1018),
    ("path", oid::PATH, -1, 1019),
    // Its arrays have semicolons between their items, which those here have not.
    ("box", oid::BOX, 32, 0),
    ("polygon", oid::POLYGON, -1, 1027),
    ("line", oid::LINE, 24, 629),
    ("cidr", oid::CIDR, -1, 651),
    ("float4", oid::FLOAT4, 4, 1021),
    ("float8", oid::FLOAT8, 8, 1022),
    ("circle", oid::CIRCLE, 24, 719),
    ("macaddr8", oid::MACADDR8, 8, 775),
    ("macaddr", oid::MACADDR, 6, 1040),
    ("inet", oid::INET, -1, 1041),
    ("aclitem", oid::ACLITEM, 16, 1034),
    ("bpchar", oid::BPCHAR, -1, 1014),
    ("varchar", oid::VARCHAR, -1, 1015),
    ("date", oid::DATE, 4, 1182),
    ("time", oid::TIME, 8, 1183),
    ("timestamp", oid::TIMESTAMP, 8, 1115),
    ("timestamptz", oid::TIMESTAMPTZ, 8, 1185),
    ("interval", oid::INTERVAL, 16, 1187),
    ("timetz", oid::TIMETZ, 12, 1270),
    ("bit", oid::BIT, -1, 1561),
    ("varbit", oid::VARBIT, -1, 1563),
    ("numeric", oid::NUMERIC, -1, 1231),
    ("refcursor", oid::REFCURSOR, -1, 2201),
    ("regprocedure", 2202, 4, 2207),
    ("regoper", 2203, 4, 2208),
    ("regoperator", 2204, 4, 2209),
    ("regclass", oid::REGCLASS, 4, 2210),
    ("regtype", oid::REGTYPE, 4, 2211),
    ("uuid", oid::UUID, 16, 2951),
    ("anyarray", oid::ANYARRAY, -1, 0),
    ("txid_snapshot", oid::TXID_SNAPSHOT, -1, 2949),
    ("pg_lsn", oid::PG_LSN, 8, 3221),
    ("pg_ndistinct", oid::PG_NDISTINCT, -1, 0),
    ("pg_dependencies", oid::PG_DEPENDENCIES, -1, 0),
    ("regconfig", 3734, 4, 3735),
    ("regdictionary", 3769, 4, 3770),
    ("jsonb", oid::JSONB, -1, 3807),
    ("int4range", oid::INT4RANGE, -1, 3905),
    ("numrange", oid::NUMRANGE, -1, 3907),
    ("tsrange", oid::TSRANGE, -1, 3909),
    ("tstzrange", oid::TSTZRANGE, -1, 3911),
    ("daterange", oid::DATERANGE, -1, 3913),
    ("int8range", oid::INT8RANGE, -1, 3927),
    ("regnamespace", oid::REGNAMESPACE, 4, 4090),
    ("regrole", 4096, 4, 4097),
    ("regcollation", 4191, 4, 4192),
    ("pg_mcv_list", oid::PG_MCV_LIST, -1, 0),
    ("pg_snapshot", oid::PG_SNAPSHOT, -1, 5039),
    ("xid8", oid::XID8, 8, 271),
];

/// `record[]`.
pub(super) const RECORD_LIST: u32 = 2287;

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
    pub(super) const fn of(oid: u32) -> Self {
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
    pub(super) fn array_of(element: PgType) -> Self {
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

/// Returns whether values of a type are texts that the dialect reads, with a binary form of
/// `value_forms.rs`.
pub(crate) fn is_value(type_oid: u32) -> bool {
    matches!(
        type_oid,
        oid::POINT
            | oid::LSEG
            | oid::PATH
            | oid::BOX
            | oid::POLYGON
            | oid::LINE
            | oid::CIRCLE
            | oid::MACADDR8
            | oid::TXID_SNAPSHOT
            | oid::PG_SNAPSHOT
    )
}

/// Returns whether values of a type are unsigned object ids of four bytes on the wire.
pub(crate) fn oid_like(type_oid: u32) -> bool {
    matches!(
        type_oid,
        oid::OID | oid::XID | oid::CID | oid::REGPROC | 2202
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
        oid::VARBIT => "bit varying".to_owned(),
        other => type_name(other),
    }
}

/// Returns the type of a name as in `pg_type.typname`; `x[]` or `_x` is an array of `x`.
pub(crate) fn by_name(name: &str) -> Option<PgType> {
    if let Some(element) = name.strip_suffix("[]").or_else(|| name.strip_prefix('_')) {
        let element = by_name(element)?;
        return array_oid(element.oid).map(|_| PgType::array_of(element));
    }
    TYPES.iter().find(|t| t.0 == name).map(|t| PgType::of(t.1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

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
}
