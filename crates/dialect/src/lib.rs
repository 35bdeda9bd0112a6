//! SQL dialects, beside the engine: what a language calls things, what it takes that DataFusion's planner does not, and the
//! system catalogs that its clients ask.
//!
//! What never happens: a dialect that reads the lake. Its catalogs are filled from a [`visible::VisibleCatalog`].

pub mod postgres;
pub mod visible;
