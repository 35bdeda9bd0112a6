#![allow(clippy::unwrap_used)]

mod overlays;

use crate::testing::{error, rows, value};

/// The text of a geometry's expression.
async fn text(expression: &str) -> String {
    let shown = value(&format!("ST_AsText({expression})")).await;
    shown.unwrap_or_else(|error| format!("error: {}", error.strip_backtrace()))
}

/// The geometry of a text.
fn of(text: &str) -> String {
    format!("ST_GeometryFromText('{text}')")
}

#[tokio::test]
async fn text_is_read_and_shown_as_athena_does() {
    for (from, to) in [
        ("point(1 2)", "POINT (1 2)"),
        ("POINT (-1.5e2 +.25)", "POINT (-150 0.25)"),
        ("POINT EMPTY", "POINT EMPTY"),
        ("LINESTRING EMPTY", "MULTILINESTRING EMPTY"),
        ("POLYGON EMPTY", "MULTIPOLYGON EMPTY"),
        (
            "MULTIPOINT (0 0, (1 2), EMPTY)",
            "MULTIPOINT ((0 0), (1 2))",
        ),
        (
            "MULTILINESTRING ((1 1, 5 1), (2 4, 4 4))",
            "MULTILINESTRING ((1 1, 5 1), (2 4, 4 4))",
        ),
        // Rings are closed and turned.
        (
            "POLYGON ((0 0, 0 9, 9 9, 9 0), (1 1, 2 1, 2 2))",
            "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 2 2, 2 1, 1 1))",
        ),
        (
            "GEOMETRYCOLLECTION (POINT(2 3), LINESTRING (2 3, 3 4), POINT EMPTY)",
            "GEOMETRYCOLLECTION (POINT (2 3), LINESTRING (2 3, 3 4))",
        ),
        ("GEOMETRYCOLLECTION EMPTY", "GEOMETRYCOLLECTION EMPTY"),
    ] {
        assert_eq!(text(&of(from)).await, to, "{from}");
        let binary = format!("ST_GeomFromBinary(ST_AsBinary({}))", of(from));
        assert_eq!(text(&binary).await, to, "{from} through binary");
    }
}

#[tokio::test]
async fn bad_text_is_an_error() {
    for (from, message) in [
        ("", "a type such as POINT or POLYGON expected"),
        ("POINT", "'(' expected"),
        ("POINT (1)", "a number expected"),
        ("POINT (1 2", "')' expected"),
        ("POINT (1 2) x", "the end expected"),
        ("POINT (NaN 1)", "a number expected"),
        ("POINT (1e999 1)", "finite"),
        ("POINT (1 2 3)", "Z or M"),
        ("POINT Z (1 2 3)", "Z or M"),
        ("LINESTRING (0 0)", "at least two points"),
        ("POLYGON ((0 0, 1 1))", "at least three points"),
        ("CIRCLE (0 0)", "a type such as POINT or POLYGON expected"),
        ("POINT (é 2)", "a number expected"),
        (
            "SRID=4326;POINT (1 2)",
            "a type such as POINT or POLYGON expected",
        ),
    ] {
        let found = error(&of(from)).await;
        assert!(found.contains(message), "{from}: {found}");
    }
    let deep = format!(
        "{}POINT (1 2){}",
        "GEOMETRYCOLLECTION (".repeat(5000),
        ")".repeat(5000)
    );
    assert!(error(&of(&deep)).await.contains("nested too deeply"));
    let nested = format!(
        "{}POINT (1 2){}",
        "GEOMETRYCOLLECTION (".repeat(32),
        ")".repeat(32)
    );
    assert!(
        text(&of(&nested))
            .await
            .starts_with("GEOMETRYCOLLECTION (GEO")
    );
}

