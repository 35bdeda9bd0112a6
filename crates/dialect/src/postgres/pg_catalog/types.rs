//! PostgreSQL's types, and the type of each column of the lake.

use std::collections::HashMap;
use std::sync::LazyLock;

use arrow::datatypes::{DataType, TimeUnit};

use super::data::PG_TYPES;
use super::oids;
use crate::postgres::quote_ident;

pub(crate) const TEXT: i64 = 25;
const JSON: i64 = 114;
pub(crate) const BPCHAR: i64 = 1042;
pub(crate) const VARCHAR: i64 = 1043;
const BIT: i64 = 1560;
const VARBIT: i64 = 1562;
const JSONB: i64 = 3802;
const NUMERIC: i64 = 1700;

/// What PostgreSQL says of the length of texts without a limit.
const MAX_TEXT: i64 = 1 << 30;
/// The longest character of UTF-8.
const BYTES_OF_CHARACTER: i64 = 4;

/// A row of `pg_type`.
#[derive(Debug)]
pub(crate) struct PgType {
    pub oid: i64,
    pub name: &'static str,
    pub len: i64,
    pub by_value: bool,
    pub category: &'static str,
    pub element: i64,
    pub array: i64,
    pub align: &'static str,
    pub storage: &'static str,
    pub collation: i64,
    /// The OID of its schema.
    pub namespace: i64,
}

struct Types {
    all: Vec<PgType>,
    by_oid: HashMap<i64, usize>,
    by_name: HashMap<&'static str, usize>,
}

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let all: Vec<PgType> = PG_TYPES
        .rows
        .iter()
        .map(|row| PgType {
            oid: PG_TYPES.int(row, "oid"),
            name: PG_TYPES.text(row, "typname"),
            len: PG_TYPES.int(row, "typlen"),
            by_value: PG_TYPES.text(row, "typbyval") == "t",
            category: PG_TYPES.text(row, "typcategory"),
            element: PG_TYPES.int(row, "typelem"),
            array: PG_TYPES.int(row, "typarray"),
            align: PG_TYPES.text(row, "typalign"),
            storage: PG_TYPES.text(row, "typstorage"),
            collation: PG_TYPES.int(row, "typcollation"),
            namespace: PG_TYPES.int(row, "typnamespace"),
        })
        .collect();
    let by_oid = all
        .iter()
        .enumerate()
        .map(|(index, t)| (t.oid, index))
        .collect();
    let by_name = all
        .iter()
        .enumerate()
        .map(|(index, t)| (t.name, index))
        .collect();
    Types {
        all,
        by_oid,
        by_name,
    }
});

pub(crate) fn by_oid(oid: i64) -> Option<&'static PgType> {
    TYPES.by_oid.get(&oid).map(|index| &TYPES.all[*index])
}

pub(crate) fn by_name(name: &str) -> Option<&'static PgType> {
    TYPES.by_name.get(name).map(|index| &TYPES.all[*index])
}

/// Returns the type of a system relation's column, such as `oid[]`; `text` for an unknown name.
pub(crate) fn of_shape(pg_type: &str) -> i64 {
    let found = match pg_type.strip_suffix("[]") {
        Some(element) => by_name(element).map(|t| t.array),
        None => by_name(pg_type).map(|t| t.oid),
    };
    found.unwrap_or(TEXT)
}

/// A column's type and its modifier, as the Postgres protocol sends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WireType {
    pub oid: i64,
    /// `atttypmod`: for numeric `((precision << 16) | scale) + 4`, for texts their length and 4, else -1.
    pub typmod: i64,
}

impl WireType {
    const fn plain(oid: i64) -> Self {
        Self { oid, typmod: -1 }
    }
}

