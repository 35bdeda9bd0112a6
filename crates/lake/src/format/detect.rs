//! From a storage descriptor to a [`TableFormat`].

use lakegate_catalog::model::{Parameters, StorageDescriptor};
use lakegate_error::{Code, Error, Result};

use super::avro::AvroFormat;
use super::ion::IonFormat;
use super::orc::OrcFormat;
use super::parquet::ParquetFormat;
use super::properties::Properties;
use super::text::TextFormat;
use super::{TableFileFormat, TableFormat};

const SUPPORTED: &str = "Parquet (org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe), ORC \
    (org.apache.hadoop.hive.ql.io.orc.OrcSerde), Avro (org.apache.hadoop.hive.serde2.avro.AvroSerDe), Ion \
    (com.amazon.ionhiveserde.IonHiveSerDe), JSON (org.openx.data.jsonserde.JsonSerDe, org.apache.hive.hcatalog.data.JsonSerDe, \
    com.amazon.emr.hive.serde.CloudTrailSerde), CSV (org.apache.hadoop.hive.serde2.OpenCSVSerde), \
    delimited text (org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe) and text by patterns \
    (org.apache.hadoop.hive.serde2.RegexSerDe, com.amazonaws.glue.serde.GrokSerDe)";

#[cfg(any(test, feature = "fuzzing"))]
impl TableFormat {
    /// The format of a table whose SerDe and whose own properties are these.
    pub(crate) fn of_serde(class: &str, properties: &[(&str, &str)]) -> Result<Self> {
        let parameters: Parameters = properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let descriptor = StorageDescriptor {
            serde_info: Some(lakegate_catalog::model::SerDeInfo {
                serialization_library: Some(class.to_owned()),
                parameters: parameters.clone(),
                ..Default::default()
            }),
            ..StorageDescriptor::default()
        };
        Self::detect(&descriptor, &parameters)
    }
}

impl TableFormat {
    /// Reads the format from a table's or a partition's descriptor. `table_parameters` are the
    /// table's own (`TBLPROPERTIES`), which hold `skip.header.line.count` and, where no SerDe is
    /// named, `classification`.
    ///
    /// # Errors
    /// A SerDe or input format that is not supported, named together with those that are; a
    /// property whose value is not valid.
    pub fn detect(descriptor: &StorageDescriptor, table_parameters: &Parameters) -> Result<Self> {
        let none = Parameters::new();
        let serde = descriptor.serde_info.as_ref();
        let class = serde
            .and_then(|serde| serde.serialization_library.as_deref())
            .unwrap_or("")
            .trim();
        let properties = Properties {
            serde: serde.map_or(&none, |serde| &serde.parameters),
            descriptor: &descriptor.parameters,
            table: table_parameters,
        };
        let input_format = descriptor.input_format.as_deref().unwrap_or("").trim();
        let class = if class.is_empty() {
            default_class(input_format, &properties)?
        } else {
            class
        };
        let name = input_format.rsplit('.').next().unwrap_or("");
        let name = name.to_ascii_lowercase();
        let format = match Self::from_class(class, &properties)? {
            Self::Text(text) => Self::Text(text.with_input_format(&name)),
            other => other,
        };
        check_input_format(&format, class, input_format, &name)?;
        Ok(format)
    }

    /// Checks what takes long, once where a table is defined: see [`TextFormat::check`].
    ///
    /// # Errors
    /// A property that does not go with the table's columns, or is not valid.
    pub fn check(&self, width: usize) -> Result<()> {
        match self {
            Self::Text(format) => format.check(width),
            _ => Ok(()),
        }
    }