#[tokio::test]
async fn bad_binary_is_an_error() {
    for (bytes, message) in [
        ("", "end early"),
        ("02", "byte order"),
        ("0101000000", "end early"),
        // Four thousand million points.
        (
            "0102000000ffffffff00000000000000000000000000000000",
            "end early",
        ),
        ("0107000000ffffffff", "end early"),
        ("0109000000", "no type 9"),
        ("01e9030000", "Z or M"),
        ("0101000080", "Z or M"),
        ("0101000000000000000000f87f0000000000000000", "finite"),
        (
            "0104000000010000000102000000000000000000000000000000000000000000",
            "another type",
        ),
        (
            "01010000000000000000000000000000000000000000",
            "bytes follow",
        ),
    ] {
        let found = error(&format!("ST_GeomFromBinary(X'{bytes}')")).await;
        assert!(found.contains(message), "{bytes}: {found}");
    }
    let deep = format!("X'{}'", "010700000001000000".repeat(1000));
    let found = error(&format!("ST_GeomFromBinary({deep})")).await;
    assert!(found.contains("nested too deeply"), "{found}");
    let empty = "ST_GeomFromBinary(X'0101000000000000000000f87f000000000000f87f')";
    assert_eq!(text(empty).await, "POINT EMPTY");
    // A reference system is dropped.
    let srid = "ST_GeomFromBinary(X'0101000020e6100000000000000000f03f0000000000000040')";
    assert_eq!(text(srid).await, "POINT (1 2)");
    assert!(error("ST_Point(nan(), 1)").await.contains("finite"));
}

#[tokio::test]
async fn null_is_null() {
    for call in [
        "ST_Point(NULL, 1)",
        "ST_GeometryFromText(NULL)",
        "ST_AsText(NULL)",
        "ST_Area(NULL)",
        "ST_Contains(ST_Point(1, 2), NULL)",
        "ST_Union(NULL, ST_Point(1, 2))",
        "ST_Buffer(ST_Point(1, 2), NULL)",
        "ST_GeometryN(ST_Point(1, 2), NULL)",
        "ST_LineString(NULL)",
        "ST_Points(NULL)",
        "bing_tile_quadkey(NULL)",
        "great_circle_distance(NULL, 1, 1, 1)",
    ] {
        assert_eq!(value(call).await.unwrap(), "NULL", "{call}");
    }
}

#[tokio::test]
async fn columns_and_constants_are_combined() {
    let query =
        "SELECT ST_Contains(ST_GeometryFromText('POLYGON ((0 0, 4 0, 4 4, 0 4))'), ST_Point(x, 1))
                 FROM (VALUES (1.0), (4.0), (9.0), (NULL)) t(x)";
    assert_eq!(
        rows(query).await.unwrap(),
        ["true", "false", "false", "NULL"]
    );
    let query = "SELECT ST_AsText(ST_GeometryFromText(x))
                 FROM (VALUES ('POINT (1 2)'), (NULL), ('LINESTRING (0 0, 1 1)')) t(x)";
    let expected = ["POINT (1 2)", "NULL", "LINESTRING (0 0, 1 1)"];
    assert_eq!(rows(query).await.unwrap(), expected);
    let query = "SELECT ST_AsText(ST_LineString(array_agg(ST_Point(x, 2 * x) ORDER BY x)))
                 FROM (VALUES (2.0), (1.0)) t(x)";
    assert_eq!(rows(query).await.unwrap(), ["LINESTRING (1 2, 2 4)"]);
}

#[tokio::test]
async fn lines_of_points_are_checked() {
    let none = "ST_LineString(ARRAY[ST_Point(1, 2)])";
    assert_eq!(text(none).await, "MULTILINESTRING EMPTY");
    for (array, message) in [
        ("ST_Point(1, 2), ST_Point(1, 2)", "the same point"),
        ("ST_LineFromText('LINESTRING (0 0, 1 1)')", "not a point"),
    ] {
        let found = error(&format!("ST_LineString(ARRAY[{array}])")).await;
        assert!(found.contains(message), "{found}");
    }
    let with_null = "(SELECT ST_LineString(array_agg(ST_Point(x, 1) ORDER BY x)) FROM (VALUES (1.0), (NULL)) t(x))";
    assert!(
        error(with_null)
            .await
            .contains("item 2 of the array for st_linestring is NULL")
    );
    assert!(
        error("ST_LineString(ARRAY[1])")
            .await
            .contains("array of geometries")
    );
    assert!(
        error("ST_Polygon('POINT (1 2)')")
            .await
            .contains("takes a polygon, not ST_Point")
    );
}

