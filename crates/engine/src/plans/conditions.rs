//! What physical expressions share that take the place of others.

/// Compares, hashes and shows a physical expression as the one in its field `written`, which it takes the
/// place of.
macro_rules! as_written {
    ($name:ident) => {
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.written.eq(&other.written)
            }
        }

        impl Eq for $name {}

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.written.hash(state);
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.written.fmt(f)
            }
        }
    };
}

pub(crate) use as_written;

/// Implements the types of [`PhysicalExpr`](datafusion::physical_expr::PhysicalExpr), and its text in SQL, by
/// those of the expression in `self.written`. The types are those that the calling module imports.
macro_rules! typed_as_written {
    () => {
        fn data_type(&self, schema: &Schema) -> Result<DataType> {
            self.written.data_type(schema)
        }

        fn nullable(&self, schema: &Schema) -> Result<bool> {
            self.written.nullable(schema)
        }

        fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
            self.written.return_field(schema)
        }

        fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.written.fmt_sql(f)
        }
    };
}

pub(crate) use typed_as_written;
