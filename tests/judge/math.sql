-- abs
abs({[ -1 ; 0 ; NULL ; -1.5e0 ; DECIMAL '-1.50' ; nan() ; -infinity() ; TINYINT '-5' ; REAL '-1.5' ]})
abs(-9223372036854775808)
abs(TINYINT '-128')
-- cbrt
cbrt({[ 27e0 ; -8e0 ; 0 ; NULL ; nan() ; infinity() ]})
-- ceiling
ceiling({[ 1.2e0 ; -1.2e0 ; DECIMAL '1.20' ; DECIMAL '-1.2' ; 5 ; NULL ; nan() ; infinity() ; REAL '1.5' ; DECIMAL '99.9' ]})
ceil(1.5e0)
-- floor
floor({[ 1.2e0 ; -1.2e0 ; DECIMAL '1.20' ; DECIMAL '-1.2' ; 5 ; NULL ; nan() ; REAL '-1.5' ; DECIMAL '-99.9' ]})
-- round
round({[ 1.5e0 ; 2.5e0 ; -1.5e0 ; -0.4e0 ; DECIMAL '2.5' ; DECIMAL '-2.55' ; 5 ; NULL ; nan() ; infinity() ; REAL '2.5' ; DECIMAL '99.9' ; 0.49999999999999994e0 ; 4503599627370497.5e0 ]})
round({[ 1234.5678e0 ; -1234.5678e0 ; 1.005e0 ; 2.675e0 ; 1234 ; DECIMAL '1234.5678' ; nan() ; 1e300 ; DECIMAL '9999.9999' ; REAL '1.005' ]}, {[ 0 ; 2 ; -2 ; 400 ; -400 ; 20 ]})
-- truncate
truncate({[ 1.9e0 ; -1.9e0 ; DECIMAL '12.345' ; DECIMAL '-12.9' ; NULL ; nan() ; REAL '1.9' ]})
truncate({[ DECIMAL '12.345' ; DECIMAL '-12.345' ]}, {[ 0 ; 1 ; 2 ; 5 ; -1 ; -5 ]})
truncate(1234.567e0, {[ 2 ; -2 ]})
-- degrees
degrees({[ pi() ; 0 ; NULL ; infinity() ]})
radians({[ 180 ; -90e0 ; nan() ]})
-- e
e()
pi()
infinity()
nan()
-- exp
exp({[ 1 ; 0 ; -1e0 ; 1000 ; NULL ; nan() ]})
ln({[ 1 ; 0 ; -1 ; e() ; NULL ; infinity() ]})
log2({[ 8 ; 0 ; -1 ; NULL ]})
log10({[ 1000 ; 0 ; -1 ; NULL ]})
log({[ 2 ; 10 ; 0 ; 1 ; -1 ]}, {[ 8 ; 0 ; 1 ; NULL ]})
-- mod
mod({[ 7 ; -7 ; NULL ; 0 ]}, {[ 3 ; -3 ]})
mod(7, 0)
mod({[ 7.5e0 ; -7.5e0 ; nan() ]}, {[ 2 ; 0 ; infinity() ]})
mod(DECIMAL '7.55', DECIMAL '2.5')
mod(DECIMAL '7.55', DECIMAL '0')
7 % -3
-7 / 2
7 / 0
7e0 / 0
-- power
power({[ 2 ; -2 ; 0 ; NULL ; 2.5e0 ]}, {[ 3 ; -1 ; 0 ; 0.5e0 ; 2000 ]})
pow(2, 10)
-- sqrt
sqrt({[ 4 ; 0 ; -1 ; NULL ; 2e0 ; infinity() ]})
-- sign
sign({[ 5 ; -5 ; 0 ; NULL ; -1.5e0 ; nan() ; DECIMAL '-1.5' ; infinity() ; REAL '2' ; -0e0 ]})
-- trigonometry
{[ acos ; asin ; atan ; cos ; sin ; tan ; sinh ; cosh ; tanh ]}({[ 0 ; 1 ; -0.5e0 ; 2 ; NULL ; nan() ]})
atan2({[ 1 ; 0 ; -1 ]}, {[ 0 ; -1e0 ]})
-- is_nan
is_nan({[ nan() ; 1 ; NULL ; infinity() ; REAL '1' ]})
is_finite({[ nan() ; 1 ; NULL ; infinity() ; -infinity() ]})
is_infinite({[ nan() ; 1 ; NULL ; infinity() ; -infinity() ]})
-- width_bucket
width_bucket({[ 3.14e0 ; -1 ; 0 ; 4 ; 5 ; NULL ]}, {[ 0 ; 4e0 ]}, 4, 3)
width_bucket(1, 0, 4, {[ 0 ; -1 ; 9223372036854775807 ]})
width_bucket({[ nan() ; infinity() ]}, 0, 4, 3)
width_bucket(1, 2, 2, 3)
width_bucket({[ 3.14e0 ; -1 ; 100 ; nan() ; 1 ]}, ARRAY[0e0, 1e0, 2e0])
width_bucket(1, ARRAY[])
width_bucket(1, ARRAY[2e0, 1e0])
-- bitwise
bitwise_and({[ 19 ; -1 ; NULL ; 0 ]}, {[ 25 ; -256 ]})
bitwise_or({[ 19 ; -1 ; NULL ; 0 ]}, {[ 25 ; -256 ]})
bitwise_xor({[ 19 ; -1 ; NULL ; 0 ]}, {[ 25 ; -256 ]})
bitwise_not({[ 19 ; -1 ; NULL ; 0 ; TINYINT '5' ]})
bitwise_and(TINYINT '7', TINYINT '3')
bitwise_left_shift({[ 1 ; -1 ; TINYINT '7' ; SMALLINT '1' ; INTEGER '1' ; BIGINT '1' ]}, {[ 2 ; 7 ; 8 ; 31 ; 32 ; 63 ; 64 ; 0 ]})
bitwise_left_shift(BIGINT '1', {[ -1 ; NULL ]})
bitwise_right_shift({[ 8 ; BIGINT '-8' ; TINYINT '-8' ; SMALLINT '-8' ; INTEGER '-8' ]}, {[ 2 ; 8 ; 31 ; 32 ; 63 ; 64 ; 0 ]})
bitwise_right_shift_arithmetic({[ 8 ; BIGINT '-8' ; TINYINT '-8' ; INTEGER '-8' ]}, {[ 2 ; 8 ; 32 ; 64 ; 0 ]})
bit_count({[ 9 ; -7 ; 0 ; NULL ]}, {[ 64 ; 8 ; 32 ]})
bit_count({[ 128 ; -128 ; -129 ; 127 ]}, 8)
bit_count(1, {[ 1 ; 2 ; 0 ; 65 ]})
-- probability
beta_cdf({[ 2 ; 0.5e0 ; 0 ]}, {[ 3e0 ; -1 ]}, {[ 0.5e0 ; 0 ; 1 ; 2 ]})
inverse_beta_cdf({[ 2 ; 0.5e0 ]}, 3e0, {[ 0.5e0 ; 0 ; 1 ; 2 ]})
normal_cdf({[ 0 ; 5 ]}, {[ 1e0 ; 0 ; -1 ]}, {[ 1.96e0 ; -1 ; infinity() ; nan() ]})
inverse_normal_cdf(0, 1, {[ 0.975e0 ; 0.5e0 ; 0 ; 1 ; 1e-10 ]})
t_cdf({[ 1.5e0 ; 0 ; -100 ; NULL ]}, {[ 5e0 ; 1 ; 0 ]})
t_pdf({[ 1.5e0 ; 0 ; -100 ]}, {[ 5e0 ; 1 ; 0 ]})
wilson_interval_lower({[ 1250 ; 0 ; -1 ]}, {[ 1310 ; 0 ]}, 1.96e0)
wilson_interval_upper({[ 1250 ; 0 ; 1311 ]}, 1310, {[ 1.96e0 ; 0 ; -1 ]})
-- cosine
cosine_similarity(map(ARRAY['a', 'b'], ARRAY[1e0, 2e0]), map(ARRAY['a', 'c'], ARRAY[2e0, 3e0]))
cosine_similarity(ARRAY[1e0, 2e0], ARRAY[3e0, 4e0])
cosine_similarity(ARRAY[0e0, 0e0], ARRAY[3e0, 4e0])
cosine_similarity(ARRAY[1e0], ARRAY[3e0, 4e0])
cosine_distance(ARRAY[1e0, 2e0], ARRAY[3e0, 4e0])
cosine_distance(map(ARRAY['a'], ARRAY[1e0]), map(ARRAY['a'], ARRAY[2e0]))
dot_product(ARRAY[1e0, 2e0], ARRAY[3e0, 4e0])
dot_product(ARRAY[1e0], ARRAY[3e0, 4e0])
euclidean_distance(ARRAY[1e0, 2e0], ARRAY[4e0, 6e0])
euclidean_distance(ARRAY[1, 2], ARRAY[4, 6])
-- greatest
greatest({[ 1 ; NULL ; 5 ]}, {[ 3 ; -1 ]}, 2)
greatest({[ 1e0 ; nan() ]}, {[ 3e0 ; infinity() ]})
greatest(nan(), 1e0)
greatest('a', 'B', 'é')
greatest(DATE '2024-01-01', DATE '2024-01-02')
greatest(1, 2.5, 1e0)
least({[ 1 ; NULL ; 5 ]}, {[ 3 ; -1 ]}, 2)
least({[ 1e0 ; nan() ]}, {[ 3e0 ; -infinity() ]})
least(nan(), 1e0)
least(ARRAY[1], ARRAY[2])
-- random
random(1, 2)
random(0)
random(2, 1)
random() < 1
-- overflow
9223372036854775807 + 1
-9223372036854775808 - 1
9223372036854775807 * 2
-(-9223372036854775808)
2147483647 + 1
INTEGER '2147483647' + INTEGER '1'
TINYINT '100' * TINYINT '2'
1e308 * 10
nan() = nan()
nan() > 1
nan() IS DISTINCT FROM nan()
-- array rounding in bases
to_base(from_base('zz', 36), 10)
