//! Bulk ingestion: `CommandStatementIngest`, and a DoPut whose descriptor is the path of a table.

use arrow::array::RecordBatch;
use arrow_flight::sql::{CommandStatementIngest, TableExistsOption, TableNotExistOption};
use futures::{StreamExt, TryStreamExt, future};
use lakegate_error::{Code, Error, Result};
use lakegate_gateway::sql::ast::TableName;
use lakegate_gateway::{IfExists, IfMissing, WriteRequest};
use tonic::Status;

use super::auth::Caller;
use super::expansion;
use super::incoming::{Batches, Incoming, broken, malformed};
use super::statements::check_transaction;
use super::status::to_status;

/// Bytes of one batch with all values written out; dictionaries, views and runs store repeated
/// values only once.
const MAX_WRITTEN_OUT: usize = 512 * 1024 * 1024;

/// Writes the rows that a client sends, and returns their number once they are visible.
///
/// # Errors
///
/// There is no schema, a message is not a batch, or the gateway refuses the write. Nothing is
/// written then.
pub(super) async fn ingest(
    caller: &Caller,
    request: &WriteRequest,
    incoming: Incoming,
) -> Result<i64, Status> {
    let mut batches = Batches::new(incoming);
    // The schema comes before the first batch; there may be no batch.
    let first = batches.next().await.map_err(malformed)?;
    let schema = batches
        .schema()
        .cloned()
        .ok_or_else(|| {
            Error::new(
                Code::ProtocolViolation,
                "no schema was sent; send one before the batches, also where there are none",
            )
        })
        .map_err(to_status)?;
    let mut types = schema.fields().iter().map(|field| field.data_type());
    let repeats = types.any(expansion::repeats);
    let rest = futures::stream::try_unfold(batches, |mut batches| async move {
        let next = batches.next().await.map_err(broken)?;
        Ok(next.map(|batch| (batch, batches)))
    });
    let all = futures::stream::iter(first.map(Ok)).chain(rest);
    let all = all.and_then(move |batch| future::ready(written_out(batch, repeats)));
    let session = &caller.session.session;
    let rows = session
        .ingest(request, &schema, all.boxed())
        .await
        .map_err(to_status)?;
    Ok(i64::try_from(rows).unwrap_or(i64::MAX))
}

/// Checks the size of a batch whose types can repeat values.
///
/// # Errors
///
/// The batch is too large once every value is written out.
fn written_out(batch: RecordBatch, repeats: bool) -> Result<RecordBatch> {
    if repeats {
        let mut budget = MAX_WRITTEN_OUT;
        let bytes = expansion::bytes(&batch, &mut budget);
        bytes
            .filter(|bytes| *bytes <= MAX_WRITTEN_OUT)
            .ok_or_else(written_out_too_large)?;
    }
    Ok(batch)
}

fn written_out_too_large() -> Error {
    Error::new(
        Code::TooManyQueries,
        format!(
            "a batch is too large: {} MiB are the most when the values of its dictionaries, views and runs are written out",
            MAX_WRITTEN_OUT / 1024 / 1024
        ),
    )
    .with_hint("send smaller batches")
}

/// Translates an ingestion command.
///
/// # Errors
///
/// The command requests a temporary table, a transaction, or an unknown option.
pub(super) fn requested(command: &CommandStatementIngest) -> Result<WriteRequest> {
    check_transaction(command.transaction_id.as_ref())?;
    if command.temporary {
        return Err(
            Error::not_supported("rows are not ingested into temporary tables").with_hint(
                "ingest into a table of a database, or use CREATE TEMP TABLE and INSERT",
            ),
        );
    }
    if command.table.is_empty() {
        return Err(Error::new(
            Code::InvalidName,
            "the command names no table to ingest into",
        ));
    }
    let options = command.table_definition_options.unwrap_or_default();
    let if_missing = match options.if_not_exist() {
        TableNotExistOption::Create => IfMissing::Create,
        TableNotExistOption::Fail | TableNotExistOption::Unspecified => IfMissing::Fail,
    };
    let if_exists = match options.if_exists() {
        TableExistsOption::Fail => IfExists::Fail,
        TableExistsOption::Append | TableExistsOption::Unspecified => IfExists::Append,
        TableExistsOption::Replace => IfExists::Replace,
    };
    let mut request = WriteRequest {
        table: TableName {
            catalog: named(command.catalog.as_deref()),
            database: named(command.schema.as_deref()),
            table: command.table.to_lowercase(),
        },
        if_missing,
        if_exists,
        partitioned_by: Vec::new(),
        location: None,
    };
    for (name, value) in &command.options {
        match name.as_str() {
            "partition_by" => {
                let keys = value.split(',').map(str::trim);
                request.partitioned_by = keys
                    .filter(|key| !key.is_empty())
                    .map(str::to_lowercase)
                    .collect();
            }
            "location" => request.location = named_as_is(value),
            _ => {
                return Err(Error::not_supported(format!(
                    "unknown ingestion option \"{name}\"; the options are partition_by and location"
                )));
            }
        }
    }
    Ok(request)
}

