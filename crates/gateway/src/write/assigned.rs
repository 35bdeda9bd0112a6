//! Assignment casts in PostgreSQL's dialect: values of other types become values of the columns that
//! an INSERT writes them to, and of a new table's columns.
//!
//! ```text
//! numeric, double precision to integers     rounded; out of range is an error (22003)
//! numeric, double precision to numeric      rounded to the digits of the column
//! double precision to real                  the nearest one; out of range is an error (22003)
//! numbers, booleans, dates and times to text  as CAST writes them
//! timestamps to dates                       their day; of a time with a zone, in that of the session
//! timestamps with a zone to those without   what the clock of the session shows
//! ```
//!
//! Only the last of these is for new tables, which have the types of their query: no column of a
//! table is a timestamp with a zone.
//!
//! Other types are as in all dialects: see `lakegate_statement`, which refuses what is neither.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder, cast};
use lakegate_dialect::postgres::PG_TYPE;
use lakegate_error::{Error, from_engine};
use lakegate_lake::decimal_scale;

/// The maximum number of columns that a warning names.
const MAX_NAMED: usize = 10;

/// Where rows are written, to whose types their values are cast.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// Columns of a table.
    Columns(SchemaRef),
    /// A new table.
    New,
}

impl Target {
    /// Returns the columns that values of the columns `types` are written to.
    pub(crate) fn columns(&self, types: &DFSchema) -> SchemaRef {
        match self {
            Self::Columns(columns) => Arc::clone(columns),
            Self::New => {
                let fields = types.fields().iter();
                let fields = fields.map(|field| match field.data_type() {
                    DataType::Timestamp(unit, Some(_)) => {
                        let local = DataType::Timestamp(*unit, None);
                        Arc::new(field.as_ref().clone().with_data_type(local))
                    }
                    _ => Arc::clone(field),
                });
                Arc::new(Schema::new(fields.collect::<Vec<_>>()))
            }
        }
    }
}

/// Returns the places of columns that are cast from a timestamp with a zone to one without.
pub(crate) fn localized(types: &DFSchema, columns: &Schema) -> Vec<usize> {
    let pairs = types.fields().iter().zip(columns.fields()).enumerate();
    let localized = pairs.filter(|(_, (value, column))| {
        let has_zone = matches!(value.data_type(), DataType::Timestamp(_, Some(_)));
        has_zone && matches!(column.data_type(), DataType::Timestamp(_, None))
    });
    localized.map(|(place, _)| place).collect()
}

/// Returns the warning that columns of a new table are stored without their zone; `None` if there
/// are none. `zone`: the session's time zone, whose clock they show.
pub(crate) fn localized_warning(columns: &[String], zone: &str) -> Option<String> {
    let named: Vec<String> = columns
        .iter()
        .take(MAX_NAMED)
        .map(|name| format!("\"{name}\""))
        .collect();
    let named = named.join(", ");
    let stored = format!("as timestamp without time zone, in the time zone {zone}");
    let no_column = "of type timestamp with time zone, which no column of a table has";
    match columns.len() {
        0 => None,
        1 => Some(format!(
            "column {named} is {no_column}: it is stored {stored}"
        )),
        count if count <= MAX_NAMED => Some(format!(
            "columns {named} are {no_column}: they are stored {stored}"
        )),
        count => Some(format!(
            "columns {named} and {} more are {no_column}: they are stored {stored}",
            count - MAX_NAMED
        )),
    }
}

/// Returns whether a value is cast to the type of the column that it is written to.
pub(crate) fn is_any_assigned(types: &DFSchema, columns: &Schema) -> bool {
    let mut pairs = types.fields().iter().zip(columns.fields());
    pairs.any(|(value, column)| is_assigned(value, column.data_type()))
}

/// Returns a plan whose columns are cast to the types of the `columns` that they are written to, as
/// far as these casts are of assignment.
///
/// `types`: the columns of the analysed plan. The plan itself is not analysed, and only analysis
/// knows the types of a UNION, or of a date and an interval.
///
/// # Errors
/// The engine refuses the casts.
pub(crate) fn assigned(
    plan: LogicalPlan,
    types: &DFSchema,
    columns: &Schema,
) -> Result<LogicalPlan> {
    if !is_any_assigned(types, columns) {
        return Ok(plan);
    }
    let targets = columns.fields();
    let values = plan.schema().iter().enumerate();
    let values = values.map(|(place, (relation, field))| {
        let own = Expr::from((relation, field));
        let pair = types.fields().get(place).zip(targets.get(place));
        match pair.filter(|(value, column)| is_assigned(value, column.data_type())) {
            Some((_, column)) => cast(own, column.data_type().clone())
                .alias_qualified(relation.cloned(), field.name()),
            None => own,
        }
    });
    let values: Vec<Expr> = values.collect();
    LogicalPlanBuilder::from(plan).project(values)?.build()
}

