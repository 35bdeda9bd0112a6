use datafusion::common::TableReference;

use super::*;

#[test]
fn missing_table_is_named_as_it_was_written() {
    for (found, shown) in [
        ("awsdatacatalog.curated.x", "curated.x"),
        ("awsdatacatalog./.x", "x"),
    ] {
        let error = from_engine(DataFusionError::Plan(format!("table '{found}' not found")));
        assert_eq!(
            error.message(),
            format!("relation \"{shown}\" does not exist")
        );
    }
}

#[test]
fn missing_column_is_named_without_the_schema_of_outer_queries() {
    for (schema, shown) in [(OUTER, "t.x"), ("d", "d.t.x")] {
        let relation = TableReference::partial(schema, "t");
        let error = from_engine(DataFusionError::SchemaError(
            Box::new(SchemaError::FieldNotFound {
                field: Box::new(Column::new(Some(relation), "x")),
                valid_fields: Vec::new(),
            }),
            Box::new(None),
        ));
        assert_eq!(error.code(), Code::ColumnNotFound);
        assert_eq!(
            error.message(),
            format!("column \"{shown}\" does not exist")
        );
    }
}

#[test]
fn plans_that_are_refused_are_shown_in_the_log_only() {
    let said = "Plan: [\"SortPreservingMergeExec: [a@0 ASC]\", \"  DataSourceExec: t/day=secret/f.parquet\"] does not satisfy order requirements: [a@0 ASC]. Child-0 order: []";
    let error = from_engine(DataFusionError::Plan(said.to_owned()));
    assert_eq!(error.code(), Code::Internal);
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(error.full().is_some_and(|full| full.contains("secret")));
}

#[test]
fn call_with_other_arguments_names_the_function() {
    let said = "Internal error: Function 'substr' failed to match any signature, errors: Error during planning: \
                Function 'substr' requires Int64, but received String (DataType: Utf8).\n\
                This issue was likely caused by a bug in DataFusion's code.";
    let bare = said.replacen("Internal error: ", "", 1);
    for error in [
        DataFusionError::Plan(said.to_owned()),
        DataFusionError::Internal(bare),
    ] {
        let error = from_engine(error);
        assert_eq!(error.code(), Code::FunctionNotFound);
        assert_eq!(
            error.message(),
            "function substr does not take arguments of these types, or as many"
        );
    }
}

#[test]
fn unknown_types_casts_and_bare_window_functions_are_errors_of_the_query() {
    let lacking = |what: &str| DataFusionError::NotImplemented(what.to_owned());
    for (said, sqlstate, message) in [
        (
            lacking("Unsupported SQL type nothing"),
            "42704",
            "type \"nothing\" does not exist",
        ),
        (
            lacking("Unsupported SQL type GEOMETRY"),
            "0A000",
            "unsupported SQL type GEOMETRY",
        ),
        (
            lacking("Unsupported CAST from Boolean to Date32"),
            "42846",
            "cannot cast type boolean to date",
        ),
        (
            DataFusionError::Plan("Invalid function 'lag'.\nDid you mean 'log'?".to_owned()),
            "42809",
            "window function lag requires an OVER clause",
        ),
        (
            DataFusionError::Plan("LIMIT must be >= 0, '-1' was provided".to_owned()),
            "2201W",
            "LIMIT must not be negative",
        ),
    ] {
        let error = from_engine(said);
        assert_eq!(
            (error.code().sqlstate(), error.message()),
            (sqlstate, message)
        );
    }
}

#[test]
fn numbers_that_a_type_does_not_hold_are_told_from_what_is_no_number() {
    for (said, code, message) in [
        (
            "Can't cast value 300 to type Int8",
            Code::NumericOutOfRange,
            "value 300 is out of range for type tinyint",
        ),
        (
            "Cannot cast string '-99999999999' to value of Int32 type",
            Code::NumericOutOfRange,
            "value \"-99999999999\" is out of range for type integer",
        ),
        (
            "value of 32768 is out of range Int16",
            Code::NumericOutOfRange,
            "value 32768 is out of range for type smallint",
        ),
        (
            "Cannot cast string '1x' to value of Int32 type",
            Code::InvalidCast,
            "invalid input syntax for type integer: \"1x\"",
        ),
        (
            "Cannot cast string '10999' to value of Date32 type",
            Code::InvalidCast,
            "invalid input syntax for type date: \"10999\"",
        ),
        (
            "Cannot cast string '-1.5e30' to value of Decimal128(38, 19) type",
            Code::NumericOutOfRange,
            "value overflows numeric format",
        ),
        (
            "Cannot cast string '.' to value of Decimal128(38, 19) type",
            Code::InvalidCast,
            "invalid input syntax for type numeric: \".\"",
        ),
        (
            "Cannot cast string '1e' to value of Decimal128(3, 1) type",
            Code::InvalidCast,
            "invalid input syntax for type numeric: \"1e\"",
        ),
        (
            "Cannot cast to Decimal128(3, 2). Overflowing on 1234",
            Code::NumericOutOfRange,
            "numeric field overflow",
        ),
    ] {
        let error = from_arrow(&ArrowError::CastError(said.to_owned()));
        assert_eq!((error.code(), error.message()), (code, message), "{said}");
    }
    let decimal = ArrowError::InvalidArgumentError(
        "10.00 is too large to store in a Decimal128 of precision 3. Max is 9.99".to_owned(),
    );
    assert_eq!(from_arrow(&decimal).code(), Code::NumericOutOfRange);
    let later = ArrowError::ComputeError("Timestamp out of range".to_owned());
    assert_eq!(from_arrow(&later).code(), Code::DatetimeOutOfRange);
}

#[test]
fn functions_say_what_postgresql_says_of_their_arguments() {
    for (said, code, message) in [
        (
            "invalid Unicode scalar value: -1",
            Code::InvalidParameter,
            "character number must be positive",
        ),
        (
            "invalid Unicode scalar value: 55296",
            Code::ResultTooLarge,
            "requested character not valid for encoding: 55296",
        ),
        (
            "invalid Unicode scalar value: 1114112",
            Code::ResultTooLarge,
            "requested character too large for encoding: 1114112",
        ),
        (
            "overlay start position must be at least 1: -2",
            Code::InvalidSubstring,
            "negative substring length not allowed",
        ),
    ] {
        let error = from_engine(DataFusionError::Execution(said.to_owned()));
        assert_eq!((error.code(), error.message()), (code, message), "{said}");
    }
}
