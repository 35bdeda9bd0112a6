//! SQL dialects, apart from the engine: names, syntax that DataFusion's planner does not accept,
//! and the system catalogs that clients query.
//!
//! Invariant: a dialect never reads the lake. Its catalogs are filled from a
//! [`visible::VisibleCatalog`].

pub mod postgres;
pub mod visible;
