//! Access lists, such as `{ann=r/lakegate}`: the lists of columns that `aclexplode` is rewritten to
//! (`rewrite/acl.rs`), `acldefault`, and what makes and looks for items of them.

use std::sync::Arc;

use arrow::datatypes::DataType;

use lakegate_error::{Code, Error};

use super::Lookup;
use crate::postgres::pg_catalog::privileges::name_in_list;
use crate::postgres::pg_catalog::shape::arrow_type;
use crate::postgres::{Cell, PgFunction};

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

/// Returns the privileges of an item; `None` if it is not an item.
fn granted(item: &str) -> Option<Vec<Granted>> {
    let (grantee, rest) = split(item, '=')?;
    let (letters, grantor) = rest.split_once('/')?;
    // A mark that no name contains ends the name.
    let grantor = split(&format!("{grantor}/"), '/')?.0;
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
    Some(letters.char_indices().filter_map(letter).collect())
}

/// Returns whether a list has an item of the same roles with all of these privileges.
fn contains(list: &[Cell<'_>], item: &str) -> Result<bool, Error> {
    let sought = parts(item)?;
    let of_item = roles(item);
    for held in list.iter().filter_map(Cell::to_text) {
        let privileges = parts(&held)?;
        let has = |wanted: &Granted| {
            privileges.iter().any(|held| {
                held.privilege == wanted.privilege && held.is_grantable >= wanted.is_grantable
            })
        };
        if roles(&held) == of_item && sought.iter().all(has) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the privileges of an item.
///
/// # Errors
///
/// It is not an item.
fn parts(item: &str) -> Result<Vec<Granted>, Error> {
    granted(item).ok_or_else(|| {
        let shown: String = item.chars().take(100).collect();
        let message = format!("invalid input syntax for type aclitem: \"{shown}\"");
        Error::new(Code::InvalidCast, message)
    })
}

/// Returns the role that holds the privileges of an item, and the one that granted them.
fn roles(item: &str) -> (String, String) {
    let Some((grantee, rest)) = split(item, '=') else {
        return (String::new(), String::new());
    };
    let grantor = rest.split_once('/').map_or("", |(_, grantor)| grantor);
    let grantor = split(&format!("{grantor}/"), '/').map(|(grantor, _)| grantor);
    (grantee, grantor.unwrap_or_default())
}

/// Returns the letters of a list of privileges, such as `SELECT, INSERT`, in the order of an item.
///
/// # Errors
///
/// A privilege is not known.
fn letters(privileges: &str, is_grantable: bool) -> Result<String, Error> {
    let mut held = Vec::new();
    for privilege in privileges.split(',') {
        let name = match privilege.trim().to_ascii_uppercase().as_str() {
            "TEMP" => "TEMPORARY".to_owned(),
            other => other.to_owned(),
        };
        let known = PRIVILEGES.iter().position(|(_, known)| *known == name);
        held.push(known.ok_or_else(|| {
            let shown: String = privilege.trim().chars().take(100).collect();
            Error::invalid(format!("unrecognized privilege type: \"{shown}\""))
        })?);
    }
    let all = PRIVILEGES.iter().enumerate();
    let all = all.filter(|(place, _)| held.contains(place));
    let mark = if is_grantable { "*" } else { "" };
    Ok(all
        .map(|(_, (letter, _))| format!("{letter}{mark}"))
        .collect())
}

/// Builds a function that returns one value for each privilege of a list.
fn column(
    name: &str,
    item: DataType,
    lookup: &Arc<Lookup>,
    value: fn(&Lookup, Granted) -> Cell<'static>,
) -> PgFunction {
    let lookup = Arc::clone(lookup);
    let list = DataType::new_list(item, true);
    PgFunction::new(name, 1..=1, list, move |args| {
        let Some(Cell::List(items)) = args.first() else {
            return Ok(Cell::Null);
        };
        let granted = items
            .iter()
            .filter_map(Cell::to_text)
            .filter_map(|item| granted(&item))
            .flatten();
        Ok(Cell::List(
            granted.map(|granted| value(&lookup, granted)).collect(),
        ))
    })
}

fn role(lookup: &Lookup, name: &str) -> Cell<'static> {
    Cell::Int(lookup.role_oid(name).unwrap_or(0))
}

/// Returns the role with a number as an access list has it: its number if it does not exist.
fn role_in_list(lookup: &Lookup, oid: i64) -> String {
    match lookup.role_name(oid) {
        Some(name) => name_in_list(name),
        None => oid.to_string(),
    }
}

/// Builds `makeaclitem(grantee, grantor, privileges, is_grantable)`. The grantee 0 is everybody.
fn make(lookup: &Arc<Lookup>) -> PgFunction {
    let of = Arc::clone(lookup);
    let make = PgFunction::new("makeaclitem", 4..=4, DataType::Utf8, move |args| {
        let role = |place: usize| args.get(place).and_then(Cell::as_int).unwrap_or(0);
        let grantee = match role(0) {
            0 => String::new(),
            oid => role_in_list(&of, oid),
        };
        let privileges = args.get(2).and_then(Cell::to_text).unwrap_or_default();
        let is_grantable = args.get(3).and_then(Cell::as_bool) == Some(true);
        let letters = letters(&privileges, is_grantable)?;
        let grantor = role_in_list(&of, role(1));
        Ok(Cell::text(format!("{grantee}={letters}/{grantor}")))
    });
    make.shown_as("aclitem")
}

pub(super) fn functions(lookup: &Arc<Lookup>) -> Vec<PgFunction> {
    // The type of the columns with access lists, so that `coalesce` takes both.
    let items = arrow_type("aclitem[]");
    let of = Arc::clone(lookup);
    let default = PgFunction::new("acldefault", 2..=2, items, move |args| {
        let kind = args[0].to_text().unwrap_or_default();
        let owner = role_in_list(&of, args[1].as_int().unwrap_or(0));
        let Some((_, of_owner, of_all)) = DEFAULTS.iter().find(|(known, ..)| *known == kind) else {
            return Ok(Cell::Null);
        };
        let items = [("", of_all), (owner.as_str(), of_owner)].into_iter();
        let items = items.filter(|(_, letters)| !letters.is_empty());
        Ok(Cell::texts(items.map(|(grantee, letters)| {
            format!("{grantee}={letters}/{owner}")
        })))
    });
    let contains = PgFunction::new("aclcontains", 2..=2, DataType::Boolean, |args| {
        let [Cell::List(list), item] = args else {
            return Ok(Cell::Null);
        };
        let item = item.to_text().unwrap_or_default();
        Ok(Cell::Bool(contains(list, &item)?))
    });
    vec![
        default.shown_as("aclitem[]"),
        make(lookup),
        contains,
        column(
            "$acl_grantor",
            DataType::Int64,
            lookup,
            |lookup, granted| role(lookup, &granted.grantor),
        )
        .shown_as("oid[]"),
        column(
            "$acl_grantee",
            DataType::Int64,
            lookup,
            |lookup, granted| role(lookup, &granted.grantee),
        )
        .shown_as("oid[]"),
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
        let all = |item: &str| -> Option<Vec<String>> {
            let granted = granted(item)?.into_iter();
            let shown = granted.map(|g| {
                format!(
                    "{} {} {} {}",
                    g.grantor, g.grantee, g.privilege, g.is_grantable
                )
            });
            Some(shown.collect())
        };
        assert_eq!(
            all("ann=ar*/lakegate").unwrap(),
            ["lakegate ann INSERT false", "lakegate ann SELECT true"]
        );
        assert_eq!(all("=U/lakegate").unwrap(), ["lakegate  USAGE false"]);
        assert_eq!(
            all(r#""a=""b"=r/"x/y""#).unwrap(),
            [r#"x/y a="b SELECT false"#]
        );
        assert!(all("ann=/x").unwrap().is_empty());
        for bad in ["", "ann", "ann=r", "\"ann=r/x"] {
            assert_eq!(all(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_list_contains_items_with_fewer_privileges() {
        let list = [Cell::text("ann=ar*/x"), Cell::text("=r/x")];
        for (item, expected) in [
            ("ann=r/x", true),
            ("ann=r*/x", true),
            ("ann=ar/x", true),
            ("ann=a*/x", false),
            ("ann=w/x", false),
            ("ann=r/y", false),
            ("=r/x", true),
            ("bob=r/x", false),
        ] {
            assert_eq!(contains(&list, item).unwrap(), expected, "{item}");
        }
        assert_eq!(
            contains(&list, "ann").unwrap_err().code(),
            Code::InvalidCast
        );
        let broken = [Cell::text("ann")];
        assert!(contains(&broken, "ann=r/x").is_err());
    }

    #[test]
    fn privileges_become_letters() {
        assert_eq!(letters("SELECT", false).unwrap(), "r");
        assert_eq!(letters("select , Insert", true).unwrap(), "a*r*");
        assert_eq!(letters("TEMP", false).unwrap(), "T");
        for bad in ["", "FLY", "SELECT,", "SELECT WITH GRANT OPTION"] {
            let error = letters(bad, false).unwrap_err();
            assert_eq!(error.code(), Code::InvalidParameter, "{bad}");
        }
    }
}