#[tokio::test]
async fn parts_are_found_or_null() {
    let line = of("LINESTRING (8 4, 5 7, 3 1)");
    for (call, result) in [
        (format!("ST_X({})", of("POINT EMPTY")), "NULL"),
        (format!("ST_XMin({})", of("LINESTRING EMPTY")), "NULL"),
        (format!("ST_NumPoints({line})"), "3"),
        (format!("ST_NumGeometries({})", of("POINT EMPTY")), "0"),
        (format!("ST_NumGeometries({line})"), "1"),
        (format!("ST_GeometryN({line}, 2)"), "NULL"),
        (format!("ST_PointN({line}, 0)"), "NULL"),
        (format!("ST_PointN({line}, -9223372036854775807)"), "NULL"),
        (format!("ST_StartPoint({})", of("LINESTRING EMPTY")), "NULL"),
        (format!("ST_Dimension({line})"), "1"),
        (format!("ST_IsClosed({line})"), "false"),
        (
            format!("ST_GeometryType({})", of("GEOMETRYCOLLECTION EMPTY")),
            "ST_GeomCollection",
        ),
        (format!("ST_Points({})", of("POINT EMPTY")), "NULL"),
    ] {
        assert_eq!(value(&call).await.unwrap(), result, "{call}");
    }
    assert!(
        error(&format!("ST_X({line})"))
            .await
            .contains("st_x takes a point, not ST_LineString")
    );
}

#[tokio::test]
async fn derived_geometries() {
    for (call, result) in [
        (
            format!("ST_Envelope({})", of("POINT EMPTY")),
            "MULTIPOLYGON EMPTY",
        ),
        (
            format!(
                "ST_Boundary({})",
                of("MULTILINESTRING ((0 0, 1 1), (1 1, 2 2))")
            ),
            "MULTIPOINT ((0 0), (2 2))",
        ),
        (
            format!("ST_Boundary({})", of("POLYGON ((1 1, 4 1, 1 4))")),
            "MULTILINESTRING ((1 1, 4 1, 1 4, 1 1))",
        ),
        (
            format!("ST_Centroid({})", of("LINESTRING (0 0, 4 0)")),
            "POINT (2 0)",
        ),
        (
            format!("ST_Centroid({})", of("LINESTRING EMPTY")),
            "POINT EMPTY",
        ),
        (
            format!(
                "ST_ConvexHull({})",
                of("MULTIPOINT (0 0, 4 0, 4 4, 0 4, 2 2, 2 0)")
            ),
            "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))",
        ),
        (
            format!("ST_ConvexHull({})", of("MULTIPOINT (1 1, 1 1)")),
            "POINT (1 1)",
        ),
    ] {
        assert_eq!(text(&call).await, result, "{call}");
    }
}

