//! Turns the clauses of CREATE TABLE into a storage descriptor, as Athena and Glue write it.

use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{Column, Parameters, SerDeInfo, SortColumn, StorageDescriptor};
use lakegate_error::{Code, Error, Result};
use lakegate_lake::format::avro::columns_of;
use lakegate_lake::table::symlinks;
use lakegate_sql::ast::{
    ClusteredBy, ColumnDef, CreateTable, Delimited, RowFormat, StorageFormat, StoredAs,
};

pub(super) const PARQUET_SERDE: &str =
    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe";
pub(super) const LAZY_SIMPLE_SERDE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
pub(super) const OPEN_CSV_SERDE: &str = "org.apache.hadoop.hive.serde2.OpenCSVSerde";
pub(super) const OPENX_JSON_SERDE: &str = "org.openx.data.jsonserde.JsonSerDe";
pub(super) const HIVE_JSON_SERDE: &str = "org.apache.hive.hcatalog.data.JsonSerDe";
const CLOUD_TRAIL_SERDE: &str = "com.amazon.emr.hive.serde.CloudTrailSerde";
const REGEX_SERDE: &str = "org.apache.hadoop.hive.serde2.RegexSerDe";
const CONTRIB_REGEX_SERDE: &str = "org.apache.hadoop.hive.contrib.serde2.RegexSerDe";
const GROK_SERDE: &str = "com.amazonaws.glue.serde.GrokSerDe";
pub(super) const ORC_SERDE: &str = "org.apache.hadoop.hive.ql.io.orc.OrcSerde";
pub(super) const AVRO_SERDE: &str = "org.apache.hadoop.hive.serde2.avro.AvroSerDe";
pub(super) const ION_SERDE: &str = "com.amazon.ionhiveserde.IonHiveSerDe";
const SERDE2_JSON_SERDE: &str = "org.apache.hadoop.hive.serde2.JsonSerDe";

/// Input and output format.
type Formats = (&'static str, &'static str);

const TEXT: Formats = (
    "org.apache.hadoop.mapred.TextInputFormat",
    "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
);
const PARQUET: Formats = (
    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
);

const ORC: Formats = (
    "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
    "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
);
const AVRO: Formats = (
    "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
    "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
);

const ION: Formats = (
    "com.amazon.ionhiveserde.formats.IonInputFormat",
    "com.amazon.ionhiveserde.formats.IonOutputFormat",
);

/// The descriptor of a new table. Whether its format can be read is checked by the lake.
///
/// # Errors
///
/// A format that is not supported, clauses that contradict one another, a bucket column that is no
/// column.
pub(super) fn descriptor(create: &CreateTable, location: &str) -> Result<StorageDescriptor> {
    let (formats, default_serde) = formats(create)?;
    let serde_info = match &create.row_format {
        Some(RowFormat::SerDe { class, properties }) => SerDeInfo {
            serialization_library: Some(class.clone()),
            parameters: with_format(properties.iter().cloned().collect()),
            ..SerDeInfo::default()
        },
        Some(RowFormat::Delimited(delimited)) => SerDeInfo {
            serialization_library: Some(LAZY_SIMPLE_SERDE.to_owned()),
            parameters: delimiters(delimited),
            ..SerDeInfo::default()
        },
        None => SerDeInfo {
            serialization_library: Some(default_serde.to_owned()),
            parameters: with_format(Parameters::new()),
            ..SerDeInfo::default()
        },
    };
    let mut descriptor = StorageDescriptor {
        columns: create.columns.iter().map(column).collect(),
        location: Some(location.to_owned()),
        input_format: Some(formats.0),
        output_format: Some(formats.1),
        // Glue's value for a table without buckets.
        number_of_buckets: -1,
        serde_info: Some(serde_info),
        ..StorageDescriptor::default()
    };
    if descriptor.columns.is_empty() {
        descriptor.columns = avro_columns(create, &descriptor)?;
    }
    if let Some(clustered) = &create.clustered_by {
        buckets(&mut descriptor, clustered)?;
    }
    check_clustered(
        &descriptor,
        "SORTED BY",
        create.sorted_by.iter().map(|column| &column.name),
    )?;
    let sorted = create.sorted_by.iter().map(|sorted| SortColumn {
        column: sorted.name.clone(),
        sort_order: i32::from(sorted.ascending),
    });
    descriptor.sort_columns = sorted.collect();
    check_column_types(&descriptor)?;
    Ok(descriptor)
}

