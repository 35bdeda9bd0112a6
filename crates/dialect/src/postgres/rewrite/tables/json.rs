//! The columns that functions of JSON values, and of access lists, have in FROM.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, Expr, Ident, SelectItem, TableAlias,
};

use super::super::{acl, build, casts, folded, json};

/// How an item of an unnested list becomes a value of a column.
pub(in crate::postgres::rewrite) enum Item {
    AsIs,
    /// A call of this function.
    Call(&'static str),
    /// A cast to this type.
    Cast(DataType),
}

impl Item {
    pub(in crate::postgres::rewrite) fn of(self, list: Expr) -> Expr {
        let item = build::call("unnest", vec![list]);
        match self {
            Item::AsIs => item,
            Item::Call(function) => build::call(function, vec![item]),
            Item::Cast(data_type) => cast(item, data_type),
        }
    }
}

fn cast(expr: Expr, data_type: DataType) -> Expr {
    let mut cast = Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    };
    // The types are PostgreSQL's, as in any cast. A type that fails here fails when it is planned.
    let _ = casts::rewrite(&mut cast);
    cast
}

/// Returns whether a type is an array of one dimension.
fn is_array(data_type: &DataType) -> bool {
    match data_type {
        DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) => {
            !matches!(item.as_ref(), DataType::Array(_))
        }
        _ => false,
    }
}

/// The columns of a call that makes columns of JSON values.
pub(in crate::postgres::rewrite) struct JsonColumns {
    /// Their names, if no alias gives others.
    pub names: Vec<Ident>,
    pub lists: Vec<Expr>,
    pub items: Vec<Item>,
}

/// Returns the columns of a function of JSON values, or of an access list, in FROM; `None` if it is
/// another function.
pub(in crate::postgres::rewrite) fn columns(
    name: &str,
    args: &[Expr],
    alias: Option<&TableAlias>,
) -> Option<JsonColumns> {
    if matches!(name, "jsonb_path_query" | "jsonb_path_query_tz") {
        let own = alias.map_or_else(|| Ident::new(name), |alias| alias.name.clone());
        return Some(JsonColumns {
            names: vec![own],
            lists: vec![build::call(name, args.to_vec())],
            items: vec![Item::Call("$jsonb_kept")],
        });
    }
    let [value] = args else { return None };
    let list = |function: &str| build::call(function, vec![value.clone()]);
    if let Some((_, mark)) = json::SETS.iter().find(|(known, _)| *known == name) {
        let own = match name.ends_with("_keys") {
            true => name,
            false => "value",
        };
        let own = alias.map_or_else(|| Ident::new(own), |alias| alias.name.clone());
        return Some(JsonColumns {
            names: vec![own],
            lists: vec![list(name)],
            items: vec![mark.map_or(Item::AsIs, Item::Call)],
        });
    }
    if name == "aclexplode" {
        return Some(JsonColumns {
            names: acl::COLUMNS.map(|(name, _)| Ident::new(name)).to_vec(),
            lists: acl::COLUMNS.map(|(_, function)| list(function)).to_vec(),
            items: acl::COLUMNS.map(|_| Item::AsIs).into(),
        });
    }
    let (values, mark) = match name {
        "json_each" => ("$json_values", Item::Call("$json_kept")),
        "jsonb_each" => ("$jsonb_values", Item::Call("$jsonb_kept")),
        "json_each_text" => ("$json_values_text", Item::AsIs),
        "jsonb_each_text" => ("$jsonb_values_text", Item::AsIs),
        "json_to_recordset" | "jsonb_to_recordset" => {
            let (column, arrays) = match name {
                "json_to_recordset" => ("$json_column", "$json_array_column"),
                _ => ("$jsonb_column", "$jsonb_array_column"),
            };
            let columns = &alias?.columns;
            let typed: Option<Vec<(Ident, DataType)>> = columns
                .iter()
                .map(|column| Some((column.name.clone(), column.data_type.clone()?)))
                .collect();
            let typed = typed.filter(|typed| !typed.is_empty())?;
            return Some(JsonColumns {
                lists: typed
                    .iter()
                    .map(|(name, data_type)| {
                        let key = build::text(folded(name));
                        let column = if is_array(data_type) { arrays } else { column };
                        build::call(column, vec![value.clone(), key])
                    })
                    .collect(),
                names: typed.iter().map(|(name, _)| name.clone()).collect(),
                items: typed
                    .into_iter()
                    .map(|(_, data_type)| Item::Cast(data_type))
                    .collect(),
            });
        }
        _ => return None,
    };
    let keys = match name.starts_with("jsonb") {
        true => list("jsonb_object_keys"),
        false => list("json_object_keys"),
    };
    Some(JsonColumns {
        names: vec![Ident::new("key"), Ident::new("value")],
        lists: vec![keys, list(values)],
        items: vec![Item::AsIs, mark],
    })
}

/// Returns the columns of `json_to_record(x) AS t(a int, b text)`: one row.
pub(in crate::postgres::rewrite) fn record(
    name: &str,
    args: &[Expr],
    alias: Option<&TableAlias>,
) -> Option<Vec<SelectItem>> {
    let ([value], true) = (args, matches!(name, "json_to_record" | "jsonb_to_record")) else {
        return None;
    };
    let columns = &alias?.columns;
    if columns.is_empty() {
        return None;
    }
    columns
        .iter()
        .map(|column| {
            let key = build::text(folded(&column.name));
            let data_type = column.data_type.clone()?;
            let member = match data_type {
                DataType::JSON | DataType::JSONB => "$json_get",
                ref array if is_array(array) => "$json_get_array",
                _ => "$json_get_text",
            };
            let member = build::call(member, vec![value.clone(), key]);
            let typed = cast(member, data_type);
            Some(build::aliased(typed, column.name.clone()))
        })
        .collect()
}