#[tokio::test]
async fn relations_follow_the_matrix() {
    let square = "POLYGON ((0 0, 4 0, 4 4, 0 4))";
    for (function, a, b, result) in [
        (
            "ST_Contains",
            square,
            "POLYGON ((1 1, 2 1, 2 2, 1 2))",
            "true",
        ),
        ("ST_Contains", square, "LINESTRING (0 0, 4 0)", "false"),
        ("ST_Contains", square, "POINT (4 4)", "false"),
        ("ST_Contains", square, "POINT EMPTY", "false"),
        ("ST_Within", "LINESTRING (1 1, 2 2)", square, "true"),
        ("ST_Intersects", square, "POINT (4 4)", "true"),
        ("ST_Disjoint", square, "POINT (5 4)", "true"),
        ("ST_Disjoint", square, "POINT EMPTY", "true"),
        (
            "ST_Touches",
            square,
            "POLYGON ((4 0, 8 0, 8 4, 4 4))",
            "true",
        ),
        ("ST_Crosses", square, "LINESTRING (2 2, 8 2)", "true"),
        (
            "ST_Overlaps",
            square,
            "POLYGON ((2 2, 8 2, 8 8, 2 8))",
            "true",
        ),
        ("ST_Overlaps", square, square, "false"),
        (
            "ST_Equals",
            square,
            "POLYGON ((4 4, 0 4, 0 0, 2 0, 4 0))",
            "true",
        ),
        ("ST_Equals", "POINT EMPTY", "LINESTRING EMPTY", "true"),
    ] {
        let call = format!("{function}({}, {})", of(a), of(b));
        assert_eq!(value(&call).await.unwrap(), result, "{call}");
    }
    let bow = of("POLYGON ((0 0, 4 4, 4 0, 0 4))");
    let call = format!("ST_Touches({bow}, {})", of(square));
    assert!(error(&call).await.contains("not valid: Self-intersection"));
    let call = format!("ST_Intersects({bow}, ST_Point(1, 1))");
    assert_eq!(value(&call).await.unwrap(), "true");
    let call = format!("ST_Relate({}, ST_Point(1, 1), 'x')", of(square));
    assert!(error(&call).await.contains("nine of the characters"));
}

#[tokio::test]
async fn validity() {
    for (geometry, reason) in [
        ("POLYGON ((0 0, 4 0, 4 4, 0 4), (1 1, 2 1, 2 2))", "NULL"),
        (
            "POLYGON ((0 0, 4 0, 4 4, 0 4), (1 1, 9 1, 2 2))",
            "An interior ring outside the exterior",
        ),
        (
            "POLYGON ((0 0, 4 0, 4 4, 6 4, 4 4, 0 4))",
            "Self-intersection",
        ),
        ("POLYGON ((0 0, 4 0, 4 0, 4 4, 0 4))", "NULL"),
        ("POLYGON ((0 0, 1 1, 2 2))", "Self-intersection"),
        (
            "MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4)), ((2 2, 8 2, 8 8, 2 8)))",
            "Overlapping polygons",
        ),
        (
            "MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4)), ((4 4, 8 4, 8 8, 4 8)))",
            "NULL",
        ),
        (
            "LINESTRING (0 0, -1 0.5, 0 1, 1 1, 1 0, 0 1, 0 0)",
            "Self-intersection",
        ),
        ("LINESTRING (0 0, 1 1, 1 0, 0 0)", "NULL"),
        ("MULTIPOINT (0 0, 0 1, 0 1)", "Repeated points"),
        ("MULTILINESTRING ((0 0, 2 2), (2 2, 3 0))", "NULL"),
        (
            "MULTILINESTRING ((0 0, 2 2), (0 2, 2 0))",
            "Self-intersection",
        ),
        ("POINT EMPTY", "NULL"),
    ] {
        let call = format!("geometry_invalid_reason({})", of(geometry));
        assert_eq!(value(&call).await.unwrap(), reason, "{geometry}");
    }
}

#[tokio::test]
async fn geographies_are_not_planes() {
    let place = "to_spherical_geography(ST_Point(8, 47))";
    let found = error(&format!("ST_Contains({place}, ST_Point(1, 2))")).await;
    assert!(found.contains("to_geometry"), "{found}");
    let found = error(&format!("ST_Distance({place}, ST_Point(1, 2))")).await;
    assert!(found.contains("to_geometry"), "{found}");
    assert!(
        error("to_spherical_geography(ST_Point(8, 91))")
            .await
            .contains("latitude 91")
    );
    assert!(
        error("great_circle_distance(nan(), 0, 0, 0)")
            .await
            .contains("latitude NaN")
    );
    let line = format!("to_spherical_geography({})", of("LINESTRING (0 0, 0 90)"));
    let length = format!("round(ST_Length({line}) / 1000)");
    assert_eq!(value(&length).await.unwrap(), "10008.0");
}

