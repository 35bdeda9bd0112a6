//! GetSqlInfo: the server's properties, as FlightSql.proto numbers them.
//!
//! Every number of the specification has an answer, except the Substrait versions in a server that
//! was built without it. Unknown numbers are left out of an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use arrow::array::{BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{can_cast_types, filter_record_batch};
use arrow::datatypes::{DataType, IntervalUnit, SchemaRef, TimeUnit};
use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder};
use arrow_flight::sql::{
    SqlInfo, SqlNullOrdering, SqlOuterJoinsSupportLevel, SqlSupportedCaseSensitivity,
    SqlSupportedElementActions, SqlSupportedGroupBy, SqlSupportedResultSetConcurrency,
    SqlSupportedResultSetType, SqlSupportedSubqueries, SqlSupportedTransaction, SqlSupportedUnions,
    SqlSupportsConvert, SqlTransactionIsolationLevel,
};
use lakegate_error::{Error, Result};
use lakegate_gateway::substrait_versions;

/// Properties that differ between servers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub max_connections: usize,
    pub max_statements: usize,
    /// A prepared statement that is not used for this long is closed.
    pub statement_timeout: Duration,
}

/// Keywords of the dialect that are not in SQL:2003.
const KEYWORDS: &[&str] = &[
    "ANALYZE",
    "BUCKETS",
    "CLUSTERED",
    "COMMENT",
    "DATABASE",
    "DATABASES",
    "DELIMITED",
    "DESCRIBE",
    "EXPLAIN",
    "EXTERNAL",
    "FIELDS",
    "ILIKE",
    "INPUTFORMAT",
    "KILL",
    "LIMIT",
    "LINES",
    "LOCATION",
    "MSCK",
    "OFFSET",
    "OUTPUTFORMAT",
    "PARTITIONED",
    "PARTITIONS",
    "REPAIR",
    "SERDE",
    "SERDEPROPERTIES",
    "SHOW",
    "STORED",
    "TABLES",
    "TBLPROPERTIES",
    "TERMINATED",
    "USE",
    "WORKGROUP",
];

const NUMERIC_FUNCTIONS: &[&str] = &[
    "abs", "acos", "asin", "atan", "atan2", "ceil", "cos", "cot", "degrees", "exp", "floor", "ln",
    "log", "log10", "log2", "pi", "power", "radians", "random", "round", "signum", "sin", "sqrt",
    "tan", "trunc",
];

const STRING_FUNCTIONS: &[&str] = &[
    "ascii",
    "bit_length",
    "btrim",
    "character_length",
    "chr",
    "concat",
    "concat_ws",
    "contains",
    "ends_with",
    "initcap",
    "left",
    "lower",
    "lpad",
    "ltrim",
    "octet_length",
    "regexp_like",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "translate",
    "upper",
];

const SYSTEM_FUNCTIONS: &[&str] = &["coalesce", "nullif", "version"];

const DATETIME_FUNCTIONS: &[&str] = &[
    "current_date",
    "current_time",
    "date_bin",
    "date_part",
    "date_trunc",
    "from_unixtime",
    "make_date",
    "now",
    "to_char",
    "to_date",
    "to_timestamp",
    "to_unixtime",
];

/// Characters in a name, as in `SHOW max_identifier_length`.
const MAX_NAME: i64 = 255;
/// Columns in a table.
const MAX_COLUMNS: i64 = 10_000;

fn bits(values: &[i32]) -> i32 {
    values.iter().fold(0, |bits, value| bits | (1 << value))
}

