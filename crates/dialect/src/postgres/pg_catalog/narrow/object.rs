//! What the columns of system relations name, by which they are joined.

/// The kind of object that the values of a column name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    Relation,
    /// A relation, or none.
    MaybeRelation,
    /// A relation, but never one that there is.
    NoRelation,
    Namespace,
    Type,
    /// A type that is not made of the rows of a relation.
    PlainType,
    /// The type of the rows of a relation.
    RowType,
    /// A type that is made of the rows of the same relation as the type that the row is about, or of none
    /// like it.
    SameRows,
}

impl Object {
    /// Returns the kind of object that a column names; `None` for any other column.
    pub(super) fn of(relation: &str, column: &str) -> Option<Self> {
        match (relation, column) {
            ("pg_class", "oid")
            | ("pg_attribute", "attrelid")
            | ("pg_description", "objoid")
            | (_, "relid") => Some(Self::Relation),
            ("pg_type", "typrelid") => Some(Self::MaybeRelation),
            ("pg_class", "reltoastrelid") => Some(Self::NoRelation),
            ("pg_namespace", "oid")
            | ("pg_class", "relnamespace")
            | ("pg_type", "typnamespace") => Some(Self::Namespace),
            ("pg_type", "oid") => Some(Self::Type),
            ("pg_attribute", "atttypid")
            | ("pg_type", "typbasetype")
            | ("pg_range", "rngtypid" | "rngsubtype") => Some(Self::PlainType),
            ("pg_class", "reltype") => Some(Self::RowType),
            ("pg_type", "typelem" | "typarray") => Some(Self::SameRows),
            _ => None,
        }
    }

    /// Returns whether rows that name objects of this kind meet those that name `other` ones.
    pub(super) fn meets(self, other: Self) -> bool {
        match self {
            Self::Relation => matches!(other, Self::Relation | Self::MaybeRelation),
            // Columns that name nothing are equal in any two rows.
            Self::NoRelation | Self::MaybeRelation => other == Self::Relation,
            Self::PlainType | Self::RowType | Self::SameRows => other == Self::Type,
            Self::Type => matches!(other, Self::Type | Self::SameRows),
            same => other == same,
        }
    }
}
