//! CREATE, ALTER and DROP DATABASE.

use lakegate_catalog::access::{Privilege, Resource};
use lakegate_catalog::model::DatabaseInput;
use lakegate_sql::ast::{AlterDatabaseSetProperties, CreateDatabase, DropDatabase};

use super::{Output, StatementContext};
use crate::error::Result;
use crate::view::database_not_found;

pub(super) async fn create(context: &StatementContext, create: &CreateDatabase) -> Result<Output> {
    let name = context.database_name(Some(&create.name))?;
    if !context.access().can_create_database() {
        return Err(context.denied(Privilege::CreateDatabase, &Resource::Catalog));
    }
    if let Some(location) = &create.location {
        context.locate(location, None).await?;
    }
    let input = DatabaseInput {
        name: name.to_owned(),
        description: create.comment.clone(),
        location_uri: create.location.clone(),
        parameters: create.properties.iter().cloned().collect(),
    };
    let metastore = &context.view.metastore;
    let created = metastore
        .create_database(input, create.if_not_exists)
        .await?;
    if created.created {
        let database = Resource::Database(created.value.name.clone());
        super::grants::to_creator(context, database).await?;
    }
    Ok(Output::Command)
}

pub(super) async fn set_properties(
    context: &StatementContext,
    alter: &AlterDatabaseSetProperties,
) -> Result<Output> {
    let database = context.database(&alter.name).await?;
    context.require_on_database(&database.name, Privilege::Alter)?;
    let mut input = database.to_input();
    input.parameters.extend(alter.properties.iter().cloned());
    context.view.metastore.update_database(input).await?;
    Ok(Output::Command)
}

pub(super) async fn drop(context: &StatementContext, drop: &DropDatabase) -> Result<Output> {
    let name = context.database_name(Some(&drop.name))?;
    let Some(database) = context.view.database(name).await? else {
        return match drop.if_exists {
            true => Ok(Output::Command),
            false => Err(database_not_found(name)),
        };
    };
    // The right to drop a database is one on all of its tables.
    context.require_on_database(&database.name, Privilege::Drop)?;
    let metastore = &context.view.metastore;
    metastore
        .drop_database(&database.name, drop.if_exists, drop.cascade)
        .await?;
    Ok(Output::Command)
}