/// The columns of a table whose definition has none: those of `avro.schema.literal`, if it has that.
fn avro_columns(create: &CreateTable, descriptor: &StorageDescriptor) -> Result<Vec<Column>> {
    if serde_class(descriptor) != Some(AVRO_SERDE) {
        return Ok(Vec::new());
    }
    let serde = descriptor.serde_info.iter();
    let serde = serde.flat_map(|serde| serde.parameters.iter());
    let table = create.properties.iter().map(|(key, value)| (key, value));
    let mut given = serde.chain(table);
    let Some((_, literal)) = given.find(|(key, _)| *key == "avro.schema.literal") else {
        return Ok(Vec::new());
    };
    let columns = columns_of(literal)?.into_iter().map(|column| Column {
        comment: column.comment,
        ..Column::new(&column.name, &column.data_type)
    });
    Ok(columns.collect())
}

/// Whether the table's files are manifests, which name its data files.
pub(super) fn is_of_manifests(create: &CreateTable) -> bool {
    match &create.stored_as {
        Some(StoredAs::InputOutput { input, .. }) => symlinks::is_symlink_input(input),
        _ => false,
    }
}

/// A column as the catalog stores it. The store checks its type.
pub(super) fn column(definition: &ColumnDef) -> Column {
    let mut column = Column {
        comment: definition.comment.clone(),
        ..Column::new(&definition.name, &definition.data_type)
    };
    column.require(definition.not_null);
    column
}

/// Input and output format, and the default SerDe.
fn formats(create: &CreateTable) -> Result<((String, String), &'static str)> {
    let named = |formats: Formats| (formats.0.to_owned(), formats.1.to_owned());
    let delimited = matches!(create.row_format, Some(RowFormat::Delimited(_)));
    match &create.stored_as {
        Some(StoredAs::InputOutput { input, output }) => {
            let serde = match input.to_ascii_lowercase() {
                input if input.contains("parquet") => PARQUET_SERDE,
                input if input.ends_with(".orcinputformat") => ORC_SERDE,
                input if input.ends_with(".avrocontainerinputformat") => AVRO_SERDE,
                input if input.ends_with(".ioninputformat") => ION_SERDE,
                input if input.ends_with(".cloudtrailinputformat") => CLOUD_TRAIL_SERDE,
                _ => LAZY_SIMPLE_SERDE,
            };
            Ok(((input.clone(), output.clone()), serde))
        }
        Some(StoredAs::Format(
            format @ (StorageFormat::Parquet
            | StorageFormat::JsonFile
            | StorageFormat::Orc
            | StorageFormat::Avro
            | StorageFormat::Ion),
        )) if delimited => Err(Error::new(
            Code::InvalidTable,
            format!(
                "ROW FORMAT DELIMITED does not go with STORED AS {}; leave one of the two out",
                format_name(*format)
            ),
        )),
        Some(StoredAs::Format(StorageFormat::Parquet)) => Ok((named(PARQUET), PARQUET_SERDE)),
        Some(StoredAs::Format(StorageFormat::TextFile)) => Ok((named(TEXT), LAZY_SIMPLE_SERDE)),
        Some(StoredAs::Format(StorageFormat::JsonFile)) => Ok((named(TEXT), HIVE_JSON_SERDE)),
        Some(StoredAs::Format(StorageFormat::Orc)) => Ok((named(ORC), ORC_SERDE)),
        Some(StoredAs::Format(StorageFormat::Avro)) => Ok((named(AVRO), AVRO_SERDE)),
        Some(StoredAs::Format(StorageFormat::Ion)) => Ok((named(ION), ION_SERDE)),
        Some(StoredAs::Format(other)) => Err(Error::not_supported(format!(
            "STORED AS {} is not supported yet; use PARQUET, ORC, AVRO, ION, TEXTFILE or JSONFILE",
            format_name(*other)
        ))),
        // A SerDe that belongs to one format implies that format.
        None => match &create.row_format {
            Some(RowFormat::SerDe { class, .. }) if class == PARQUET_SERDE => {
                Ok((named(PARQUET), PARQUET_SERDE))
            }
            Some(RowFormat::SerDe { class, .. }) if class == ORC_SERDE => {
                Ok((named(ORC), ORC_SERDE))
            }
            Some(RowFormat::SerDe { class, .. }) if class == AVRO_SERDE => {
                Ok((named(AVRO), AVRO_SERDE))
            }
            Some(RowFormat::SerDe { class, .. }) if class == ION_SERDE => {
                Ok((named(ION), ION_SERDE))
            }
            _ => Ok((named(TEXT), LAZY_SIMPLE_SERDE)),
        },
    }
}