    fn from_class(class: &str, properties: &Properties<'_>) -> Result<Self> {
        if let Some(parquet) = ParquetFormat::detect(class, properties)? {
            return Ok(Self::Parquet(parquet));
        }
        if let Some(orc) = OrcFormat::detect(class, properties)? {
            return Ok(Self::Orc(orc));
        }
        if let Some(avro) = AvroFormat::detect(class, properties)? {
            return Ok(Self::Avro(avro));
        }
        if let Some(ion) = IonFormat::detect(class, properties)? {
            return Ok(Self::Ion(ion));
        }
        let text = TextFormat::detect(class, properties)?;
        text.map(Self::Text).ok_or_else(|| unsupported(class))
    }
}

/// The SerDe of a descriptor that names none, as Hive and Glue's crawlers mean it.
fn default_class(input_format: &str, properties: &Properties<'_>) -> Result<&'static str> {
    let classification = properties
        .get("classification")
        .unwrap_or("")
        .to_ascii_lowercase();
    let lower = input_format.to_ascii_lowercase();
    match classification.as_str() {
        "parquet" => Ok("org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"),
        "orc" => Ok("org.apache.hadoop.hive.ql.io.orc.OrcSerde"),
        "avro" => Ok("org.apache.hadoop.hive.serde2.avro.AvroSerDe"),
        "ion" => Ok("com.amazon.ionhiveserde.IonHiveSerDe"),
        "json" => Ok("org.openx.data.jsonserde.JsonSerDe"),
        _ if lower.contains("parquet") => {
            Ok("org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe")
        }
        _ if lower.ends_with("orcinputformat") => Ok("org.apache.hadoop.hive.ql.io.orc.OrcSerde"),
        _ if lower.ends_with("avrocontainerinputformat") => {
            Ok("org.apache.hadoop.hive.serde2.avro.AvroSerDe")
        }
        _ if lower.ends_with(".ioninputformat") => Ok("com.amazon.ionhiveserde.IonHiveSerDe"),
        "csv" => Ok("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"),
        "" if lower.is_empty() || lower.ends_with("textinputformat") => {
            Ok("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe")
        }
        other => {
            let named = if other.is_empty() {
                input_format
            } else {
                other
            };
            Err(Error::not_supported(format!(
                "files of format '{named}' without a SerDe cannot be read; name one of the supported: {SUPPORTED}"
            )))
        }
    }
}

fn unsupported(class: &str) -> Error {
    Error::not_supported(format!(
        "SerDe '{class}' is not known; supported are {SUPPORTED}"
    ))
}

/// Refuses a descriptor whose input format contradicts its SerDe: its files are not what the SerDe
/// says.
///
/// `name`: of its class without the package, in lower case.
fn check_input_format(
    format: &TableFormat,
    class: &str,
    input_format: &str,
    name: &str,
) -> Result<()> {
    let format = format.file_format();
    // Files that manifests name may have any format.
    let agrees =
        name.is_empty() || name == "symlinktextinputformat" || format.accepts_input_format(name);
    if agrees {
        return Ok(());
    }
    Err(Error::new(
        Code::InvalidTable,
        format!(
            "input format '{input_format}' does not go with SerDe '{class}'; use {}",
            format.input_format(),
        ),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use lakegate_catalog::model::SerDeInfo;

    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn descriptor(
        class: &str,
        input_format: &str,
        properties: &[(&str, &str)],
    ) -> StorageDescriptor {
        StorageDescriptor {
            input_format: (!input_format.is_empty()).then(|| input_format.to_owned()),
            serde_info: Some(SerDeInfo {
                serialization_library: (!class.is_empty()).then(|| class.to_owned()),
                parameters: parameters(properties),
                ..SerDeInfo::default()
            }),
            ..StorageDescriptor::default()
        }
    }

    fn detect(
        class: &str,
        input_format: &str,
        serde: &[(&str, &str)],
        table: &[(&str, &str)],
    ) -> Result<TableFormat> {
        TableFormat::detect(&descriptor(class, input_format, serde), &parameters(table))
    }

    const TEXT: &str = "org.apache.hadoop.mapred.TextInputFormat";

    /// Parquet files whose columns are found by name.
    fn by_name() -> TableFormat {
        TableFormat::Parquet(ParquetFormat { by_place: false })
    }

    #[test]
    fn each_supported_class_is_recognised() {
        let parquet = detect(
            "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
            "",
            &[],
            &[],
        )
        .unwrap();
        assert_eq!(parquet, by_name());
        for (class, expected) in [
            ("org.openx.data.jsonserde.JsonSerDe", "OpenxJson"),
            ("org.apache.hive.hcatalog.data.JsonSerDe", "HiveJson"),
            ("org.apache.hadoop.hive.serde2.JsonSerDe", "HiveJson"),
            ("org.apache.hadoop.hive.serde2.OpenCSVSerde", "OpenCsv"),
            (
                "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                "LazySimple",
            ),
            ("com.amazon.emr.hive.serde.CloudTrailSerde", "CloudTrail"),
        ] {
            let format = format!("{:?}", detect(class, TEXT, &[], &[]).unwrap());
            assert!(format.contains(expected), "{class}: {format}");
        }
    }

    #[test]
    fn descriptor_without_serde_goes_by_classification_and_input_format() {
        assert_eq!(
            detect("", "", &[], &[("classification", "parquet")]).unwrap(),
            by_name()
        );
        let parquet = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat";
        assert_eq!(detect("", parquet, &[], &[]).unwrap(), by_name());
        assert!(
            format!(
                "{:?}",
                detect("", TEXT, &[], &[("classification", "json")]).unwrap()
            )
            .contains("OpenxJson")
        );
        assert!(format!("{:?}", detect("", TEXT, &[], &[]).unwrap()).contains("LazySimple"));
        let error = detect("", "", &[], &[("classification", "bson")]).unwrap_err();
        assert!(error.message().contains("bson"), "{error}");
        for (input_format, classification) in [
            ("", "ion"),
            ("com.amazon.ionhiveserde.formats.IonInputFormat", ""),
        ] {
            let table = [("classification", classification)];
            let ion = detect("", input_format, &[], &table).unwrap();
            assert!(matches!(ion, TableFormat::Ion(_)), "{ion:?}");
        }
    }

    #[test]
    fn parquet_columns_are_found_by_place_where_the_table_says_so() {
        let class = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe";
        let by_place = TableFormat::Parquet(ParquetFormat { by_place: true });
        let access = |value| [("parquet.column.index.access", value)];
        assert_eq!(detect(class, "", &access("TRUE"), &[]).unwrap(), by_place);
        assert_eq!(detect(class, "", &[], &access("true")).unwrap(), by_place);
        assert_eq!(detect(class, "", &access("false"), &[]).unwrap(), by_name());
        assert!(detect(class, "", &access("1"), &[]).is_err());
        assert!(by_place.has_columns_by_place() && !by_name().has_columns_by_place());
    }

    #[test]
    fn orc_columns_are_found_by_place_unless_the_table_says_otherwise() {
        let class = "org.apache.hadoop.hive.ql.io.orc.OrcSerde";
        let orc = |by_place| TableFormat::Orc(OrcFormat { by_place });
        assert_eq!(detect(class, "", &[], &[]).unwrap(), orc(true));
        let by_name = [("orc.column.index.access", "false")];
        assert_eq!(detect(class, "", &by_name, &[]).unwrap(), orc(false));
        assert!(detect(class, TEXT, &[], &[]).is_err());
        let crawled = [("classification", "orc")];
        assert_eq!(detect("", "", &[], &crawled).unwrap(), orc(true));
    }

    #[test]
    fn avro_schemas_are_checked_where_the_table_is_defined() {
        let class = "org.apache.hadoop.hive.serde2.avro.AvroSerDe";
        let of = |properties: &[(&str, &str)]| detect(class, "", properties, &[]);
        assert_eq!(
            of(&[]).unwrap(),
            TableFormat::Avro(AvroFormat { literal: None })
        );
        let literal = r#"{"type":"record","name":"r","fields":[{"name":"a","type":"int"}]}"#;
        assert!(of(&[("avro.schema.literal", literal)]).is_ok());
        let broken = of(&[("avro.schema.literal", "{")]).unwrap_err();
        assert_eq!(broken.code(), Code::InvalidTable);
        let url = of(&[("avro.schema.url", "s3://b/schema.avsc")]).unwrap_err();
        assert_eq!(url.code(), Code::NotSupported);
    }

    #[test]
    fn unsupported_class_is_named_with_the_supported_ones() {
        for (class, kind) in [("com.example.OtherSerDe", "not known")] {
            let error = detect(class, "", &[], &[]).unwrap_err();
            assert_eq!(error.code(), Code::NotSupported);
            for part in [class, kind, "OpenCSVSerde"] {
                assert!(
                    error.message().contains(part),
                    "{part} is missing in: {error}"
                );
            }
        }
    }

    #[test]
    fn input_format_that_contradicts_the_serde_is_refused() {
        let orc = "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat";
        let error = detect("org.openx.data.jsonserde.JsonSerDe", orc, &[], &[]).unwrap_err();
        assert!(error.message().contains(orc), "{error}");
        // Manifests name files of any format.
        let symlink = "org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat";
        assert!(detect("org.openx.data.jsonserde.JsonSerDe", symlink, &[], &[]).is_ok());
        let parquet = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe";
        assert!(detect(parquet, symlink, &[], &[]).is_ok());
    }

    #[test]
    fn patterns_are_checked_and_named() {
        let regex = "org.apache.hadoop.hive.contrib.serde2.RegexSerDe";
        let format = detect(regex, TEXT, &[("input.regex", "(a) (b)")], &[]).unwrap();
        assert!(format.check(2).is_ok());
        let error = format.check(3).unwrap_err();
        assert!(error.message().contains("2 groups"), "{error}");
        let grok = "com.amazonaws.glue.serde.GrokSerDe";
        let format = detect(grok, TEXT, &[("input.format", "%{WORD:a}")], &[]).unwrap();
        assert!(format.check(3).is_ok());
        for (class, properties, part) in [
            (regex, vec![], "input.regex"),
            (regex, vec![("input.regex", "(a")], "input.regex"),
            (grok, vec![], "input.format"),
            (grok, vec![("input.format", "%{NOPE}")], "NOPE"),
        ] {
            let error = detect(class, TEXT, &properties, &[]).unwrap_err();
            assert_eq!(error.code(), Code::InvalidTable);
            assert!(error.message().contains(part), "{error}");
        }
    }

    #[test]
    fn input_format_of_cloud_trail_makes_json_its_records() {
        let records = "com.amazon.emr.cloudtrail.CloudTrailInputFormat";
        for class in [
            "org.apache.hive.hcatalog.data.JsonSerDe",
            "org.openx.data.jsonserde.JsonSerDe",
            "com.amazon.emr.hive.serde.CloudTrailSerde",
        ] {
            let format = format!("{:?}", detect(class, records, &[], &[]).unwrap());
            assert!(format.contains("CloudTrail"), "{class}: {format}");
        }
        let csv = "org.apache.hadoop.hive.serde2.OpenCSVSerde";
        assert!(detect(csv, records, &[], &[]).is_err());
    }

    #[test]
    fn header_lines_come_from_the_table_and_footers_are_refused() {
        let class = "org.apache.hadoop.hive.serde2.OpenCSVSerde";
        let TableFormat::Text(format) =
            detect(class, TEXT, &[], &[("skip.header.line.count", "2")]).unwrap()
        else {
            panic!("a text format")
        };
        assert_eq!(format.header_lines, 2);
        assert!(detect(class, TEXT, &[], &[("skip.header.line.count", "-1")]).is_err());
        assert!(detect(class, TEXT, &[], &[("skip.footer.line.count", "1")]).is_err());
        assert!(detect(class, TEXT, &[], &[("skip.footer.line.count", "0")]).is_ok());
    }
}
