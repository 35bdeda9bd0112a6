-- char2hexint
char2hexint({[ 'aé' ; '' ; NULL ; '𝒳' ]})
-- chr
chr({[ 65 ; 0 ; 233 ; 119987 ; -1 ; 1114112 ; 55296 ; NULL ]})
-- codepoint
codepoint({[ 'a' ; 'é' ; '𝒳' ; NULL ; '' ; 'ab' ]})
-- concat
concat({[ 'a' ; '' ; NULL ; 'é𝒳' ]}, {[ 'b' ; NULL ; '' ]})
concat('a', 'b', 'c', 'd')
concat(X'00', X'ff')
concat({[ ARRAY[1] ; NULL ; ARRAY[] ]}, {[ ARRAY[2, NULL] ; ARRAY[3] ]})
concat(ARRAY[1], 2)
-- concat_ws
concat_ws({[ ',' ; '' ; NULL ]}, {[ 'a' ; NULL ; '' ]}, {[ 'b' ; NULL ]})
concat_ws(',', ARRAY['a', NULL, 'b', ''])
concat_ws(',', CAST(NULL AS array(varchar)))
concat_ws(',', ARRAY[])
-- ends_with
ends_with({[ 'hello' ; '' ; NULL ]}, {[ 'lo' ; '' ; NULL ; 'x' ]})
-- starts_with
starts_with({[ 'hello' ; '' ; NULL ]}, {[ 'he' ; '' ; NULL ; 'x' ]})
-- format
format('%s %d %.2f %x %e', 'a', 5, 1.005e0, 255, 12345.678e0)
format('%,d', {[ 1234567 ; -1234567 ; 0 ]})
format('%05d|%-5s|%+d', 42, 'x', 7)
format('%s', {[ NULL ; true ; 1.5e0 ; DATE '2024-02-29' ; TIMESTAMP '2024-02-29 01:02:03' ; DECIMAL '1.50' ; ARRAY[1, 2] ; 1e10 ]})
format('%tF %<tT', TIMESTAMP '2024-02-29 01:02:03')
format('%1$tA, %1$tB %1$te, %1$tY', DATE '2006-07-04')
format('%.3f', DECIMAL '2.0005')
format('%08.2f', 3.14159e0)
format('%s%%', 123)
format('%b %c %o %X', true, 'c', 8, 255)
format('%s')
format('%d', 'x')
format('%2$s %1$s', 'a', 'b')
format('%10.3s|', 'abcdef')
format('%g', {[ 1e-5 ; 123456.789e0 ; 1e10 ]})
-- format_number
format_number({[ 0 ; 1 ; 999 ; 1000 ; 123456 ; 1000000 ; -1500 ; 1234567890123 ; NULL ]})
format_number({[ 1.5e0 ; 999.999e0 ; 123456.789e0 ; -0.5e0 ; nan() ; infinity() ; 1e18 ]})
-- hamming_distance
hamming_distance({[ 'abc' ; 'é𝒳z' ; NULL ]}, {[ 'abd' ; 'a' ; '' ]})
hamming_distance('', '')
-- length
length({[ 'abc' ; '' ; NULL ; 'é𝒳' ; 'a ' ]})
length(X'00ff')
length(CAST('a' AS char(5)))
-- levenshtein_distance
levenshtein_distance({[ 'kitten' ; '' ; NULL ; 'é𝒳' ]}, {[ 'sitting' ; '' ; 'e' ]})
-- lower
lower({[ 'ABC' ; 'ÄÖÜ' ; 'İ' ; 'ΑΣ' ; '' ; NULL ; 'ẞ' ; 'ǅ' ]})
-- upper
upper({[ 'abc' ; 'äöüß' ; 'ŉ' ; 'ﬁ' ; 'ı' ; NULL ; 'ǆ' ; 'ΐ' ]})
-- lpad
lpad({[ 'abc' ; '' ; NULL ; 'é' ]}, {[ 5 ; 2 ; 0 ; -1 ]}, {[ 'xy' ; '' ; '𝒳' ]})
lpad('abc', 5)
lpad(X'0102', 5, X'aabb')
lpad('a', 2147483648, 'x')
-- rpad
rpad({[ 'abc' ; '' ; NULL ; 'é' ]}, {[ 5 ; 2 ; 0 ; -1 ]}, {[ 'xy' ; '' ; '𝒳' ]})
rpad(X'0102', 1, X'aabb')
-- ltrim
ltrim({[ '  a ' ; '' ; NULL ; ' 	a' ; '　a' ; ' a' ]})
ltrim('xyxabc', {[ 'xy' ; '' ; 'y' ; NULL ]})
-- rtrim
rtrim({[ ' a  ' ; '' ; NULL ; 'a
 ' ; 'a　' ; 'a ' ]})
rtrim('abcxyx', {[ 'xy' ; '' ; 'y' ]})
-- trim
trim({[ '  a ' ; '' ; NULL ; '	a　' ]})
trim(BOTH 'x' FROM 'xxaxx')
trim(LEADING FROM '  a ')
trim(TRAILING 'ab' FROM 'xabab')
trim('xxaxx', 'x')
trim('x' FROM 'xax')
-- luhn_check
luhn_check({[ '79927398713' ; '79927398714' ; '' ; '0' ; NULL ; 'a' ; '1 2' ]})
-- normalize
normalize({[ 'é' ; 'ﬁ' ; 'Å' ; '' ; NULL ]})
normalize('é', {[ NFD ; NFC ; NFKD ; NFKC ]})
normalize('ﬁ①', {[ NFD ; NFC ; NFKD ; NFKC ]})
-- position
position({[ 'l' ; '' ; 'x' ; '𝒳' ; NULL ]} IN 'hel𝒳lo')
-- replace
replace({[ 'banana' ; '' ; NULL ; 'é𝒳' ]}, {[ 'an' ; '' ; 'é' ]}, {[ 'X' ; '' ; NULL ]})
replace('banana', 'a')
-- reverse
reverse({[ 'abc' ; 'é𝒳' ; '' ; CAST(NULL AS varchar) ]})
reverse(ARRAY[1, NULL, 2])
reverse(X'0102')
-- soundex
soundex({[ 'Robert' ; 'Rupert' ; 'Tymczak' ; 'Pfister' ; 'Honeyman' ; '' ; NULL ; 'a' ; 'é' ; 'ab1' ; 'jim smith' ]})
-- split
split({[ 'a,b,,c' ; '' ; ',' ; NULL ]}, ',')
split('a,b,c', ',', {[ 1 ; 2 ; 3 ; 9 ; 0 ; -1 ]})
split('abc', '')
split('a𝒳b𝒳', '𝒳')
-- split_part
split_part({[ 'a,b,,c' ; '' ; NULL ]}, ',', {[ 1 ; 2 ; 3 ; 4 ; 5 ; 0 ; -1 ]})
split_part('abc', '', {[ 1 ; 2 ; 4 ]})
-- split_to_map
split_to_map({[ 'a=1,b=2' ; '' ; NULL ; 'a=1,a=2' ; 'a' ; 'a=b=c' ; 'a=1,' ; '=1' ]}, ',', '=')
split_to_map('a=1,b=2', ',', ',')
split_to_map('a=1,b=2,a=3', ',', '=', (k, v1, v2) -> v1 || v2)
split_to_map('a1', '', '=')
-- split_to_multimap
split_to_multimap({[ 'a=1,b=2,a=3' ; '' ; NULL ; 'a' ]}, ',', '=')
-- strpos
strpos({[ 'high' ; '' ; NULL ; 'é𝒳é' ]}, {[ 'h' ; '' ; '𝒳' ; NULL ]})
strpos('banana', 'an', {[ 1 ; 2 ; 3 ; -1 ; -2 ; -3 ; 0 ]})
strpos('banana', '', {[ 1 ; -1 ]})
-- substr
substr({[ 'hello' ; '' ; NULL ; 'é𝒳z' ]}, {[ 1 ; 2 ; 0 ; -2 ; 10 ; -10 ]})
substr('hello', {[ 1 ; 2 ; 0 ; -2 ; -7 ; 6 ]}, {[ 2 ; 0 ; -1 ; 10 ; NULL ]})
substr(X'01020304', {[ 2 ; -2 ; 0 ; 9 ]}, 2)
substr('hello', 2, 9223372036854775807)
substring('hello' FROM 2 FOR 3)
substring('hello', -3, 2)
-- translate
translate({[ 'abcd' ; '' ; NULL ]}, {[ 'ab' ; '' ; 'aa' ; 'é' ]}, {[ 'xy' ; 'x' ; '' ; '𝒳z' ]})
-- word_stem
word_stem({[ 'great' ; 'running' ; 'generically' ; '' ; NULL ; 'Ponies' ; 'dying' ]})
word_stem({[ 'laufen' ; 'continué' ; 'avaliação' ]}, {[ 'de' ; 'fr' ; 'pt' ; 'en' ]})
word_stem('x', 'xx')
-- from_utf8
from_utf8({[ X'c3a9' ; X'c3' ; X'ff61' ; X'' ; NULL ; X'e282' ; X'f0908080' ; X'eda080' ]})
from_utf8(X'c3a9ff', {[ '?' ; '' ; 'é' ; 'ab' ; NULL ]})
-- to_utf8
to_utf8({[ 'é' ; '' ; NULL ; '𝒳' ]})
-- to_varchar
to_hex(to_utf8('a' || chr(0)))
-- like
'a%b' LIKE {[ 'a%' ; 'a\%b' ; '' ; NULL ; '_%_' ]}
'é' LIKE '_'
'𝒳' LIKE '_'
'a' LIKE 'a' ESCAPE 'ab'
'a%' LIKE 'ax%' ESCAPE 'x'
'a' LIKE 'ax' ESCAPE 'x'