/// Returns what the analysis of [`assigned`] is for rows whose plan has been analysed: only the
/// casts are analysed, with `analyzed`. `None` if their analysis depends on more than types.
///
/// # Errors
/// The casts cannot be analysed.
pub(crate) fn assigned_to_analyzed(
    rows: LogicalPlan,
    columns: &Schema,
    analyzed: impl FnOnce(LogicalPlan) -> lakegate_error::Result<LogicalPlan>,
) -> lakegate_error::Result<Option<LogicalPlan>> {
    let types = Arc::clone(rows.schema());
    if is_any_halved(&types, columns) {
        return Ok(None);
    }
    let stand_in = LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: false,
        schema: Arc::clone(&types),
    });
    let casts = assigned(stand_in, &types, columns).map_err(from_engine)?;
    let mut rows = Some(rows);
    let put = |node: LogicalPlan| {
        let is_place = matches!(node, LogicalPlan::EmptyRelation(_));
        Ok(match rows.take_if(|_| is_place) {
            Some(rows) => Transformed::new(rows, true, TreeNodeRecursion::Stop),
            None => Transformed::no(node),
        })
    };
    let plan = analyzed(casts)?.transform_down(put).map_err(from_engine)?;
    match plan.transformed {
        true => Ok(Some(plan.data)),
        false => Err(Error::internal("the casts of a write have no input")),
    }
}

/// Returns whether a floating-point number is cast to an integer. How its halves are rounded depends
/// on what computes it: a constant is a `numeric`.
fn is_any_halved(types: &DFSchema, columns: &Schema) -> bool {
    let mut pairs = types.fields().iter().zip(columns.fields());
    pairs.any(|(value, column)| value.data_type().is_floating() && column.data_type().is_integer())
}

/// Returns whether a value is cast to the type of its column.
fn is_assigned(value: &Field, column: &DataType) -> bool {
    let of = value.data_type();
    match column {
        column if column.is_integer() => of.is_decimal() || of.is_floating(),
        DataType::Decimal128(_, scale) => {
            of.is_floating() || decimal_scale(of).is_some_and(|own| own > *scale)
        }
        DataType::Float32 => *of == DataType::Float64,
        // A number that is shown as a name would be written as a number.
        column if column.is_string() => has_text(of) && !is_named(value),
        DataType::Date32 => matches!(of, DataType::Timestamp(..)),
        DataType::Timestamp(_, None) => matches!(of, DataType::Timestamp(_, Some(_))),
        _ => false,
    }
}

/// Returns whether values are numbers of objects that are shown as names: `regclass` and the like.
fn is_named(value: &Field) -> bool {
    let mark = value.metadata().get(PG_TYPE);
    mark.is_some_and(|mark| mark.starts_with("reg"))
}

