//! CREATE, ALTER, DROP and SHOW WORKGROUP.

use std::sync::Arc;

use arrow::array::Int64Array;
use bytesize::ByteSize;
use lakegate_catalog::access::{Privilege, Resource, Workgroup, WorkgroupInput, WorkgroupState};
use lakegate_sql::Statement;
use lakegate_sql::ast::{
    AlterWorkgroup, CreateWorkgroup, DropWorkgroup, OptionValue, ShowWorkgroup, WorkgroupChange,
};

use super::{Output, StatementContext, rows};
use crate::error::{Code, Error, Result};

const CUTOFF: &str = "bytes_scanned_cutoff_per_query";
const DESCRIPTION: &str = "description";
const STATE: &str = "state";

pub(super) async fn create(context: &StatementContext, create: &CreateWorkgroup) -> Result<Output> {
    context.require_administrator("create workgroups")?;
    let mut input = WorkgroupInput {
        name: create.name.clone(),
        ..WorkgroupInput::default()
    };
    set_options(&mut input, &create.options)?;
    context
        .control
        .create_workgroup(input, create.if_not_exists)
        .await?;
    Ok(Output::Command)
}

pub(super) async fn alter(context: &StatementContext, alter: &AlterWorkgroup) -> Result<Output> {
    context.require_administrator("change workgroups")?;
    let snapshot = context.control.snapshot();
    let workgroup = snapshot
        .workgroups
        .get(&alter.name)
        .ok_or_else(|| not_found(&alter.name))?;
    let mut input = workgroup.to_input();
    match &alter.change {
        WorkgroupChange::Set(options) => set_options(&mut input, options)?,
        WorkgroupChange::Enable => input.state = WorkgroupState::Enabled,
        WorkgroupChange::Disable => input.state = WorkgroupState::Disabled,
    }
    context.control.update_workgroup(input).await?;
    Ok(Output::Command)
}

pub(super) async fn drop(context: &StatementContext, drop: &DropWorkgroup) -> Result<Output> {
    context.require_administrator("drop workgroups")?;
    context
        .control
        .drop_workgroup(&drop.name, drop.if_exists)
        .await?;
    Ok(Output::Command)
}

fn set_options(input: &mut WorkgroupInput, options: &[(String, OptionValue)]) -> Result<()> {
    for (name, value) in options {
        match name.as_str() {
            CUTOFF => input.bytes_scanned_cutoff_per_query = bytes(name, value)?,
            DESCRIPTION => {
                input.description = match value {
                    OptionValue::String(text) => Some(text.clone()),
                    OptionValue::Default => None,
                    _ => return Err(wrong(name, value, "a string")),
                };
            }
            STATE => {
                input.state = match value {
                    OptionValue::String(text) => text.parse()?,
                    OptionValue::Default => WorkgroupState::default(),
                    _ => return Err(wrong(name, value, "'ENABLED' or 'DISABLED'")),
                };
            }
            other => {
                return Err(Error::invalid(format!(
                    "a workgroup has no option \"{other}\"; the options are {CUTOFF}, {DESCRIPTION}, {STATE}"
                )));
            }
        }
    }
    Ok(())
}

/// A number of bytes, or a text such as `1MB` (1,000,000) or `1MiB` (1,048,576). 1 to 2^63 - 1.
fn bytes(name: &str, value: &OptionValue) -> Result<Option<u64>> {
    let right = "a number of bytes of at least 1, such as 1048576 or '1GB', or NULL for no limit";
    let bytes = match value {
        OptionValue::Default => return Ok(None),
        OptionValue::Number(text) => text.parse::<u64>().ok(),
        OptionValue::String(text) => text
            .trim()
            .parse::<ByteSize>()
            .ok()
            .map(|size| size.as_u64()),
        OptionValue::Bool(_) => None,
    };
    let valid = bytes.filter(|bytes| (1..=i64::MAX.unsigned_abs()).contains(bytes));
    valid.map(Some).ok_or_else(|| wrong(name, value, right))
}

fn wrong(name: &str, value: &OptionValue, right: &str) -> Error {
    let given = match value {
        OptionValue::Number(text) => text.clone(),
        OptionValue::String(text) => format!("'{text}'"),
        OptionValue::Bool(value) => value.to_string(),
        OptionValue::Default => "NULL".to_owned(),
    };
    Error::invalid(format!(
        "workgroup option {name} is {given}; it must be {right}"
    ))
}

fn not_found(name: &str) -> Error {
    Error::new(
        Code::UndefinedObject,
        format!("workgroup \"{name}\" does not exist"),
    )
    .with_hint("SHOW WORKGROUPS lists those that you may use")
}

/// Errors: there is no such workgroup; or the caller may not use it, whether it exists or not.
pub(super) fn require_usable(context: &StatementContext, name: &str) -> Result<()> {
    if !context.access().can_use_workgroup(name) {
        return Err(context.denied(Privilege::Usage, &Resource::Workgroup(name.to_owned())));
    }
    match context.control.snapshot().workgroups.contains_key(name) {
        true => Ok(()),
        false => Err(not_found(name)),
    }
}

/// Administrators see all workgroups, others those that they may use.
pub(super) fn show_all(context: &StatementContext, statement: &Statement) -> Result<Output> {
    let snapshot = context.control.snapshot();
    let usable = snapshot
        .workgroups
        .values()
        .filter(|workgroup| context.access().can_use_workgroup(&workgroup.name));
    table(statement, &usable.collect::<Vec<_>>())
}

pub(super) fn show(
    context: &StatementContext,
    statement: &Statement,
    show: &ShowWorkgroup,
) -> Result<Output> {
    let snapshot = context.control.snapshot();
    let workgroup = snapshot
        .workgroups
        .get(&show.name)
        .filter(|workgroup| context.access().can_use_workgroup(&workgroup.name))
        .ok_or_else(|| not_found(&show.name))?;
    match show.create {
        true => rows::answer_lines(statement, vec![create_text(workgroup)]),
        false => table(statement, &[workgroup]),
    }
}

fn table(statement: &Statement, workgroups: &[&Arc<Workgroup>]) -> Result<Output> {
    let cutoffs = workgroups.iter().map(|workgroup| {
        let cutoff = workgroup.bytes_scanned_cutoff_per_query?;
        i64::try_from(cutoff).ok()
    });
    let arrays = vec![
        rows::strings(workgroups.iter().map(|workgroup| Some(&workgroup.name)))?,
        rows::strings(
            workgroups
                .iter()
                .map(|workgroup| Some(workgroup.state.to_string())),
        )?,
        Arc::new(Int64Array::from_iter(cutoffs)),
        rows::strings(
            workgroups
                .iter()
                .map(|workgroup| workgroup.description.as_ref()),
        )?,
    ];
    rows::answer(statement, arrays)
}

/// The statement that makes the workgroup again.
fn create_text(workgroup: &Workgroup) -> String {
    let mut options = vec![format!("{STATE} = '{}'", workgroup.state)];
    if let Some(cutoff) = workgroup.bytes_scanned_cutoff_per_query {
        options.push(format!("{CUTOFF} = {cutoff}"));
    }
    if let Some(description) = &workgroup.description {
        options.push(format!(
            "{DESCRIPTION} = '{}'",
            description.replace('\'', "''")
        ));
    }
    let name = workgroup.name.replace('"', "\"\"");
    format!("CREATE WORKGROUP \"{name}\" WITH ({})", options.join(", "))
}
