//! Lakegate: a self-hosted Athena.
