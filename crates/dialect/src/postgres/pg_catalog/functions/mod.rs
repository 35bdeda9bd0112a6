//! Functions that read the catalog: names of objects, privileges, descriptions.

mod absent;
mod access_lists;
mod describe;
mod information_schema;
mod keywords;
mod lookup;
mod names;
pub(in crate::postgres) mod objects;
mod operators;
mod privileges;
mod procedures;
mod refused;
mod sizes;
mod type_of;

use std::collections::HashMap;
use std::sync::Arc;

pub(super) use absent::absent;
use datafusion::logical_expr::{ScalarUDF, ScalarUDFImpl as _};
pub(in crate::postgres) use keywords::is_reserved;
pub(super) use keywords::{KEYWORDS_TABLE, keywords};
pub(super) use lookup::Lookup;
pub use names::object_number;
pub(super) use sizes::ABOUT_SIZES;
use type_of::TYPE_OF;
pub(in crate::postgres) use type_of::tells_type;
pub use type_of::type_name;

use crate::postgres::{PgFunction, ROW_TYPE};

/// Functions whose results depend on names and grants of the lake.
pub(super) const ABOUT_NAMES: &[&str] = &[
    "regclass_in",
    "regtype_in",
    "to_regtype",
    "regproc_in",
    "to_regproc",
    "regprocedure_in",
    "to_regprocedure",
    "regprocedure_out",
    "to_regclass",
    "regclass_out",
    "regnamespace_in",
    "to_regnamespace",
    "regnamespace_out",
    "regoper_in",
    "to_regoper",
    "regoper_out",
    "regoperator_in",
    "to_regoperator",
    "regoperator_out",
    "regcollation_in",
    "to_regcollation",
    "regcollation_out",
    "acldefault",
    "aclexplode",
    ROW_TYPE,
    "regrole_in",
    "to_regrole",
    "regrole_out",
    "$regtype_list",
    "$regnamespace_list",
    "$regrole_list",
    "pg_get_userbyid",
    "pg_table_is_visible",
    "has_table_privilege",
    "has_any_column_privilege",
    "has_column_privilege",
    "has_schema_privilege",
    "pg_has_role",
    "obj_description",
    "col_description",
    "pg_get_viewdef",
    "pg_describe_object",
    "pg_identify_object",
    "pg_identify_object_as_address",
    "has_database_privilege",
    "has_foreign_data_wrapper_privilege",
    "has_function_privilege",
    "has_language_privilege",
    "has_parameter_privilege",
    "has_sequence_privilege",
    "has_server_privilege",
    "has_tablespace_privilege",
    "has_type_privilege",
    "makeaclitem",
    TYPE_OF,
];

/// Those of them whose results depend on the tables of the lake, and not only on its databases,
/// users and roles.
pub(super) const ABOUT_TABLES: &[&str] = &[
    "regclass_in",
    "to_regclass",
    "regclass_out",
    "$regclass_names",
    ROW_TYPE,
    "pg_table_is_visible",
    "has_table_privilege",
    "has_any_column_privilege",
    "has_column_privilege",
    "obj_description",
    "col_description",
    "pg_get_viewdef",
    "has_sequence_privilege",
    "pg_describe_object",
    "pg_identify_object",
    "pg_identify_object_as_address",
    "pg_relation_size",
    "pg_table_size",
    "pg_total_relation_size",
    "pg_indexes_size",
];

/// Functions that need a table's columns or its view text. The first argument is the table, or the
/// second one of three if the function identifies an object ([`IDENTIFY_OBJECTS`]).
pub(super) const ABOUT_COLUMNS: &[&str] = &[
    "col_description",
    "pg_get_viewdef",
    "has_column_privilege",
    "pg_describe_object",
    "pg_identify_object",
    "pg_identify_object_as_address",
];

/// Functions of the numbers of a catalog, of an object and of its column.
pub(in crate::postgres) const IDENTIFY_OBJECTS: &[&str] = &[
    "pg_describe_object",
    "pg_identify_object",
    "pg_identify_object_as_address",
];

/// Returns the functions that turn names of objects into numbers, and numbers into names.
pub(super) fn names_of_objects(lookup: &Arc<Lookup>) -> Vec<Arc<ScalarUDF>> {
    over(lookup, names::functions(lookup))
}

/// Returns the functions that describe and measure objects.
pub(super) fn descriptions(lookup: &Arc<Lookup>) -> Vec<Arc<ScalarUDF>> {
    let mut all = describe::functions(lookup);
    all.extend(objects::functions(lookup));
    all.extend(sizes::functions(lookup));
    over(lookup, all)
}

/// Returns the functions about the privileges of the session's user.
pub(super) fn on_privileges(lookup: &Arc<Lookup>) -> Vec<Arc<ScalarUDF>> {
    over(lookup, privileges::functions(lookup))
}

/// Returns the functions about lists of privileges.
pub(super) fn on_access_lists(lookup: &Arc<Lookup>) -> Vec<Arc<ScalarUDF>> {
    over(lookup, access_lists::functions(lookup))
}

/// Returns the functions about types, which look nothing up.
pub(super) fn about_types() -> Vec<Arc<ScalarUDF>> {
    let all = information_schema::functions().into_iter();
    let mut udfs: Vec<Arc<ScalarUDF>> = all.map(PgFunction::into_udf).collect();
    udfs.extend(type_of::functions());
    udfs
}

/// Returns functions as those of the engine.
fn over(lookup: &Arc<Lookup>, functions: Vec<PgFunction>) -> Vec<Arc<ScalarUDF>> {
    let functions = functions.into_iter();
    let checked = functions.map(|function| checked(lookup, function));
    checked.map(PgFunction::into_udf).collect()
}

/// Returns the functions that convert a number to its name, by type.
pub(super) fn names_by_type(lookup: &Arc<Lookup>) -> HashMap<&'static str, Arc<ScalarUDF>> {
    names::output(lookup)
        .into_iter()
        .map(|(pg_type, function)| (pg_type, checked(lookup, function).into_udf()))
        .collect()
}

/// Lets a function about tables fail while the tables that it is called for are not read.
fn checked(lookup: &Arc<Lookup>, function: PgFunction) -> PgFunction {
    if !ABOUT_TABLES.contains(&function.name()) {
        return function;
    }
    let lookup = Arc::clone(lookup);
    function.checked(move |args| args.iter().try_for_each(|argument| lookup.check(argument)))
}
