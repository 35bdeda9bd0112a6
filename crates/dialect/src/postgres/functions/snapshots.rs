//! Snapshots of transactions, such as `10:20:14,15`: the first transaction that ran, the first that had
//! not begun, and those between them that ran.

use arrow::datatypes::DataType;
use lakegate_error::{Code, Error};

use crate::postgres::{Cell, PgFunction};

/// A snapshot.
#[derive(Debug, PartialEq)]
struct Snapshot {
    first_running: i64,
    first_unborn: i64,
    /// In ascending order.
    running: Vec<i64>,
}

impl Snapshot {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, ':');
        let number = |part: Option<&str>| part?.parse::<i64>().ok().filter(|number| *number > 0);
        let (first_running, first_unborn) = (number(parts.next())?, number(parts.next())?);
        let mut running = match parts.next()? {
            "" => Vec::new(),
            running => {
                let numbers = running.split(',').map(|part| number(Some(part)));
                numbers.collect::<Option<Vec<i64>>>()?
            }
        };
        let range = first_running..first_unborn;
        let is_valid = first_running <= first_unborn
            && running
                .iter()
                .all(|transaction| range.contains(transaction))
            && running.is_sorted();
        running.dedup();
        is_valid.then_some(Self {
            first_running,
            first_unborn,
            running,
        })
    }

    /// Returns whether a transaction was over.
    fn shows(&self, transaction: i64) -> bool {
        transaction < self.first_running
            || (transaction < self.first_unborn && !self.running.contains(&transaction))
    }
}

/// # Errors
///
/// The text is not a snapshot.
fn read(argument: Option<&Cell<'static>>) -> Result<Snapshot, Error> {
    of_text(&argument.and_then(Cell::to_text).unwrap_or_default())
}

/// # Errors
///
/// The text is not a snapshot.
fn of_text(text: &str) -> Result<Snapshot, Error> {
    Snapshot::parse(text).ok_or_else(|| {
        let shown: String = text.chars().take(100).collect();
        let message = format!("invalid input syntax for type pg_snapshot: \"{shown}\"");
        Error::new(Code::InvalidCast, message)
    })
}

/// Returns a snapshot as PostgreSQL writes it.
///
/// # Errors
///
/// The text is not a snapshot.
pub(super) fn text(text: &str) -> Result<String, Error> {
    let snapshot = of_text(text)?;
    let running: Vec<String> = snapshot.running.iter().map(i64::to_string).collect();
    let (first, unborn) = (snapshot.first_running, snapshot.first_unborn);
    Ok(format!("{first}:{unborn}:{}", running.join(",")))
}

/// Returns the functions of one prefix, with the type of its transactions.
fn of(prefix: &str, transaction: Option<&'static str>) -> Vec<PgFunction> {
    let names = [
        "snapshot_xmin",
        "snapshot_xmax",
        "snapshot_xip",
        "visible_in_snapshot",
    ];
    let [first, unborn, running, visible] = names.map(|name| format!("{prefix}_{name}"));
    let number = DataType::Int64;
    let marked = |function: PgFunction| match transaction {
        Some(mark) => function.shown_as(mark),
        None => function,
    };
    let first = PgFunction::new(&first, 1..=1, number.clone(), |args| {
        Ok(Cell::Int(read(args.first())?.first_running))
    });
    let unborn = PgFunction::new(&unborn, 1..=1, number.clone(), |args| {
        Ok(Cell::Int(read(args.first())?.first_unborn))
    });
    let list = DataType::new_list(number, true);
    let running = PgFunction::new(&running, 1..=1, list, |args| {
        let running = read(args.first())?.running.into_iter();
        Ok(Cell::List(running.map(Cell::Int).collect()))
    });
    let visible = PgFunction::new(&visible, 2..=2, DataType::Boolean, |args| {
        let transaction = args.first().and_then(Cell::as_int);
        let snapshot = read(args.get(1))?;
        Ok(transaction.map_or(Cell::Null, |id| Cell::Bool(snapshot.shows(id))))
    });
    vec![
        marked(first).immutable(),
        marked(unborn).immutable(),
        running.immutable(),
        visible.immutable(),
    ]
}

pub(super) fn functions() -> Vec<PgFunction> {
    let mut all = of("pg", Some("xid8"));
    all.extend(of("txid", None));
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn snapshots_are_read() {
        let snapshot = Snapshot::parse("10:20:14,15").unwrap();
        assert_eq!(snapshot.running, [14, 15]);
        for (transaction, shown) in [
            (9, true),
            (10, true),
            (14, false),
            (19, true),
            (20, false),
            (i64::MAX, false),
        ] {
            assert_eq!(snapshot.shows(transaction), shown, "{transaction}");
        }
        assert_eq!(Snapshot::parse("7:7:").unwrap().running, [0; 0]);
        assert_eq!(text("10:20:12,12,15").unwrap(), "10:20:12,15");
        assert_eq!(text("7:7:").unwrap(), "7:7:");
        for bad in [
            "",
            "10",
            "10:20",
            "20:10:",
            "10:20:9",
            "10:20:20",
            "10:20:15,14",
            "10:20:,",
            "0:1:",
            "a:b:",
            "10:20:1x",
            "99999999999999999999:1:",
        ] {
            assert_eq!(Snapshot::parse(bad), None, "{bad}");
        }
    }
}