/// Returns the types that CAST converts between.
fn conversions() -> BTreeMap<i32, Vec<i32>> {
    use SqlSupportsConvert as C;
    let types = [
        (C::SqlConvertBigint, DataType::Int64),
        (C::SqlConvertBinary, DataType::Binary),
        (C::SqlConvertBit, DataType::Boolean),
        (C::SqlConvertChar, DataType::Utf8),
        (C::SqlConvertDate, DataType::Date32),
        (C::SqlConvertDecimal, DataType::Decimal128(38, 10)),
        (C::SqlConvertFloat, DataType::Float64),
        (C::SqlConvertInteger, DataType::Int32),
        (
            C::SqlConvertIntervalDayTime,
            DataType::Interval(IntervalUnit::DayTime),
        ),
        (
            C::SqlConvertIntervalYearMonth,
            DataType::Interval(IntervalUnit::YearMonth),
        ),
        (C::SqlConvertLongvarbinary, DataType::Binary),
        (C::SqlConvertLongvarchar, DataType::Utf8),
        (C::SqlConvertNumeric, DataType::Decimal128(38, 10)),
        (C::SqlConvertReal, DataType::Float32),
        (C::SqlConvertSmallint, DataType::Int16),
        (C::SqlConvertTime, DataType::Time64(TimeUnit::Microsecond)),
        (
            C::SqlConvertTimestamp,
            DataType::Timestamp(TimeUnit::Microsecond, None),
        ),
        (C::SqlConvertTinyint, DataType::Int8),
        (C::SqlConvertVarbinary, DataType::Binary),
        (C::SqlConvertVarchar, DataType::Utf8),
    ];
    types
        .iter()
        .map(|(name, from)| {
            let to = types.iter().filter(|(_, to)| can_cast_types(from, to));
            (*name as i32, to.map(|(name, _)| *name as i32).collect())
        })
        .collect()
}

