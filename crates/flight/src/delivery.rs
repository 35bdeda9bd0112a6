//! How a session's results are sent: Arrow types, batch size, compression.

use arrow::ipc::CompressionType;
use arrow::ipc::writer::IpcWriteOptions;
use lakegate_error::{Error, Result};

/// The largest batch size that a client may set, in rows.
const MAX_BATCH_SIZE: usize = 1_048_576;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Delivery {
    pub types: ArrowTypes,
    pub compression: Compression,
    /// Rows of every batch but the last; `None` leaves batches as the engine makes them.
    pub batch_size: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ArrowTypes {
    /// Without dictionaries and views, which some clients cannot read.
    #[default]
    Plain,
    /// As the engine produced them.
    Native,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Compression {
    #[default]
    None,
    Lz4,
    Zstd,
}

/// The session options of this door.
pub(super) const OPTIONS: [&str; 3] = ["arrow_types", "batch_size", "compression"];

impl Delivery {
    /// Sets one of [`OPTIONS`]; `None` resets it to its default.
    ///
    /// # Errors
    ///
    /// The option does not take this value.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) -> Result<()> {
        let lower = value.map(str::to_lowercase);
        match (name, lower.as_deref()) {
            ("arrow_types", None | Some("plain")) => self.types = ArrowTypes::Plain,
            ("arrow_types", Some("native")) => self.types = ArrowTypes::Native,
            ("compression", None | Some("none" | "off")) => self.compression = Compression::None,
            ("compression", Some("lz4")) => self.compression = Compression::Lz4,
            ("compression", Some("zstd")) => self.compression = Compression::Zstd,
            ("batch_size", None | Some("0")) => self.batch_size = None,
            ("batch_size", Some(rows)) => {
                let rows = rows
                    .parse()
                    .ok()
                    .filter(|rows| (1..=MAX_BATCH_SIZE).contains(rows));
                self.batch_size = Some(rows.ok_or_else(|| {
                    Error::invalid(format!(
                        "batch_size must be 1 to {MAX_BATCH_SIZE} rows, or 0"
                    ))
                })?);
            }
            ("arrow_types", _) => {
                return Err(Error::invalid("arrow_types must be plain or native"));
            }
            ("compression", _) => {
                return Err(Error::invalid("compression must be none, lz4 or zstd"));
            }
            _ => {
                return Err(Error::internal(format!(
                    "'{name}' is not a delivery option"
                )));
            }
        }
        Ok(())
    }

    /// Returns the value of one of [`OPTIONS`].
    pub(crate) fn get(&self, name: &str) -> String {
        match name {
            "arrow_types" => match self.types {
                ArrowTypes::Plain => "plain".to_owned(),
                ArrowTypes::Native => "native".to_owned(),
            },
            "compression" => match self.compression {
                Compression::None => "none".to_owned(),
                Compression::Lz4 => "lz4".to_owned(),
                Compression::Zstd => "zstd".to_owned(),
            },
            _ => self.batch_size.unwrap_or(0).to_string(),
        }
    }

    pub(crate) fn ipc(&self) -> Result<IpcWriteOptions> {
        let compression = match self.compression {
            Compression::None => None,
            Compression::Lz4 => Some(CompressionType::LZ4_FRAME),
            Compression::Zstd => Some(CompressionType::ZSTD),
        };
        IpcWriteOptions::default()
            .try_with_compression(compression)
            .map_err(|e| Error::internal(format!("results cannot be compressed: {e}")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn options_are_set_read_and_reset() {
        let mut delivery = Delivery::default();
        delivery.set("arrow_types", Some("NATIVE")).unwrap();
        delivery.set("compression", Some("zstd")).unwrap();
        delivery.set("batch_size", Some("100")).unwrap();
        let values = OPTIONS.map(|name| delivery.get(name));
        assert_eq!(values, ["native", "100", "zstd"]);
        for name in OPTIONS {
            delivery.set(name, None).unwrap();
        }
        assert_eq!(delivery, Delivery::default());
        for (name, value) in [
            ("arrow_types", "views"),
            ("batch_size", "-1"),
            ("batch_size", "99999999"),
            ("compression", "gzip"),
        ] {
            assert!(delivery.set(name, Some(value)).is_err(), "{name}");
        }
    }
}
