//! The structs of a Parquet file that the Parquet crate reads, field by field.
//!
//! Source: apache/parquet-format, `src/main/thrift/parquet.thrift`.

use super::thrift::{Kind, Part, Shape};

/// A field of [`SchemaElement`](Part::SchemaElement): the physical type.
pub(super) const ELEMENT_TYPE: i16 = 1;
/// The length of values of the type FIXED_LEN_BYTE_ARRAY, in bytes.
pub(super) const ELEMENT_LENGTH: i16 = 2;
/// How many of the elements that follow are its children, not counting theirs.
pub(super) const ELEMENT_CHILDREN: i16 = 5;

/// What an old writer annotates the values as.
pub(super) const ELEMENT_CONVERTED: i16 = 6;

/// Fields of [`PageHeader`](Part::PageHeader): sizes in bytes without the header.
pub(super) const PAGE_UNCOMPRESSED: i16 = 2;
pub(super) const PAGE_COMPRESSED: i16 = 3;
/// A field of [`DictionaryPage`](Part::DictionaryPage): how many values it has.
pub(super) const DICTIONARY_VALUES: i16 = 1;

/// Fields of [`DataPageV2`](Part::DataPageV2): bytes of levels, which come first and are never
/// packed, and whether the rest is.
pub(super) const DEFINITION_LEVELS: i16 = 5;
pub(super) const REPETITION_LEVELS: i16 = 6;
pub(super) const IS_PACKED: i16 = 7;

const fn other(fields: &'static [(i16, Kind)]) -> Shape {
    Shape {
        part: Part::Other,
        fields,
    }
}

/// `FileMetaData`: the footer.
pub(super) const FILE: Shape = other(&[
    (1, Kind::Int),
    (2, Kind::List(&Kind::Struct(&SCHEMA_ELEMENT))),
    (3, Kind::Int),
    (4, Kind::List(&Kind::Struct(&ROW_GROUP))),
    (5, Kind::List(&Kind::Struct(&KEY_VALUE))),
    (6, Kind::Binary),
    (7, Kind::List(&Kind::Struct(&UNION))),
]);

const SCHEMA_ELEMENT: Shape = Shape {
    part: Part::SchemaElement,
    fields: &[
        (ELEMENT_TYPE, Kind::Int),
        (ELEMENT_LENGTH, Kind::Int),
        (3, Kind::Int),
        (4, Kind::Binary),
        (ELEMENT_CHILDREN, Kind::Int),
        (ELEMENT_CONVERTED, Kind::Int),
        (7, Kind::Int),
        (8, Kind::Int),
        (9, Kind::Int),
        (10, Kind::Struct(&LOGICAL_TYPE)),
    ],
};

const LOGICAL_TYPE: Shape = other(&[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Kind::Struct(&other(&[(1, Kind::Int), (2, Kind::Int)]))),
    (6, EMPTY),
    (7, TIME),
    (8, TIME),
    (
        10,
        Kind::Struct(&other(&[(1, Kind::Byte), (2, Kind::Bool)])),
    ),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Kind::Struct(&other(&[(1, Kind::Byte)]))),
    (17, Kind::Struct(&other(&[(1, Kind::Binary)]))),
    (
        18,
        Kind::Struct(&other(&[(1, Kind::Binary), (2, Kind::Int)])),
    ),
]);

const EMPTY: Kind = Kind::Struct(&other(&[]));
const TIME: Kind = Kind::Struct(&other(&[(1, Kind::Bool), (2, Kind::Struct(&UNION))]));

/// A choice among empty structs.
const UNION: Shape = other(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]);

const KEY_VALUE: Shape = other(&[(1, Kind::Binary), (2, Kind::Binary)]);

const ROW_GROUP: Shape = other(&[
    (1, Kind::List(&Kind::Struct(&COLUMN_CHUNK))),
    (2, Kind::Int),
    (3, Kind::Int),
    (4, Kind::List(&Kind::Struct(&SORTING_COLUMN))),
    (5, Kind::Int),
    (6, Kind::Int),
    (7, Kind::Int),
]);