fn format_name(format: StorageFormat) -> &'static str {
    match format {
        StorageFormat::SequenceFile => "SEQUENCEFILE",
        StorageFormat::TextFile => "TEXTFILE",
        StorageFormat::JsonFile => "JSONFILE",
        StorageFormat::RcFile => "RCFILE",
        StorageFormat::Orc => "ORC",
        StorageFormat::Parquet => "PARQUET",
        StorageFormat::Avro => "AVRO",
        StorageFormat::Ion => "ION",
    }
}

/// The names are Hive's, its spelling of `colelction.delim` included.
fn delimiters(delimited: &Delimited) -> Parameters {
    let named = [
        ("field.delim", &delimited.fields),
        ("serialization.format", &delimited.fields),
        ("escape.delim", &delimited.escaped),
        ("colelction.delim", &delimited.collection_items),
        ("mapkey.delim", &delimited.map_keys),
        ("line.delim", &delimited.lines),
        ("serialization.null.format", &delimited.null_defined_as),
    ];
    let given = named
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
    with_format(given.collect())
}

/// Hive sets this property for every SerDe; 1 stands for its default delimiter, Ctrl-A.
fn with_format(mut properties: Parameters) -> Parameters {
    properties
        .entry("serialization.format".to_owned())
        .or_insert_with(|| "1".to_owned());
    properties
}

/// # Errors
///
/// A clause names a column that the table does not have, or that is a partition key.
fn check_clustered<'a>(
    descriptor: &StorageDescriptor,
    clause: &str,
    named: impl Iterator<Item = &'a String>,
) -> Result<()> {
    for name in named {
        if !descriptor.columns.iter().any(|column| column.name == *name) {
            return Err(Error::new(
                Code::ColumnNotFound,
                format!(
                    "{clause} names column \"{name}\", which the table's column list does not have"
                ),
            ));
        }
    }
    Ok(())
}

fn buckets(descriptor: &mut StorageDescriptor, clustered: &ClusteredBy) -> Result<()> {
    check_clustered(descriptor, "CLUSTERED BY", clustered.columns.iter())?;
    descriptor.number_of_buckets = i32::try_from(clustered.buckets)
        .ok()
        .filter(|buckets| *buckets > 0)
        .ok_or_else(|| {
            Error::new(
                Code::InvalidTable,
                format!(
                    "CLUSTERED BY … INTO {} BUCKETS: use 1 to {}",
                    clustered.buckets,
                    i32::MAX
                ),
            )
        })?;
    descriptor.bucket_columns = clustered.columns.clone();
    Ok(())
}

/// # Errors
///
/// A column type that the descriptor's SerDe cannot hold, or that is no Hive type.
pub(super) fn check_column_types(descriptor: &StorageDescriptor) -> Result<()> {
    // These hold no nested values.
    let flat = match serde_class(descriptor) {
        Some(OPEN_CSV_SERDE) => Some("OpenCSVSerde"),
        Some(REGEX_SERDE | CONTRIB_REGEX_SERDE) => Some("RegexSerDe"),
        Some(GROK_SERDE) => Some("GrokSerDe"),
        _ => None,
    };
    for column in &descriptor.columns {
        let hive: HiveType = column.data_type.parse().map_err(|error| {
            Error::new(
                Code::InvalidTable,
                format!("column \"{}\": {error}", column.name),
            )
        })?;
        if let Some(serde) = flat
            && (hive.is_nested() || hive == HiveType::Binary)
        {
            return Err(Error::new(
                Code::InvalidTable,
                format!(
                    "column \"{}\" has type {hive}, which {serde} cannot hold; use string and take it apart in queries",
                    column.name
                ),
            ));
        }
    }
    Ok(())
}

pub(super) fn serde_class(descriptor: &StorageDescriptor) -> Option<&str> {
    descriptor
        .serde_info
        .as_ref()?
        .serialization_library
        .as_deref()
}

