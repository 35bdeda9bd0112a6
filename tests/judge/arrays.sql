-- array_distinct
array_distinct({[ ARRAY[3, 1, 3, NULL, NULL, 2, 1] ; ARRAY[] ; NULL ; ARRAY['a', 'A', 'a'] ; ARRAY[nan(), nan(), 0e0, -0e0] ; ARRAY[ARRAY[1], ARRAY[1], NULL] ; ARRAY[ROW(1, 'a'), ROW(1, 'a')] ]})
-- array_except
array_except({[ ARRAY[1, 2, 2, 3, NULL, NULL] ; ARRAY[] ; CAST(NULL AS array(integer)) ]}, {[ ARRAY[3] ; ARRAY[NULL] ; ARRAY[] ]})
-- array_first
array_first({[ ARRAY[1, 2] ; ARRAY[] ; ARRAY[NULL, 1] ; NULL ]})
array_last({[ ARRAY[1, 2] ; ARRAY[] ; ARRAY[1, NULL] ; NULL ]})
-- array_histogram
array_histogram({[ ARRAY['a', 'b', 'a', NULL] ; ARRAY[] ; ARRAY[1, 1] ; ARRAY[nan(), nan()] ]})
-- array_intersect
array_intersect({[ ARRAY[1, 2, 2, 3, NULL, NULL] ; ARRAY[] ]}, {[ ARRAY[3, 2, NULL] ; ARRAY[] ; CAST(NULL AS array(integer)) ]})
array_intersect(ARRAY[ARRAY[1, 2], ARRAY[3]])
-- array_join
array_join({[ ARRAY[1, NULL, 2] ; ARRAY['a', '', 'b'] ; ARRAY[] ; NULL ; ARRAY[1.5e0, 1e10, nan()] ; ARRAY[true, false] ; ARRAY[DATE '2024-02-29'] ; ARRAY[TIMESTAMP '2024-02-29 01:02:03'] ; ARRAY[DECIMAL '1.50'] ]}, ',')
array_join(ARRAY[1, NULL, 2], {[ ', ' ; '' ]}, {[ '?' ; '' ]})
array_join(ARRAY[ARRAY[1]], ',')
-- array_max
array_max({[ ARRAY[2, 5, 3] ; ARRAY[2, NULL] ; ARRAY[] ; NULL ; ARRAY['a', 'b'] ; ARRAY[1e0, nan()] ; ARRAY[nan(), 1e0] ; ARRAY[ARRAY[1], ARRAY[2]] ; ARRAY[true, false] ]})
array_min({[ ARRAY[2, 5, 3] ; ARRAY[2, NULL] ; ARRAY[] ; NULL ; ARRAY['a', 'b'] ; ARRAY[1e0, nan()] ; ARRAY[nan(), 1e0] ; ARRAY[ROW(2, 1), ROW(1, 2)] ]})
-- array_position
array_position({[ ARRAY['a', 'b', 'a', NULL] ; ARRAY[] ; CAST(NULL AS array(varchar)) ]}, {[ 'a' ; 'x' ; NULL ]})
array_position(ARRAY[1, 2, 1], 1, {[ 2 ; -1 ; 1 ; 3 ; 0 ]})
-- array_remove
array_remove({[ ARRAY[1, 2, 1, NULL] ; ARRAY[] ; CAST(NULL AS array(integer)) ]}, {[ 1 ; 9 ; NULL ]})
-- array_sort
array_sort({[ ARRAY[3, NULL, 1, 2] ; ARRAY[] ; ARRAY['b', 'A', 'é', 'a'] ; ARRAY[nan(), 1e0, infinity(), -infinity()] ; ARRAY[ARRAY[2], ARRAY[1, 5]] ; ARRAY[ROW(2, 'a'), ROW(1, 'b')] ; ARRAY[true, false] ]})
array_sort(ARRAY[3, 2, NULL, 5, NULL, 1, 2], (x, y) -> CASE WHEN x IS NULL THEN -1 WHEN y IS NULL THEN 1 WHEN x < y THEN 1 WHEN x = y THEN 0 ELSE -1 END)
array_sort(ARRAY['bb', 'a', 'ccc'], (x, y) -> IF(length(x) < length(y), -1, IF(length(x) = length(y), 0, 1)))
-- array_union
array_union({[ ARRAY[1, 2, 2, NULL] ; ARRAY[] ; CAST(NULL AS array(integer)) ]}, {[ ARRAY[2, 3, NULL] ; ARRAY[] ]})
-- arrays_overlap
arrays_overlap({[ ARRAY[1, 2] ; ARRAY[1, NULL] ; ARRAY[] ; ARRAY[NULL] ; CAST(NULL AS array(integer)) ]}, {[ ARRAY[2, 3] ; ARRAY[NULL, 9] ; ARRAY[] ; ARRAY[9] ]})
-- cardinality
cardinality({[ ARRAY[1, NULL] ; ARRAY[] ; CAST(NULL AS array(integer)) ; MAP(ARRAY['a'], ARRAY[1]) ; MAP() ]})
-- combinations
combinations({[ ARRAY['a', 'b', 'c'] ; ARRAY['a', NULL, 'a'] ; ARRAY[] ]}, {[ 2 ; 1 ; 0 ; 3 ; 4 ; 6 ; -1 ]})
-- contains
contains({[ ARRAY[1, 2, 3] ; ARRAY[1, NULL] ; ARRAY[] ; CAST(NULL AS array(integer)) ]}, {[ 2 ; NULL ; 9 ]})
contains(ARRAY[ARRAY[1]], ARRAY[1])
contains_sequence({[ ARRAY[1, 2, 3, 4] ; ARRAY[] ; ARRAY[1, NULL, 3] ]}, {[ ARRAY[2, 3] ; ARRAY[] ; ARRAY[3, 2] ; ARRAY[NULL, 3] ]})
-- element_at
element_at({[ ARRAY[1, 2, 3] ; ARRAY[] ; CAST(NULL AS array(integer)) ]}, {[ 1 ; -1 ; 4 ; -4 ; NULL ; 0 ]})
element_at(MAP(ARRAY['a', 'b'], ARRAY[1, NULL]), {[ 'a' ; 'b' ; 'c' ; NULL ]})
-- subscript
(ARRAY[1, 2, 3])[{[ 1 ; 3 ; 4 ; 0 ; -1 ; NULL ]}]
MAP(ARRAY['a', 'b'], ARRAY[1, NULL])[{[ 'a' ; 'b' ; 'c' ]}]
-- flatten
flatten({[ ARRAY[ARRAY[1, 2], ARRAY[3, NULL]] ; ARRAY[ARRAY[], ARRAY[1]] ; ARRAY[NULL, ARRAY[1]] ; CAST(NULL AS array(array(integer))) ]})
-- ngrams
ngrams({[ ARRAY['a', 'b', 'c'] ; ARRAY[] ; ARRAY['a', NULL] ]}, {[ 2 ; 1 ; 4 ; 0 ; -1 ]})
-- repeat
repeat({[ 'a' ; NULL ; 1.5e0 ]}, {[ 3 ; 0 ; -1 ; NULL ]})
repeat(1, {[ 10000 ; 10001 ]})
-- reverse
reverse({[ ARRAY[1, NULL, 2] ; ARRAY['a'] ; ARRAY[] ]})
-- sequence
sequence({[ 1 ; 5 ; -2 ; NULL ]}, {[ 5 ; 1 ; 3 ]})
sequence({[ 1 ; 5 ]}, {[ 5 ; 1 ]}, {[ 2 ; -2 ; 0 ; 3 ]})
sequence(DATE '2024-01-31', {[ DATE '2024-02-03' ; DATE '2024-01-28' ]})
sequence(DATE '2024-01-31', DATE '2024-05-31', INTERVAL '1' {[ MONTH ; DAY ; YEAR ]})
sequence(TIMESTAMP '2024-01-31 00:00:00', TIMESTAMP '2024-02-01 00:00:00', INTERVAL '{[ 6 ; -6 ]}' HOUR)
sequence(DATE '2024-01-31', DATE '2024-02-01', INTERVAL '6' HOUR)
sequence(1, 10001)
sequence(9223372036854775805, 9223372036854775807)
-- slice
slice({[ ARRAY[1, 2, 3, 4] ; ARRAY[] ; CAST(NULL AS array(integer)) ]}, {[ 2 ; -2 ; 5 ; 0 ; -9 ]}, {[ 2 ; 0 ; 10 ; -1 ]})
-- trim_array
trim_array(ARRAY[1, 2, 3], {[ 0 ; 1 ; 3 ; 4 ; -1 ]})
-- zip
zip({[ ARRAY[1, 2] ; ARRAY[] ; CAST(NULL AS array(integer)) ]}, {[ ARRAY['a'] ; ARRAY[NULL, 'b', 'c'] ]})
zip(ARRAY[1], ARRAY[2], ARRAY[3])
-- concatenation
{[ ARRAY[1] ; ARRAY[NULL] ]} || {[ ARRAY[2] ; 3 ; NULL ]}
1 || ARRAY[2]
-- comparison
ARRAY[1, 2] {[ = ; < ; <> ; IS DISTINCT FROM ]} {[ ARRAY[1, 2] ; ARRAY[1, 3] ; ARRAY[1] ; ARRAY[1, NULL] ]}
ROW(1, 'a') {[ = ; < ; <> ]} {[ ROW(1, 'a') ; ROW(1, 'b') ; ROW(2, NULL) ]}
MAP(ARRAY[1], ARRAY[2]) = {[ MAP(ARRAY[1], ARRAY[2]) ; MAP(ARRAY[1], ARRAY[3]) ; MAP(ARRAY[1], ARRAY[NULL]) ]}
-- transform
transform({[ ARRAY[1, NULL, 3] ; ARRAY[] ; CAST(NULL AS array(integer)) ]}, x -> x + 1)
transform(ARRAY[1, 2], x -> ARRAY[x, x * 2])
transform(ARRAY['a', NULL], x -> coalesce(x, '-') || 'b')
-- filter
filter({[ ARRAY[1, NULL, 3] ; ARRAY[] ; CAST(NULL AS array(integer)) ]}, x -> {[ x > 1 ; x IS NULL ; NULL ; true ]})
-- match
{[ any_match ; all_match ; none_match ]}({[ ARRAY[1, 2] ; ARRAY[1, NULL] ; ARRAY[] ; ARRAY[NULL] ; CAST(NULL AS array(integer)) ]}, x -> x > {[ 1 ; 0 ; 5 ]})
-- reduce
reduce({[ ARRAY[1, 2, 3] ; ARRAY[] ; ARRAY[1, NULL] ; CAST(NULL AS array(integer)) ]}, 0, (s, x) -> s + x, s -> s)
reduce(ARRAY[5, 20, 50], CAST(ROW(0.0e0, 0) AS ROW(sum DOUBLE, count INTEGER)), (s, x) -> CAST(ROW(x + s.sum, s.count + 1) AS ROW(sum DOUBLE, count INTEGER)), s -> IF(s.count = 0, NULL, s.sum / s.count))
reduce(ARRAY['a', 'b'], '', (s, x) -> s || x, s -> s)
-- zip_with
zip_with({[ ARRAY[1, 2] ; ARRAY[] ; ARRAY[1, 2, 3] ]}, {[ ARRAY[3, 4] ; ARRAY[] ; ARRAY[NULL] ]}, (x, y) -> x + coalesce(y, 0))
-- array constructor
ARRAY[]
ARRAY[1, 2.5]
ARRAY[1, NULL]
ARRAY[NULL]
ARRAY['a', 'bc']
ARRAY[1, 'a']
