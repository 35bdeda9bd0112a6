//! Times as the store keeps them.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// The current time in whole milliseconds, which is what is stored: a value read back equals the
/// one that was returned.
pub fn now() -> DateTime<Utc> {
    let now = Utc::now();
    now.duration_trunc(TimeDelta::milliseconds(1))
        .unwrap_or(now)
}

/// Serde for times as AWS JSON has them: seconds since 1970 as a number, milliseconds after the
/// point.
pub mod epoch_seconds {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes seconds since 1970, for example `1732185600.25`.
    ///
    /// # Errors
    ///
    /// Returns those of the serializer.
    pub fn serialize<S: Serializer>(
        time: &DateTime<Utc>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(time.timestamp_millis() as f64 / 1000.0)
    }

    /// Reads seconds since 1970, whole or with a fraction; finer than a millisecond is rounded.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<DateTime<Utc>, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        DateTime::from_timestamp_millis((seconds * 1000.0).round() as i64).ok_or_else(|| {
            D::Error::custom(format!(
                "{seconds} seconds since 1970 is not a representable time"
            ))
        })
    }
}
