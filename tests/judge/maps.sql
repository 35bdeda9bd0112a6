-- map
map({[ ARRAY['a', 'b'] ; ARRAY['a', 'a'] ; ARRAY['a', NULL] ]}, {[ ARRAY[1, NULL] ; ARRAY[1] ]})
map()
map(ARRAY[1.5e0], ARRAY['x'])
map(ARRAY[DATE '2024-02-29'], ARRAY[1])
map(ARRAY[true], ARRAY[1])
map(ARRAY[ARRAY[1]], ARRAY[1])
map(CAST(NULL AS array(varchar)), ARRAY[1])
-- map_concat
map_concat({[ map(ARRAY['a', 'b'], ARRAY[1, 2]) ; map() ]}, {[ map(ARRAY['b', 'c'], ARRAY[3, NULL]) ; map() ; CAST(NULL AS map(varchar, integer)) ]})
-- map_entries
map_entries({[ map(ARRAY['a', 'b'], ARRAY[1, NULL]) ; map() ; CAST(NULL AS map(varchar, integer)) ]})
-- map_from_entries
map_from_entries({[ ARRAY[ROW('a', 1), ROW('b', NULL)] ; ARRAY[] ; ARRAY[ROW('a', 1), ROW('a', 2)] ; ARRAY[ROW('a', 1), NULL] ; ARRAY[ROW(NULL, 1)] ]})
-- multimap_from_entries
multimap_from_entries({[ ARRAY[ROW('a', 1), ROW('b', NULL), ROW('a', 3)] ; ARRAY[] ; ARRAY[ROW(NULL, 1)] ]})
-- map_keys
map_keys({[ map(ARRAY['a', 'b'], ARRAY[1, NULL]) ; map() ; CAST(NULL AS map(varchar, integer)) ]})
map_values({[ map(ARRAY['a', 'b'], ARRAY[1, NULL]) ; map() ; CAST(NULL AS map(varchar, integer)) ]})
-- map_filter
map_filter({[ map(ARRAY['a', 'b'], ARRAY[1, NULL]) ; map() ]}, (k, v) -> {[ v > 0 ; k = 'b' ; NULL ]})
-- transform_keys
transform_keys(map(ARRAY['a', 'b'], ARRAY[1, NULL]), (k, v) -> {[ k || 'x' ; 'same' ; NULL ; v ]})
transform_values(map(ARRAY['a', 'b'], ARRAY[1, NULL]), (k, v) -> {[ v + 1 ; k ; NULL ]})
-- map_zip_with
map_zip_with(map(ARRAY['a', 'b'], ARRAY[1, 2]), map(ARRAY['b', 'c'], ARRAY[3, 4]), (k, v, w) -> coalesce(v, 0) + coalesce(w, 0))
-- row
ROW(1, 'a', NULL)
CAST(ROW(1, 'a') AS ROW(x BIGINT, y VARCHAR))
CAST(ROW(1, 'a') AS ROW(x BIGINT, y VARCHAR)).y
ROW(1, ROW(2, 'x'))
ROW(1, 2)[1]