/// Returns the type of a column of the lake. Total: types that Postgres lacks are `json`, and maps
/// `jsonb`.
pub(crate) fn of_arrow(data_type: &DataType) -> WireType {
    use DataType::*;
    WireType::plain(match data_type {
        Boolean => 16,
        Int8 | UInt8 | Int16 => 21,
        UInt16 | Int32 => 23,
        UInt32 | Int64 => 20,
        UInt64 => NUMERIC,
        Float16 | Float32 => 700,
        Float64 => 701,
        Decimal32(p, s) | Decimal64(p, s) | Decimal128(p, s) | Decimal256(p, s) => {
            let typmod = ((i64::from(*p) << 16) | (i64::from(*s) & 0x7ff)) + 4;
            return WireType {
                oid: NUMERIC,
                typmod,
            };
        }
        Null | Utf8 | LargeUtf8 | Utf8View => TEXT,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => 17,
        Date32 | Date64 => 1082,
        Time32(_) | Time64(_) => 1083,
        Timestamp(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond,
            None,
        ) => 1114,
        Timestamp(_, Some(_)) => 1184,
        Interval(_) | Duration(_) => 1186,
        Dictionary(_, values) => return of_arrow(values),
        RunEndEncoded(_, values) => return of_arrow(values.data_type()),
        List(f) | LargeList(f) | FixedSizeList(f, _) | ListView(f) | LargeListView(f) => {
            let element = of_arrow(f.data_type());
            return match by_oid(element.oid) {
                // An array of several dimensions has the type of one of a single one.
                Some(t) if t.category == "A" => element,
                Some(t) if ![JSON, JSONB].contains(&t.oid) && t.array != 0 => WireType {
                    oid: t.array,
                    typmod: element.typmod,
                },
                _ => WireType::plain(JSON),
            };
        }
        Map(..) => JSONB,
        Struct(_) | Union(..) => JSON,
    })
}

/// Returns the result of `format_type`.
pub(crate) fn format_type(oid: i64, typmod: Option<i64>) -> String {
    if oid == 0 {
        return "-".to_owned();
    }
    let Some(pg_type) = by_oid(oid) else {
        return "???".to_owned();
    };
    if pg_type.category == "A" && pg_type.name.starts_with('_') {
        return format!("{}[]", format_type(pg_type.element, typmod));
    }
    let modifier = typmod.filter(|typmod| *typmod >= 0);
    // Behind the four bytes of a header.
    let length = modifier
        .map(|typmod| typmod - 4)
        .filter(|length| *length >= 0);
    let with_length = |name: &str| match length {
        Some(length @ 1..) => format!("{name}({length})"),
        _ => name.to_owned(),
    };
    let with_precision = |name: &str, rest: &str| match modifier {
        Some(precision) => format!("{name}({precision}) {rest}"),
        None => format!("{name} {rest}"),
    };
    match pg_type.name {
        "bool" => "boolean".to_owned(),
        "char" => "\"char\"".to_owned(),
        "int2" => "smallint".to_owned(),
        "int4" => "integer".to_owned(),
        "int8" => "bigint".to_owned(),
        "float4" => "real".to_owned(),
        "float8" => "double precision".to_owned(),
        // Without a modifier `character` would mean one character.
        "bpchar" if typmod.is_some() && modifier.is_none() => "bpchar".to_owned(),
        "bpchar" => with_length("character"),
        "varchar" => with_length("character varying"),
        "bit" => match modifier {
            Some(length) => format!("bit({length})"),
            None => "bit".to_owned(),
        },
        "varbit" => match modifier {
            Some(length) => format!("bit varying({length})"),
            None => "bit varying".to_owned(),
        },
        "timestamp" => with_precision("timestamp", "without time zone"),
        "timestamptz" => with_precision("timestamp", "with time zone"),
        "time" => with_precision("time", "without time zone"),
        "timetz" => with_precision("time", "with time zone"),
        "numeric" => match length {
            // The scale has eleven bits, and a sign.
            Some(packed) => {
                let scale = ((packed & 0x7ff) ^ 0x400) - 0x400;
                format!("numeric({},{scale})", packed >> 16)
            }
            None => "numeric".to_owned(),
        },
        "interval" => interval(modifier),
        other if pg_type.namespace == oids::INFORMATION_SCHEMA => {
            format!("information_schema.{other}")
        }
        other => match modifier {
            Some(modifier) => format!("{}({modifier})", quote_ident(other)),
            None => quote_ident(other),
        },
    }
}

/// Returns the name of the type of intervals with a modifier: the fields that they have, as bits above
/// the digits of a second's fraction.
fn interval(modifier: Option<i64>) -> String {
    let Some(modifier) = modifier else {
        return "interval".to_owned();
    };
    let known = INTERVAL_FIELDS.iter();
    let mut known = known.filter(|(bits, _)| *bits == (modifier >> 16) & 0x7fff);
    let fields = known.next().map_or("", |(_, fields)| *fields);
    let precision = match modifier & 0xffff {
        precision @ 0..=6 => format!("({precision})"),
        _ => String::new(),
    };
    format!("interval{fields}{precision}")
}