const SORTING_COLUMN: Shape = other(&[(1, Kind::Int), (2, Kind::Bool), (3, Kind::Bool)]);

const COLUMN_CHUNK: Shape = other(&[
    (1, Kind::Binary),
    (2, Kind::Int),
    (3, Kind::Struct(&COLUMN_META_DATA)),
    (4, Kind::Int),
    (5, Kind::Int),
    (6, Kind::Int),
    (7, Kind::Int),
]);

const COLUMN_META_DATA: Shape = other(&[
    (1, Kind::Int),
    (2, Kind::List(&Kind::Int)),
    (3, Kind::List(&Kind::Binary)),
    (4, Kind::Int),
    (5, Kind::Int),
    (6, Kind::Int),
    (7, Kind::Int),
    (8, Kind::List(&Kind::Struct(&KEY_VALUE))),
    (9, Kind::Int),
    (10, Kind::Int),
    (11, Kind::Int),
    (12, Kind::Struct(&STATISTICS)),
    (13, Kind::List(&Kind::Struct(&PAGE_ENCODING_STATS))),
    (14, Kind::Int),
    (15, Kind::Int),
    (16, Kind::Struct(&SIZE_STATISTICS)),
    (17, Kind::Struct(&GEOSPATIAL_STATISTICS)),
]);

const STATISTICS: Shape = other(&[
    (1, Kind::Binary),
    (2, Kind::Binary),
    (3, Kind::Int),
    (4, Kind::Int),
    (5, Kind::Binary),
    (6, Kind::Binary),
    (7, Kind::Bool),
    (8, Kind::Bool),
]);

const PAGE_ENCODING_STATS: Shape = other(&[(1, Kind::Int), (2, Kind::Int), (3, Kind::Int)]);

const SIZE_STATISTICS: Shape = other(&[
    (1, Kind::Int),
    (2, Kind::List(&Kind::Int)),
    (3, Kind::List(&Kind::Int)),
]);

const GEOSPATIAL_STATISTICS: Shape = other(&[
    (1, Kind::Struct(&BOUNDING_BOX)),
    (2, Kind::List(&Kind::Int)),
]);

const BOUNDING_BOX: Shape = other(&[
    (1, Kind::Double),
    (2, Kind::Double),
    (3, Kind::Double),
    (4, Kind::Double),
    (5, Kind::Double),
    (6, Kind::Double),
    (7, Kind::Double),
    (8, Kind::Double),
]);

/// `PageHeader`. What it says of statistics is not read.
pub(super) const PAGE: Shape = Shape {
    part: Part::PageHeader,
    fields: &[
        (1, Kind::Int),
        (PAGE_UNCOMPRESSED, Kind::Int),
        (PAGE_COMPRESSED, Kind::Int),
        (4, Kind::Int),
        (5, Kind::Struct(&DATA_PAGE)),
        (6, EMPTY),
        (7, Kind::Struct(&DICTIONARY_PAGE)),
        (8, Kind::Struct(&DATA_PAGE_V2)),
    ],
};

const DATA_PAGE: Shape = other(&[
    (1, Kind::Int),
    (2, Kind::Int),
    (3, Kind::Int),
    (4, Kind::Int),
]);

const DICTIONARY_PAGE: Shape = Shape {
    part: Part::DictionaryPage,
    fields: &[
        (DICTIONARY_VALUES, Kind::Int),
        (2, Kind::Int),
        (3, Kind::Bool),
    ],
};

const DATA_PAGE_V2: Shape = Shape {
    part: Part::DataPageV2,
    fields: &[
        (1, Kind::Int),
        (2, Kind::Int),
        (3, Kind::Int),
        (4, Kind::Int),
        (DEFINITION_LEVELS, Kind::Int),
        (REPETITION_LEVELS, Kind::Int),
        (IS_PACKED, Kind::Bool),
    ],
};
