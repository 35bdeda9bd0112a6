//! Access lists, such as `{ann=r/lakegate}`: the lists of columns that `aclexplode` is rewritten to
//! (`rewrite/acl.rs`), and `acldefault`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

use super::Lookup;
use crate::postgres::pg_catalog::shape::arrow_type;
use crate::postgres::{Cell, PgFunction, quote_ident};

/// The letters of privileges in access lists.
const PRIVILEGES: [(char, &str); 14] = [
    ('a', "INSERT"),
    ('r', "SELECT"),
    ('w', "UPDATE"),
    ('d', "DELETE"),
    ('D', "TRUNCATE"),
    ('x', "REFERENCES"),
    ('t', "TRIGGER"),
    ('X', "EXECUTE"),
    ('U', "USAGE"),
    ('C', "CREATE"),
    ('T', "TEMPORARY"),
    ('c', "CONNECT"),
    ('s', "SET"),
    ('A', "ALTER SYSTEM"),
];

/// The default privileges of owners, and of everybody, by the letter of the kind of object.
const DEFAULTS: [(&str, &str, &str); 13] = [
    ("r", "arwdDxt", ""),
    ("c", "", ""),
    ("n", "UC", ""),
    ("d", "CTc", "Tc"),
    ("f", "X", "X"),
    ("l", "U", "U"),
    ("T", "U", "U"),
    ("s", "rwU", ""),
    ("L", "rw", ""),
    ("p", "sA", ""),
    ("t", "C", ""),
    ("F", "U", ""),
    ("S", "U", ""),
];

/// One privilege of an access list.
struct Granted {
    grantor: String,
    /// Empty for everybody.
    grantee: String,
    privilege: &'static str,
    is_grantable: bool,
}

/// Splits a name from what follows `=` or `/`. Names may be quoted.
fn split(text: &str, mark: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut quoted = false;
    let mut chars = text.char_indices().peekable();
    while let Some((place, c)) = chars.next() {
        match c {
            '"' if quoted && chars.next_if(|(_, next)| *next == '"').is_some() => name.push('"'),
            '"' => quoted = !quoted,
            c if c == mark && !quoted => return Some((name, text.get(place + c.len_utf8()..)?)),
            c => name.push(c),
        }
    }
    None
}

/// Returns the privileges of an item, none if it is not an item.
fn granted(item: &str) -> Vec<Granted> {
    let parts = split(item, '=').and_then(|(grantee, rest)| {
        let (letters, grantor) = rest.split_once('/')?;
        // A mark that no name contains ends the name.
        let grantor = split(&format!("{grantor}/"), '/')?.0;
        Some((grantee, letters.to_owned(), grantor))
    });
    let Some((grantee, letters, grantor)) = parts else {
        return Vec::new();
    };
    let letter = |(place, letter): (usize, char)| {
        let (_, privilege) = *PRIVILEGES.iter().find(|(known, _)| *known == letter)?;
        let rest = letters.get(place + letter.len_utf8()..);
        Some(Granted {
            grantor: grantor.clone(),
            grantee: grantee.clone(),
            privilege,
            is_grantable: rest.is_some_and(|rest| rest.starts_with('*')),
        })
    };
    letters.char_indices().filter_map(letter).collect()
}

/// Builds a function that returns one value for each privilege of a list.
fn column(
    name: &str,
    item: DataType,
    lookup: &Arc<Lookup>,
    value: fn(&Lookup, Granted) -> Cell<'static>,
) -> PgFunction {
    let lookup = Arc::clone(lookup);
    let list = DataType::List(Arc::new(Field::new_list_field(item, true)));
    PgFunction::new(name, 1..=1, list, move |args| {
        let Some(Cell::List(items)) = args.first() else {
            return Ok(Cell::Null);
        };
        let granted = items
            .iter()
            .filter_map(Cell::to_text)
            .flat_map(|item| granted(&item));
        Ok(Cell::List(
            granted.map(|granted| value(&lookup, granted)).collect(),
        ))
    })
}

fn role(lookup: &Lookup, name: &str) -> Cell<'static> {
    Cell::Int(lookup.role_oid(name).unwrap_or(0))
}

pub(super) fn functions(lookup: &Arc<Lookup>) -> Vec<PgFunction> {
    // The type of the columns with access lists, so that `coalesce` takes both.
    let items = arrow_type("aclitem[]");
    let of = Arc::clone(lookup);
    let default = PgFunction::new("acldefault", 2..=2, items, move |args| {
        let kind = args[0].to_text().unwrap_or_default();
        let owner = args[1].as_int().and_then(|oid| of.role_name(oid));
        let owner = quote_ident(owner.unwrap_or_default());
        let Some((_, of_owner, of_all)) = DEFAULTS.iter().find(|(known, ..)| *known == kind) else {
            return Ok(Cell::Null);
        };
        let items = [("", of_all), (owner.as_str(), of_owner)].into_iter();
        let items = items.filter(|(_, letters)| !letters.is_empty());
        Ok(Cell::texts(items.map(|(grantee, letters)| {
            format!("{grantee}={letters}/{owner}")
        })))
    });
    vec![
        default.shown_as("aclitem[]"),
        column(
            "$acl_grantor",
            DataType::Int64,
            lookup,
            |lookup, granted| role(lookup, &granted.grantor),
        ),
        column(
            "$acl_grantee",
            DataType::Int64,
            lookup,
            |lookup, granted| role(lookup, &granted.grantee),
        ),
        column("$acl_privilege", DataType::Utf8, lookup, |_, granted| {
            Cell::text(granted.privilege)
        }),
        column(
            "$acl_is_grantable",
            DataType::Boolean,
            lookup,
            |_, granted| Cell::Bool(granted.is_grantable),
        ),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn items_are_split_into_privileges() {
        let all = |item: &str| -> Vec<String> {
            let granted = granted(item).into_iter();
            granted
                .map(|g| {
                    format!(
                        "{} {} {} {}",
                        g.grantor, g.grantee, g.privilege, g.is_grantable
                    )
                })
                .collect()
        };
        assert_eq!(
            all("ann=ar*/lakegate"),
            ["lakegate ann INSERT false", "lakegate ann SELECT true"]
        );
        assert_eq!(all("=U/lakegate"), ["lakegate  USAGE false"]);
        assert_eq!(all(r#""a=""b"=r/"x/y""#), [r#"x/y a="b SELECT false"#]);
        for bad in ["", "ann", "ann=r", "\"ann=r/x"] {
            assert!(all(bad).is_empty(), "{bad}");
        }
    }
}
