//! The definition of a view as Athena, Presto and Hive keep it in Glue.
//!
//! Athena and Presto keep a JSON document in a comment, in `ViewOriginalText`:
//!
//! ```text
//! /* Presto View: <base64 of {"originalSql": …, "catalog": …, "schema": …, "columns": […]}> */
//! ```
//!
//! `ViewExpandedText` is `/* Presto View */`, the parameter `presto_view` is `true`. Hive keeps the
//! query as it is, with expanded names in `ViewExpandedText`.

use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::{Table, TableInput, VIRTUAL_VIEW};
use crate::error::{CatalogError, Result};
use crate::hive_type::{HiveType, TypeError};

const ZONED: &str = "timestamp(6) with time zone";
const TIME: &str = "time(6)";

const PREFIX: &str = "/* Presto View:";
const SUFFIX: &str = " */";
const EXPANDED: &str = "/* Presto View */";

/// The most characters that Glue keeps of a view's text.
const MAX_TEXT: usize = 409_600;

/// The parameter that says in which dialect Lakegate parses the query. Views of other programs do
/// not have it.
const DIALECT: &str = "lakegate.dialect";

/// The query of a view, with what is needed to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewDefinition {
    /// The query as it was written.
    pub sql: String,
    /// The catalog of its names, as the program that made the view calls it. `None` for a view of
    /// Hive.
    pub catalog: Option<String>,
    /// The database in which its unqualified names are looked up.
    pub schema: Option<String>,
    /// Its columns, with their types as Trino writes them. Empty for a view of Hive.
    pub columns: Vec<ViewColumn>,
    pub syntax: ViewSyntax,
}

/// In which language a view is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewSyntax {
    /// Athena's, Presto's or Trino's queries.
    Trino,
    /// Hive's queries.
    Hive,
    /// A dialect of Lakegate's sessions, by name.
    Session(String),
}

/// A column of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewColumn {
    pub name: String,
    /// As Trino writes it: `varchar`, `timestamp(3) with time zone`.
    #[serde(rename = "type")]
    pub data_type: String,
}

impl ViewColumn {
    /// The type of a column for Glue, and as Trino writes it. A type that Hive does not have is
    /// text to Hive, a timestamp with a zone one without.
    ///
    /// # Errors
    /// As [`HiveType::from_arrow`].
    pub fn types_of(data_type: &DataType) -> std::result::Result<(HiveType, String), TypeError> {
        let trino = match data_type {
            DataType::Timestamp(_, Some(_)) => return Ok((HiveType::Timestamp, ZONED.to_owned())),
            DataType::Time32(_) | DataType::Time64(_) => TIME,
            DataType::Interval(IntervalUnit::YearMonth) => "interval year to month",
            DataType::Interval(_) | DataType::Duration(_) => "interval day to second",
            other => {
                let hive = HiveType::from_arrow(other)?;
                let trino = hive.to_trino();
                return Ok((hive, trino));
            }
        };
        Ok((HiveType::String, trino.to_owned()))
    }

    /// The Arrow type of a column whose type Hive does not have; `None` if Hive's type is exact.
    pub fn beyond_hive(&self) -> Option<DataType> {
        let name = self.data_type.trim();
        if name.starts_with("timestamp") && name.ends_with("with time zone") {
            let zone = Some("UTC".into());
            return Some(DataType::Timestamp(TimeUnit::Microsecond, zone));
        }
        if name.starts_with("interval ") {
            return Some(DataType::Interval(IntervalUnit::MonthDayNano));
        }
        let is_time = name == "time" || (name.starts_with("time(") && name.ends_with(')'));
        is_time.then_some(DataType::Time64(TimeUnit::Microsecond))
    }
}

/// Presto's JSON document. Other members, such as `owner`, are not read.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    original_sql: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    catalog: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(default)]
    columns: Vec<ViewColumn>,
}

impl ViewDefinition {
    /// Reads the definition of a view.
    ///
    /// # Errors
    /// `InvalidInput` if it has none, or one that cannot be decoded.
    pub fn of(view: &Table) -> Result<ViewDefinition> {
        let invalid = |problem: &str| {
            CatalogError::invalid(format!(
                "the definition of view \"{}\" {problem}; create the view again",
                view.full_name()
            ))
        };
        let texts = [&view.view_original_text, &view.view_expanded_text];
        let mut texts = texts.into_iter().flatten().map(|text| text.trim());
        let encoded = texts.clone().find_map(|text| text.strip_prefix(PREFIX));
        let Some(encoded) = encoded else {
            // Hive's own expansion names every database and column.
            let sql = texts.next_back().filter(|text| !text.is_empty());
            return match sql {
                Some(EXPANDED) | None => Err(invalid("has no query")),
                Some(sql) => Ok(ViewDefinition {
                    sql: sql.to_owned(),
                    catalog: None,
                    schema: Some(view.database_name.clone()),
                    columns: Vec::new(),
                    syntax: ViewSyntax::Hive,
                }),
            };
        };
        let encoded = encoded.trim_end_matches("*/").trim();
        let json = BASE64
            .decode(encoded)
            .map_err(|_| invalid("is not base64"))?;
        let document: Document = serde_json::from_slice(&json)
            .map_err(|error| invalid(&format!("is not Presto's JSON ({error})")))?;
        let syntax = match view.parameters.get(DIALECT) {
            Some(dialect) => ViewSyntax::Session(dialect.clone()),
            None => ViewSyntax::Trino,
        };
        Ok(ViewDefinition {
            sql: document.original_sql,
            catalog: document.catalog,
            schema: document.schema.map(|schema| schema.to_lowercase()),
            columns: document.columns,
            syntax,
        })
    }

