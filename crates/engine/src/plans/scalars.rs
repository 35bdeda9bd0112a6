//! What scalar functions of the engine share: delegation for those that override parts of another
//! one.

/// Implements methods of [`ScalarUDFImpl`](datafusion::logical_expr::ScalarUDFImpl) by calling the
/// function in `self.inner`: its names, its types, and its documentation. The types are those that
/// the calling module imports.
macro_rules! as_the_inner {
    () => {
        fn name(&self) -> &str {
            self.inner.name()
        }

        fn aliases(&self) -> &[String] {
            self.inner.aliases()
        }

        fn signature(&self) -> &Signature {
            self.inner.signature()
        }

        fn return_type(&self, types: &[DataType]) -> Result<DataType> {
            self.inner.return_type(types)
        }

        fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
            self.inner.return_field_from_args(args)
        }

        fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
            self.inner.coerce_types(types)
        }

        fn documentation(&self) -> Option<&Documentation> {
            self.inner.documentation()
        }
    };
}

pub(crate) use as_the_inner;

/// Implements the names of [`ScalarUDFImpl`](datafusion::logical_expr::ScalarUDFImpl) by those of the
/// function in `self.inner`, and the signature by `self.signature`.
macro_rules! named_as_the_inner {
    () => {
        fn name(&self) -> &str {
            self.inner.name()
        }

        fn aliases(&self) -> &[String] {
            self.inner.aliases()
        }

        fn signature(&self) -> &Signature {
            &self.signature
        }
    };
}

pub(crate) use named_as_the_inner;
