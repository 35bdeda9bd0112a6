//! Part of Lakegate.
