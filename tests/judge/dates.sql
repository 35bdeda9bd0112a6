-- at_timezone
at_timezone(TIMESTAMP '2024-02-29 12:00:00.123 UTC', {[ 'Asia/Tokyo' ; '+05:30' ; 'America/New_York' ; 'Nowhere' ]})
with_timezone(TIMESTAMP '2024-03-10 02:30:00', {[ 'America/New_York' ; 'Europe/Berlin' ; '+14:00' ; 'UTC' ]})
with_timezone(TIMESTAMP '2024-11-03 01:30:00', 'America/New_York')
current_timezone()
-- date
date({[ TIMESTAMP '2024-02-29 15:04:05' ; '2024-02-29' ; NULL ; '2024-2-9' ; '2024-02-30' ; '' ; ' 2024-02-29 ' ; '-0001-01-01' ; '12345-01-01' ; '2024-02-29 01:02' ]})
date(TIMESTAMP '2024-02-29 23:30:00 America/New_York')
-- date_add
date_add({[ 'day' ; 'week' ; 'month' ; 'quarter' ; 'year' ]}, {[ 1 ; -1 ; 0 ; 13 ; NULL ]}, {[ DATE '2024-01-31' ; DATE '2023-02-28' ; DATE '1969-12-31' ; TIMESTAMP '2024-02-29 23:59:59.999' ]})
date_add({[ 'millisecond' ; 'second' ; 'minute' ; 'hour' ; 'day' ; 'microsecond' ; 'Day' ; 'days' ]}, {[ 1 ; -90061 ]}, {[ TIMESTAMP '2024-02-29 23:59:59.999999' ; TIMESTAMP '1969-12-31 00:00:00' ; TIMESTAMP '2024-03-10 01:30:00 America/New_York' ]})
date_add({[ 'hour' ; 'minute' ; 'millisecond' ; 'day' ]}, {[ 25 ; -1 ]}, TIME '01:02:03.004')
date_add('hour', 1, DATE '2024-01-31')
date_add('day', 2147483648, DATE '2024-01-31')
date_add('year', 1000000, DATE '2024-01-31')
-- date_diff
date_diff({[ 'day' ; 'week' ; 'month' ; 'quarter' ; 'year' ]}, {[ DATE '2024-01-31' ; DATE '2024-02-29' ; DATE '1969-12-31' ]}, {[ DATE '2024-03-30' ; DATE '2023-01-30' ; DATE '2024-02-29' ; NULL ]})
date_diff({[ 'millisecond' ; 'second' ; 'minute' ; 'hour' ; 'day' ; 'month' ; 'year' ]}, {[ TIMESTAMP '2024-02-29 12:30:00.500' ; TIMESTAMP '2023-02-28 23:59:59' ]}, {[ TIMESTAMP '2024-03-29 12:29:59' ; TIMESTAMP '2024-02-29 12:30:00.400' ]})
date_diff({[ 'hour' ; 'day' ; 'second' ]}, TIMESTAMP '2024-03-09 12:00:00 America/New_York', TIMESTAMP '2024-03-10 12:00:00 America/New_York')
date_diff('hour', TIME '01:02:03', TIME '03:02:02')
date_diff('day', DATE '2024-01-01', TIMESTAMP '2024-01-02 12:00:00')
date_diff('eon', DATE '2024-01-01', DATE '2024-01-02')
-- date_format
date_format({[ TIMESTAMP '2024-02-29 15:04:05.678901' ; TIMESTAMP '0999-01-01 00:00:00' ; DATE '2023-12-31' ; NULL ]}, {[ '%a %b %c %d %e %f' ; '%H %h %I %i %j %k' ; '%l %M %m %p %r %S' ; '%s %T %v %W %Y %y' ; '%x' ; '%%' ; '%q' ; 'plain é' ; '%' ; '' ]})
date_format(TIMESTAMP '2024-02-29 15:04:05', {[ '%D' ; '%U' ; '%u' ; '%V' ; '%w' ; '%X' ]})
date_format({[ TIMESTAMP '2021-01-03 00:00:00' ; TIMESTAMP '2020-12-31 12:00:00' ]}, '%v %x %h %l %I %p')
-- date_parse
date_parse({[ '2024-02-29 15:04:05' ; '2024-02-30 00:00:00' ; '2024-2-9 1:2:3' ; '' ; NULL ; 'x' ; '2024-02-29 15:04:05 ' ; '12024-02-29 15:04:05' ]}, '%Y-%m-%d %H:%i:%s')
date_parse('29/Feb/2024:15', '%d/%b/%Y:%H')
date_parse('Thu Feb 29 2024', '%a %b %d %Y')
date_parse({[ '12:00 AM' ; '12:30 PM' ; '01:05 pm' ]}, '%h:%i %p')
date_parse({[ '99' ; '69' ; '70' ; '00' ]}, '%y')
date_parse('2024 60', '%Y %j')
date_parse('2024-02-29 15:04:05.678', '%Y-%m-%d %H:%i:%s.%f')
date_parse('2024-02-29 15:04:05.678901', '%Y-%m-%d %H:%i:%S.%f')
date_parse('15:04:05', {[ '%T' ; '%H:%i:%s' ; '%k:%i:%s' ]})
date_parse('03:04:05 PM', '%r')
date_parse('2024 09', '%x %v')
date_parse('100%', '100%%')
date_parse('February 2024', '%M %Y')
date_parse('2', '%c')
-- date_trunc
date_trunc({[ 'millisecond' ; 'second' ; 'minute' ; 'hour' ; 'day' ; 'week' ; 'month' ; 'quarter' ; 'year' ; 'DAY' ; 'decade' ]}, {[ TIMESTAMP '2024-05-29 15:04:05.678901' ; TIMESTAMP '1969-11-30 23:59:59.999' ; TIMESTAMP '2024-03-10 12:30:00 America/New_York' ; NULL ]})
date_trunc({[ 'day' ; 'week' ; 'month' ; 'quarter' ; 'year' ; 'hour' ]}, {[ DATE '2024-05-29' ; DATE '1969-11-30' ; DATE '0001-01-01' ]})
date_trunc({[ 'minute' ; 'hour' ; 'day' ]}, TIME '15:04:05.678')
-- extract
extract({[ YEAR ; QUARTER ; MONTH ; WEEK ; DAY ; DAY_OF_MONTH ; DAY_OF_WEEK ; DOW ; DAY_OF_YEAR ; DOY ; YEAR_OF_WEEK ; YOW ]} FROM {[ DATE '2021-01-03' ; DATE '1969-12-31' ; TIMESTAMP '2024-12-30 23:59:59.999' ; NULL ]})
extract({[ HOUR ; MINUTE ; SECOND ]} FROM {[ TIMESTAMP '2024-12-30 23:58:59.999' ; TIME '01:02:03' ; TIMESTAMP '1969-12-31 23:58:59.500' ]})
extract({[ TIMEZONE_HOUR ; TIMEZONE_MINUTE ]} FROM TIMESTAMP '2024-02-29 00:00:00 -03:30')
{[ year ; quarter ; month ; week ; week_of_year ; day ; day_of_month ; day_of_week ; dow ; day_of_year ; doy ; year_of_week ; yow ]}({[ DATE '2021-01-03' ; TIMESTAMP '2024-02-29 12:00:00 Asia/Tokyo' ; DATE '0001-01-01' ; DATE '9999-12-31' ]})
{[ hour ; minute ; second ; millisecond ]}({[ TIMESTAMP '2024-12-30 23:58:59.999' ; TIME '01:02:03.456' ; TIMESTAMP '2024-02-29 12:00:00 +05:30' ]})
{[ day ; hour ; minute ; second ; millisecond ]}({[ INTERVAL '3' DAY ; INTERVAL '-90061.5' SECOND ; INTERVAL '1 02:03:04.567' DAY TO SECOND ]})
{[ year ; month ]}({[ INTERVAL '3' MONTH ; INTERVAL '-14' MONTH ; INTERVAL '2-5' YEAR TO MONTH ]})
last_day_of_month({[ DATE '2024-02-01' ; DATE '2023-12-31' ; TIMESTAMP '2024-04-30 12:00:00' ; NULL ; DATE '1900-02-10' ]})
timezone_hour({[ TIMESTAMP '2024-02-29 00:00:00 -03:30' ; TIMESTAMP '2024-07-01 00:00:00 Europe/Berlin' ]})
timezone_minute({[ TIMESTAMP '2024-02-29 00:00:00 -03:30' ; TIMESTAMP '2024-07-01 00:00:00 Asia/Kathmandu' ]})
-- format_datetime
format_datetime({[ TIMESTAMP '2024-02-29 15:04:05.678901' ; TIMESTAMP '0999-01-01 00:00:00' ; DATE '2023-12-31' ; NULL ]}, {[ 'yyyy-MM-dd HH:mm:ss' ; 'G C Y x w e E EEEE y D M MMM MMMM d a' ; 'K h H k m s S SSS SSSSSS' ; 'yy YY xx' ; 'Z ZZ' ; '''text'' yyyy''''' ; 'hh:mm a' ]})
format_datetime(TIMESTAMP '2024-02-29 15:04:05.678 America/New_York', {[ 'z' ; 'zzzz' ; 'Z' ; 'ZZ' ; 'ZZZ' ]})
format_datetime(TIMESTAMP '2024-02-29 15:04:05', {[ 'b' ; '''open' ; '' ; 'yyyyy' ; 'ddd' ; 'MMMMM' ]})
-- parse_datetime
parse_datetime({[ '2024-02-29 15:04:05' ; '2024-02-30 00:00:00' ; '' ; NULL ; '2024-2-9 1:2:3' ]}, 'yyyy-MM-dd HH:mm:ss')
parse_datetime('1960/01/22 3:04', 'YYYY/MM/dd HH:mm')
parse_datetime('2024-02-29 15:04 {[ +05:30 ; -0330 ; Z ]}', 'yyyy-MM-dd HH:mm Z')
parse_datetime('2024-02-29 America/New_York', 'yyyy-MM-dd ZZZ')
parse_datetime('29 Feb 24 03:04 PM', 'dd MMM yy hh:mm a')
parse_datetime('2024-060', 'yyyy-DDD')
parse_datetime('2024-W09-4', 'xxxx-''W''ww-e')
parse_datetime('12', 'HH')
-- from_iso8601_date
from_iso8601_date({[ '2024-02-29' ; '2024-W09' ; '2024-W09-4' ; '2024-060' ; '2024-02' ; '2024' ; '2024-02-30' ; '' ; NULL ; '20240229' ; '+12345-01-01' ; '-0001-01-01' ]})
-- from_iso8601_timestamp
from_iso8601_timestamp({[ '2024-02-29T15:04:05.678+05:30' ; '2024-02-29T15:04:05Z' ; '2024-02-29' ; '2024-02-29T15:04' ; '2024-W09-4T01:02:03' ; '2024-060T15' ; '2024-02-29 15:04:05' ; '2024-02-29T15:04:05.1234567' ; '' ; NULL ; 'T10:00' ; '2024-02-29T24:00:00' ]})
from_iso8601_timestamp_nanos({[ '2024-02-29T15:04:05.123456789Z' ; '2024-02-29T15:04:05+01:00' ; '2024-02-29' ; NULL ]})
-- from_unixtime
from_unixtime({[ 0 ; 1709219045.678e0 ; -1.5e0 ; NULL ; 1e12 ; nan() ; 1e18 ; 0.0005e0 ; 1.0015e0 ]})
from_unixtime(1709219045, {[ 'Asia/Tokyo' ; 'America/New_York' ; '+05:30' ; 'Nowhere' ]})
from_unixtime(1709219045, 5, 30)
from_unixtime_nanos({[ 0 ; 1709219045678901234 ; -1 ; NULL ; DECIMAL '1234' ]})
to_unixtime({[ TIMESTAMP '2024-02-29 15:04:05.678' ; TIMESTAMP '1969-12-31 23:59:59.5' ; TIMESTAMP '2024-02-29 15:04:05 Asia/Tokyo' ; NULL ]})
-- to_iso8601
to_iso8601({[ DATE '2024-02-29' ; DATE '12345-01-01' ; DATE '-0001-01-01' ]})
to_iso8601({[ TIMESTAMP '2024-02-29 15:04:05.678' ; TIMESTAMP '2024-02-29 15:04:05' ; TIMESTAMP '2024-02-29 15:04:05.678901' ; TIMESTAMP '2024-02-29 15:04:05.678 UTC' ; TIMESTAMP '2024-02-29 15:04:05.678 Asia/Tokyo' ]})
-- human_readable_seconds
human_readable_seconds({[ 96 ; 3762 ; 56363463 ; 0 ; 1 ; -96 ; 0.9e0 ; NULL ; nan() ; 1e15 ]})
-- parse_duration
parse_duration({[ '42.8ms' ; '3.81 d' ; '5m' ; '1h' ; '7s' ; '2us' ; '100ns' ; '' ; '5' ; '5x' ; NULL ; '-1s' ]})
to_milliseconds({[ parse_duration('1d') ; INTERVAL '1.5' SECOND ; INTERVAL '-3' DAY ; NULL ]})
-- interval arithmetic
DATE '2024-01-31' + INTERVAL '{[ 1 ; -1 ; 13 ]}' {[ MONTH ; DAY ; YEAR ]}
TIMESTAMP '2024-01-31 12:00:00' + INTERVAL '{[ 1 ; -1 ; 36 ]}' {[ MONTH ; DAY ; HOUR ; SECOND ; MINUTE ]}
DATE '2024-01-31' - {[ DATE '2024-01-01' ; DATE '2024-03-01' ]}
TIMESTAMP '2024-01-31 12:00:00' - TIMESTAMP '2024-01-30 11:59:58.5'
INTERVAL '1' DAY * {[ 2 ; 1.5e0 ; -1 ]}
INTERVAL '3' DAY / 2
INTERVAL '1' DAY + INTERVAL '2' HOUR
INTERVAL '1' YEAR + INTERVAL '2' MONTH
INTERVAL '1' YEAR + INTERVAL '2' DAY
-INTERVAL '1' DAY
DATE '2024-01-31' + INTERVAL '1' HOUR
TIME '23:00:00' + INTERVAL '2' HOUR
TIME '23:00:00' - TIME '22:00:00'
INTERVAL '1' DAY > INTERVAL '23' HOUR
DATE '2024-01-31' + 1
-- literals
DATE '{[ 2024-02-29 ; 2024-02-30 ; 9999-12-31 ; 0001-01-01 ; -0001-01-01 ; 12345-06-07 ; 2024-2-9 ]}'
TIMESTAMP '{[ 2024-02-29 ; 2024-02-29 01:02 ; 2024-02-29 01:02:03.123456 ; 9999-12-31 23:59:59.999 ; 0001-01-01 00:00:00 ; 2024-02-29 24:00:00 ; 2024-2-9 1:02:03 ]}'
TIME '{[ 01:02:03 ; 01:02 ; 23:59:59.999999 ; 24:00:00 ; 1:02:03 ]}'
INTERVAL '{[ 1 ; -1 ; 1.5 ]}' {[ SECOND ; DAY ]}
INTERVAL '1' WEEK
-- now
typeof({[ now() ; current_timestamp ; current_date ; current_time ; localtime ; localtimestamp ]})
typeof({[ current_timestamp(6) ; localtimestamp(3) ]})
