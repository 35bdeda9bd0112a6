# Perl's DBD::Pg against a running demo, which libpq's variables name: the part that the argument names.
use strict;
use warnings;
use utf8;
use DBI;
use DBD::Pg qw(:pg_types :async);
use Time::HiRes qw(sleep);

my $FOREVER = "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y),"
    . " generate_series(1, 100000) c(z) WHERE x + y > z";

sub shown {
    my ($value) = @_;
    return 'undef' unless defined $value;
    return '[' . join(', ', map { shown($_) } @$value) . ']' if ref $value eq 'ARRAY';
    return $value;
}

sub same {
    my ($expected, $found) = map { shown($_) } @_;
    die "expected $expected, found $found" unless $expected eq $found;
}

my $database = $ENV{PGDATABASE};

sub connected {
    return DBI->connect("dbi:Pg:", $ENV{PGUSER}, $_[0] // $ENV{PGPASSWORD}, { RaiseError => 1, PrintError => 0, AutoCommit => 1, @_[1 .. $#_] });
}

sub refused {
    my ($dbh, $state, $run) = @_;
    eval { $run->(); 1 } and die "should fail with $state";
    same($state, $dbh->state);
}

my %parts = (
    connects => sub {
        my $dbh = connected();
        same(1, $dbh->ping);
        same([ 'admin', 2 ], $dbh->selectrow_arrayref("SELECT current_user::text, 1 + 1"));
        same([1], $dbh->selectrow_arrayref("SELECT ssl::int FROM pg_stat_ssl WHERE pid = pg_backend_pid()"));
        same($database, $dbh->{pg_db});
        same(1, $dbh->{pg_server_version} >= 120000 ? 1 : 0);
    },
    refuses => sub {
        eval { connected('wrong'); 1 } and die "should not connect";
        die $@ unless $DBI::errstr =~ /password authentication failed/;
    },
    reads_types => sub {
        my $dbh = connected();
        my $row = $dbh->selectrow_arrayref(<<'SQL');
SELECT NULL::int, true, (-32768)::smallint, 9007199254740993::bigint, 2.5::double precision, CAST('12.50' AS numeric(10,2)),
  'dß€'::text, DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789+00'::timestamptz, TIME '12:34:56',
  INTERVAL '1 day 2 hours', '\x00ff'::bytea, '{"a": [1, null]}'::json, ARRAY[1::int, 2::int, NULL], ARRAY['a', 'b,c', NULL],
  ARRAY[ARRAY[1::int, 2::int], ARRAY[3::int, 4::int]], '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid
SQL
        same(
            [
                undef, 1, -32768, '9007199254740993', '2.5', '12.50', 'dß€', '2024-02-29', '2024-02-29 12:34:56.789',
                '2024-02-29 12:34:56.789+00', '12:34:56', '1 day 02:00:00', "\x00\xff", '{"a": [1, null]}', [ 1, 2, undef ],
                [ 'a', 'b,c', undef ], [ [ 1, 2 ], [ 3, 4 ] ], '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
            ],
            $row,
        );
        my $sth = $dbh->prepare("SELECT 1::int AS a, CAST('1.5' AS numeric(10,2)) AS b, 'x'::text AS c, true AS d");
        $sth->execute;
        same([qw(a b c d)], $sth->{NAME});
        same([qw(int4 numeric text bool)], $sth->{pg_type});
        same([ 4, 10, undef, 1 ], $sth->{PRECISION});
        $sth->finish;
    },
    parameters => sub {
        my $dbh = connected();
        my $sth = $dbh->prepare("SELECT ?::int + 1, ?::bigint, ?::numeric(10,2), ?::text, ?::date, ?::bytea, ?::int[], ?::text[], ?::text");
        for (1 .. 3) {
            $sth->bind_param(6, undef, { pg_type => PG_BYTEA });
            $sth->execute(7, '9007199254740993', '12.50', "d'ß\\", '2024-02-29', "\x00\xff", [ 1, 2 ], [ 'a', 'b"c' ], undef);
            same(
                [ 8, '9007199254740993', '12.50', "d'ß\\", '2024-02-29', "\x00\xff", [ 1, 2 ], [ 'a', 'b"c' ], undef ],
                $sth->fetchrow_arrayref,
            );
            $sth->finish;
        }
        my $counted = "SELECT count(*) FROM curated.orders WHERE order_date = \$1 AND quantity >= \$2";
        my ($expected) = $dbh->selectrow_array("SELECT count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05' AND quantity >= 1");
        same($expected, $dbh->selectrow_array($counted, undef, '2024-05-05', 1));
        $sth = $dbh->prepare("SELECT :x::int * 2 + :y::int");
        $sth->bind_param(':x', 20, { pg_type => PG_INT4 });
        $sth->bind_param(':y', 2);
        $sth->execute;
        same([42], $sth->fetchrow_arrayref);
        same(['d\'\'ß'], [ substr $dbh->quote("d'ß"), 1, -1 ]);
    },
    pieces => sub {
        my $dbh = connected(undef, AutoCommit => 0);
        $dbh->do("DECLARE numbers CURSOR FOR SELECT x FROM generate_series(1, 950) t(x) ORDER BY x");
        my (@seen, $rows);
        push @seen, @$rows while @{ $rows = $dbh->selectcol_arrayref("FETCH 100 FROM numbers") };
        same([ 1 .. 950 ], \@seen);
        $dbh->rollback;
        $dbh->disconnect;
    },
    transactions => sub {
        my $dbh = connected(undef, AutoCommit => 0);
        $dbh->do("INSERT INTO things (id) VALUES (1)");
        $dbh->pg_savepoint('before');
        $dbh->do("INSERT INTO things (id) VALUES (2)");
        $dbh->pg_rollback_to('before');
        same([1], $dbh->selectcol_arrayref("SELECT id FROM things"));
        $dbh->rollback;
        same([], $dbh->selectcol_arrayref("SELECT id FROM things"));
        $dbh->do("INSERT INTO things (id) VALUES (3)");
        $dbh->commit;
        same([3], $dbh->selectcol_arrayref("SELECT id FROM things"));
        $dbh->rollback;
        $dbh->disconnect;
    },
    errors => sub {
        my $dbh = connected();
        refused($dbh, '42703', sub { $dbh->do("SELECT order_id, no_such FROM curated.orders") });
        same([ 18, 'ERROR' ], [ $dbh->pg_error_field('statement_position'), $dbh->pg_error_field('severity') ]);
        refused($dbh, '42P01', sub { $dbh->do("SELECT 1 FROM curated.no_such") });
        refused($dbh, '22012', sub { $dbh->selectrow_array("SELECT 1 / x FROM generate_series(0, 1) t(x)") });
        refused($dbh, '22P02', sub { $dbh->selectrow_array("SELECT ?::int", undef, 'one') });
        same([1], $dbh->selectrow_arrayref("SELECT 1"));
    },
    timeout => sub {
        my $dbh = connected();
        $dbh->do("SET statement_timeout = 300");
        refused($dbh, '57014', sub { $dbh->selectrow_array($FOREVER) });
    },
    cancels => sub {
        my $dbh = connected();
        $dbh->do($FOREVER, { pg_async => PG_ASYNC });
        sleep 0.2;
        same(0, $dbh->pg_ready ? 1 : 0);
        $dbh->pg_cancel;
        same([1], $dbh->selectrow_arrayref("SELECT 1"));
    },
    lists => sub {
        my $dbh = connected();
        my @tables = map { [ @$_{qw(TABLE_NAME TABLE_TYPE REMARKS)} ] }
            @{ $dbh->table_info(undef, $database, '%', undef)->fetchall_arrayref({}) };
        same([ [ 'things', 'TABLE', 'all the things' ], [ 'named', 'VIEW', 'things with a name' ] ], [ sort { $b->[0] cmp $a->[0] } @tables ]);
        my @columns = map { [ @$_{qw(COLUMN_NAME TYPE_NAME pg_type NULLABLE ORDINAL_POSITION REMARKS)} ] }
            @{ $dbh->column_info(undef, $database, 'things', '%')->fetchall_arrayref({}) };
        same([qw(id big ok ratio price name day at bytes)], [ map { $_->[0] } @columns ]);
        same([ 'id', 'integer', 'integer', 1, 1, 'the key' ], $columns[0]);
        same([ 'price', 'numeric', 'numeric(10,2)', 1, 5, undef ], $columns[4]);
        my @keys = grep { defined } $dbh->primary_key_info(undef, $database, 'things'),
            $dbh->foreign_key_info(undef, undef, undef, undef, $database, 'things'), $dbh->statistics_info(undef, $database, 'things', 1, 0);
        same([], [ map { @{ $_->fetchall_arrayref } } @keys ]);
        same(1, scalar grep { $_ eq 'curated' } map { $_->{TABLE_SCHEM} } @{ $dbh->table_info('', '%', '')->fetchall_arrayref({}) });
        same('int4', $dbh->type_info(DBI::SQL_INTEGER)->{TYPE_NAME});
    },
    writes => sub {
        my $dbh = connected();
        my $sth = $dbh->prepare("INSERT INTO things (id, name, price, at) VALUES (?, ?, ?, ?)");
        same(2, $sth->execute_array({}, [ 1, 2 ], [ 'one', undef ], [ '12.50', undef ], [ '2024-02-29 12:34:56.789', undef ]));
        $dbh->do("COPY things (id, name) FROM STDIN");
        $dbh->pg_putcopydata("3\tdß\n");
        $dbh->pg_putcopydata("4\t\\N\n");
        $dbh->pg_putcopyend;
        same(
            [ [ 1, 'one', '12.50' ], [ 2, undef, undef ], [ 3, 'dß', undef ], [ 4, undef, undef ] ],
            $dbh->selectall_arrayref("SELECT id, name, price FROM things ORDER BY id"),
        );
    },
    copies => sub {
        my $dbh = connected();
        $dbh->do("COPY (SELECT 1, 'a,b') TO STDOUT (FORMAT csv)");
        my ($line, @lines) = ('');
        push @lines, $line while $dbh->pg_getcopydata($line) >= 0;
        same([qq(1,"a,b"\n)], \@lines);
    },
    hidden => sub {
        my $columns = connected()->column_info(undef, 'curated', 'customers', '%')->fetchall_arrayref({});
        same([qw(customer_id segment region)], [ map { $_->{COLUMN_NAME} } @$columns ]);
    },
);

$parts{ $ARGV[0] }->();
print "all passed\n";
