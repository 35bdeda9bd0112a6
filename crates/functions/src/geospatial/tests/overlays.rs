//! Overlays and buffers.

use super::{of, text};
use crate::testing::{error, value};

#[tokio::test]
async fn overlays_have_all_dimensions() {
    let square = "POLYGON ((0 0, 5 0, 5 5, 0 5))";
    for (function, a, b, result) in [
        (
            "ST_Intersection",
            "POINT (50 100)",
            "POINT (150 150)",
            "GEOMETRYCOLLECTION EMPTY",
        ),
        (
            "ST_Intersection",
            "MULTIPOINT (50 100, 50 200)",
            "POINT (50 100)",
            "POINT (50 100)",
        ),
        (
            "ST_Intersection",
            "LINESTRING (50 100, 50 200)",
            "LINESTRING (20 150, 100 150)",
            "POINT (50 150)",
        ),
        (
            "ST_Intersection",
            "MULTILINESTRING ((1 1, 5 1), (2 4, 4 4))",
            "MULTILINESTRING ((3 4, 6 4), (5 0, 5 4))",
            "GEOMETRYCOLLECTION (POINT (5 1), LINESTRING (3 4, 4 4))",
        ),
        (
            "ST_Intersection",
            "POLYGON ((1 1, 1 4, 4 4, 4 1))",
            "LINESTRING (2 0, 2 3)",
            "LINESTRING (2 1, 2 3)",
        ),
        (
            "ST_Intersection",
            square,
            "POLYGON ((5 0, 9 0, 9 5, 5 5))",
            "LINESTRING (5 0, 5 5)",
        ),
        (
            "ST_Intersection",
            square,
            "POLYGON ((5 5, 9 5, 9 9))",
            "POINT (5 5)",
        ),
        (
            "ST_Intersection",
            square,
            "POLYGON ((0.1 0.3, 0.7 0.3, 0.7 0.9))",
            "POLYGON ((0.1 0.3, 0.7 0.3, 0.7 0.9, 0.1 0.3))",
        ),
        (
            "ST_Difference",
            square,
            "POLYGON ((0 0, 5 0, 5 2, 0 2))",
            "POLYGON ((0 2, 5 2, 5 5, 0 5, 0 2))",
        ),
        (
            "ST_Difference",
            "LINESTRING (0 0, 9 0)",
            "LINESTRING (2 0, 4 0)",
            "MULTILINESTRING ((0 0, 2 0), (4 0, 9 0))",
        ),
        (
            "ST_Difference",
            "POINT (1 1)",
            square,
            "GEOMETRYCOLLECTION EMPTY",
        ),
        (
            "ST_Union",
            "POINT (1 1)",
            square,
            "POLYGON ((0 0, 5 0, 5 5, 0 5, 0 0))",
        ),
        (
            "ST_Union",
            "LINESTRING (0 0, 1 0)",
            "LINESTRING (1 0, 2 0)",
            "LINESTRING (0 0, 1 0, 2 0)",
        ),
        (
            "ST_Union",
            "POINT (1 1)",
            "POINT (2 2)",
            "MULTIPOINT ((1 1), (2 2))",
        ),
        (
            "ST_SymDifference",
            "LINESTRING (0 0, 2 0)",
            "LINESTRING (1 0, 3 0)",
            "MULTILINESTRING ((0 0, 1 0), (2 0, 3 0))",
        ),
    ] {
        let call = format!("{function}({}, {})", of(a), of(b));
        assert_eq!(text(&call).await, result, "{call}");
    }
}

#[tokio::test]
async fn buffers() {
    let area = format!(
        "round(ST_Area(ST_Buffer({}, 1)), 2)",
        of("LINESTRING (0 0, 10 0)")
    );
    assert_eq!(value(&area).await.unwrap(), "23.14");
    let area = format!(
        "round(ST_Area(ST_Buffer({}, 1)), 2)",
        of("POLYGON ((0 0, 2 0, 2 2, 0 2))")
    );
    assert_eq!(value(&area).await.unwrap(), "15.14");
    assert_eq!(text("ST_Buffer(ST_Point(1, 2), 0)").await, "POINT (1 2)");
    assert_eq!(
        value(&format!("ST_Buffer({}, 1)", of("POINT EMPTY")))
            .await
            .unwrap(),
        "NULL"
    );
    for distance in ["-1", "nan()", "infinity()"] {
        let call = format!("ST_Buffer(ST_Point(1, 2), {distance})");
        assert!(error(&call).await.contains("must be finite"), "{distance}");
    }
    let call = "ST_Buffer(ST_Point(1e308, 2), 1e308)";
    assert!(error(call).await.contains("not finite"));
}
