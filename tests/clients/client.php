<?php
// PHP's PDO and pgsql against a running demo, which libpq's variables name: the part that the argument names.
declare(strict_types=1);

const FOREVER = "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y),"
    . " generate_series(1, 100000) c(z) WHERE x + y > z";

function same(mixed $expected, mixed $found): void
{
    if ($expected !== $found) {
        throw new Exception("expected " . var_export($expected, true) . ", found " . var_export($found, true));
    }
}

function connected(?string $password = null, array $options = []): PDO
{
    return new PDO("pgsql:", getenv("PGUSER"), $password ?? getenv("PGPASSWORD"), $options);
}

function refused(string $sqlstate, callable $run): PDOException
{
    try {
        $run();
    } catch (PDOException $error) {
        same($sqlstate, $error->errorInfo[0] ?? null);
        return $error;
    }
    throw new Exception("should fail with $sqlstate");
}

$parts = [
    "connects" => function () {
        $pdo = connected();
        same([["admin", 2]], $pdo->query("SELECT current_user::text, 1::int + 1::int")->fetchAll(PDO::FETCH_NUM));
        same(true, $pdo->query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")->fetchColumn());
        same(true, version_compare($pdo->getAttribute(PDO::ATTR_SERVER_VERSION), "12", ">="));
        same(true, pg_connection_status(pg_connect("")) === PGSQL_CONNECTION_OK);
    },
    "refuses" => function () {
        $error = refused("08006", fn () => connected("wrong"));
        same(true, str_contains($error->getMessage(), "password authentication failed"));
    },
    "reads_types" => function () {
        $sql = <<<'SQL'
        SELECT NULL::int AS a, true AS b, (-32768)::smallint AS c, 9007199254740993::bigint AS d, 2.5::double precision AS e,
          CAST('12.50' AS numeric(10,2)) AS f, 'dß€'::text AS g, DATE '2024-02-29' AS h, TIMESTAMP '2024-02-29 12:34:56.789' AS i,
          '2024-02-29 12:34:56.789+00'::timestamptz AS j, TIME '12:34:56' AS k, INTERVAL '1 day 2 hours' AS l,
          '{"a": [1, null]}'::json AS m, ARRAY['a', 'b,c', NULL] AS n, '\x00ff'::bytea AS o
        SQL;
        $row = connected()->query($sql)->fetch(PDO::FETCH_ASSOC);
        same("\x00\xff", stream_get_contents(array_pop($row)));
        same(
            [
                "a" => null, "b" => true, "c" => -32768, "d" => 9007199254740993, "e" => "2.5", "f" => "12.50", "g" => "dß€",
                "h" => "2024-02-29", "i" => "2024-02-29 12:34:56.789", "j" => "2024-02-29 12:34:56.789+00", "k" => "12:34:56",
                "l" => "1 day 02:00:00", "m" => '{"a": [1, null]}', "n" => '{a,"b,c",NULL}',
            ],
            $row,
        );
        $meta = connected()->query("SELECT order_id, total FROM curated.orders LIMIT 0");
        same(["text", "orders"], [$meta->getColumnMeta(0)["native_type"], $meta->getColumnMeta(0)["table"]]);
        same(["numeric", PDO::PARAM_STR], [$meta->getColumnMeta(1)["native_type"], $meta->getColumnMeta(1)["pdo_type"]]);
        $result = pg_query(pg_connect(""), "SELECT 1::int AS one, order_id FROM curated.orders LIMIT 1");
        same(["int4", "text", "orders"], [pg_field_type($result, 0), pg_field_type($result, 1), pg_field_table($result, 1)]);
    },
    "parameters" => function () {
        // Prepared by the server, and with the values put into the text.
        foreach ([false, true] as $emulated) {
            $pdo = connected(null, [PDO::ATTR_EMULATE_PREPARES => $emulated]);
            $sql = "SELECT :a::int + 1, :b::bigint, :c::numeric(10,2), :d::text, :e::date, :f::boolean, :g::text, :h::bytea";
            $statement = $pdo->prepare($sql);
            for ($i = 0; $i < 2; $i++) {
                $statement->bindValue("a", 7, PDO::PARAM_INT);
                $statement->bindValue("b", "9007199254740993");
                $statement->bindValue("c", "12.50");
                $statement->bindValue("d", "d'ß\\");
                $statement->bindValue("e", "2024-02-29");
                $statement->bindValue("f", true, PDO::PARAM_BOOL);
                $statement->bindValue("g", null, PDO::PARAM_NULL);
                $statement->bindValue("h", "\x00\xff", PDO::PARAM_LOB);
                $statement->execute();
                $row = $statement->fetch(PDO::FETCH_NUM);
                same("\x00\xff", stream_get_contents(array_pop($row)));
                same([8, 9007199254740993, "12.50", "d'ß\\", "2024-02-29", true, null], $row);
            }
            $counted = $pdo->prepare("SELECT count(*) FROM curated.orders WHERE order_date = ? AND quantity >= ? AND total < ?");
            $counted->execute(["2024-05-05", 1, "1000000.00"]);
            $expected = "SELECT count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05' AND quantity >= 1";
            same($pdo->query($expected)->fetchColumn(), $counted->fetchColumn());
            refused("22P02", fn () => $pdo->prepare("SELECT ?::int")->execute(["one"]));
        }
        $link = pg_connect("");
        same([["8", "d'ß"]], pg_fetch_all(pg_query_params($link, 'SELECT $1::int + 1, $2::text', [7, "d'ß"]), PGSQL_NUM));
        pg_prepare($link, "twice", 'SELECT $1::int * 2');
        same(["2", "4"], array_map(fn ($i) => pg_fetch_result(pg_execute($link, "twice", [$i]), 0, 0), [1, 2]));
    },
    "pieces" => function () {
        $pdo = connected();
        $pdo->beginTransaction();
        $cursor = $pdo->prepare("SELECT x::int FROM generate_series(1, 950) t(x) ORDER BY x", [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]);
        $cursor->execute();
        for ($seen = []; ($x = $cursor->fetchColumn()) !== false; $seen[] = $x);
        same(range(1, 950), $seen);
        same(true, $pdo->rollBack());
    },
    "transactions" => function () {
        $pdo = connected();
        $ids = fn () => $pdo->query("SELECT id FROM things ORDER BY id")->fetchAll(PDO::FETCH_COLUMN);
        $pdo->beginTransaction();
        same(1, $pdo->exec("INSERT INTO things (id) VALUES (1)"));
        same([true, [1]], [$pdo->inTransaction(), $ids()]);
        $pdo->rollBack();
        same([false, []], [$pdo->inTransaction(), $ids()]);
        $pdo->beginTransaction();
        $pdo->exec("INSERT INTO things (id) VALUES (2)");
        refused("22012", fn () => $pdo->query("SELECT 1 / x FROM generate_series(0, 1) t(x)")->fetchAll());
        refused("25P02", fn () => $pdo->query("SELECT 1"));
        $pdo->rollBack();
        $pdo->beginTransaction();
        $pdo->exec("INSERT INTO things (id) VALUES (3)");
        $pdo->commit();
        same([3], $ids());
    },
    "errors" => function () {
        $pdo = connected();
        refused("42703", fn () => $pdo->query("SELECT order_id, no_such FROM curated.orders"));
        refused("42P01", fn () => $pdo->query("SELECT 1 FROM curated.no_such"));
        refused("42601", fn () => $pdo->query("SELEC 1"));
        $link = pg_connect("");
        pg_send_query($link, "SELECT order_id, no_such FROM curated.orders");
        $result = pg_get_result($link);
        same(["42703", "18"], [pg_result_error_field($result, PGSQL_DIAG_SQLSTATE), pg_result_error_field($result, PGSQL_DIAG_STATEMENT_POSITION)]);
    },
    "timeout" => function () {
        $pdo = connected();
        $pdo->exec("SET statement_timeout = 300");
        refused("57014", fn () => $pdo->query(FOREVER));
    },
    "cancels" => function () {
        $link = pg_connect("");
        pg_send_query($link, FOREVER);
        usleep(200000);
        same(true, pg_cancel_query($link));
        same("1", pg_fetch_result(pg_query($link, "SELECT 1"), 0, 0));
    },
    "lists" => function () {
        $link = pg_connect("");
        $columns = pg_meta_data($link, getenv("PGDATABASE") . ".things", true);
        same(["id", "big", "ok", "ratio", "price", "name", "day", "at", "bytes"], array_keys($columns));
        same([1, "int4", false, false, "the key"], array_map(
            fn ($name) => $columns["id"][$name], ["num", "type", "not null", "has default", "description"],
        ));
    },
    "writes" => function () {
        $pdo = connected();
        $insert = $pdo->prepare("INSERT INTO things (id, name, price, ok) VALUES (?, ?, ?, ?) RETURNING id");
        $insert->execute([1, "d'ß", "12.50", "true"]);
        same(1, $insert->fetchColumn());
        same(true, $pdo->pgsqlCopyFromArray("things", ["2\ttwo", "3\t\\N"], "\t", "\\\\N", "id,name"));
        $link = pg_connect("");
        same(true, pg_copy_from($link, "things (id, name)", ["4\tfour\n"]));
        same(
            [[1, "d'ß", "12.50", true], [2, "two", null, null], [3, null, null, null], [4, "four", null, null]],
            $pdo->query("SELECT id, name, price, ok FROM things ORDER BY id")->fetchAll(PDO::FETCH_NUM),
        );
    },
    "copies" => function () {
        $pdo = connected();
        $pdo->exec("INSERT INTO things (id, name) VALUES (1, 'one')");
        same(["1\tone\n"], $pdo->pgsqlCopyToArray("things", "\t", "\\\\N", "id,name"));
        same(["1\tone\n"], pg_copy_to(pg_connect(""), "(SELECT id, name FROM things)"));
    },
    "hidden" => fn () => same(["customer_id", "segment", "region"], array_keys(pg_meta_data(pg_connect(""), "curated.customers"))),
];

$parts[$argv[1]]();
echo "all passed\n";
