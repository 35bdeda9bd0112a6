//! TPC-H's eight tables.

use std::path::Path;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatchReader;
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow,
    SupplierArrow,
};

use super::{TpcTable, file_count, file_name, readers_schema};
use crate::error::Result;
use crate::files::{folder, write_parquet};
use crate::{Progress, parallel};

#[derive(Debug, Clone, Copy)]
enum Table {
    LineItem,
    Orders,
    PartSupp,
    Part,
    Customer,
    Supplier,
    Nation,
    Region,
}

/// The largest first, so that the threads finish together.
const TABLES: [Table; 8] = [
    Table::LineItem,
    Table::Orders,
    Table::PartSupp,
    Table::Part,
    Table::Customer,
    Table::Supplier,
    Table::Nation,
    Table::Region,
];

impl Table {
    fn name(self) -> &'static str {
        match self {
            Self::LineItem => "lineitem",
            Self::Orders => "orders",
            Self::PartSupp => "partsupp",
            Self::Part => "part",
            Self::Customer => "customer",
            Self::Supplier => "supplier",
            Self::Nation => "nation",
            Self::Region => "region",
        }
    }

    fn schema(self) -> SchemaRef {
        match self {
            Self::LineItem => LineItemArrow::schema_ref(),
            Self::Orders => OrderArrow::schema_ref(),
            Self::PartSupp => PartSuppArrow::schema_ref(),
            Self::Part => PartArrow::schema_ref(),
            Self::Customer => CustomerArrow::schema_ref(),
            Self::Supplier => SupplierArrow::schema_ref(),
            Self::Nation => NationArrow::schema_ref(),
            Self::Region => RegionArrow::schema_ref(),
        }
    }

    /// Row count; approximate for lineitem: an order has four on average.
    fn rows(self, scale: f64) -> u64 {
        let rows = match self {
            Self::LineItem => 4 * OrderGenerator::calculate_row_count(scale, 1, 1),
            Self::Orders => OrderGenerator::calculate_row_count(scale, 1, 1),
            Self::PartSupp => PartSuppGenerator::calculate_row_count(scale, 1, 1),
            Self::Part => PartGenerator::calculate_row_count(scale, 1, 1),
            Self::Customer => CustomerGenerator::calculate_row_count(scale, 1, 1),
            Self::Supplier => SupplierGenerator::calculate_row_count(scale, 1, 1),
            Self::Nation => 25,
            Self::Region => 5,
        };
        rows.unsigned_abs()
    }

    /// The rows of file `part` of `parts`, from 1.
    fn reader(self, scale: f64, part: i32, parts: i32) -> Box<dyn RecordBatchReader> {
        match self {
            Self::LineItem => Box::new(LineItemArrow::new(LineItemGenerator::new(
                scale, part, parts,
            ))),
            Self::Orders => Box::new(OrderArrow::new(OrderGenerator::new(scale, part, parts))),
            Self::PartSupp => Box::new(PartSuppArrow::new(PartSuppGenerator::new(
                scale, part, parts,
            ))),
            Self::Part => Box::new(PartArrow::new(PartGenerator::new(scale, part, parts))),
            Self::Customer => Box::new(CustomerArrow::new(CustomerGenerator::new(
                scale, part, parts,
            ))),
            Self::Supplier => Box::new(SupplierArrow::new(SupplierGenerator::new(
                scale, part, parts,
            ))),
            Self::Nation => Box::new(NationArrow::new(NationGenerator::new(scale, part, parts))),
            Self::Region => Box::new(RegionArrow::new(RegionGenerator::new(scale, part, parts))),
        }
    }
}

/// The tables and their columns, whatever the scale factor.
#[must_use]
pub fn tables() -> Vec<TpcTable> {
    TABLES
        .into_iter()
        .map(|table| TpcTable {
            name: table.name(),
            schema: readers_schema(&table.schema()),
        })
        .collect()
}

pub(super) fn write(scale: f64, dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<()> {
    let mut files = Vec::new();
    for table in TABLES {
        folder(dir.join(table.name()))?;
        let parts = file_count(table.rows(scale)) as i32;
        files.extend((1..=parts).map(|part| (table, part, parts)));
    }
    let write_file = |(): &mut (), task: usize| {
        let (table, part, parts) = files[task];
        let path = dir
            .join(table.name())
            .join(file_name(part.unsigned_abs().into()));
        write_parquet(&path, table.schema(), table.reader(scale, part, parts))
    };
    parallel::run("tpch", files.len(), || (), write_file, progress)?;
    Ok(())
}
