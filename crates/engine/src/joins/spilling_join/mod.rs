//! Hash joins whose build side does not fit into memory.
//!
//! DataFusion's hash join keeps its build side in memory, and fails if the pool has no room for it
//! (apache/datafusion#24768, 55.2). In a plan that is ready to run, a [`SpillingJoinExec`](exec)
//! takes its place. It reads the build side itself. While there is room, it hands the rows over to
//! DataFusion's join, which runs as planned, with the filters that it makes for the other side. If
//! there is none, the rows of both sides are divided by their keys, and written to files:
//!
//! ```text
//!  build side ──▶ rows in memory ──▶ HashJoinExec as planned ◀── probe side
//!        │ no room
//!        ▼  by hashes of the keys
//!   ┌─────┬─────┬─────┬┄┄┐               ┌─────┬─────┬─────┬┄┄┐
//!   │  0  │  1  │  2  │  │ files         │  0  │  1  │  2  │  │ ◀── probe side
//!   └──┬──┴─────┴─────┴┄┄┘               └──┬──┴─────┴─────┴┄┄┘
//!      └─────────────▶ HashJoinExec ◀───────┘    bucket by bucket
//! ```
//!
//! A bucket that does not fit is divided again, by other hashes. Rows of one key stay together. A
//! bucket that is not divided any more is joined in parts, with all rows of its probe side for each,
//! where each row of the build side is answered for by itself: inner joins and those that return
//! rows of the build side. For those that return rows of the probe side, the sides are swapped. A
//! full join fails with the error of the pool.
//!
//! ```text
//! exec.rs     the operator
//! order.rs    whether the order of its rows matters
//! gate.rs     DataFusion's join as planned, over rows that it is given
//! run.rs      an execution: the build side, and the partitions of the probe side
//! build.rs    reading a build side
//! whole.rs    a build side that was read in one batch
//! handed.rs   the memory of a build side that was read
//! keys.rs     the keys of a build side, for the filters of the probe side
//! side.rs     the keys, the files and the memory of a side
//! buckets.rs  dividing rows
//! spilled.rs  joining buckets
//! unknown.rs  `NOT IN` of values that may be NULL
//! ```
//!
//! Nothing is read twice, so what the inputs are does not matter. A join whose order the plan may
//! rely on stays as it is, because buckets have no order. Delete this when DataFusion's hash join
//! spills.

mod buckets;
mod build;
mod exec;
mod gate;
mod handed;
mod keys;
mod order;
mod run;
mod side;
mod spilled;
#[cfg(test)]
mod tests;
mod unknown;
mod whole;

pub(crate) use exec::with_spilling;
pub(crate) use order::ordered_inputs;
