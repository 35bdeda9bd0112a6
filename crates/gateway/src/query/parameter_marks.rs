//! PostgreSQL's types of parameters, where the engine has their values under other types: the marks
//! that fields of such values have.
//!
//! ```text
//! $1::uuid            a text with the mark uuid
//! address = $1        a text with the mark inet, if address has it
//! oid = ANY ($1)      a list of integers with the mark oid[]
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use arrow::datatypes::{DataType, Field};
use lakegate_dialect::postgres::{PG_TYPE, bits_of_any_length};
use lakegate_engine::beside::{COMPARED, JOINED};
use lakegate_sql::walk::walk_expressions;
use sqlparser::ast::{self, Expr, Ident, ObjectName};

use crate::query::parameters::{number, placeholder};

/// Marks of parameters by their indices: 0 is that of `$1`.
pub type Marks = BTreeMap<usize, String>;

/// Types whose values are texts that are read, compared and shown in a way of their own. Parameters
/// are cast to them.
const READ: [&str; 16] = [
    "bit",
    "cidr",
    "daterange",
    "inet",
    "int4range",
    "int8range",
    "json",
    "jsonb",
    "macaddr",
    "numrange",
    "pg_lsn",
    "timetz",
    "tsrange",
    "tstzrange",
    "uuid",
    "varbit",
];

/// Further ones, whose names are those of their types in SQL.
const SHAPES_AND_OTHERS: [&str; 11] = [
    "box",
    "circle",
    "line",
    "lseg",
    "macaddr8",
    "path",
    "pg_snapshot",
    "point",
    "polygon",
    "refcursor",
    "txid_snapshot",
];

/// Types that are only announced: their values are compared as those of the engine's type. asyncpg
/// asks for the types that it does not know with a parameter of the type `oid[]`, so that it must be
/// told this one.
const ANNOUNCED: [&str; 4] = ["char", "name", "oid", "xid"];

/// The types of a statement's parameters that are known before it is planned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Declared<'a> {
    /// The types of `$1`, `$2` …; a `None` or missing one is inferred.
    pub types: &'a [Option<DataType>],
    pub marks: &'a Marks,
}

/// Returns the type of PostgreSQL that a field is shown as, if a parameter beside its values has it.
/// `place`: how it is beside them, as in [`lakegate_engine::beside`].
pub(crate) fn mark_beside(field: &Field, place: &str) -> Option<String> {
    let mark = mark_of(field)?;
    let is_list = mark.ends_with("[]");
    match place {
        // A network compares with any address.
        COMPARED if mark == "cidr" => Some("inet".to_owned()),
        JOINED if !is_list && mark != "jsonb" => None,
        _ => Some(mark),
    }
}

/// Returns the type of PostgreSQL that a field is shown as, if parameters have it.
pub(crate) fn mark_of(field: &Field) -> Option<String> {
    let own = field.metadata().get(PG_TYPE);
    let own = own.map(|mark| match mark.strip_prefix('_') {
        Some(item) => format!("{item}[]"),
        None => mark.clone(),
    });
    let of_items = || match field.data_type() {
        DataType::List(item) | DataType::LargeList(item) => {
            mark_of(item).map(|mark| format!("{mark}[]"))
        }
        _ => None,
    };
    let mark = own.or_else(of_items)?;
    fits(&mark, field.data_type()).then_some(mark)
}

/// Returns whether a mark is one of parameters, and their values have this type.
fn fits(mark: &str, data_type: &DataType) -> bool {
    match (mark.strip_suffix("[]"), data_type) {
        (Some(item), DataType::List(of) | DataType::LargeList(of)) => fits(item, of.data_type()),
        (Some(_), _) => false,
        (None, of) if matches!(mark, "oid" | "xid") => of.is_integer(),
        (None, of) => of.is_string() && (is_read(mark) || ANNOUNCED.contains(&mark)),
    }
}

/// Returns whether parameters with a mark are cast to its type.
fn is_read(mark: &str) -> bool {
    READ.contains(&mark) || SHAPES_AND_OTHERS.contains(&mark)
}

