package main

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/lib/pq"
)

func otherCA() string { return os.Getenv("LAKEGATE_OTHER_CA") }

func pqOpen(user string, more map[string]string) *sql.DB {
	return value(sql.Open("postgres", dsn(user, more)))
}

func pqCode(err error) string {
	var problem *pq.Error
	if !errors.As(err, &problem) {
		return "none"
	}
	return string(problem.Code)
}

func pqClient() {
	works := func(capability string, check func()) { works("lib/pq", "github.com/lib/pq", capability, check) }
	db := pqOpen("admin", nil)
	defer func() { must(db.Close()) }()
	works("TLS with certificate verification", func() {
		must(db.Ping())
		err := pqOpen("admin", map[string]string{"sslrootcert": otherCA()}).Ping()
		same(strings.Contains(err.Error(), "certificate"), true)
	})
	works("error for a wrong password", func() {
		same(pqCode(pqOpen("admin", map[string]string{"password": "wrong"}).Ping()), "28P01")
	})
	works("simple query", func() {
		rows := value(db.Query("SELECT 1; SELECT 'two'"))
		var one int
		var two string
		same(rows.Next(), true)
		must(rows.Scan(&one))
		same([]any{rows.Next(), rows.NextResultSet(), rows.Next()}, []any{false, true, true})
		must(rows.Scan(&two))
		must(rows.Close())
		same([]any{one, two}, []any{1, "two"})
	})
	works("results of all types", func() {
		for _, binary := range []string{"no", "yes"} {
			other := pqOpen("admin", map[string]string{"binary_parameters": binary})
			var null sql.NullInt64
			var truth bool
			var big int64
			var ratio float64
			var price, text, interval, document string
			var date, stamp, zoned time.Time
			var bytes []byte
			var numbers pq.Int64Array
			var words pq.StringArray
			must(other.QueryRow("SELECT NULL::int, true, 9007199254740993::bigint, 2.5::double precision, CAST('12.50' AS numeric(10,2)), 'dß'::text,"+
				" DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789+00'::timestamptz, INTERVAL '1 day 2 hours',"+
				" '\\x00ff'::bytea, '{\"a\": 1}'::json, ARRAY[1::int, 2::int], ARRAY['a', 'b,c']").Scan(
				&null, &truth, &big, &ratio, &price, &text, &date, &stamp, &zoned, &interval, &bytes, &document, &numbers, &words))
			same([]any{null.Valid, truth, big, ratio, price, text}, []any{false, true, int64(9007199254740993), 2.5, "12.50", "dß"})
			same([]any{date.UTC(), stamp.UTC(), zoned.UTC()}, []any{day, at, at})
			same([]any{interval, bytes, document}, []any{"1 day 02:00:00", []byte{0, 255}, "{\"a\": 1}"})
			same([]any{[]int64(numbers), []string(words)}, []any{[]int64{1, 2}, []string{"a", "b,c"}})
			must(other.Close())
		}
		types := value(value(db.Query("SELECT total, quantity FROM curated.orders LIMIT 1")).ColumnTypes())
		precision, scale, _ := types[0].DecimalSize()
		same([]any{types[0].DatabaseTypeName(), precision, scale, types[1].DatabaseTypeName()}, []any{"NUMERIC", int64(10), int64(2), "INT4"})
	})
	works("parameters of all types", func() {
		var truth, null bool
		var number int64
		var ratio float64
		var text string
		var date, stamp time.Time
		var bytes []byte
		var numbers pq.Int64Array
		must(db.QueryRow("SELECT $1::boolean, $2::bigint, $3::double precision, $4::text, $5::date, $6::timestamptz, $7::bytea, $8::bigint[], $9::int IS NULL",
			true, int64(9007199254740993), 2.5, "d'ß\\", day, at, []byte{0, 255}, pq.Array([]int64{1, 2}), nil).Scan(
			&truth, &number, &ratio, &text, &date, &stamp, &bytes, &numbers, &null))
		same([]any{truth, number, ratio, text, bytes, null}, []any{true, int64(9007199254740993), 2.5, "d'ß\\", []byte{0, 255}, true})
		same([]any{date.UTC(), stamp.UTC(), []int64(numbers)}, []any{day, at, []int64{1, 2}})
		var count int
		must(db.QueryRow("SELECT count(*) FROM curated.orders WHERE order_date = $1 AND quantity >= $2 AND order_id = ANY($3)",
			"2024-05-05", 1, pq.Array([]string{"no"})).Scan(&count))
		same(count, 0)
	})
	works("prepared statement", func() {
		prepared := value(db.Prepare("SELECT $1::int"))
		for i := range 3 {
			var given int
			must(prepared.QueryRow(i).Scan(&given))
			same(given, i)
		}
		must(prepared.Close())
	})
	works("transaction with rollback", func() {
		lakeTable("of_pq", func() {
			transaction := value(db.Begin())
			value(transaction.Exec("INSERT INTO of_pq.things (id) VALUES ($1)", 1))
			must(transaction.Rollback())
			transaction = value(db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted}))
			value(transaction.Exec("INSERT INTO of_pq.things (id) VALUES ($1)", 2))
			must(transaction.Commit())
			var id int
			must(db.QueryRow("SELECT id FROM of_pq.things").Scan(&id))
			same(id, 2)
		})
	})
	works("SQLSTATE and position of an error", func() {
		var problem *pq.Error
		same(errors.As(db.QueryRow("SELECT order_id, no_such FROM curated.orders").Scan(), &problem), true)
		same([]string{string(problem.Code), problem.Position}, []string{"42703", "18"})
	})
	works("cancel", func() {
		cancelled, cancel := context.WithCancel(ctx)
		ended := make(chan error)
		go func() {
			_, err := db.ExecContext(cancelled, forever("pq-cancel"))
			ended <- err
		}()
		running("pq-cancel", 1)
		cancel()
		err := <-ended
		same(pqCode(err) == "57014" || errors.Is(err, context.Canceled), true)
		running("pq-cancel", 0)
	})
	works("timeout", func() {
		other := pqOpen("admin", map[string]string{"statement_timeout": "300"})
		_, err := other.Exec(forever("pq-timeout"))
		same(pqCode(err), "57014")
		must(other.Close())
	})
	works("bulk load", func() {
		lakeTable("of_pq", func() {
			transaction := value(db.Begin())
			copied := value(transaction.Prepare(pq.CopyInSchema("of_pq", "things", "id", "name")))
			value(copied.Exec(1, "one"))
			value(copied.Exec(2, nil))
			value(copied.Exec())
			must(copied.Close())
			must(transaction.Commit())
			var found string
			must(db.QueryRow("SELECT string_agg(id::text || coalesce(name, '-'), ' ' ORDER BY id) FROM of_pq.things").Scan(&found))
			same(found, "1one 2-")
		})
	})
	works("columns without a grant are hidden", func() {
		scientist := pqOpen("scientist", nil)
		same(value(value(scientist.Query("SELECT * FROM curated.customers LIMIT 1")).Columns()), []string{"customer_id", "segment", "region"})
	})
}
