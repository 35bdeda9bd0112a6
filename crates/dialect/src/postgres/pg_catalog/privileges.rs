//! Privileges in Postgres' form, from the principal's grants.

use crate::postgres::Cell;
use crate::visible::{TableKind, VisibleCatalog, VisibleColumn, VisibleDatabase, VisibleTable};

/// The role that owns the catalog, unless a role of the lake does.
pub(crate) const OWNER_NAME: &str = "lakegate";

/// Returns whether a privilege on a table, as named in `has_table_privilege`, is held; `None` for
/// an unknown name.
pub(crate) fn on_table(table: &VisibleTable, privilege: &str) -> Option<bool> {
    let granted = table.privileges;
    any_of(privilege, |name| {
        Some(match name {
            "SELECT" => granted.select,
            "INSERT" => granted.insert,
            "UPDATE" => granted.update,
            "DELETE" => granted.delete,
            "TRUNCATE" | "REFERENCES" | "TRIGGER" | "MAINTAIN" => false,
            _ => return None,
        })
    })
}

/// Returns whether a privilege on a column is held; `None` for an unknown name.
pub(crate) fn on_column(
    table: &VisibleTable,
    column: &VisibleColumn,
    privilege: &str,
) -> Option<bool> {
    any_of(privilege, |name| {
        Some(match name {
            "SELECT" => column.selectable,
            "INSERT" => table.privileges.insert,
            "UPDATE" => table.privileges.update,
            "REFERENCES" => false,
            _ => return None,
        })
    })
}

/// Returns whether a privilege on a namespace is held; `None` for an unknown name.
pub(crate) fn on_namespace(database: &VisibleDatabase, privilege: &str) -> Option<bool> {
    any_of(privilege, |name| {
        Some(match name {
            // Only visible objects are listed, so each of them may be used.
            "USAGE" => true,
            "CREATE" => database.can_create,
            _ => return None,
        })
    })
}

/// Returns whether any privilege of a list is held: `SELECT, INSERT WITH GRANT OPTION`. Only
/// administrators hold the grant option.
pub(crate) fn any_of(privileges: &str, held: impl Fn(&str) -> Option<bool>) -> Option<bool> {
    let mut any = false;
    for privilege in privileges.split(',') {
        let name = privilege.trim().to_ascii_uppercase();
        let (name, grants) = match name.strip_suffix(" WITH GRANT OPTION") {
            Some(name) => (name.trim().to_owned(), true),
            None => (name, false),
        };
        any |= held(&name)? && !grants;
    }
    Some(any)
}

/// Returns the name of a role as an access list has it.
pub(crate) fn name_in_list(role: &str) -> String {
    match role.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        true => role.to_owned(),
        false => format!("\"{}\"", role.replace('"', "\"\"")),
    }
}

fn item(principal: &str, letters: &str) -> String {
    format!("{}={letters}/{OWNER_NAME}", name_in_list(principal))
}

/// Returns `relacl`: the principal's own privileges; those of others are not visible.
pub(crate) fn table_acl(catalog: &VisibleCatalog, table: &VisibleTable) -> Cell<'static> {
    let granted = table.privileges;
    let held = [
        (granted.insert && table.kind == TableKind::Table, 'a'),
        (granted.select, 'r'),
        (granted.update, 'w'),
        (granted.delete, 'd'),
    ];
    let letters: String = held
        .iter()
        .filter(|(held, _)| *held)
        .map(|(_, letter)| letter)
        .collect();
    match letters.is_empty() {
        true => Cell::List(vec![]),
        false => Cell::texts([item(&catalog.principal, &letters)]),
    }
}

/// Returns `nspacl`.
pub(crate) fn namespace_acl(catalog: &VisibleCatalog, database: &VisibleDatabase) -> Cell<'static> {
    Cell::texts([item(
        &catalog.principal,
        if database.can_create { "UC" } else { "U" },
    )])
}

/// Returns `relacl` of a relation of the system, which everybody may read.
pub(super) fn system_relation_acl() -> Cell<'static> {
    Cell::texts([format!("=r/{OWNER_NAME}")])
}

/// Returns `nspacl` of a schema of the system.
pub(super) fn system_namespace_acl() -> Cell<'static> {
    Cell::texts([format!("=U/{OWNER_NAME}")])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::visible::TablePrivileges;

    #[test]
    fn a_list_of_privileges_holds_if_one_does() {
        let table = VisibleTable {
            privileges: TablePrivileges {
                select: true,
                ..TablePrivileges::default()
            },
            ..VisibleTable::default()
        };
        assert_eq!(on_table(&table, "select"), Some(true));
        assert_eq!(on_table(&table, "INSERT, SELECT"), Some(true));
        assert_eq!(on_table(&table, "INSERT"), Some(false));
        assert_eq!(on_table(&table, "SELECT WITH GRANT OPTION"), Some(false));
        assert_eq!(on_table(&table, "FLY"), None);
    }

    #[test]
    fn names_in_an_acl_are_quoted_where_they_have_to_be() {
        for (name, shown) in [
            ("ann_2", "ann_2=r/lakegate"),
            ("ann.b", "\"ann.b\"=r/lakegate"),
            ("a\"b", "\"a\"\"b\"=r/lakegate"),
        ] {
            assert_eq!(item(name, "r"), shown);
        }
    }
}
