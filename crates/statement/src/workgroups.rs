//! CREATE, ALTER, DROP and SHOW WORKGROUP.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::Int64Array;
use bytesize::ByteSize;
use lakegate_catalog::access::{
    Privilege, QueryLimits, Resource, Workgroup, WorkgroupInput, WorkgroupState,
};
use lakegate_dialect::postgres::{milliseconds, shown_time};
use lakegate_error::{Code, Error, Result};
use lakegate_sql::Statement;
use lakegate_sql::ast::{
    AlterWorkgroup, CreateWorkgroup, DropWorkgroup, OptionValue, ShowWorkgroup, WorkgroupChange,
};

use super::{Output, StatementContext, rows};

const CUTOFF: &str = "bytes_scanned_cutoff_per_query";
const DESCRIPTION: &str = "description";
const STALENESS: &str = "max_staleness";
const STATE: &str = "state";
const CPU_TIME: &str = "cpu_time_limit_per_query";
const RUN_TIME: &str = "run_time_limit_per_query";
const ROWS: &str = "rows_returned_limit_per_query";
const WRITTEN: &str = "bytes_written_limit_per_query";

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
            STALENESS => input.max_staleness = time(name, value)?,
            CPU_TIME => input.limits.cpu_time = time_limit(name, value)?,
            RUN_TIME => input.limits.run_time = time_limit(name, value)?,
            ROWS => input.limits.rows_returned = row_limit(name, value)?,
            WRITTEN => input.limits.bytes_written = bytes(name, value)?,
            STATE => {
                input.state = match value {
                    OptionValue::String(text) => text.parse()?,
                    OptionValue::Default => WorkgroupState::default(),
                    _ => return Err(wrong(name, value, "'ENABLED' or 'DISABLED'")),
                };
            }
            other => {
                return Err(Error::invalid(format!(
                    "a workgroup has no option \"{other}\"; the options are {CUTOFF}, {CPU_TIME}, {RUN_TIME}, {ROWS}, {WRITTEN}, {DESCRIPTION}, {STALENESS}, {STATE}"
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

/// A duration with its unit, such as `60s` or `10min`, or 0.
fn time(name: &str, value: &OptionValue) -> Result<Duration> {
    let text = match value {
        OptionValue::Default => return Ok(Duration::ZERO),
        OptionValue::Number(text) | OptionValue::String(text) => text,
        OptionValue::Bool(_) => "",
    };
    // Tools disagree on the unit of a bare number, so a unit is required.
    let with_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
    let time = milliseconds(text).filter(|time| with_unit || *time == 0);
    time.map(Duration::from_millis).ok_or_else(|| {
        wrong(
            name,
            value,
            "a time with its unit, such as '60s' or '10min', or 0",
        )
    })
}

/// A duration with its unit, at least one millisecond, or no limit.
fn time_limit(name: &str, value: &OptionValue) -> Result<Option<Duration>> {
    if matches!(value, OptionValue::Default) {
        return Ok(None);
    }
    let limit = time(name, value).ok().filter(|limit| !limit.is_zero());
    limit.map(Some).ok_or_else(|| {
        wrong(
            name,
            value,
            "a time with its unit of at least 1ms, such as '60s' or '10min', or NULL for no limit",
        )
    })
}

/// 1 to 2^63 - 1, or no limit.
fn row_limit(name: &str, value: &OptionValue) -> Result<Option<u64>> {
    let rows = match value {
        OptionValue::Default => return Ok(None),
        OptionValue::Number(text) | OptionValue::String(text) => text.trim().parse::<u64>().ok(),
        OptionValue::Bool(_) => None,
    };
    let valid = rows.filter(|rows| (1..=i64::MAX.unsigned_abs()).contains(rows));
    valid.map(Some).ok_or_else(|| {
        wrong(
            name,
            value,
            "a number of rows of at least 1, or NULL for no limit",
        )
    })
}

fn shown(time: Duration) -> String {
    shown_time(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
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

/// # Errors
///
/// The workgroup does not exist, or the caller may not use it. The message is the same for both.
pub(super) fn require_usable(context: &StatementContext, name: &str) -> Result<()> {
    if !context.access().can_use_workgroup(name) {
        return Err(context.denied(Privilege::Usage, &Resource::Workgroup(name.to_owned())));
    }
    match context.control.snapshot().workgroups.contains_key(name) {
        true => Ok(()),
        false => Err(not_found(name)),
    }
}

/// Administrators see all workgroups, others those they may use.
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
    let shown_limit = |pick: fn(&QueryLimits) -> Option<Duration>| {
        rows::strings(
            workgroups
                .iter()
                .map(|workgroup| pick(&workgroup.limits).map(shown)),
        )
    };
    let row_limits = workgroups
        .iter()
        .map(|workgroup| i64::try_from(workgroup.limits.rows_returned?).ok());
    let written_limits = workgroups
        .iter()
        .map(|workgroup| i64::try_from(workgroup.limits.bytes_written?).ok());
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
        rows::strings(
            workgroups
                .iter()
                .map(|workgroup| Some(shown(workgroup.max_staleness))),
        )?,
        shown_limit(|limits| limits.cpu_time)?,
        shown_limit(|limits| limits.run_time)?,
        Arc::new(Int64Array::from_iter(row_limits)),
        Arc::new(Int64Array::from_iter(written_limits)),
    ];
    rows::answer(statement, arrays)
}

/// The statement that recreates the workgroup.
fn create_text(workgroup: &Workgroup) -> String {
    let mut options = vec![format!("{STATE} = '{}'", workgroup.state)];
    if let Some(cutoff) = workgroup.bytes_scanned_cutoff_per_query {
        options.push(format!("{CUTOFF} = {cutoff}"));
    }
    let limits = &workgroup.limits;
    for (name, limit) in [(CPU_TIME, limits.cpu_time), (RUN_TIME, limits.run_time)] {
        if let Some(limit) = limit {
            options.push(format!("{name} = '{}'", shown(limit)));
        }
    }
    if let Some(rows) = limits.rows_returned {
        options.push(format!("{ROWS} = {rows}"));
    }
    if let Some(bytes) = limits.bytes_written {
        options.push(format!("{WRITTEN} = {bytes}"));
    }
    if !workgroup.max_staleness.is_zero() {
        options.push(format!(
            "{STALENESS} = '{}'",
            shown(workgroup.max_staleness)
        ));
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_error::Code;

    use super::super::testing::Lake;

    #[tokio::test]
    async fn workgroup_is_made_changed_and_dropped() {
        let lake = Lake::new().await;
        lake.ok("CREATE WORKGROUP small WITH (bytes_scanned_cutoff_per_query = 1048576, description = 'it''s small');
                 CREATE WORKGROUP IF NOT EXISTS small").await;
        assert_eq!(
            lake.text("admin", "SHOW WORKGROUP small").await,
            "small|ENABLED|1048576|it's small|0|NULL|NULL|NULL|NULL"
        );
        lake.ok("ALTER WORKGROUP small SET (bytes_scanned_cutoff_per_query = '2MB', max_staleness = '90s',
                     cpu_time_limit_per_query = '60s', run_time_limit_per_query = '1500ms', rows_returned_limit_per_query = 1000,
                     bytes_written_limit_per_query = '1GB');
                 ALTER WORKGROUP small DISABLE").await;
        assert_eq!(
            lake.text("admin", "SHOW WORKGROUPS").await,
            "primary|ENABLED|NULL|NULL|0|4h|30min|NULL|NULL\nsmall|DISABLED|2000000|it's small|90s|1min|1500ms|1000|1000000000"
        );
        let create = lake.text("admin", "SHOW CREATE WORKGROUP small").await;
        lake.ok(&format!("DROP WORKGROUP small; {create}")).await;
        assert_eq!(
            lake.text("admin", "SHOW WORKGROUP small").await,
            "small|DISABLED|2000000|it's small|90s|1min|1500ms|1000|1000000000"
        );
        lake.ok("ALTER WORKGROUP small SET (bytes_scanned_cutoff_per_query = NULL, max_staleness = DEFAULT, cpu_time_limit_per_query = NULL,
                     rows_returned_limit_per_query = NULL, bytes_written_limit_per_query = NULL);
                 ALTER WORKGROUP small RESET run_time_limit_per_query;
                 ALTER WORKGROUP small ENABLE").await;
        assert_eq!(
            lake.text("admin", "SHOW WORKGROUP small").await,
            "small|ENABLED|NULL|it's small|0|NULL|NULL|NULL|NULL"
        );
        lake.ok("DROP WORKGROUP small; DROP WORKGROUP IF EXISTS small")
            .await;
        assert_eq!(
            lake.fails("admin", "SHOW WORKGROUP small").await.code(),
            Code::UndefinedObject
        );
        assert_eq!(
            lake.fails("admin", "ALTER WORKGROUP small ENABLE")
                .await
                .code(),
            Code::UndefinedObject
        );
        lake.fails("admin", "DROP WORKGROUP primary").await;
    }

    #[tokio::test]
    async fn bad_options_are_refused_with_what_would_be_right() {
        let lake = Lake::new().await;
        for (options, part) in [
            (
                "cutoff = 1",
                "bytes_scanned_cutoff_per_query, cpu_time_limit_per_query, run_time_limit_per_query, rows_returned_limit_per_query, bytes_written_limit_per_query, description",
            ),
            ("bytes_scanned_cutoff_per_query = 0", "at least 1"),
            ("bytes_scanned_cutoff_per_query = -5", "-5"),
            ("bytes_scanned_cutoff_per_query = 1.5", "1.5"),
            ("bytes_scanned_cutoff_per_query = 'much'", "much"),
            ("bytes_scanned_cutoff_per_query = true", "true"),
            (
                "bytes_scanned_cutoff_per_query = 99999999999999999999",
                "99999999999999999999",
            ),
            ("max_staleness = 60", "with its unit"),
            ("max_staleness = '-1s'", "-1s"),
            ("max_staleness = '100d'", "100d"),
            ("max_staleness = true", "true"),
            ("cpu_time_limit_per_query = 60", "with its unit"),
            ("cpu_time_limit_per_query = '0s'", "at least 1ms"),
            ("run_time_limit_per_query = '-1s'", "-1s"),
            ("run_time_limit_per_query = 'long'", "long"),
            ("rows_returned_limit_per_query = 0", "at least 1"),
            ("rows_returned_limit_per_query = 1.5", "1.5"),
            (
                "rows_returned_limit_per_query = 99999999999999999999",
                "at least 1",
            ),
            ("bytes_written_limit_per_query = 0", "at least 1"),
            ("state = 'ASLEEP'", "ASLEEP"),
        ] {
            let error = lake
                .fails("admin", &format!("CREATE WORKGROUP w WITH ({options})"))
                .await;
            assert!(error.message().contains(part), "{options}: {error}");
        }
        assert!(!lake.text("admin", "SHOW WORKGROUPS").await.contains('w'));
    }

    #[tokio::test]
    async fn users_see_and_choose_only_workgroups_that_they_may_use() {
        let lake = Lake::new().await;
        lake.ok(
            "CREATE WORKGROUP big; CREATE WORKGROUP small; GRANT USAGE ON WORKGROUP small TO ann",
        )
        .await;
        assert_eq!(
            lake.text("ann", "SHOW WORKGROUPS").await,
            "primary|ENABLED|NULL|NULL|0|4h|30min|NULL|NULL\nsmall|ENABLED|NULL|NULL|0|NULL|NULL|NULL|NULL"
        );
        let hidden = lake.fails("ann", "SHOW WORKGROUP big").await;
        assert_eq!(
            hidden.message().replace("big", "bag"),
            lake.fails("ann", "SHOW WORKGROUP bag").await.message()
        );
        lake.ok_as("ann", "ALTER USER CURRENT_USER SET WORKGROUP small")
            .await;
        assert_eq!(
            lake.text("ann", "SHOW USERS").await,
            "ann||small|false|scram|ENABLED"
        );
        let hidden = lake.fails("ann", "ALTER USER ann SET WORKGROUP big").await;
        assert_eq!(hidden.code(), Code::PermissionDenied);
        assert_eq!(
            hidden.message().replace("big", "bag"),
            lake.fails("ann", "ALTER USER ann SET WORKGROUP bag")
                .await
                .message()
        );
        lake.ok("ALTER USER ann SET WORKGROUP big").await;
        lake.ok_as("ann", "ALTER USER ann RESET WORKGROUP").await;
        // A grant to a role counts while the user is a member.
        lake.ok("CREATE ROLE heavy; GRANT heavy TO ann; GRANT USAGE ON WORKGROUP big TO heavy")
            .await;
        lake.ok_as("ann", "ALTER USER ann SET WORKGROUP big").await;
        lake.ok("REVOKE heavy FROM ann").await;
        assert_eq!(
            lake.fails("ann", "ALTER USER ann SET WORKGROUP big")
                .await
                .code(),
            Code::PermissionDenied
        );
        // Users cannot choose another user's workgroup, granted or not.
        assert_eq!(
            lake.fails("ann", "ALTER USER ben SET WORKGROUP small")
                .await
                .code(),
            Code::PermissionDenied
        );
        for sql in [
            "CREATE WORKGROUP mine",
            "ALTER WORKGROUP small DISABLE",
            "DROP WORKGROUP small",
        ] {
            assert_eq!(
                lake.fails("ann", sql).await.code(),
                Code::PermissionDenied,
                "{sql}"
            );
        }
    }
}
