-- constructors
ST_AsText(ST_Point({[ 1.5e0 ; 0 ; nan() ; NULL ]}, 2))
ST_AsText(ST_GeometryFromText('{[ POINT (1 2) ; POINT EMPTY ; LINESTRING (0 0, 1 1, 2 0) ; POLYGON ((0 0, 0 4, 4 4, 4 0, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1)) ; POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0)) ; MULTIPOINT (1 2, 3 4) ; MULTILINESTRING ((0 0, 1 1), (2 2, 3 3)) ; MULTIPOLYGON (((0 0, 0 1, 1 1, 1 0, 0 0))) ; GEOMETRYCOLLECTION (POINT (1 2), LINESTRING (0 0, 1 1)) ; POINT ; LINESTRING (0 0) ; POLYGON ((0 0, 1 1)) ; point(1 2) ; POINT (1e3 -0.5) ]}'))
ST_AsText(ST_LineFromText('{[ LINESTRING (1 2, 3 4) ; POINT (1 2) ]}'))
ST_AsText(ST_Polygon('{[ POLYGON ((0 0, 0 1, 1 1, 1 0, 0 0)) ; POINT (1 2) ]}'))
ST_AsText(ST_LineString(ARRAY[ST_Point(1, 2), ST_Point(3, 4)]))
ST_AsText(ST_MultiPoint(ARRAY[ST_Point(1, 2), ST_Point(3, 4)]))
ST_AsBinary(ST_GeometryFromText('{[ POINT (1 2) ; LINESTRING (0 0, 1 1) ; POLYGON ((0 0, 0 1, 1 1, 1 0, 0 0)) ]}'))
ST_AsText(ST_GeomFromBinary(ST_AsBinary(ST_Point(1, 2))))
-- measures
{[ ST_Area ; ST_Length ; ST_Dimension ; ST_CoordDim ; ST_NumPoints ; ST_NumGeometries ; ST_GeometryType ; ST_IsEmpty ; ST_IsSimple ; ST_IsValid ; ST_XMin ; ST_XMax ; ST_YMin ; ST_YMax ; ST_X ; ST_Y ; ST_IsClosed ; ST_IsRing ; ST_NumInteriorRing ; geometry_invalid_reason ]}(ST_GeometryFromText('{[ POINT (1 2) ; POINT EMPTY ; LINESTRING (0 0, 3 4, 0 0) ; POLYGON ((0 0, 0 4, 4 4, 4 0, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1)) ; MULTIPOINT (1 2, 3 4) ; POLYGON ((0 0, 1 1, 0 1, 1 0, 0 0)) ]}'))
ST_AsText({[ ST_Centroid ; ST_Envelope ; ST_Boundary ; ST_ConvexHull ; ST_StartPoint ; ST_EndPoint ; ST_ExteriorRing ]}(ST_GeometryFromText('{[ POINT (1 2) ; POINT EMPTY ; LINESTRING (0 0, 3 4, 6 0) ; POLYGON ((0 0, 0 4, 4 4, 4 0, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1)) ; MULTIPOINT (1 2, 3 4, 0 5) ]}')))
-- relations
{[ ST_Contains ; ST_Crosses ; ST_Disjoint ; ST_Equals ; ST_Intersects ; ST_Overlaps ; ST_Touches ; ST_Within ; ST_Distance ]}(ST_GeometryFromText('{[ POINT (1 1) ; LINESTRING (0 0, 2 2) ; POLYGON ((0 0, 0 2, 2 2, 2 0, 0 0)) ]}'), ST_GeometryFromText('{[ POINT (1 1) ; POINT (2 2) ; LINESTRING (0 2, 2 0) ; POLYGON ((1 1, 1 3, 3 3, 3 1, 1 1)) ; POINT EMPTY ]}'))
ST_Relate(ST_GeometryFromText('LINESTRING (0 0, 3 3)'), ST_GeometryFromText('LINESTRING (1 1, 4 1)'), '{[ ****T**** ; T******** ]}')
-- overlay
ST_AsText({[ ST_Intersection ; ST_Union ; ST_Difference ; ST_SymDifference ]}(ST_GeometryFromText('{[ POINT (1 1) ; LINESTRING (0 0, 2 2) ; POLYGON ((0 0, 0 2, 2 2, 2 0, 0 0)) ]}'), ST_GeometryFromText('{[ POINT (1 1) ; POINT (5 5) ; POLYGON ((1 1, 1 3, 3 3, 3 1, 1 1)) ]}')))
ST_Area(ST_Buffer(ST_Point(0, 0), {[ 1 ; 0 ; 2.5e0 ]}))
-- parts
ST_AsText(ST_PointN(ST_GeometryFromText('LINESTRING (0 0, 3 4, 6 0)'), {[ 1 ; 3 ; 4 ; 0 ]}))
ST_AsText(ST_GeometryN(ST_GeometryFromText('MULTIPOINT (1 2, 3 4)'), {[ 1 ; 2 ; 3 ; 0 ]}))
ST_AsText(ST_InteriorRingN(ST_GeometryFromText('POLYGON ((0 0, 0 4, 4 4, 4 0, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))'), {[ 1 ; 2 ]}))
transform(ST_Points(ST_GeometryFromText('POLYGON ((0 0, 0 4, 4 4, 0 0))')), x -> ST_AsText(x))
transform(ST_EnvelopeAsPts(ST_GeometryFromText('LINESTRING (0 5, 3 4)')), x -> ST_AsText(x))
transform(ST_InteriorRings(ST_GeometryFromText('POLYGON ((0 0, 0 4, 4 4, 4 0, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))')), x -> ST_AsText(x))
line_locate_point(ST_GeometryFromText('LINESTRING (0 0, 0 1)'), ST_Point(0, {[ 0.2e0 ; 5 ; -1 ]}))
ST_AsText(line_interpolate_point(ST_GeometryFromText('LINESTRING (0 0, 0 4, 4 4)'), {[ 0 ; 0.25e0 ; 0.75e0 ; 1 ; 2 ]}))
simplify_geometry(ST_GeometryFromText('LINESTRING (0 0, 1 0.1, 2 0)'), 1.5e0)
-- sphere
great_circle_distance({[ 36.12e0 ; 0 ; 91 ]}, -86.67e0, 33.94e0, -118.40e0)
ST_Distance(to_spherical_geography(ST_Point(-71.0882e0, 42.3607e0)), to_spherical_geography(ST_Point(-74.1197e0, 40.6976e0)))
ST_Area(to_spherical_geography(ST_GeometryFromText('POLYGON ((0 0, 0 1, 1 1, 1 0, 0 0))')))
ST_Length(to_spherical_geography(ST_GeometryFromText('LINESTRING (-71.05 42.36, -87.62 41.87)')))
-- bing tiles
bing_tile_quadkey(bing_tile_at({[ 30.12e0 ; 0 ; 90 ]}, {[ 60 ; -180 ]}, {[ 1 ; 15 ; 24 ]}))
bing_tile_coordinates(bing_tile('{[ 123 ; 0 ; 9 ]}'))
bing_tile_zoom_level(bing_tile(3, 5, 3))
ST_AsText(bing_tile_polygon(bing_tile('123030123010121')))
transform(bing_tiles_around(30.12e0, 60, 1), x -> bing_tile_quadkey(x))
transform(geometry_to_bing_tiles(ST_Point(60, 30.12e0), 10), x -> bing_tile_quadkey(x))
to_geojson_geometry(to_spherical_geography(ST_Point(1, 2)))
-- aggregates of geometries
SELECT ST_AsText(geometry_union_agg(ST_GeometryFromText(x))) FROM (VALUES 'POINT (1 1)', 'POINT (2 2)') t(x)
SELECT ST_AsText(convex_hull_agg(ST_GeometryFromText(x))) FROM (VALUES 'POINT (0 0)', 'POINT (2 2)', 'POINT (0 2)') t(x)
