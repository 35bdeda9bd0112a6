package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

func pgxClient() {
	works := func(capability string, check func()) { works("pgx", "github.com/jackc/pgx/v5", capability, check) }
	works("TLS with certificate verification", pgxConnects)
	works("error for a wrong password", func() {
		_, err := pgx.Connect(ctx, dsn("admin", map[string]string{"password": "wrong"}))
		same(sqlstate(err), "28P01")
	})
	works("simple query", func() {
		results := value(admin.PgConn().Exec(ctx, "SELECT current_user; SELECT 2").ReadAll())
		same([]string{string(results[0].Rows[0][0]), string(results[1].Rows[0][0])}, []string{"admin", "2"})
	})
	works("results of all types", pgxResults)
	works("parameters of all types", pgxParameters)
	works("prepared statement", func() {
		value(admin.Prepare(ctx, "twice", "SELECT $1::int AS given"))
		for i := range 3 {
			var given int
			must(admin.QueryRow(ctx, "twice", i).Scan(&given))
			same(given, i)
		}
	})
	works("reading a result in pieces", func() {
		rows := value(admin.Query(ctx, "SELECT x FROM generate_series(1, 100000000) t(x)"))
		for range 1000 {
			same(rows.Next(), true)
		}
		transaction := value(pgxConn("admin").Begin(ctx))
		defer func() { must(transaction.Rollback(ctx)) }()
		value(transaction.Exec(ctx, "DECLARE pieces CURSOR FOR SELECT x::int FROM generate_series(1, 250) t(x) ORDER BY x"))
		seen := 0
		for {
			some := value(pgx.CollectRows(value(transaction.Query(ctx, "FETCH 100 FROM pieces")), pgx.RowTo[int32]))
			if len(some) == 0 {
				break
			}
			seen += len(some)
		}
		same(seen, 250)
		must(admin.PgConn().CancelRequest(ctx))
		rows.Close()
		same(sqlstate(rows.Err()), "57014")
	})
	works("transaction with rollback", func() {
		lakeTable("of_pgx", func() {
			transaction := value(admin.Begin(ctx))
			value(transaction.Exec(ctx, "INSERT INTO of_pgx.things (id) VALUES ($1)", 1))
			must(transaction.Rollback(ctx))
			must(pgx.BeginFunc(ctx, admin, func(transaction pgx.Tx) error {
				savepoint := value(transaction.Begin(ctx))
				_, err := savepoint.Exec(ctx, "SELECT 1 / 0")
				same(sqlstate(err), "22012")
				must(savepoint.Rollback(ctx))
				_, err = transaction.Exec(ctx, "INSERT INTO of_pgx.things (id) VALUES ($1)", 2)
				return err
			}))
			same(value(pgx.CollectRows(value(admin.Query(ctx, "SELECT id FROM of_pgx.things")), pgx.RowTo[int32])), []int32{2})
		})
	})
	works("SQLSTATE and position of an error", func() {
		_, err := admin.Exec(ctx, "SELECT order_id, no_such FROM curated.orders")
		var problem *pgconn.PgError
		same(errors.As(err, &problem), true)
		same([]any{problem.Code, problem.Position, problem.Severity}, []any{"42703", int32(18), "ERROR"})
	})
	works("cancel", func() {
		connection := pgxConn("admin")
		defer func() { must(connection.Close(ctx)) }()
		ended := make(chan error)
		go func() {
			_, err := connection.Exec(ctx, forever("pgx-cancel"))
			ended <- err
		}()
		running("pgx-cancel", 1)
		must(connection.PgConn().CancelRequest(ctx))
		same(sqlstate(<-ended), "57014")
		running("pgx-cancel", 0)
		value(connection.Exec(ctx, "SELECT 1"))
	})
	works("timeout", func() {
		connection := pgxConn("admin")
		deadline, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		defer cancel()
		_, err := connection.Exec(deadline, forever("pgx-timeout"))
		same(errors.Is(err, context.DeadlineExceeded), true)
		other := value(pgx.Connect(ctx, dsn("admin", map[string]string{"statement_timeout": "300"})))
		_, err = other.Exec(ctx, forever("pgx-timeout"))
		same(sqlstate(err), "57014")
		must(other.Close(ctx))
		running("pgx-timeout", 0)
	})
	works("bulk load", func() {
		lakeTable("of_pgx", func() {
			batch := &pgx.Batch{}
			for i := range 3 {
				batch.Queue("INSERT INTO of_pgx.things (id, name) VALUES ($1, $2)", i, "n")
			}
			must(admin.SendBatch(ctx, batch).Close())
			rows := [][]any{{int32(3), "three", nil, at}, {int32(4), nil, nil, nil}}
			columns := []string{"id", "name", "price", "at"}
			same(value(admin.CopyFrom(ctx, pgx.Identifier{"of_pgx", "things"}, columns, pgx.CopyFromRows(rows))), int64(2))
			same(value(admin.PgConn().CopyFrom(ctx, strings.NewReader("5,five\n"), "COPY of_pgx.things (id, name) FROM STDIN (FORMAT csv)")).RowsAffected(), int64(1))
			names := "SELECT string_agg(id::text || coalesce(name, '-'), ' ' ORDER BY id) FROM of_pgx.things"
			var found string
			must(admin.QueryRow(ctx, names).Scan(&found))
			same(found, "0n 1n 2n 3three 4- 5five")
		})
	})
	works("COPY TO", func() {
		var out bytes.Buffer
		value(admin.PgConn().CopyTo(ctx, &out, "COPY (SELECT 1, 'a,b', NULL) TO STDOUT (FORMAT csv)"))
		same(out.String(), "1,\"a,b\",\n")
	})
	works("pool", func() {
		pool := value(pgxpool.New(ctx, dsn("admin", map[string]string{"pool_max_conns": "3"})))
		defer pool.Close()
		sums := make(chan int, 6)
		for i := range 6 {
			go func() {
				var n int
				must(pool.QueryRow(ctx, "SELECT $1::int + 1", i).Scan(&n))
				sums <- n
			}()
		}
		sum := 0
		for range 6 {
			sum += <-sums
		}
		same(sum, 21)
	})
	works("columns without a grant are hidden", func() {
		scientist := pgxConn("scientist")
		defer func() { must(scientist.Close(ctx)) }()
		rows := value(scientist.Query(ctx, "SELECT * FROM curated.customers LIMIT 1"))
		var names []string
		for _, field := range rows.FieldDescriptions() {
			names = append(names, field.Name)
		}
		rows.Close()
		same(names, []string{"customer_id", "segment", "region"})
	})
}

