//! The arguments of a demo lake and their bounds.

use std::path::PathBuf;

use chrono::{Days, NaiveDate};

use crate::error::{Error, Result};

/// The default last day of orders: the lake is the same on every machine and every day.
pub const DEFAULT_UNTIL: NaiveDate = match NaiveDate::from_ymd_opt(2024, 12, 31) {
    Some(date) => date,
    None => NaiveDate::MAX,
};

/// Days of orders, `until` included: a leap year's worth, so that a whole calendar year fits.
pub(crate) const DAYS: u64 = 366;

const MAX_SCALE: f64 = 1000.0;
const MAX_TPC_SCALE: f64 = 10_000.0;

/// The arguments of a lake. Equal values (apart from the directory) produce equal bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoOptions {
    /// Where the zones are written; `s3://datalake/` in the SQL of [`crate::setup_sql`].
    pub dir: PathBuf,
    /// 1 is about one million orders; above 0 and at most 1000. Never fewer than one order a day.
    pub scale: f64,
    /// The last of the 366 days that have orders.
    pub until: NaiveDate,
    /// Scale factor of the TPC-H tables (1 is about one gigabyte of text); `None` to leave them
    /// out.
    pub tpch: Option<f64>,
    /// Scale factor of the TPC-DS tables; `None` to leave them out.
    pub tpcds: Option<f64>,
}

impl DemoOptions {
    /// Scale 1 until [`DEFAULT_UNTIL`], without the TPC databases.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            scale: 1.0,
            until: DEFAULT_UNTIL,
            tpch: None,
            tpcds: None,
        }
    }

    /// # Errors
    ///
    /// A scale that is not a number, not above zero or beyond its bound; a date outside 1971 to
    /// 9998.
    pub fn validate(&self) -> Result<()> {
        check_scale("--scale", self.scale, MAX_SCALE, "above 0 and at most 1000")?;
        for (option, scale) in [("--tpch", self.tpch), ("--tpcds", self.tpcds)] {
            if let Some(scale) = scale {
                check_scale(option, scale, MAX_TPC_SCALE, "above 0 and at most 10000")?;
            }
        }
        let years = 1971..=9998;
        if !years.contains(&chrono::Datelike::year(&self.until)) {
            return Err(Error::Argument {
                option: "--until",
                given: self.until.to_string(),
                bounds: "a date of the years 1971 to 9998",
            });
        }
        Ok(())
    }

    /// The first day with orders.
    #[must_use]
    pub fn first_day(&self) -> NaiveDate {
        self.until
            .checked_sub_days(Days::new(DAYS - 1))
            .unwrap_or(NaiveDate::MIN)
    }
}

fn check_scale(option: &'static str, scale: f64, most: f64, bounds: &'static str) -> Result<()> {
    if scale.is_finite() && scale > 0.0 && scale <= most {
        return Ok(());
    }
    Err(Error::Argument {
        option,
        given: scale.to_string(),
        bounds,
    })
}
