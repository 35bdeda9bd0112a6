-- crc32
crc32({[ to_utf8('hello') ; X'' ; NULL ]})
-- from_base
from_base({[ 'ff' ; '-ff' ; '+1' ; '' ; 'zz' ; NULL ; '7fffffffffffffff' ; '8000000000000000' ; '-8000000000000000' ; ' 1' ]}, {[ 16 ; 36 ]})
from_base('1', {[ 1 ; 37 ; 2 ; 0 ]})
-- to_base
to_base({[ 255 ; -255 ; 0 ; 9223372036854775807 ; -9223372036854775808 ; NULL ]}, {[ 2 ; 16 ; 36 ]})
to_base(1, {[ 1 ; 37 ]})
-- from_base32
from_base32({[ 'NBSWY3DP' ; '' ; 'MZXW6===' ; 'MZXW6' ; 'nbswy3dp' ; '1' ; NULL ; 'A' ]})
to_base32({[ to_utf8('foo') ; X'' ; NULL ; X'ff' ]})
-- from_base64
from_base64({[ 'aGVsbG8=' ; 'aGVsbG8' ; '' ; '!' ; NULL ; 'aGVs bG8=' ; '-_8=' ; 'aG=' ; 'a' ]})
from_base64(to_utf8('aGVsbG8='))
to_base64({[ to_utf8('hello') ; X'' ; NULL ; X'fbff' ]})
-- from_base64url
from_base64url({[ '-_8=' ; '-_8' ; '' ; '+/8=' ; NULL ]})
to_base64url({[ X'fbff' ; X'' ; NULL ]})
-- from_big_endian_32
from_big_endian_32({[ X'00000102' ; X'ffffffff' ; X'01' ; X'' ; NULL ; X'0000000001' ]})
to_big_endian_32({[ 258 ; -1 ; 2147483647 ; NULL ; 2147483648 ]})
-- from_big_endian_64
from_big_endian_64({[ X'0000000000000102' ; X'ffffffffffffffff' ; X'01' ; NULL ]})
to_big_endian_64({[ 258 ; -1 ; NULL ]})
-- from_hex
from_hex({[ '6869' ; 'AbCd' ; '' ; '6' ; 'zz' ; NULL ]})
to_hex({[ X'00ff' ; X'' ; NULL ]})
to_hex(255)
-- from_ieee754_32
from_ieee754_32({[ X'3fc00000' ; X'7fc00000' ; X'7f800000' ; X'80000000' ; X'01' ; NULL ]})
to_ieee754_32(CAST({[ 1.5 ; -0.1e0 ; nan() ; infinity() ; NULL ]} AS real))
-- from_ieee754_64
from_ieee754_64({[ X'3ff8000000000000' ; X'7ff8000000000000' ; X'ff' ; NULL ]})
to_ieee754_64({[ 1.5e0 ; -0e0 ; nan() ; infinity() ; NULL ]})
-- hmac
hmac_md5(to_utf8('hashme'), {[ to_utf8('key') ; NULL ; X'00' ]})
hmac_sha1(to_utf8('hashme'), to_utf8('key'))
hmac_sha256(to_utf8('hashme'), {[ to_utf8('key') ; X'' ]})
hmac_sha512(to_utf8('hashme'), to_utf8('key'))
-- hashes
md5({[ X'' ; to_utf8('abc') ; NULL ]})
sha1({[ X'' ; to_utf8('abc') ]})
sha256({[ X'' ; to_utf8('abc') ]})
sha512({[ X'' ; to_utf8('abc') ]})
spooky_hash_v2_32({[ X'' ; to_utf8('abc') ; to_utf8('a text that is longer than one block of sixteen bytes, and more') ]})
spooky_hash_v2_64({[ X'' ; to_utf8('abc') ; to_utf8('a text that is longer than one block of sixteen bytes, and more') ]})
xxhash64({[ X'' ; to_utf8('abc') ; NULL ; to_utf8('a text that is longer than one block of thirty-two bytes, and more') ]})
murmur3({[ X'' ; to_utf8('abc') ; NULL ; to_utf8('a text that is longer than one block of sixteen bytes, and more') ]})
-- binary comparison
X'00' || X'01'
X'00' < X'01'