    /// Writes the definition into the input of a table, as Athena does.
    ///
    /// # Errors
    /// `InvalidInput` if the text is longer than Glue keeps.
    pub fn write(&self, input: &mut TableInput) -> Result<()> {
        let document = Document {
            original_sql: self.sql.clone(),
            catalog: self.catalog.clone(),
            schema: self.schema.clone(),
            columns: self.columns.clone(),
        };
        let json = serde_json::to_vec(&document)?;
        let text = format!("{PREFIX} {}{SUFFIX}", BASE64.encode(json));
        if text.len() > MAX_TEXT {
            return Err(CatalogError::invalid(format!(
                "the view's query has {} characters and takes {} in the catalog, which keeps {MAX_TEXT}; make it of several views",
                self.sql.len(),
                text.len()
            )));
        }
        input.table_type = Some(VIRTUAL_VIEW.to_owned());
        input.view_original_text = Some(text);
        input.view_expanded_text = Some(EXPANDED.to_owned());
        let comment = "Presto View".to_owned();
        input.parameters.insert("comment".to_owned(), comment);
        let presto = ("presto_view".to_owned(), "true".to_owned());
        input.parameters.extend([presto]);
        if let ViewSyntax::Session(dialect) = &self.syntax {
            input.parameters.insert(DIALECT.to_owned(), dialect.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::now;

    fn table(input: TableInput) -> Table {
        Table::of_input(input, "sales", now())
    }

    fn view(original: Option<&str>, expanded: Option<&str>) -> Table {
        table(TableInput {
            name: "v".to_owned(),
            table_type: Some(VIRTUAL_VIEW.to_owned()),
            view_original_text: original.map(str::to_owned),
            view_expanded_text: expanded.map(str::to_owned),
            ..TableInput::default()
        })
    }

    #[test]
    fn definition_is_read_as_it_was_written() {
        for syntax in [ViewSyntax::Trino, ViewSyntax::Session("postgres".into())] {
            let definition = ViewDefinition {
                sql: "SELECT 'ü' AS a".to_owned(),
                catalog: Some("awsdatacatalog".to_owned()),
                schema: Some("sales".to_owned()),
                columns: vec![ViewColumn {
                    name: "a".to_owned(),
                    data_type: "varchar".to_owned(),
                }],
                syntax,
            };
            let mut input = TableInput::default();
            definition.write(&mut input).unwrap();
            assert!(input.definer.is_none());
            let table = table(input);
            assert!(table.is_view());
            assert_eq!(ViewDefinition::of(&table).unwrap(), definition);
        }
    }

    #[test]
    fn views_of_other_programs_are_read() {
        // As Athena writes it: {"originalSql":"SELECT a FROM t","catalog":"awsdatacatalog",
        // "schema":"Sales","columns":[{"name":"a","type":"bigint"}]}.
        let athena = "/* Presto View: eyJvcmlnaW5hbFNxbCI6IlNFTEVDVCBhIEZST00gdCIsImNhdGFsb2ciOiJhd3NkYXRhY2F0YWxvZyIsInNjaGVtYSI6IlNhbGVzIiwiY29sdW1ucyI6W3sibmFtZSI6ImEiLCJ0eXBlIjoiYmlnaW50In1dfQ== */";
        // As Presto wrote it: with an owner, and in the expanded text.
        let presto = BASE64.encode(
            r#"{"originalSql":"SELECT a FROM t","catalog":"hive","schema":"sales","columns":[{"name":"a","type":"bigint"}],"owner":"ann","runAsInvoker":false}"#,
        );
        let presto = format!("/* Presto View: {presto} */");
        for (view, catalog) in [
            (
                view(Some(athena), Some("/* Presto View */")),
                "awsdatacatalog",
            ),
            (view(None, Some(&presto)), "hive"),
        ] {
            let definition = ViewDefinition::of(&view).unwrap();
            assert_eq!(definition.sql, "SELECT a FROM t");
            assert_eq!(definition.catalog.as_deref(), Some(catalog));
            assert_eq!(definition.schema.as_deref(), Some("sales"));
            assert_eq!(definition.columns.len(), 1);
            assert_eq!(definition.syntax, ViewSyntax::Trino);
        }
        let expanded = "SELECT `t`.`a` FROM `sales`.`t`";
        let hive = ViewDefinition::of(&view(Some("SELECT a FROM t"), Some(expanded))).unwrap();
        assert_eq!(hive.sql, expanded);
        assert_eq!(hive.syntax, ViewSyntax::Hive);
    }

    #[test]
    fn definition_that_cannot_be_read_is_an_error_that_names_the_view() {
        for (original, expanded) in [
            (None, None),
            (Some(""), Some("")),
            (None, Some("/* Presto View */")),
            (Some("/* Presto View: %%% */"), None),
            (Some("/* Presto View: bm90IGpzb24= */"), None),
            (Some("/* Presto View: "), None),
        ] {
            let error = ViewDefinition::of(&view(original, expanded)).unwrap_err();
            assert!(error.to_string().contains("sales.v"), "{error}");
        }
    }

    #[test]
    fn query_that_is_too_long_for_glue_is_refused() {
        let definition = ViewDefinition {
            sql: "x".repeat(400_000),
            catalog: None,
            schema: None,
            columns: Vec::new(),
            syntax: ViewSyntax::Trino,
        };
        let error = definition.write(&mut TableInput::default());
        assert!(error.unwrap_err().to_string().contains("409600"));
    }
}