/// The fields of intervals, by the bits of a type modifier.
const INTERVAL_FIELDS: [(i64, &str); 13] = [
    (0x0004, " year"),
    (0x0002, " month"),
    (0x0008, " day"),
    (0x0400, " hour"),
    (0x0800, " minute"),
    (0x1000, " second"),
    (0x0006, " year to month"),
    (0x0408, " day to hour"),
    (0x0c08, " day to minute"),
    (0x1c08, " day to second"),
    (0x0c00, " hour to minute"),
    (0x1c00, " hour to second"),
    (0x1800, " minute to second"),
];

/// Returns the maximum length of a text or bit type, in characters or bits.
pub(crate) fn max_length(oid: i64, typmod: i64) -> Option<i64> {
    match (oid, typmod) {
        (BPCHAR | VARCHAR, 4..) => Some(typmod - 4),
        (BIT | VARBIT, 0..) => Some(typmod),
        _ => None,
    }
}

/// Returns the maximum length of a text type in bytes.
pub(crate) fn max_bytes(oid: i64, typmod: i64) -> Option<i64> {
    match oid {
        TEXT | BPCHAR | VARCHAR => {
            let characters = max_length(oid, typmod);
            Some(characters.map_or(MAX_TEXT, |characters| characters * BYTES_OF_CHARACTER))
        }
        _ => None,
    }
}

/// Returns the precision of a numeric type, in digits to [`numeric_radix`].
pub(crate) fn numeric_precision(oid: i64, typmod: i64) -> Option<i64> {
    Some(match oid {
        21 => 16,
        23 => 32,
        20 => 64,
        700 => 24,
        701 => 53,
        NUMERIC if typmod >= 4 => (typmod - 4) >> 16,
        _ => return None,
    })
}

pub(crate) fn numeric_radix(oid: i64) -> Option<i64> {
    Some(match oid {
        NUMERIC => 10,
        20 | 21 | 23 | 700 | 701 => 2,
        _ => return None,
    })
}

pub(crate) fn numeric_scale(oid: i64, typmod: i64) -> Option<i64> {
    Some(match oid {
        20 | 21 | 23 => 0,
        NUMERIC if typmod >= 4 => (typmod - 4) & 0x7ff,
        _ => return None,
    })
}

/// Returns the digits of a second's fraction.
pub(crate) fn datetime_precision(oid: i64, typmod: i64) -> Option<i64> {
    Some(match oid {
        1082 => 0,
        1083 | 1114 | 1184 | 1186 | 1266 if typmod < 0 => 6,
        1083 | 1114 | 1184 | 1266 => typmod,
        1186 if typmod & 0xffff == 0xffff => 6,
        1186 => typmod & 0xffff,
        _ => return None,
    })
}