/// Returns the type that parameters with a mark are cast to; `None` if they are only announced.
pub(crate) fn cast_of(mark: &str) -> Option<ast::DataType> {
    if !is_read(mark) {
        return None;
    }
    Some(match mark {
        "json" => ast::DataType::JSON,
        "jsonb" => ast::DataType::JSONB,
        "uuid" => ast::DataType::Uuid,
        "timetz" => ast::DataType::Time(None, ast::TimezoneInfo::Tz),
        "bit" => bits_of_any_length(),
        other => {
            let name = ObjectName::from(vec![Ident::new(other)]);
            ast::DataType::Custom(name, Vec::new())
        }
    })
}

/// Returns the mark of a type of SQL, which need not be one of parameters.
pub(crate) fn mark_of_sql(data_type: &ast::DataType) -> String {
    let written = data_type.to_string().to_ascii_lowercase();
    let (item, brackets) = match written.strip_suffix("[]") {
        Some(item) => (item, "[]"),
        None => (written.as_str(), ""),
    };
    let name = match item {
        "time with time zone" => "timetz",
        "\"char\"" => "char",
        "\"bit\"" => "bit",
        "bit varying" => "varbit",
        of_bits if of_bits.starts_with("bit(") => "bit",
        of_bits if of_bits.starts_with("bit varying(") || of_bits.starts_with("varbit(") => {
            "varbit"
        }
        // Without quotes, the name is that of `character`.
        "char" => "bpchar",
        other => other,
    };
    format!("{name}{brackets}")
}

/// What the marks of a query's parameters follow from, beside its text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources<'a> {
    /// What the client declares.
    pub declared: Declared<'a>,
    /// The types that are declared, or that follow from the places of parameters.
    pub known: &'a [Option<DataType>],
    /// The numbers of the parameters, from 1, that are lists of values of the inferred type.
    pub lists: &'a BTreeSet<usize>,
    /// The types of all parameters.
    pub types: &'a [DataType],
}

/// Returns the marks of a query's parameters: those that the client declares, or else those of
/// casts, or else those of the values beside them. `inferred`: the last ones.
pub(crate) fn settled(query: &ast::Query, inferred: Marks, sources: Sources<'_>) -> Marks {
    let Sources {
        declared,
        known,
        lists,
        types,
    } = sources;
    let is_open =
        |types: &[Option<DataType>], index: usize| types.get(index).is_none_or(Option::is_none);
    let is_fit = |index: usize, mark: &str| {
        let data_type = types.get(index);
        data_type.is_some_and(|data_type| fits(mark, data_type))
    };
    let mut marks = inferred;
    marks.retain(|index, _| is_open(known, *index));
    for (index, mark) in &mut marks {
        if lists.contains(&(index + 1)) {
            mark.push_str("[]");
        }
    }
    let casts = cast_marks(query).into_iter();
    marks.extend(casts.filter(|(index, _)| is_open(declared.types, *index)));
    let of_client = declared.marks.iter();
    let of_client = of_client.filter(|(index, mark)| is_fit(**index, mark));
    marks.extend(of_client.map(|(index, mark)| (*index, mark.clone())));
    marks.retain(|index, mark| is_fit(*index, mark));
    marks
}

