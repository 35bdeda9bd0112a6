//! Partitions that follow from a table's properties: those that a query's filters leave are
//! enumerated, and evaluated a batch at a time like registered ones.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::Utc;
use datafusion::logical_expr::Expr;
use lakegate_catalog::model::Table;
use lakegate_catalog::partition::projection::{
    Candidates, ProjectedValue, Projection, Unbounded, ValueSet,
};
use lakegate_error::{Code, Error, Result};

use super::key_sets::key_sets;
use super::lake_table::{LakeTable, PartitionSource};
use super::prune;
use super::snapshot::SnapshotPartition;
use crate::roots::Roots;

/// Partitions whose values are in memory at once.
const BATCH: usize = 8192;

/// Partitions that a query may look at, after each key is narrowed by itself.
const MAX_CANDIDATES: u128 = 1_000_000;

/// Partitions that a query may list.
const MAX_WANTED: usize = 100_000;

/// Fewer partitions are listed one by one, even if they are all of the table.
const MANY: usize = 256;

/// The projected partitions of a table, for a principal.
#[derive(Debug, Clone)]
pub struct Projected {
    projection: Arc<Projection>,
    /// The positions of the keys that the principal may select, ascending.
    granted: Vec<usize>,
}

/// The partition projection of a table; `None` if it is off.
///
/// # Errors
/// Properties that cannot be used.
pub fn projection_of(table: &Table) -> Result<Option<Projection>> {
    Projection::of(table).map_err(|error| Error::new(Code::InvalidTable, error.to_string()))
}

impl Projected {
    /// The projection of a table, for a principal that may select all keys; `None` if it is off.
    ///
    /// # Errors
    /// Properties that cannot be used.
    pub(super) fn of(table: &Table) -> Result<Option<Projected>> {
        let projection = projection_of(table)?;
        Ok(projection.map(|projection| Projected {
            granted: (0..projection.keys().len()).collect(),
            projection: Arc::new(projection),
        }))
    }

    /// For a principal that may select some of the keys: indices into those that were granted
    /// before, ascending.
    pub(super) fn granted(&self, keys: &[usize]) -> Projected {
        let positions = keys.iter().filter_map(|key| self.granted.get(*key));
        Projected {
            projection: Arc::clone(&self.projection),
            granted: positions.copied().collect(),
        }
    }

    /// The folder that holds the folders of all partitions.
    pub(super) fn folder(&self) -> &str {
        self.projection.folder()
    }

    /// Whether one LIST of the folder that holds all partitions may replace those of so many
    /// partitions: it may hold any number of folders that are not projected.
    pub(super) fn may_list_all(&self, partitions: usize) -> bool {
        partitions >= MANY && !self.projection.is_injected()
    }

    /// Texts that the projection keeps in memory.
    pub(super) fn held_values(&self) -> usize {
        self.projection.held_values()
    }

    /// Of the values of all keys, those of the granted ones.
    fn seen(&self, rows: &[Vec<ProjectedValue>]) -> Vec<Vec<ProjectedValue>> {
        let seen = |row: &Vec<ProjectedValue>| -> Vec<ProjectedValue> {
            let values = self.granted.iter().filter_map(|key| row.get(*key));
            values.cloned().collect()
        };
        rows.iter().map(seen).collect()
    }
}

impl LakeTable {
    /// The projected partitions that each key's conditions leave; `None` if partitions are not
    /// projected.
    ///
    /// # Errors
    /// An injected key whose values the filters do not list.
    pub fn projected_candidates(&self, filters: &[Expr]) -> Result<Option<Candidates>> {
        let PartitionSource::Projected(projected) = &self.partitions else {
            return Ok(None);
        };
        let mut sets = vec![ValueSet::all(); projected.projection.keys().len()];
        let granted = projected.granted.iter().zip(key_sets(filters, &self.keys));
        for (position, set) in granted {
            if let Some(place) = sets.get_mut(*position) {
                *place = set;
            }
        }
        let found = projected.projection.candidates(&sets, Utc::now());
        found
            .map(Some)
            .map_err(|unbounded| self.unbounded(projected, unbounded))
    }

