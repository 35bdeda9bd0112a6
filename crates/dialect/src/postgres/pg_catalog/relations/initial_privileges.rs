//! `pg_init_privs`: the privileges on what a server begins with. `pg_dump` does not write them.

use super::objects::SYSTEM;
use crate::postgres::Cell;
use crate::postgres::pg_catalog::oids;
use crate::postgres::pg_catalog::privileges::{system_namespace_acl, system_relation_acl};

/// A row of `pg_init_privs`.
pub(super) struct Initial {
    class: i64,
    object: i64,
    acl: Cell<'static>,
}

pub(super) fn all() -> Vec<Initial> {
    let namespaces = SYSTEM.iter().map(|shapes| Initial {
        class: oids::CLASS_PG_NAMESPACE,
        object: shapes.namespace_oid,
        acl: system_namespace_acl(),
    });
    let relations = SYSTEM.iter().flat_map(|shapes| &shapes.relations);
    let relations = relations.map(|shape| Initial {
        class: oids::CLASS_PG_CLASS,
        object: shape.oid,
        acl: system_relation_acl(),
    });
    namespaces.chain(relations).collect()
}

pub(super) fn pg_init_privs(row: &Initial, column: &str) -> Option<Cell<'static>> {
    Some(match column {
        "objoid" => Cell::Int(row.object),
        "classoid" => Cell::Int(row.class),
        "privtype" => Cell::text("i"),
        "initprivs" => row.acl.clone(),
        _ => return None,
    })
}