/// Returns whether values are scalars that CAST writes as text.
fn has_text(of: &DataType) -> bool {
    of.is_numeric()
        || matches!(
            of,
            DataType::Boolean
                | DataType::Date32
                | DataType::Timestamp(..)
                | DataType::Time64(_)
                | DataType::Interval(_)
                | DataType::Duration(_)
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::TimeUnit;
    use datafusion::logical_expr::lit;

    use super::*;

    #[test]
    fn values_are_cast_as_postgres_assigns_them() {
        use DataType as T;
        let moment = T::Timestamp(TimeUnit::Microsecond, None);
        let instant = T::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        for (value, column, expected) in [
            (T::Decimal128(5, 2), T::Int32, true),
            (T::Float64, T::Int16, true),
            (T::Float32, T::Int64, true),
            (T::Decimal128(5, 3), T::Decimal128(10, 2), true),
            (T::Float64, T::Decimal128(10, 2), true),
            (T::Float64, T::Float32, true),
            (T::Int64, T::Utf8, true),
            (T::Boolean, T::Utf8, true),
            (moment.clone(), T::Utf8, true),
            (moment.clone(), T::Date32, true),
            (instant.clone(), T::Date32, true),
            (instant, moment.clone(), true),
            // Stored as they are, or not at all.
            (T::Int64, T::Int32, false),
            (T::Decimal128(5, 2), T::Decimal128(10, 2), false),
            (T::Decimal128(5, 2), T::Float64, false),
            (T::Decimal128(5, 2), T::Float32, false),
            (T::Float32, T::Float64, false),
            (T::Float32, T::Float32, false),
            (T::Int32, T::Boolean, false),
            (T::Boolean, T::Int32, false),
            (T::Utf8, T::Int32, false),
            (T::Utf8, T::Utf8, false),
            (T::Null, T::Utf8, false),
            (T::Binary, T::Utf8, false),
            (moment.clone(), moment.clone(), false),
            (T::Date32, moment.clone(), false),
            (T::Date32, T::Date32, false),
            (moment, T::Int64, false),
        ] {
            let field = Field::new("x", value, true);
            assert_eq!(is_assigned(&field, &column), expected, "{field:?} {column}");
        }
        for (mark, expected) in [("regclass", false), ("oid", true)] {
            let mark = [(PG_TYPE.to_owned(), mark.to_owned())];
            let number = Field::new("x", T::Int64, true).with_metadata(mark.into());
            assert_eq!(is_assigned(&number, &T::Utf8), expected, "{number:?}");
        }
    }

    #[test]
    fn times_with_a_zone_become_columns_without_one() {
        let zoned = DataType::Timestamp(TimeUnit::Microsecond, Some("Europe/Berlin".into()));
        let local = DataType::Timestamp(TimeUnit::Microsecond, None);
        let list = DataType::new_list(zoned.clone(), true);
        let fields = [
            ("a", DataType::Int64),
            ("b", zoned.clone()),
            ("c", local.clone()),
            ("d", list.clone()),
            ("e", zoned),
        ];
        let fields = fields.map(|(name, data_type)| Field::new(name, data_type, true));
        let types = DFSchema::try_from(Schema::new(fields.to_vec())).unwrap();
        let columns = Target::New.columns(&types);
        let made: Vec<&DataType> = columns.fields().iter().map(|f| f.data_type()).collect();
        assert_eq!(made, [&DataType::Int64, &local, &local, &list, &local]);
        assert_eq!(localized(&types, &columns), [1, 4]);
        assert!(is_any_assigned(&types, &columns));
        // The columns of a table that exists are what they are.
        let own = Arc::new(Schema::new(vec![Field::new("x", DataType::Date32, true)]));
        assert_eq!(Target::Columns(Arc::clone(&own)).columns(&types), own);
        assert!(localized(&types, &own).is_empty());
    }

    #[test]
    fn warnings_name_columns_and_how_they_are_stored() {
        assert_eq!(localized_warning(&[], "UTC"), None);
        assert_eq!(
            localized_warning(&["at".to_owned()], "UTC").unwrap(),
            "column \"at\" is of type timestamp with time zone, which no column of a table has: it is stored as timestamp without time zone, in the time zone UTC"
        );
        let two = localized_warning(&["a".to_owned(), "b".to_owned()], "Europe/Berlin").unwrap();
        assert!(two.starts_with("columns \"a\", \"b\" are of type"), "{two}");
        assert!(two.ends_with("in the time zone Europe/Berlin"), "{two}");
        let many = localized_warning(&vec!["x".to_owned(); MAX_NAMED + 5], "UTC").unwrap();
        assert!(many.contains("\"x\" and 5 more are of type"), "{many}");
    }

    #[test]
    fn columns_keep_their_names_and_places() {
        let rows = LogicalPlanBuilder::empty(true)
            .project([
                lit(1.5).alias("a"),
                lit(2_i64).alias("b"),
                lit("x").alias("c"),
            ])
            .unwrap()
            .build()
            .unwrap();
        let columns = Schema::new(vec![
            Field::new("n", DataType::Int32, true),
            Field::new("t", DataType::Utf8, true),
            Field::new("u", DataType::Utf8, true),
        ]);
        let assigned = |columns: &Schema| assigned(rows.clone(), rows.schema(), columns).unwrap();
        let plan = assigned(&columns);
        let fields = plan.schema().fields().iter();
        let fields: Vec<(&str, &DataType)> = fields
            .map(|field| (field.name().as_str(), field.data_type()))
            .collect();
        let expected = [
            ("a", &DataType::Int32),
            ("b", &DataType::Utf8),
            ("c", &DataType::Utf8),
        ];
        assert_eq!(fields, expected);
        let same = Schema::new(vec![Field::new("d", DataType::Float64, true)]);
        assert_eq!(assigned(&same), rows);
        let known = |columns: &Schema| {
            let analyzed = |plan: LogicalPlan| Ok(plan);
            assigned_to_analyzed(rows.clone(), columns, analyzed).unwrap()
        };
        assert_eq!(known(&columns), None);
        let texts = ["n", "t", "u"].map(|name| Field::new(name, DataType::Utf8, true));
        let texts = Schema::new(texts.to_vec());
        assert_eq!(known(&texts), Some(assigned(&texts)));
        // The write refuses another number of columns.
        let more = Schema::new(vec![Field::new("n", DataType::Int32, true)]);
        assert_eq!(assigned(&more).schema().fields().len(), 3);
    }
}
