-- url_encode
url_encode({[ 'a b&c=é/?' ; '' ; NULL ; '-_.*~!''()' ; '𝒳' ; '+%' ]})
url_decode({[ 'a+b%26c%3D%C3%A9' ; '' ; NULL ; '%' ; '%zz' ; '%ff' ; 'a%2' ]})
-- url_extract
{[ url_extract_fragment ; url_extract_host ; url_extract_path ; url_extract_port ; url_extract_protocol ; url_extract_query ]}({[ 'http://example.com/path1/p.php?k1=v1&k2=v2#Ref1' ; 'https://user:pw@host.org:8080' ; '' ; NULL ; 'not a url' ; 'mailto:a@b.c' ; '/just/a/path?x' ; 'http://[::1]:80/x' ; 'http://EXAMPLE.com/a%20b?q=a%26b#f%20g' ; 'http://ex_ample.com/x' ; 'file:///etc/x' ; 'http://a.b/c?#' ; '//h/p' ; 'http://münchen.de/é' ]})
-- url_extract_parameter
url_extract_parameter({[ 'http://example.com/path1/p.php?k1=v1&k2=v2&k3&k4#Ref1' ; 'http://example.com/path1/p.php?k1=v1&k1=v2&k1&k1#Ref1' ; 'http://e.com/?k1=a%20b+c' ; 'http://e.com/' ; 'not a url' ; NULL ]}, {[ 'k1' ; 'k2' ; 'k3' ; 'k9' ; '' ]})
-- ip
ip_prefix({[ IPADDRESS '192.168.255.255' ; IPADDRESS '2001:db8:85a3:1:1:8a2e:370:7334' ; '10.1.2.3' ]}, {[ 9 ; 32 ; 0 ]})
ip_prefix('10.1.2.3', {[ 33 ; -1 ]})
ip_subnet_min({[ IPPREFIX '192.64.0.0/9' ; IPPREFIX '::ffff:1.2.3.4/32' ; IPPREFIX '2001:db8::/48' ]})
ip_subnet_max({[ IPPREFIX '192.64.0.0/9' ; IPPREFIX '2001:db8::/48' ; IPPREFIX '10.0.0.0/0' ]})
ip_subnet_range(IPPREFIX '1.2.3.160/24')
is_subnet_of(IPPREFIX '192.168.3.131/26', {[ IPADDRESS '192.168.3.144' ; IPADDRESS '192.168.3.1' ; IPPREFIX '192.168.3.129/27' ; IPADDRESS '::1' ]})
contains('10.0.0.0/8', IPADDRESS '{[ 10.255.255.255 ; 11.0.0.0 ]}')
CAST('{[ 10.0.0.1 ; 2001:db8::1 ; 2001:0DB8:0:0:0:0:0:1 ; ::ffff:1.2.3.4 ; x ; 1.2.3 ]}' AS IPADDRESS)
CAST('{[ 10.1.2.3/8 ; 2001:db8::1/64 ; 10.0.0.1 ]}' AS IPPREFIX)
CAST(IPADDRESS '10.0.0.1' AS {[ VARCHAR ; VARBINARY ; IPPREFIX ]})
-- uuid
CAST('{[ 12151fd2-7586-11e9-8f9e-2a86e4085a59 ; 12151FD2-7586-11E9-8F9E-2A86E4085A59 ; x ; 12151fd2758611e98f9e2a86e4085a59 ]}' AS UUID)
CAST(UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59' AS {[ VARCHAR ; VARBINARY ]})
CAST(X'12151fd2758611e98f9e2a86e4085a59' AS UUID)
typeof(uuid())
-- color
bar({[ 0.5e0 ; 0 ; 1 ]}, 10)
color({[ 'red' ; '#abc' ]})
rgb(255, 0, 0)
render(true)
render('x', color('red'))