#[tokio::test]
async fn tiles_are_checked() {
    assert_eq!(
        value("bing_tile('123030123010121')").await.unwrap(),
        "{\"x\":21845,\"y\":13506,\"zoom\":15}"
    );
    let corners = text("bing_tile_polygon(bing_tile('123030123010121'))").await;
    assert!(
        corners.starts_with("POLYGON ((59.996337890625 30.1166"),
        "{corners}"
    );
    for (call, message) in [
        ("bing_tile(0, 0, 24)", "zoom level 24"),
        ("bing_tile(0, 0, -1)", "zoom level -1"),
        ("bing_tile(8, 0, 3)", "from 0 to 7"),
        ("bing_tile('4')", "not a quadkey"),
        ("bing_tile_at(86, 0, 3)", "latitude 86"),
        ("bing_tile_at(0, 181, 3)", "longitude 181"),
        ("bing_tile_quadkey('x')", "not a tile"),
    ] {
        assert!(error(call).await.contains(message), "{call}");
    }
    assert_eq!(
        value("bing_tile_at(-85.05112878, 180, 23)").await.unwrap(),
        "{\"x\":8388607,\"y\":8388607,\"zoom\":23}"
    );
}

#[tokio::test]
async fn distances_and_places_on_lines() {
    let line = of("LINESTRING (0 0, 4 0, 4 4)");
    for (call, result) in [
        (format!("ST_Distance({line}, ST_Point(0, 0))"), "0.0"),
        (
            format!("ST_Distance({line}, {})", of("POINT EMPTY")),
            "NULL",
        ),
        (format!("line_locate_point({line}, ST_Point(9, 2))"), "0.75"),
        (
            format!(
                "ST_Area({})",
                of("GEOMETRYCOLLECTION (POINT (1 1), POLYGON ((0 0, 2 0, 2 2)))")
            ),
            "2.0",
        ),
        (
            format!(
                "ST_Length({})",
                of("MULTILINESTRING ((0 0, 3 4), (0 0, 0 1))")
            ),
            "6.0",
        ),
    ] {
        assert_eq!(value(&call).await.unwrap(), result, "{call}");
    }
    assert_eq!(
        text(&format!("line_interpolate_point({line}, 0.75)")).await,
        "POINT (4 2)"
    );
    assert!(
        error(&format!("line_interpolate_point({line}, 1.5)"))
            .await
            .contains("between 0 and 1")
    );
    let many = format!("line_interpolate_points({line}, 1e-300)");
    assert!(error(&many).await.contains("bytes"));
}

#[tokio::test]
async fn what_takes_too_long_is_an_error() {
    let zigzag = |x: &str, y: &str| {
        format!(
            "(SELECT ST_LineString(array_agg(ST_Point({x}, {y}) ORDER BY i)) FROM generate_series(1, 2000) t(i))"
        )
    };
    let (across, down) = (zigzag("i", "2000 * (i % 2)"), zigzag("2000 * (i % 2)", "i"));
    for call in [
        format!("ST_Crosses({across}, {down})"),
        format!("ST_Intersection({across}, {down})"),
    ] {
        let found = error(&call).await;
        assert!(found.contains("may cross more than"), "{found}");
    }
    let found = value(&format!("ST_Intersects({across}, {down})")).await;
    assert_eq!(found.unwrap(), "true");
    let long = "(SELECT ST_LineString(array_agg(ST_Point(i, 0) ORDER BY i)) FROM generate_series(1, 20000) t(i))";
    let found = error(&format!("ST_IsValid({long})")).await;
    assert!(found.contains("so many vertices"), "{found}");
}
