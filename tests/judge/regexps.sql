-- regexp_count
regexp_count({[ '1a 2b 14m' ; '' ; NULL ; 'é𝒳é' ]}, {[ '\s*[a-z]+\s*' ; '' ; 'é' ; '.' ; '(' ]})
-- regexp_extract
regexp_extract({[ '1a 2b 14m' ; '' ; NULL ]}, {[ '\d+' ; '(\d+)([a-z]+)' ; 'x' ; '' ]})
regexp_extract('1a 2b 14m', '(\d+)([a-z]+)', {[ 0 ; 1 ; 2 ; 3 ; -1 ]})
regexp_extract('ab', '(a)|(b)', {[ 1 ; 2 ]})
regexp_extract('foobar', '(?<=foo)b(?=ar)')
regexp_extract('aa bb', '(\w)\1')
regexp_extract('ABC', '(?i)b')
regexp_extract('2024-02-29', '(?<y>\d{4})-(\d\d)', 1)
-- regexp_extract_all
regexp_extract_all({[ '1a 2b 14m' ; '' ; NULL ]}, {[ '\d+' ; 'x' ; '' ; '[a-z]*' ]})
regexp_extract_all('1a 2b 14m', '(\d+)([a-z]+)', {[ 0 ; 1 ; 2 ; 3 ]})
regexp_extract_all('ab', '(a)|b', 1)
-- regexp_like
regexp_like({[ '1a 2b 14m' ; '' ; NULL ; 'é' ]}, {[ '\d+b' ; '^1' ; '^$' ; '\p{L}' ; '\w' ; '[[:alpha:]]' ; '\p{IsAlphabetic}' ; '\bé\b' ]})
regexp_like('a
b', {[ 'a.b' ; '(?s)a.b' ; '^b' ; '(?m)^b$' ; 'a$' ]})
regexp_like('abc', {[ 'a++b' ; '(?>a)b' ; '\Qa\E' ; '\x61' ; '\u0061' ; 'a{1,2}' ; '[a-c&&[^b]]' ; '\h' ; '\R' ; 'a{,2}' ; '*' ; '[' ]})
-- regexp_position
regexp_position({[ '9102, say good bye' ; '' ; NULL ]}, {[ 'g.*' ; '\s*[a-z]+\s*' ; 'x' ; '' ]})
regexp_position('I have 23 apples, 5 pears and 13 oranges', '\b\d+\b', {[ 1 ; 5 ; 12 ; 100 ; 0 ; -1 ]})
regexp_position('I have 23 apples, 5 pears and 13 oranges', '\b\d+\b', 12, {[ 1 ; 2 ; 3 ; 4 ; 0 ]})
regexp_position('é𝒳é', 'é', 2)
-- regexp_replace
regexp_replace({[ '1a 2b 14m' ; '' ; NULL ; 'é𝒳' ]}, {[ '\d+[ab] ' ; 'x' ; '' ; '𝒳' ]})
regexp_replace('1a 2b 14m', '(\d+)([ab]) ', {[ '3c$2 ' ; '$0$0' ; '' ; NULL ; '\$1' ; '$3' ; '$1x' ; '${1}' ; '\\' ; '$' ]})
regexp_replace('abc', '(?<first>a)', '${first}-')
regexp_replace('abc', '(?<first>a)', '${nope}-')
regexp_replace('new york', '(\w)(\w*)', x -> upper(x[1]) || lower(x[2]))
regexp_replace('ab', '(a)|(b)', x -> coalesce(x[1], 'none'))
regexp_replace('aaa', 'a*', 'x')
regexp_replace('abc', 'b*', '-')
-- regexp_split
regexp_split({[ '1a 2b 14m' ; '' ; NULL ; ' a ' ]}, {[ '\s*[a-z]+\s*' ; '' ; 'x' ; ' ' ]})
