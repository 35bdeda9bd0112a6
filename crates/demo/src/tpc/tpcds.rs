//! TPC-DS's 24 tables. The generator's 25th, `dbgen_version`, records when it ran and is left out.

use std::ops::RangeInclusive;
use std::path::Path;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatchReader;
use tpcdsgen::config::{Session, SessionBuilder, Table};
use tpcdsgen_arrow as generators;

use super::{TpcTable, file_count, file_name, readers_schema};
use crate::error::{Error, Result};
use crate::files::{folder, write_parquet};
use crate::{Progress, parallel};

/// The functions that choose a table's generator, from one list.
macro_rules! generators {
    ($($table:ident => $generator:ident, $rows_per_source_row:literal;)*) => {
        /// The largest first, so that the threads finish together.
        const TABLES: [Table; 24] = [$(Table::$table),*];

        fn schema(table: Table) -> SchemaRef {
            match table {
                $(Table::$table => generators::$generator::schema_ref(),)*
                Table::DbgenVersion => generators::DbgenVersionArrow::schema_ref(),
            }
        }

        fn reader(
            table: Table,
            session: Session,
            rows: RangeInclusive<u64>,
        ) -> Box<dyn RecordBatchReader> {
            let (first, last) = rows.into_inner();
            match table {
                $(Table::$table => Box::new(
                    generators::$generator::new(session).with_source_row_range(first, last),
                ),)*
                Table::DbgenVersion => Box::new(generators::DbgenVersionArrow::new(session)),
            }
        }

        /// Approximate rows per source row: sales and returns are counted in baskets.
        fn rows_per_source_row(table: Table) -> u64 {
            match table {
                $(Table::$table => $rows_per_source_row,)*
                Table::DbgenVersion => 1,
            }
        }
    };
}

generators! {
    Inventory => InventoryArrow, 1;
    StoreSales => StoreSalesArrow, 12;
    CatalogSales => CatalogSalesArrow, 9;
    CustomerDemographics => CustomerDemographicsArrow, 1;
    WebSales => WebSalesArrow, 12;
    StoreReturns => StoreReturnsArrow, 1;
    CatalogReturns => CatalogReturnsArrow, 1;
    WebReturns => WebReturnsArrow, 1;
    Customer => CustomerArrow, 1;
    TimeDim => TimeDimArrow, 1;
    DateDim => DateDimArrow, 1;
    CustomerAddress => CustomerAddressArrow, 1;
    Item => ItemArrow, 1;
    CatalogPage => CatalogPageArrow, 1;
    HouseholdDemographics => HouseholdDemographicsArrow, 1;
    Promotion => PromotionArrow, 1;
    Reason => ReasonArrow, 1;
    WebPage => WebPageArrow, 1;
    WebSite => WebSiteArrow, 1;
    IncomeBand => IncomeBandArrow, 1;
    ShipMode => ShipModeArrow, 1;
    Store => StoreArrow, 1;
    CallCenter => CallCenterArrow, 1;
    Warehouse => WarehouseArrow, 1;
}

/// The tables and their columns, whatever the scale factor.
#[must_use]
pub fn tables() -> Vec<TpcTable> {
    TABLES
        .into_iter()
        .map(|table| TpcTable {
            name: table.get_name(),
            schema: readers_schema(&schema(table)),
        })
        .collect()
}

fn session(scale: f64) -> Result<Session> {
    SessionBuilder::new()
        .with_scale_factor(scale)
        .build()
        .map_err(|error| Error::Tpcds(error.to_string()))
}

pub(super) fn write(scale: f64, dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<()> {
    let session = session(scale)?;
    let mut files = Vec::new();
    for table in TABLES {
        folder(dir.join(table.get_name()))?;
        files.extend(
            source_rows(&session, table)
                .into_iter()
                .zip(1..)
                .map(|(rows, part)| (table, rows, part)),
        );
    }
    let write_file = |(): &mut (), task: usize| {
        let (table, rows, part) = &files[task];
        let path = dir.join(table.get_name()).join(file_name(*part));
        write_parquet(
            &path,
            schema(*table),
            reader(*table, session.clone(), rows.clone()),
        )
    };
    parallel::run("tpcds", files.len(), || (), write_file, progress)?;
    Ok(())
}

/// The source rows of each of a table's files, from 1, all of them and none twice.
fn source_rows(session: &Session, table: Table) -> Vec<RangeInclusive<u64>> {
    let rows = session.get_scaling().get_row_count(table);
    // A row of a table that keeps history is made from the rows before it.
    let parts = if table.get_table_flags().keeps_history() {
        1
    } else {
        file_count(rows * rows_per_source_row(table)).min(rows.max(1))
    };
    let starts_after = |part: u64| rows / parts * part + (rows % parts).min(part);
    (0..parts)
        .map(|part| starts_after(part) + 1..=starts_after(part + 1))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use arrow::array::RecordBatch;
    use arrow::compute::concat_batches;

    use super::*;

    fn rows(table: Table, session: &Session, ranges: &[RangeInclusive<u64>]) -> RecordBatch {
        let readers = ranges
            .iter()
            .map(|range| reader(table, session.clone(), range.clone()));
        let batches: Vec<RecordBatch> = readers.flatten().map(Result::unwrap).collect();
        concat_batches(&schema(table), &batches).unwrap()
    }

    #[test]
    fn source_rows_cover_every_row_once() {
        let session = session(1.0).unwrap();
        for table in TABLES {
            let ranges = source_rows(&session, table);
            let mut next = 1;
            for range in &ranges {
                assert_eq!(*range.start(), next);
                next = range.end() + 1;
            }
            assert_eq!(
                next,
                session.get_scaling().get_row_count(table) + 1,
                "{table:?}"
            );
        }
        assert_eq!(source_rows(&session, Table::StoreSales).len(), 4);
        assert_eq!(source_rows(&session, Table::Inventory).len(), 12);
    }

    #[test]
    fn a_table_in_parts_has_the_rows_of_the_whole() {
        let session = session(0.01).unwrap();
        for table in [
            Table::StoreSales,
            Table::StoreReturns,
            Table::CatalogSales,
            Table::CatalogReturns,
            Table::WebSales,
            Table::WebReturns,
            Table::Customer,
        ] {
            let last = session.get_scaling().get_row_count(table);
            let whole = rows(table, &session, &[1..=last]);
            let middle = last / 3;
            let parts = rows(table, &session, &[1..=middle, middle + 1..=last]);
            assert!(whole.num_rows() > 0);
            assert!(whole == parts, "{table:?}");
        }
    }
}