/// Finds the type that a SQL name means: `int`, `character varying(10)`, `text[]`,
/// `pg_catalog.oid`.
pub(crate) fn parse_name(name: &str) -> Option<&'static PgType> {
    let name = name.trim();
    let schemas = [
        "pg_catalog.",
        "\"pg_catalog\".",
        "information_schema.",
        "\"information_schema\".",
    ];
    let name = schemas
        .into_iter()
        .find_map(|schema| name.strip_prefix(schema))
        .unwrap_or(name);
    if let Some(element) = name.strip_suffix("[]") {
        return by_oid(parse_name(element)?.array);
    }
    if let Some(quoted) = name
        .strip_prefix('"')
        .and_then(|name| name.strip_suffix('"'))
    {
        return by_name(quoted);
    }
    let lower = name.to_ascii_lowercase();
    let (head, tail) = match lower.split_once('(') {
        Some((head, rest)) => (
            head.trim(),
            rest.split_once(')').map_or("", |(_, tail)| tail.trim()),
        ),
        None => (lower.as_str(), ""),
    };
    let words = if tail.is_empty() {
        head.to_owned()
    } else {
        format!("{head} {tail}")
    };
    by_name(match words.as_str() {
        "boolean" => "bool",
        "smallint" => "int2",
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "real" => "float4",
        "double precision" | "float" => "float8",
        "decimal" | "dec" => "numeric",
        "character varying" => "varchar",
        "character" | "char" => "bpchar",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        "bit varying" => "varbit",
        other => other,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::sync::Arc;

    use arrow::datatypes::Field;

    use super::*;

    #[test]
    fn types_are_named_as_postgres_names_them() {
        for (oid, typmod, name) in [
            (16, Some(-1), "boolean"),
            (1700, Some(655_366), "numeric(10,2)"),
            (1700, None, "numeric"),
            (1043, Some(14), "character varying(10)"),
            (1042, Some(-1), "bpchar"),
            (1042, None, "character"),
            (1009, Some(-1), "text[]"),
            (1231, Some(655_366), "numeric(10,2)[]"),
            (18, None, "\"char\""),
            (22, None, "int2vector"),
            (2276, None, "\"any\""),
            (2249, None, "record"),
            (19, None, "name"),
            (1114, Some(3), "timestamp(3) without time zone"),
            (1114, Some(0), "timestamp(0) without time zone"),
            (1184, None, "timestamp with time zone"),
            (1083, None, "time without time zone"),
            (1266, Some(2), "time(2) with time zone"),
            (21, None, "smallint"),
            (20, None, "bigint"),
            (700, None, "real"),
            (701, None, "double precision"),
            (1186, Some(327_679), "interval year"),
            (1186, Some(458_751), "interval year to month"),
            (1186, Some(470_286_338), "interval day to second(2)"),
            (1186, Some(268_435_459), "interval second(3)"),
            (1186, Some(469_827_583), "interval hour to second"),
            (1186, Some(2_147_418_112), "interval(0)"),
            (1186, Some(-1), "interval"),
            (1187, Some(2_147_418_118), "interval(6)[]"),
            (1700, Some(657_410), "numeric(10,-2)"),
            (1700, Some(4), "numeric(0,0)"),
            (1700, Some(0), "numeric"),
            (1043, Some(4), "character varying"),
            (1043, Some(0), "character varying"),
            (1042, Some(0), "character"),
            (19, Some(5), "name(5)"),
            (23, Some(5), "integer"),
            (1560, Some(3), "bit(3)"),
            (1562, Some(3), "bit varying(3)"),
            (0, None, "-"),
            (987_654, None, "???"),
            (13_221, None, "information_schema.cardinal_number"),
            (13_225, None, "information_schema.sql_identifier[]"),
        ] {
            assert_eq!(format_type(oid, typmod), name);
        }
    }

    #[test]
    fn lake_types_have_the_types_of_the_wire() {
        let list = |t: DataType| DataType::List(Arc::new(Field::new_list_field(t, true)));
        assert_eq!(
            of_arrow(&DataType::Decimal128(10, 2)),
            WireType {
                oid: 1700,
                typmod: 655_366
            }
        );
        assert_eq!(of_arrow(&list(DataType::Utf8)).oid, 1009);
        assert_eq!(of_arrow(&list(list(DataType::Utf8))).oid, 1009);
        let object = DataType::Struct(vec![Field::new("a", DataType::Int8, true)].into());
        assert_eq!(of_arrow(&object).oid, JSON);
        assert_eq!(of_arrow(&list(object)).oid, JSON);
    }

    #[test]
    fn names_of_types_are_read_as_sql_writes_them() {
        for (name, oid) in [
            ("int", 23),
            ("INTEGER[]", 1007),
            ("pg_catalog.oid", 26),
            ("\"char\"", 18),
            ("char", 1042),
            ("numeric(10,2)", 1700),
            ("timestamp(3) with time zone", 1184),
            ("timestamp without time zone", 1114),
            ("time without time zone", 1083),
            ("time with time zone", 1266),
            ("boolean", 16),
            ("smallint", 21),
            ("bigint", 20),
            ("real", 700),
            ("double precision", 701),
            ("decimal", 1700),
            ("character varying(9)", 1043),
            ("bit varying", 1562),
            ("_text", 1009),
            ("information_schema.yes_or_no", 13_234),
            ("\"pg_catalog\".\"text\"", 25),
        ] {
            assert_eq!(parse_name(name).unwrap().oid, oid, "{name}");
        }
        assert!(parse_name("nosuch").is_none());
    }
}
