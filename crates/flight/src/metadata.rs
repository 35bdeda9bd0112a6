//! Catalog commands, answered through the principal's view, with the schemas of FlightSql.proto.
//!
//! The ticket of such a command is the command itself. It returns only what the calling user
//! may see.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::error::FlightError;
use arrow_flight::sql::{Command, CommandGetTables};
use arrow_flight::{FlightDescriptor, FlightInfo};
use futures::StreamExt;
use lakegate_error::{Error, Result};
use lakegate_gateway::CATALOG;
use lakegate_gateway::detached::executions::Started;
use lakegate_gateway::{RelationFilter, RelationKind};
use prost::Message;

use super::Door;
use super::auth::Caller;
use super::delivery::{ArrowTypes, Delivery};
use super::info::flight_info;
use super::stream::{Outgoing, StreamRequest};
use super::{sql_info, types, xdbc};

const TABLE: &str = "TABLE";
const VIEW: &str = "VIEW";
const SYSTEM_TABLE: &str = "SYSTEM TABLE";

fn type_of(kind: RelationKind) -> &'static str {
    match kind {
        RelationKind::Table => TABLE,
        RelationKind::View => VIEW,
        RelationKind::System => SYSTEM_TABLE,
    }
}

fn failed(error: FlightError) -> Error {
    Error::internal(format!("the catalog cannot be shown: {error}"))
}

/// Returns the schema of a catalog command's answer, or `None` for other commands.
pub(super) fn schema(command: &Command) -> Option<SchemaRef> {
    Some(match command {
        Command::CommandGetCatalogs(get) => get.into_builder().schema(),
        Command::CommandGetDbSchemas(get) => get.clone().into_builder().schema(),
        Command::CommandGetTables(get) => get.clone().into_builder().schema(),
        Command::CommandGetTableTypes(get) => get.into_builder().schema(),
        Command::CommandGetPrimaryKeys(_) => primary_keys(),
        Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => foreign_keys(),
        Command::CommandGetSqlInfo(_) => sql_info::schema(),
        Command::CommandGetXdbcTypeInfo(_) => xdbc::schema(),
        _ => return None,
    })
}

fn primary_keys() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_name", DataType::Utf8, true),
        Field::new("key_sequence", DataType::Int32, false),
    ]))
}

fn foreign_keys() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("pk_catalog_name", DataType::Utf8, true),
        Field::new("pk_db_schema_name", DataType::Utf8, true),
        Field::new("pk_table_name", DataType::Utf8, false),
        Field::new("pk_column_name", DataType::Utf8, false),
        Field::new("fk_catalog_name", DataType::Utf8, true),
        Field::new("fk_db_schema_name", DataType::Utf8, true),
        Field::new("fk_table_name", DataType::Utf8, false),
        Field::new("fk_column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
}

impl Door {
    /// Returns the FlightInfo of a catalog command, or `None` for other commands.
    ///
    /// # Errors
    ///
    /// The schema cannot be encoded.
    pub(crate) fn catalog_info(
        &self,
        command: Command,
        descriptor: FlightDescriptor,
    ) -> Result<Option<FlightInfo>> {
        let Some(schema) = schema(&command) else {
            return Ok(None);
        };
        let ticket = command.into_any().encode_to_vec();
        let endpoint = self.endpoint(ticket.into(), None);
        flight_info(Some(&schema), vec![endpoint], descriptor).map(Some)
    }

    /// Answers a catalog command; returns `None` for other commands.
    ///
    /// # Errors
    ///
    /// The catalog cannot be read, or the answer cannot be built.
    pub(crate) async fn catalog_rows(
        &self,
        caller: &Caller,
        command: Command,
    ) -> Result<Option<Outgoing>> {
        let Some(schema) = schema(&command) else {
            return Ok(None);
        };
        let batch = self.catalog_batch(caller, command, &schema).await?;
        let started = Started {
            schema: Arc::clone(&schema),
            batches: futures::stream::iter((batch.num_rows() > 0).then_some(Ok(batch))).boxed(),
            usage: Arc::default(),
        };
        let request = StreamRequest {
            schema,
            started,
            // The batch already has exactly the types of the schema.
            delivery: Delivery {
                types: ArrowTypes::Native,
                ..Delivery::default()
            },
            in_use: caller.session.enter(),
        };
        Outgoing::new(request, &self.streams).map(Some)
    }