fn all(facts: &Facts) -> Result<SqlInfoData> {
    use SqlInfo as I;
    let mut info = SqlInfoDataBuilder::new();
    let count = |number: usize| i64::try_from(number).unwrap_or(0);

    info.append(I::FlightSqlServerName, "Lakegate");
    info.append(I::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(I::FlightSqlServerArrowVersion, arrow::ARROW_VERSION);
    info.append(I::FlightSqlServerReadOnly, false);
    info.append(I::FlightSqlServerSql, true);
    let substrait = substrait_versions();
    info.append(I::FlightSqlServerSubstrait, substrait.is_some());
    if let Some((oldest, newest)) = &substrait {
        info.append(I::FlightSqlServerSubstraitMinVersion, oldest.as_str());
        info.append(I::FlightSqlServerSubstraitMaxVersion, newest.as_str());
    }
    info.append(
        I::FlightSqlServerTransaction,
        SqlSupportedTransaction::None as i32,
    );
    info.append(I::FlightSqlServerCancel, true);
    info.append(I::FlightSqlServerBulkIngestion, false);
    info.append(I::FlightSqlServerIngestTransactionsSupported, false);
    let timeout = i32::try_from(facts.statement_timeout.as_millis()).unwrap_or(i32::MAX);
    info.append(I::FlightSqlServerStatementTimeout, timeout);
    info.append(I::FlightSqlServerTransactionTimeout, 0i32);

    info.append(I::SqlDdlCatalog, false);
    info.append(I::SqlDdlSchema, true);
    info.append(I::SqlDdlTable, true);
    info.append(
        I::SqlIdentifierCase,
        SqlSupportedCaseSensitivity::SqlCaseSensitivityLowercase as i32,
    );
    info.append(I::SqlIdentifierQuoteChar, "\"");
    // Table names are case-insensitive, column names are not.
    info.append(
        I::SqlQuotedIdentifierCase,
        SqlSupportedCaseSensitivity::SqlCaseSensitivityUnknown as i32,
    );
    // A visible table need not be granted for SELECT.
    info.append(I::SqlAllTablesAreSelectable, false);
    info.append(
        I::SqlNullOrdering,
        SqlNullOrdering::SqlNullsSortedAtEnd as i32,
    );
    info.append(I::SqlKeywords, KEYWORDS);
    info.append(I::SqlNumericFunctions, NUMERIC_FUNCTIONS);
    info.append(I::SqlStringFunctions, STRING_FUNCTIONS);
    info.append(I::SqlSystemFunctions, SYSTEM_FUNCTIONS);
    info.append(I::SqlDatetimeFunctions, DATETIME_FUNCTIONS);
    info.append(I::SqlSearchStringEscape, "\\");
    info.append(I::SqlExtraNameCharacters, "$");
    info.append(I::SqlSupportsColumnAliasing, true);
    info.append(I::SqlNullPlusNullIsNull, true);
    info.append(I::SqlSupportsConvert, conversions());
    info.append(I::SqlSupportsTableCorrelationNames, true);
    // Database names may equal table names.
    info.append(I::SqlSupportsDifferentTableCorrelationNames, false);
    info.append(I::SqlSupportsExpressionsInOrderBy, true);
    info.append(I::SqlSupportsOrderByUnrelated, true);
    let group_by = bits(&[
        SqlSupportedGroupBy::SqlGroupByUnrelated as i32,
        SqlSupportedGroupBy::SqlGroupByBeyondSelect as i32,
    ]);
    info.append(I::SqlSupportedGroupBy, group_by);
    // The escape character of LIKE is the backslash, and cannot be changed.
    info.append(I::SqlSupportsLikeEscapeClause, false);
    info.append(I::SqlSupportsNonNullableColumns, false);
    // Every level of ODBC and ANSI includes INSERT, UPDATE and DELETE.
    info.append(I::SqlSupportedGrammar, 0i32);
    info.append(I::SqlAnsi92SupportedLevel, 0i32);
    info.append(I::SqlSupportsIntegrityEnhancementFacility, false);
    info.append(
        I::SqlOuterJoinsSupportLevel,
        SqlOuterJoinsSupportLevel::SqlFullOuterJoins as i32,
    );
    info.append(I::SqlSchemaTerm, "database");
    info.append(I::SqlProcedureTerm, "procedure");
    info.append(I::SqlCatalogTerm, "catalog");
    info.append(I::SqlCatalogAtStart, true);
    let grants = bits(&[SqlSupportedElementActions::SqlElementInPrivilegeDefinitions as i32]);
    info.append(I::SqlSchemasSupportedActions, grants);
    info.append(I::SqlCatalogsSupportedActions, grants);
    info.append(I::SqlSupportedPositionedCommands, 0i32);
    info.append(I::SqlSelectForUpdateSupported, false);
    info.append(I::SqlStoredProceduresSupported, false);
    let subqueries = bits(&[
        SqlSupportedSubqueries::SqlSubqueriesInComparisons as i32,
        SqlSupportedSubqueries::SqlSubqueriesInExists as i32,
        SqlSupportedSubqueries::SqlSubqueriesInIns as i32,
    ]);
    info.append(I::SqlSupportedSubqueries, subqueries);
    info.append(I::SqlCorrelatedSubqueriesSupported, true);
    let unions = bits(&[
        SqlSupportedUnions::SqlUnion as i32,
        SqlSupportedUnions::SqlUnionAll as i32,
    ]);
    info.append(I::SqlSupportedUnions, unions);

    // 0 means no limit, or an unknown one.
    for unlimited in [
        I::SqlMaxBinaryLiteralLength,
        I::SqlMaxCharLiteralLength,
        I::SqlMaxColumnsInGroupBy,
        I::SqlMaxColumnsInIndex,
        I::SqlMaxColumnsInOrderBy,
        I::SqlMaxColumnsInSelect,
        I::SqlMaxCursorNameLength,
        I::SqlMaxIndexLength,
        I::SqlMaxProcedureNameLength,
        I::SqlMaxRowSize,
        I::SqlMaxTablesInSelect,
        I::SqlMaxUsernameLength,
    ] {
        info.append(unlimited, 0i64);
    }
    for name in [
        I::SqlMaxColumnNameLength,
        I::SqlDbSchemaNameLength,
        I::SqlMaxCatalogNameLength,
        I::SqlMaxTableNameLength,
    ] {
        info.append(name, MAX_NAME);
    }
    info.append(I::SqlMaxColumnsInTable, MAX_COLUMNS);
    info.append(I::SqlMaxConnections, count(facts.max_connections));
    info.append(I::SqlMaxRowSizeIncludesBlobs, true);
    info.append(
        I::SqlMaxStatementLength,
        count(lakegate_gateway::sql::MAX_TEXT_CHARS),
    );
    info.append(I::SqlMaxStatements, count(facts.max_statements));

    // The JDBC driver reads this one as 64 bits, where the specification has 32.
    info.append(
        I::SqlDefaultTransactionIsolation,
        SqlTransactionIsolationLevel::SqlTransactionNone as i64,
    );
    info.append(I::SqlTransactionsSupported, false);
    let none = bits(&[SqlTransactionIsolationLevel::SqlTransactionNone as i32]);
    info.append(I::SqlSupportedTransactionsIsolationLevels, none);
    info.append(I::SqlDataDefinitionCausesTransactionCommit, false);
    info.append(I::SqlDataDefinitionsInTransactionsIgnored, false);
    let forward = bits(&[SqlSupportedResultSetType::SqlResultSetTypeForwardOnly as i32]);
    info.append(I::SqlSupportedResultSetTypes, forward);
    let read_only =
        bits(&[SqlSupportedResultSetConcurrency::SqlResultSetConcurrencyReadOnly as i32]);
    info.append(
        I::SqlSupportedConcurrenciesForResultSetForwardOnly,
        read_only,
    );
    for unsupported in [
        I::SqlSupportedConcurrenciesForResultSetUnspecified,
        I::SqlSupportedConcurrenciesForResultSetScrollSensitive,
        I::SqlSupportedConcurrenciesForResultSetScrollInsensitive,
    ] {
        info.append(unsupported, 0i32);
    }
    info.append(I::SqlBatchUpdatesSupported, true);
    info.append(I::SqlSavepointsSupported, false);
    info.append(I::SqlNamedParametersSupported, false);
    info.append(I::SqlLocatorsUpdateCopy, false);
    info.append(I::SqlStoredFunctionsUsingCallSyntaxSupported, false);
    info.build()
        .map_err(|e| Error::internal(format!("the server's properties cannot be shown: {e}")))
}

pub(super) fn schema() -> SchemaRef {
    SqlInfoDataBuilder::schema().clone().into()
}

/// Returns the answers to the numbers `asked`, in ascending order; all answers if it is empty.
pub(super) fn batch(asked: &[u32], facts: &Facts) -> Result<RecordBatch> {
    let shown = |e: &dyn std::fmt::Display| {
        Error::internal(format!("the server's properties cannot be shown: {e}"))
    };
    let all = all(facts)?.record_batch(None).map_err(|e| shown(&e))?;
    if asked.is_empty() {
        return Ok(all);
    }
    let asked: BTreeSet<u32> = asked.iter().copied().collect();
    let names = all.column(0).as_any().downcast_ref::<UInt32Array>();
    let names = names.ok_or_else(|| shown(&"their names are no numbers"))?;
    let wanted: BooleanArray = names
        .values()
        .iter()
        .map(|name| Some(asked.contains(name)))
        .collect();
    filter_record_batch(&all, &wanted).map_err(|e| shown(&e))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::execution::SessionStateBuilder;

    use super::*;

    const FACTS: Facts = Facts {
        max_connections: 500,
        max_statements: 10_000,
        statement_timeout: Duration::from_secs(60),
    };

    #[test]
    fn every_number_of_the_specification_has_an_answer() {
        let batch = batch(&[], &FACTS).unwrap();
        let names = batch.column(0).as_any().downcast_ref::<UInt32Array>();
        let answered: BTreeSet<u32> = names.unwrap().values().iter().copied().collect();
        // 6 and 7 are the Substrait versions, which not every server has.
        let versions = [6, 7].map(|name| answered.contains(&name));
        assert_eq!(versions, [substrait_versions().is_some(); 2]);
        let specified = (0..=5).chain(8..=11).chain(100..=101).chain(500..=576);
        let missing: Vec<u32> = specified.filter(|name| !answered.contains(name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(super::super::types::same_columns(
            &batch.schema(),
            &schema()
        ));
    }

    #[test]
    fn only_what_is_asked_for_is_answered() {
        let batch = |asked: &[u32]| batch(asked, &FACTS).unwrap().num_rows();
        assert_eq!(batch(&[0, 1, 1, 8]), 3);
        assert_eq!(batch(&[0, 99_999]), 1);
        assert_eq!(batch(&[99_999]), 0);
    }

    #[test]
    fn functions_that_are_named_are_there() {
        let state = SessionStateBuilder::new().with_default_features().build();
        let lists = [
            NUMERIC_FUNCTIONS,
            STRING_FUNCTIONS,
            SYSTEM_FUNCTIONS,
            DATETIME_FUNCTIONS,
        ];
        let missing: Vec<&str> = lists
            .into_iter()
            .flatten()
            .copied()
            .filter(|name| !state.scalar_functions().contains_key(*name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