func pgxConn(user string) *pgx.Conn { return value(pgx.Connect(ctx, dsn(user, nil))) }

func sqlstate(err error) string {
	var problem *pgconn.PgError
	if !errors.As(err, &problem) {
		return "none"
	}
	return problem.Code
}

func pgxConnects() {
	_, err := pgx.Connect(ctx, dsn("admin", map[string]string{"sslrootcert": otherCA()}))
	same(strings.Contains(err.Error(), "certificate"), true)
	var user string
	must(pgxConn("admin").QueryRow(ctx, "SELECT current_user").Scan(&user))
	same(user, "admin")
	// Each mode in which the driver can run a query.
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		connection := value(pgx.Connect(ctx, dsn("admin", map[string]string{"default_query_exec_mode": mode})))
		for i := range 2 {
			var n int
			var text string
			must(connection.QueryRow(ctx, "SELECT $1::int, $2::text", i, "d'ß").Scan(&n, &text))
			same([]any{n, text}, []any{i, "d'ß"})
		}
		must(connection.Close(ctx))
	}
}

func pgxResults() {
	sql := "SELECT NULL::int, true, (-32768)::smallint, 7::int, (-9223372036854775808)::bigint, 1.5::real, 2.5::double precision," +
		" CAST('12.50' AS numeric(10,2)), 'dß€😀'::text, DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.789'," +
		" '2024-02-29 12:34:56.789+00'::timestamptz, INTERVAL '1 day 2 hours', '\\x00ff'::bytea, '{\"a\": [1, null]}'::json," +
		" ARRAY[1::int, 2::int, NULL], ARRAY['a', 'b,c', NULL]"
	row := value(pgx.CollectOneRow(value(admin.Query(ctx, sql)), func(row pgx.CollectableRow) ([]any, error) { return row.Values() }))
	same(row[:7], []any{nil, true, int16(-32768), int32(7), int64(-9223372036854775808), float32(1.5), 2.5})
	numeric := row[7].(pgtype.Numeric)
	same([]any{numeric.Int.String(), numeric.Exp}, []any{"1250", int32(-2)})
	same(row[8], "dß€😀")
	same([]any{row[9].(time.Time).UTC(), row[10].(time.Time).UTC(), row[11].(time.Time).UTC()}, []any{day, at, at})
	same(row[12], pgtype.Interval{Days: 1, Microseconds: 2 * 3600 * 1000000, Valid: true})
	same(row[13:15], []any{[]byte{0, 255}, map[string]any{"a": []any{1.0, nil}}})
	same(row[15:], []any{[]any{int32(1), int32(2), nil}, []any{"a", "b,c", nil}})
}

func pgxParameters() {
	sql := "SELECT $1::boolean, $2::smallint, $3::int, $4::bigint, $5::double precision, $6::text, $7::date, $8::timestamp, $9::timestamptz," +
		" $10::bytea, $11::int[], $12::text[], $13::int IS NULL, $14::interval, $15::numeric"
	interval := pgtype.Interval{Days: 1, Microseconds: 2 * 3600 * 1000000, Valid: true}
	var numeric pgtype.Numeric
	must(numeric.Scan("12345.678"))
	values := []any{
		true, int16(7), int32(-2147483648), int64(9007199254740993), 2.5, "d'ß\\", day, at, at, []byte{0, 255}, []int32{1, 2},
		[]string{"a", "b\"c"}, nil, interval, numeric,
	}
	row := value(pgx.CollectOneRow(value(admin.Query(ctx, sql, values...)), func(row pgx.CollectableRow) ([]any, error) { return row.Values() }))
	same(row[:6], values[:6])
	same([]any{row[6].(time.Time).UTC(), row[7].(time.Time).UTC(), row[8].(time.Time).UTC()}, []any{day, at, at})
	same(row[9:14], []any{[]byte{0, 255}, []any{int32(1), int32(2)}, []any{"a", "b\"c"}, true, interval})
	same(value(row[14].(pgtype.Numeric).Float64Value()).Float64, 12345.678)
	var count int
	condition := "SELECT count(*) FROM curated.orders WHERE order_date = $1 AND quantity >= $2 AND order_id = ANY($3)"
	must(admin.QueryRow(ctx, condition, time.Date(2024, 5, 5, 0, 0, 0, 0, time.UTC), 1, []string{"no"}).Scan(&count))
	same(count, 0)
	id := uuid.New()
	var text string
	must(admin.QueryRow(ctx, "SELECT $1::uuid::text", id.String()).Scan(&text))
	same(text, id.String())
}