    /// The projected partitions that can hold matching rows, none listed yet, and how many there
    /// are in all.
    pub(super) fn projected_partitions(
        &self,
        roots: &Roots,
        projected: &Projected,
        filters: &[Expr],
    ) -> Result<(Vec<SnapshotPartition>, usize)> {
        let Some(candidates) = self.projected_candidates(filters)? else {
            return Ok((Vec::new(), 0));
        };
        let total = usize::try_from(candidates.total()).unwrap_or(usize::MAX);
        let mut partitions: Vec<SnapshotPartition> = Vec::new();
        if candidates.is_empty() {
            return Ok((partitions, total));
        }
        if candidates.len() > MAX_CANDIDATES {
            return Err(self.too_many(projected, &candidates, MAX_CANDIDATES));
        }
        let projection = &projected.projection;
        let base = roots.locate(projection.folder())?;
        let format = self.format(&self.table.storage_descriptor)?;
        let mut rows = candidates.clone().rows();
        loop {
            let batch: Vec<Vec<ProjectedValue>> = rows.by_ref().take(BATCH).collect();
            if batch.is_empty() {
                let paths = partitions.iter().map(|partition| &partition.location.path);
                base.check_below(paths)?;
                return Ok((partitions, total));
            }
            let seen = projected.seen(&batch);
            let values = prune::partition_batch(&self.keys, seen.iter().map(Vec::as_slice))?;
            let mut wanted = prune::matching(filters, &values)?;
            if let Some(hidden) = &self.hidden {
                wanted = hidden.matching_partitions(filters, &values, wanted, |row| {
                    let values = batch.get(row);
                    values.map_or_else(String::new, |values| projection.name(values))
                })?;
            }
            for row in wanted {
                let Some(row_values) = batch.get(row) else {
                    continue;
                };
                let Some(url) = projection.location(row_values) else {
                    continue;
                };
                if partitions.len() >= MAX_WANTED {
                    return Err(self.too_many(projected, &candidates, MAX_WANTED as u128));
                }
                partitions.push(SnapshotPartition {
                    values: (0..values.num_columns())
                        .map(|key| prune::partition_value(&values, row, key))
                        .collect::<Result<_>>()?,
                    name: projection.name(row_values).into(),
                    location: roots.locate(&url)?,
                    format: format.clone(),
                    files: Vec::new(),
                    statistics: None,
                });
            }
        }
    }

    /// Whether names of the table's own may be in an error: not where a view hides the table.
    fn is_named(&self) -> bool {
        self.sight.name() == self.name()
    }

    /// In Athena's words.
    fn unbounded(&self, projected: &Projected, unbounded: Unbounded) -> Error {
        let granted = projected.granted.contains(&unbounded.key);
        let key = projected.projection.keys().get(unbounded.key);
        let message = match key.filter(|_| granted && self.is_named()) {
            Some(key) => format!(
                "For the injected projected partition column {}, the WHERE clause must contain only static equality conditions, and at least one such condition must be present.",
                key.name
            ),
            None => format!(
                "{} has an injected projected partition column, for which at least one static equality condition must be present, that is not granted or not visible",
                self.sight.name()
            ),
        };
        Error::new(Code::InvalidQuery, message).with_hint(format!(
            "add a condition such as key = 'value' or key IN ('a', 'b'); the partitions of {} are not known without it",
            self.sight.name()
        ))
    }

    fn too_many(&self, projected: &Projected, candidates: &Candidates, most: u128) -> Error {
        let left = match candidates.len() {
            u128::MAX => "countless".to_owned(),
            left => left.to_string(),
        };
        let error = Error::new(
            Code::InvalidQuery,
            format!(
                "the query's conditions leave {left} projected partitions of {}, of which a query may read {most}",
                self.sight.name()
            ),
        );
        let widest = projected
            .granted
            .iter()
            .max_by_key(|key| candidates.len_of_key(**key))
            .and_then(|key| projected.projection.keys().get(*key));
        match widest.filter(|_| self.is_named()) {
            Some(key) => error.with_hint(format!(
                "add a condition on partition key \"{}\" with =, IN, BETWEEN, < or >",
                key.name
            )),
            None => error,
        }
    }
}

/// The values of projected partitions, a batch at a time. `keys`: all keys of the table. An item is an
/// error if the values cannot be made into columns of `keys`.
pub fn projected_batches(
    candidates: Candidates,
    keys: SchemaRef,
) -> impl Iterator<Item = Result<RecordBatch>> + Send + 'static {
    let mut rows = candidates.rows();
    std::iter::from_fn(move || {
        let batch: Vec<Vec<ProjectedValue>> = rows.by_ref().take(BATCH).collect();
        let values = batch.iter().map(Vec::as_slice);
        (!batch.is_empty()).then(|| prune::partition_batch(&keys, values))
    })
}

#[cfg(test)]
mod tests;
