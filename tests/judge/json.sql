-- json_parse
json_parse({[ '{"b": 1, "a": [1, 2.50, null]}' ; '[]' ; '' ; NULL ; '{"a": 1, "a": 2}' ; '"x"' ; '1e400' ; '12345678901234567890' ; '1.10' ; '{a: 1}' ; '[1,]' ; ' [1] ' ; '"\u00e9\ud835\udcb3"' ; '1 2' ; 'null' ]})
json_format(json_parse({[ '{"b": 1, "a": [1, 2.50, null]}' ; '"é\n"' ; '1e5' ; '1.0' ; '-0' ; '0.1e-10' ; '123456789012345678901234567890' ; '"<\/>"' ; '"\u0001"' ]}))
JSON '{"a": 1}'
-- json_extract
json_extract({[ '{"a": {"b": [1, "x", null]}}' ; '[1, 2]' ; '' ; NULL ; 'x' ; '{"a": 1, "a": 2}' ]}, {[ '$.a' ; '$.a.b[1]' ; '$["a"]' ; '$[0]' ; '$.a.b[2]' ; '$.a.b[9]' ; '$' ; '$..b' ; '$.a.*' ; 'a' ; '$[-1]' ; '$.a.b[*]' ]})
json_extract('{"a b": 1, "é": 2, "0": 3}', {[ '$["a b"]' ; '$.é' ; '$.0' ; '$["0"]' ; '$.a b' ]})
-- json_extract_scalar
json_extract_scalar({[ '{"a": {"b": [1, "x", null, true, 1.50]}}' ; '[1, 2]' ; NULL ; 'x' ]}, {[ '$.a' ; '$.a.b[0]' ; '$.a.b[1]' ; '$.a.b[2]' ; '$.a.b[3]' ; '$.a.b[4]' ; '$[1]' ; '$' ]})
json_extract_scalar(JSON '{"a": 1e2}', '$.a')
-- json_size
json_size({[ '{"a": [1, 2], "b": {}}' ; '[1, 2, 3]' ; '1' ; NULL ]}, {[ '$' ; '$.a' ; '$.b' ; '$.c' ]})
-- json_array_length
json_array_length({[ '[1, 2, 3]' ; '[]' ; '{}' ; '1' ; 'x' ; NULL ; '[1' ]})
-- json_array_contains
json_array_contains({[ '[1, "a", true, null, 2.5]' ; '[]' ; '{}' ; NULL ; 'x' ]}, {[ 1 ; 'a' ; true ; 2.5e0 ; 9 ; '1' ]})
-- json_array_get
json_array_get({[ '["a", [3, 9], null, 1]' ; '[]' ; '{}' ; 'x' ; NULL ]}, {[ 0 ; 1 ; -1 ; 9 ; 2 ]})
-- is_json_scalar
is_json_scalar({[ '1' ; '"x"' ; '[1]' ; '{}' ; 'null' ; 'x' ; NULL ; JSON 'true' ]})
-- cast to json
CAST({[ 1 ; 1.5e0 ; 'a"b' ; true ; DATE '2024-02-29' ; TIMESTAMP '2024-02-29 01:02:03' ; ARRAY[1, NULL] ; MAP(ARRAY['b', 'a'], ARRAY[1, NULL]) ; DECIMAL '1.50' ; MAP(ARRAY[1], ARRAY[ARRAY[2]]) ]} AS JSON)
CAST(CAST(ROW(1, 'a') AS ROW(x INTEGER, y VARCHAR)) AS JSON)
-- cast from json
CAST(JSON '{[ 1 ; "1" ; 1.5 ; true ; null ; [1] ; "x" ; 1e3 ]}' AS {[ BIGINT ; DOUBLE ; VARCHAR ; BOOLEAN ; DECIMAL(10, 2) ; INTEGER ]})
CAST(JSON '{[ [1, null, "3"] ; [] ; {"a": 1} ; null ; [[1]] ]}' AS ARRAY(INTEGER))
CAST(JSON '{[ {"a": 1, "b": null} ; {} ; [1] ; null ]}' AS MAP(VARCHAR, INTEGER))
CAST(JSON '{[ {"x": 1, "y": "b"} ; [1, "b"] ; {"y": "b"} ; {"X": 1, "z": 1} ; [1] ; null ]}' AS ROW(x INTEGER, y VARCHAR))
CAST(JSON '{"k": [1, "a", {"b": 2}]}' AS MAP(VARCHAR, ARRAY(JSON)))
-- json comparison
JSON '{"a": 1, "b": 2}' = JSON '{"b": 2, "a": 1}'
JSON '1' = JSON '1.0'
