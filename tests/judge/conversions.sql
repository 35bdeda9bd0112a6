-- typeof
typeof({[ 1 ; 1.5 ; 1.5e0 ; 'a' ; true ; NULL ; X'00' ; DATE '2024-01-01' ; TIMESTAMP '2024-01-01 00:00:00' ; TIMESTAMP '2024-01-01 00:00:00.123456' ; TIMESTAMP '2024-01-01 00:00:00 UTC' ; TIME '01:02:03' ; INTERVAL '1' DAY ; INTERVAL '1' MONTH ; ARRAY[1] ; MAP(ARRAY['a'], ARRAY[1]) ; ROW(1, 'a') ; JSON '1' ; IPADDRESS '::1' ; UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59' ; DECIMAL '1.50' ; 12345678901 ; CAST('a' AS varchar(5)) ; CAST('a' AS char(5)) ; cos(1) ]})
-- if
if({[ true ; false ; NULL ]}, 1, 2)
if(true, 1)
nullif({[ 1 ; NULL ; 2 ]}, {[ 1 ; NULL ]})
coalesce(NULL, {[ 1 ; NULL ]}, 3)
try({[ 1 / 0 ; CAST('x' AS integer) ; 5 ; element_at(ARRAY[1], 0) ; ARRAY[1][2] ]})
CASE {[ 1 ; 2 ; NULL ]} WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE 'other' END
CASE WHEN NULL THEN 1 END
-- cast of text
CAST({[ '1' ; ' 1 ' ; '1.5' ; '' ; 'x' ; '-0' ; '+5' ; '9223372036854775808' ; '1e3' ; NULL ]} AS {[ BIGINT ; INTEGER ; DOUBLE ; DECIMAL(10, 2) ; REAL ; TINYINT ]})
CAST({[ 'true' ; 'T' ; '1' ; 'yes' ; 'f' ; '0' ; 'off' ; '' ; 'FALSE' ]} AS BOOLEAN)
CAST({[ '2024-02-29' ; '2024-2-9' ; '2024-02-30' ; '2024-02-29 01:02:03' ; ' 2024-02-29' ; '' ; '20240229' ]} AS {[ DATE ; TIMESTAMP ]})
CAST({[ '01:02:03' ; '1:2' ; '25:00:00' ; '01:02:03.123456789' ]} AS TIME)
CAST({[ 'NaN' ; 'Infinity' ; '-Infinity' ; 'inf' ; 'nan' ; '1d' ; '0x10' ; '1_000' ]} AS DOUBLE)
TRY_CAST({[ '1' ; 'x' ; '' ; '300' ]} AS {[ TINYINT ; DATE ]})
-- cast of numbers
CAST({[ 1.5e0 ; -1.5e0 ; 2.5e0 ; 1e20 ; nan() ; infinity() ; 127.5e0 ; -128.5e0 ]} AS {[ BIGINT ; INTEGER ; TINYINT ; DECIMAL(5, 1) ; BOOLEAN ; REAL ]})
CAST({[ DECIMAL '1.5' ; DECIMAL '-2.5' ; DECIMAL '12345678901234567890.5' ]} AS {[ BIGINT ; INTEGER ; DOUBLE ; DECIMAL(5, 0) ]})
CAST({[ 1 ; 0 ; -1 ; 200 ; 3000000000 ]} AS {[ BOOLEAN ; TINYINT ; SMALLINT ; INTEGER ; DOUBLE ; DECIMAL(3, 1) ]})
CAST({[ true ; false ; NULL ]} AS {[ INTEGER ; DOUBLE ; VARCHAR ; DECIMAL(2, 1) ]})
-- cast to varchar
CAST({[ 1.5e0 ; 1e10 ; 1e-5 ; 100e0 ; -0e0 ; nan() ; infinity() ; 1e7 ; 1e6 ; 123456789.123e0 ; REAL '1.1' ; DECIMAL '1.50' ; true ; -5 ; DATE '2024-02-29' ; TIMESTAMP '2024-02-29 01:02:03' ; TIMESTAMP '2024-02-29 01:02:03.100' ; TIME '01:02:03' ; INTERVAL '1' DAY ; INTERVAL '14' MONTH ; TIMESTAMP '2024-02-29 01:02:03 UTC' ]} AS VARCHAR)
CAST('hello' AS VARCHAR(3))
CAST('hello' AS CHAR(3))
CAST(12345 AS VARCHAR(3))
CAST('a' AS CHAR(3)) || 'b'
-- cast of times
CAST(TIMESTAMP '2024-02-29 23:59:59.9996' AS {[ DATE ; TIME ; TIMESTAMP(0) ; TIMESTAMP(3) ; TIMESTAMP(6) ; TIMESTAMP WITH TIME ZONE ]})
CAST(DATE '2024-02-29' AS {[ TIMESTAMP ; TIMESTAMP WITH TIME ZONE ; TIMESTAMP(6) ]})
-- format
parse_data_size({[ '1B' ; '1kB' ; '1MB' ; '2.3MB' ; '1GB' ; 'x' ]})
parse_presto_data_size('2.3MB')
-- decimals
DECIMAL '1.5' {[ + ; - ; * ; / ; % ]} {[ DECIMAL '0.25' ; DECIMAL '10' ; 3 ]}
DECIMAL '1.5' / 0
DECIMAL '99999999999999999999999999999999999999' + 1
1 / 3
1.0 / 3
2.0 * 3
1.5 + 1
-- comparison
1 {[ = ; < ; <> ]} {[ 1.0 ; 1e0 ; NULL ; DECIMAL '1.00' ]}
'a' {[ = ; < ]} {[ 'A' ; 'a ' ; 'b' ; NULL ]}
1 BETWEEN {[ 0 ; 2 ; NULL ]} AND {[ 3 ; NULL ]}
1 IN ({[ 1 ; 2 ; NULL ]}, 3)
1 NOT IN (2, NULL)
true AND NULL
NULL IS NOT DISTINCT FROM {[ NULL ; 1 ]}
'1' = 1
DATE '2024-01-01' = '2024-01-01'
1 = ANY (VALUES 1, 2)
3 > ALL (VALUES 1, NULL)
EXISTS (SELECT 1 WHERE false)