    async fn catalog_batch(
        &self,
        caller: &Caller,
        command: Command,
        schema: &SchemaRef,
    ) -> Result<RecordBatch> {
        let session = &caller.session.session;
        match command {
            Command::CommandGetCatalogs(get) => {
                let mut builder = get.into_builder();
                builder.append(CATALOG);
                builder.build().map_err(failed)
            }
            Command::CommandGetDbSchemas(mut get) => {
                // The builder would turn it into a regular expression, whose size is limited.
                let pattern = get.db_schema_filter_pattern.take();
                let names = session.databases(pattern.as_deref()).await?;
                let mut builder = get.into_builder();
                for name in names {
                    builder.append(CATALOG, name);
                }
                builder.build().map_err(failed)
            }
            Command::CommandGetTables(get) => self.tables(caller, get).await,
            Command::CommandGetTableTypes(get) => {
                let mut builder = get.into_builder();
                for name in [TABLE, VIEW, SYSTEM_TABLE] {
                    builder.append(name);
                }
                builder.build().map_err(failed)
            }
            Command::CommandGetSqlInfo(get) => sql_info::batch(
                &get.info,
                &sql_info::Facts {
                    max_connections: self.gateway.max_connections(),
                    max_statements: self.options.max_statements,
                    statement_timeout: self.options.config.token_lifetime,
                },
            ),
            Command::CommandGetXdbcTypeInfo(get) => xdbc::batch(get),
            // Tables over files have no keys.
            _ => Ok(RecordBatch::new_empty(Arc::clone(schema))),
        }
    }

    async fn tables(&self, caller: &Caller, mut get: CommandGetTables) -> Result<RecordBatch> {
        let asked = std::mem::take(&mut get.table_types);
        let wanted = |kind: &str| asked.is_empty() || asked.iter().any(|one| one == kind);
        let in_catalog = get.catalog.as_ref().is_none_or(|asked| asked == CATALOG);
        let relations = if in_catalog {
            let filter = RelationFilter {
                // The builder would turn them into regular expressions, whose size is limited.
                database: get.db_schema_filter_pattern.take(),
                name: get.table_name_filter_pattern.take(),
                columns: get.include_schema,
            };
            caller.session.session.relations(&filter).await?
        } else {
            Vec::new()
        };
        let mut builder = get.into_builder();
        for relation in relations {
            let kind = type_of(relation.kind);
            if !wanted(kind) {
                continue;
            }
            let fields: Vec<Field> = relation
                .columns
                .iter()
                .map(|column| {
                    types::table_field(CATALOG, &relation.database, &relation.name, column)
                })
                .collect();
            builder
                .append(
                    CATALOG,
                    &relation.database,
                    &relation.name,
                    kind,
                    &Schema::new(fields),
                )
                .map_err(failed)?;
        }
        builder.build().map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow_flight::sql::{
        CommandGetCatalogs, CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTableTypes,
        CommandStatementQuery,
    };

    use super::*;

    fn shape(command: Command) -> Vec<String> {
        let schema = schema(&command).unwrap();
        let shown = |field: &Arc<Field>| {
            let null = if field.is_nullable() { "" } else { " not null" };
            format!("{}: {}{null}", field.name(), field.data_type())
        };
        schema.fields().iter().map(shown).collect()
    }

    #[test]
    fn schemas_are_those_of_the_specification() {
        assert_eq!(
            shape(Command::CommandGetCatalogs(CommandGetCatalogs {})),
            ["catalog_name: Utf8 not null"]
        );
        assert_eq!(
            shape(Command::CommandGetDbSchemas(CommandGetDbSchemas::default())),
            ["catalog_name: Utf8", "db_schema_name: Utf8 not null"]
        );
        let tables = |include_schema| {
            shape(Command::CommandGetTables(CommandGetTables {
                include_schema,
                ..CommandGetTables::default()
            }))
        };
        let columns = [
            "catalog_name: Utf8",
            "db_schema_name: Utf8",
            "table_name: Utf8 not null",
            "table_type: Utf8 not null",
        ];
        assert_eq!(tables(false), columns);
        assert_eq!(tables(true)[..4], columns);
        assert_eq!(tables(true)[4], "table_schema: Binary not null");
        assert_eq!(
            shape(Command::CommandGetTableTypes(CommandGetTableTypes {})),
            ["table_type: Utf8 not null"]
        );
        let keys = Command::CommandGetPrimaryKeys(CommandGetPrimaryKeys::default());
        assert_eq!(shape(keys).len(), 6);
        let query = Command::CommandStatementQuery(CommandStatementQuery::default());
        assert!(schema(&query).is_none());
    }
}