/// Returns the marks of the first casts of parameters, which need not be those of parameters.
fn cast_marks(query: &ast::Query) -> Marks {
    let mut casts = Marks::new();
    let _: ControlFlow<()> = walk_expressions(query, |expr| {
        if let Expr::Cast {
            expr, data_type, ..
        } = expr
            && let Some(index) = placeholder(expr).and_then(number)
            && let Some(index) = index.checked_sub(1)
        {
            casts.entry(index).or_insert_with(|| mark_of_sql(data_type));
        }
        ControlFlow::Continue(())
    });
    casts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::testing::query;

    fn marked(data_type: DataType, mark: &str) -> Field {
        let marks = [(PG_TYPE.to_owned(), mark.to_owned())];
        Field::new("x", data_type, true).with_metadata(marks.into())
    }

    #[test]
    fn parameters_have_the_marks_of_the_values_beside_them() {
        let list = |item: Field| DataType::List(std::sync::Arc::new(item));
        for (field, place, expected) in [
            (marked(DataType::Utf8, "jsonb"), "=", Some("jsonb")),
            (marked(DataType::Utf8View, "uuid"), "", Some("uuid")),
            (marked(DataType::Utf8, "uuid"), "||", None),
            (marked(DataType::Utf8, "jsonb"), "||", Some("jsonb")),
            (marked(DataType::Utf8, "cidr"), "=", Some("inet")),
            (marked(DataType::Utf8, "cidr"), "", Some("cidr")),
            (marked(DataType::Int64, "oid"), "=", Some("oid")),
            (marked(DataType::Utf8, "oid"), "=", None),
            (marked(DataType::Int64, "regclass"), "=", None),
            (marked(DataType::Utf8, "pg_node_tree"), "=", None),
            (
                marked(list(Field::new("item", DataType::Utf8, true)), "_name"),
                "=",
                Some("name[]"),
            ),
            (
                Field::new("x", list(marked(DataType::Utf8, "uuid")), true),
                "||",
                Some("uuid[]"),
            ),
            (Field::new("x", DataType::Utf8, true), "=", None),
        ] {
            let found = mark_beside(&field, place);
            assert_eq!(found.as_deref(), expected, "{field:?} {place}");
        }
    }

    #[test]
    fn casts_tell_marks() {
        let casts = cast_marks(&query(
            "SELECT $1::uuid, $1::text, ($2)::timetz, $3::int[], $4::jsonb[], $6::\"char\", $7::inet",
        ));
        let known: Vec<(usize, &str)> = casts
            .iter()
            .map(|(index, mark)| (*index, mark.as_str()))
            .collect();
        assert_eq!(
            known,
            [
                (0, "uuid"),
                (1, "timetz"),
                (2, "int[]"),
                (3, "jsonb[]"),
                (5, "char"),
                (6, "inet")
            ]
        );
        let list = DataType::new_list(DataType::Utf8, true);
        assert!(fits("jsonb[]", &list) && !fits("jsonb", &list));
        assert!(!fits("int[]", &list));
    }

    #[test]
    fn marks_are_those_of_the_client_or_of_casts_or_of_values() {
        let marks = |known: &[(usize, &str)]| -> Marks {
            let known = known.iter();
            known
                .map(|(index, mark)| (*index, (*mark).to_owned()))
                .collect()
        };
        let query =
            query("SELECT a = $1, $2::inet, b = $3, c = ANY ($4), $5::uuid, $6::int, d = $7");
        let text = DataType::Utf8;
        let list = DataType::new_list(DataType::Utf8, true);
        let types = [
            text.clone(),
            text.clone(),
            text.clone(),
            list,
            text.clone(),
            DataType::Int32,
            text.clone(),
        ];
        let of_client = marks(&[(0, "json"), (5, "uuid"), (6, "numeric")]);
        let declared = Declared {
            types: &[None, None, None, None, Some(text.clone())],
            marks: &of_client,
        };
        let inferred = marks(&[
            (0, "uuid"),
            (1, "uuid"),
            (2, "uuid"),
            (3, "uuid"),
            (6, "inet"),
        ]);
        let found = settled(
            &query,
            inferred,
            Sources {
                declared,
                known: &[None, None, Some(text.clone()), None, Some(text)],
                lists: &BTreeSet::from([4]),
                types: &types,
            },
        );
        // The place of $3 is that of a text; $5 is declared; $6 is an integer.
        let expected = marks(&[(0, "json"), (1, "inet"), (3, "uuid[]"), (6, "inet")]);
        assert_eq!(found, expected);
    }

    #[test]
    fn parameters_are_cast_to_types_that_are_read() {
        for (mark, expected) in [
            ("jsonb", Some("JSONB")),
            ("uuid", Some("UUID")),
            ("inet", Some("inet")),
            ("timetz", Some("TIMETZ")),
            ("bit", Some("\"bit\"")),
            ("varbit", Some("varbit")),
            ("oid", None),
            ("uuid[]", None),
        ] {
            let cast = cast_of(mark).map(|data_type| data_type.to_string());
            assert_eq!(cast.as_deref(), expected, "{mark}");
        }
    }
}