/// Glue's `classification` for the SerDe.
pub(super) fn classification(descriptor: &StorageDescriptor) -> Option<&'static str> {
    match serde_class(descriptor)? {
        PARQUET_SERDE => Some("parquet"),
        ORC_SERDE => Some("orc"),
        AVRO_SERDE => Some("avro"),
        ION_SERDE => Some("ion"),
        OPENX_JSON_SERDE | HIVE_JSON_SERDE | SERDE2_JSON_SERDE | CLOUD_TRAIL_SERDE => Some("json"),
        OPEN_CSV_SERDE | LAZY_SIMPLE_SERDE => Some("csv"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::super::testing::Lake;

    async fn serde(sql: &str) -> (String, Vec<String>) {
        let lake = Lake::new().await;
        lake.ok(&format!(
            "CREATE EXTERNAL TABLE t (a STRING, b INT) {sql} LOCATION 's3://lake/t/'"
        ))
        .await;
        let table = lake.table("t").await;
        let serde = table.storage_descriptor.serde_info.clone().unwrap();
        let mut found: Vec<String> = serde
            .parameters
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        found.push(table.storage_descriptor.input_format.clone().unwrap());
        found.push(
            table
                .parameters
                .get("classification")
                .cloned()
                .unwrap_or_default(),
        );
        (serde.serialization_library.unwrap(), found)
    }

    #[tokio::test]
    async fn clauses_become_the_serde_that_hive_means() {
        let text = super::TEXT.0;
        let (class, found) = serde("").await;
        assert_eq!(
            (class.as_str(), found),
            (
                super::LAZY_SIMPLE_SERDE,
                vec![
                    "serialization.format=1".to_owned(),
                    text.to_owned(),
                    "csv".to_owned()
                ]
            )
        );
        let (class, found) = serde(r"ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' ESCAPED BY '\\' COLLECTION ITEMS TERMINATED BY '|' MAP KEYS TERMINATED BY ':' LINES TERMINATED BY '\n' NULL DEFINED AS 'none'").await;
        assert_eq!(class, super::LAZY_SIMPLE_SERDE);
        assert_eq!(
            found,
            [
                "colelction.delim=|",
                "escape.delim=\\",
                "field.delim=\t",
                "line.delim=\n",
                "mapkey.delim=:",
                "serialization.format=\t",
                "serialization.null.format=none",
                text,
                "csv",
            ]
        );
        let (class, found) = serde("STORED AS JSONFILE").await;
        assert_eq!(
            (class.as_str(), found[1].as_str(), found[2].as_str()),
            (super::HIVE_JSON_SERDE, text, "json")
        );
        let (class, found) = serde("ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES ('ignore.malformed.json'='true')").await;
        assert_eq!(class, super::OPENX_JSON_SERDE);
        assert_eq!(
            found,
            [
                "ignore.malformed.json=true",
                "serialization.format=1",
                text,
                "json"
            ]
        );
        let (_, found) = serde(&format!("ROW FORMAT SERDE '{}'", super::PARQUET_SERDE)).await;
        assert_eq!(found[1], super::PARQUET.0);
        let (class, _) = serde(&format!(
            "STORED AS INPUTFORMAT '{}' OUTPUTFORMAT '{}'",
            super::PARQUET.0,
            super::PARQUET.1
        ))
        .await;
        assert_eq!(class, super::PARQUET_SERDE);
    }
    #[tokio::test]
    async fn orc_avro_and_ion_have_their_own_serdes() {
        for (stored, formats, expected, name) in [
            ("ORC", super::ORC, super::ORC_SERDE, "orc"),
            ("AVRO", super::AVRO, super::AVRO_SERDE, "avro"),
            ("ION", super::ION, super::ION_SERDE, "ion"),
        ] {
            let by_classes = format!(
                "STORED AS INPUTFORMAT '{}' OUTPUTFORMAT '{}'",
                formats.0, formats.1
            );
            let by_serde = format!("ROW FORMAT SERDE '{expected}'");
            for clauses in [&format!("STORED AS {stored}"), &by_classes, &by_serde] {
                let (class, found) = serde(clauses).await;
                assert_eq!(class, expected, "{clauses}");
                assert_eq!(found[1..], [formats.0, name], "{clauses}");
            }
        }
    }

    #[tokio::test]
    async fn table_without_columns_has_those_of_its_avro_schema() {
        let lake = Lake::new().await;
        let literal = r#"{"type":"record","name":"r","fields":[
            {"name":"Id","type":"long","doc":"the key"},
            {"name":"tags","type":["null",{"type":"array","items":"string"}],"default":null}]}"#;
        lake.ok(&format!(
            "CREATE EXTERNAL TABLE t ROW FORMAT SERDE '{}' \
             WITH SERDEPROPERTIES ('avro.schema.literal'='{literal}') \
             STORED AS AVRO LOCATION 's3://lake/t/'",
            super::AVRO_SERDE
        ))
        .await;
        let table = lake.table("t").await;
        let columns = table.storage_descriptor.columns.iter();
        let columns = columns.map(|column| format!("{} {}", column.name, column.data_type));
        assert_eq!(
            columns.collect::<Vec<_>>(),
            ["id bigint", "tags array<string>"]
        );
        let commented = &table.storage_descriptor.columns[0];
        assert_eq!(commented.comment.as_deref(), Some("the key"));
    }
}