/// Appends to an existing table, named by a path: `[table]`, `[database, table]` or `[catalog,
/// database, table]`.
pub(super) fn appended(path: &[String]) -> Result<WriteRequest> {
    let (catalog, database, table) = match path {
        [table] => (None, None, table),
        [database, table] => (None, named(Some(database)), table),
        [catalog, database, table] => (named(Some(catalog)), named(Some(database)), table),
        _ => {
            return Err(Error::new(
                Code::InvalidName,
                format!(
                    "a path of {} parts names no table; it is [database, table]",
                    path.len()
                ),
            ));
        }
    };
    Ok(WriteRequest {
        table: TableName {
            catalog,
            database,
            table: table.to_lowercase(),
        },
        if_missing: IfMissing::Fail,
        if_exists: IfExists::Append,
        partitioned_by: Vec::new(),
        location: None,
    })
}

fn named(name: Option<&str>) -> Option<String> {
    name.filter(|name| !name.is_empty()).map(str::to_lowercase)
}

fn named_as_is(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use arrow_flight::sql::TableDefinitionOptions;

    use super::*;

    fn command() -> CommandStatementIngest {
        CommandStatementIngest {
            table_definition_options: Some(TableDefinitionOptions {
                if_not_exist: TableNotExistOption::Create.into(),
                if_exists: TableExistsOption::Replace.into(),
            }),
            table: "Orders".to_owned(),
            schema: Some("Sales".to_owned()),
            catalog: Some(String::new()),
            options: [("partition_by".to_owned(), "Day, city".to_owned())].into(),
            ..CommandStatementIngest::default()
        }
    }

    #[test]
    fn command_says_what_to_do_with_the_table() {
        let request = requested(&command()).unwrap();
        assert_eq!(request.table.to_string(), "sales.orders");
        assert_eq!(
            (request.if_missing, request.if_exists),
            (IfMissing::Create, IfExists::Replace)
        );
        assert_eq!(request.partitioned_by, ["day", "city"]);
        // Without options, rows are appended.
        let bare = CommandStatementIngest {
            table: "t".to_owned(),
            ..CommandStatementIngest::default()
        };
        let request = requested(&bare).unwrap();
        assert_eq!(
            (request.if_missing, request.if_exists),
            (IfMissing::Fail, IfExists::Append)
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let temporary = CommandStatementIngest {
            temporary: true,
            ..command()
        };
        let transaction = CommandStatementIngest {
            transaction_id: Some("t".into()),
            ..command()
        };
        let nameless = CommandStatementIngest {
            table: String::new(),
            ..command()
        };
        let unknown = CommandStatementIngest {
            options: [("format".to_owned(), "orc".to_owned())].into(),
            ..command()
        };
        for (bad, part) in [
            (temporary, "temporary"),
            (transaction, "transactions"),
            (nameless, "no table"),
            (unknown, "\"format\""),
        ] {
            let error = requested(&bad).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
        assert!(appended(&["a".into(), "b".into(), "c".into(), "d".into()]).is_err());
        let path = ["sales".to_owned(), "Orders".to_owned()];
        assert_eq!(appended(&path).unwrap().table.to_string(), "sales.orders");
    }
}
