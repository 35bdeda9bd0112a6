//! The type that a column is shown as, by the type of its values.

use datafusion::arrow::datatypes::{DataType, Field};
use lakegate_gateway::TextLength;

use super::known::{PgType, RECORD_LIST, by_name, is_value, oid};
use super::{PG_TYPE, PG_TYPMOD};

/// Returns the Postgres type of a result column.
pub(crate) fn of_field(field: &Field) -> PgType {
    let natural = of_data_type(field.data_type());
    let modifier = field.metadata().get(PG_TYPMOD);
    let natural = match modifier.and_then(|modifier| modifier.parse().ok()) {
        Some(typmod) => PgType { typmod, ..natural },
        None => natural,
    };
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

/// Returns the type of a result column that is a table's column, whose texts may have a length.
pub(crate) fn with_length(natural: PgType, length: Option<TextLength>) -> PgType {
    let (of_length, characters) = match length {
        Some(TextLength::Char(characters)) => (oid::BPCHAR, characters),
        Some(TextLength::Varchar(characters)) => (oid::VARCHAR, characters),
        None => return natural,
    };
    if natural.oid != oid::TEXT {
        return natural;
    }
    let characters = i32::try_from(characters).ok();
    PgType {
        typmod: characters.map_or(-1, |characters| characters.saturating_add(4)),
        ..PgType::of(of_length)
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
            Some(field) => hint_fits(PgType::of(element), field.data_type()),
            // A vector that is already text, such as "1 2 3".
            None => hint.element == 0 && is_string(data_type),
        };
    }
    match hint.oid {
        of if is_value(of) => is_string(data_type),
        _ if hint.is_oid_like() => is_small_integer(data_type) || is_string(data_type),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::XID8 => is_small_integer(data_type),
        oid::BOOL
        | oid::BYTEA
        | oid::FLOAT4
        | oid::FLOAT8
        | oid::DATE
        | oid::TIME
        | oid::TIMESTAMP
        | oid::TIMESTAMPTZ
        | oid::INTERVAL => of_data_type(data_type).oid == hint.oid,
        // A text has the digits of each value.
        oid::NUMERIC => is_string(data_type) || of_data_type(data_type).oid == hint.oid,
        oid::JSON | oid::JSONB => is_string(data_type) || is_json(of_data_type(data_type).oid),
        oid::UUID
        | oid::TIMETZ
        | oid::CHAR
        | oid::INET
        | oid::CIDR
        | oid::MACADDR
        | oid::BIT
        | oid::VARBIT
        | oid::PG_LSN
        | oid::INT4RANGE
        | oid::INT8RANGE
        | oid::NUMRANGE
        | oid::TSRANGE
        | oid::TSTZRANGE
        | oid::DATERANGE
        | oid::TID => is_string(data_type),
        // Types whose binary form is their text (`pg_node_tree`, `xml`) or that have none here
        // (`aclitem`).
        oid::TEXT
        | oid::VARCHAR
        | oid::BPCHAR
        | oid::NAME
        | oid::REFCURSOR
        | 142
        | 194
        | oid::ACLITEM
        | oid::ANYARRAY
        | oid::PG_NDISTINCT
        | oid::PG_DEPENDENCIES
        | oid::PG_MCV_LIST => is_string(data_type),
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
            // A vector is not a dimension of an array.
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn hinted(data_type: DataType, name: &str) -> PgType {
        of_field(
            &Field::new("c", data_type, true)
                .with_metadata([(PG_TYPE.to_owned(), name.to_owned())].into()),
        )
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
    fn modifier_is_that_of_the_field() {
        let field = Field::new("c", DataType::Utf8, true);
        let of = |marks: &[(&str, &str)]| {
            let marks = marks
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            of_field(&field.clone().with_metadata(marks.collect()))
        };
        let varchar = of(&[(PG_TYPE, "varchar"), (PG_TYPMOD, "6")]);
        assert_eq!((varchar.oid, varchar.typmod), (oid::VARCHAR, 6));
        assert_eq!(of(&[(PG_TYPMOD, "0")]).typmod, 0);
        assert_eq!(of(&[(PG_TYPMOD, "x")]).typmod, -1);
    }

    #[test]
    fn columns_of_tables_have_the_length_of_their_texts() {
        let text = of_data_type(&DataType::Utf8);
        let varchar = with_length(text, Some(TextLength::Varchar(10)));
        assert_eq!((varchar.oid, varchar.typmod), (oid::VARCHAR, 14));
        let char = with_length(text, Some(TextLength::Char(4)));
        assert_eq!((char.oid, char.typmod), (oid::BPCHAR, 8));
        assert_eq!(with_length(text, None), text);
        let number = of_data_type(&DataType::Int32);
        assert_eq!(with_length(number, Some(TextLength::Char(4))), number);
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
        let texts = || DataType::new_list(DataType::Utf8, true);
        assert_eq!(hinted(texts(), "jsonb[]").oid, 3807);
        assert_eq!(hinted(texts(), "inet[]").oid, 1041);
        assert_eq!(hinted(texts(), "point[]").oid, 1017);
        assert_eq!(hinted(texts(), "box[]").oid, 1009);
        assert_eq!(hinted(texts(), "regtype[]").oid, 2211);
        assert_eq!(hinted(texts(), "anyarray").oid, 1009);
        for (name, type_oid) in [
            ("inet", 869),
            ("cidr", 650),
            ("macaddr", 829),
            ("macaddr8", 774),
            ("point", 600),
            ("box", 603),
            ("pg_snapshot", 5038),
            ("pg_lsn", 3220),
            ("int4range", 3904),
            ("daterange", 3912),
            ("tid", 27),
            ("char", 18),
            ("aclitem", 1033),
            ("anyarray", 2277),
            ("pg_ndistinct", 3361),
            ("regclass", 2205),
        ] {
            assert_eq!(hinted(DataType::Utf8, name).oid, type_oid, "{name}");
        }
        assert_eq!(hinted(DataType::Int64, "xid8").oid, 5069);
        let numeric = hinted(DataType::Utf8, "numeric");
        assert_eq!((numeric.oid, numeric.typmod), (oid::NUMERIC, -1));
        assert_eq!(hinted(DataType::Float64, "numeric").oid, oid::FLOAT8);
        assert_eq!(hinted(DataType::Int64, "inet").oid, oid::INT8);
    }
}
