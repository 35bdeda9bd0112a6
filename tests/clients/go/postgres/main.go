// Go's clients of PostgreSQL against a running demo, whose connection file's JSON is in $LAKEGATE_CONNECTION: pgx, lib/pq, gorm.
//
// What was seen to work is written to $LAKEGATE_SHOWN, a line of JSON each. $LAKEGATE_OTHER_CA is the certificate of an authority that the
// server's is not from.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

type connectionFile struct {
	Postgres struct {
		Host string
		Port int
	}
	TLS struct {
		CAFile string `json:"ca_file"`
	}
	Users []struct{ Name, Password string }
}

var (
	demo   connectionFile
	ctx    = context.Background()
	admin  *pgx.Conn
	failed int
	at     = time.Date(2024, 2, 29, 12, 34, 56, 789000000, time.UTC)
	day    = time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
)

func main() {
	must(json.Unmarshal([]byte(os.Getenv("LAKEGATE_CONNECTION")), &demo))
	admin = value(pgx.Connect(ctx, dsn("admin", nil)))
	pgxClient()
	pqClient()
	gormClient()
	must(admin.Close(ctx))
	if failed > 0 {
		fmt.Println(failed, "failed")
		os.Exit(1)
	}
	fmt.Println("all passed")
}

func dsn(user string, more map[string]string) string {
	password := ""
	for _, u := range demo.Users {
		if u.Name == user {
			password = u.Password
		}
	}
	query := url.Values{"sslmode": {"verify-full"}, "sslrootcert": {demo.TLS.CAFile}, "connect_timeout": {"20"}}
	for name, value := range more {
		if name == "password" {
			password = value
			continue
		}
		query.Set(name, value)
	}
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, password), Path: "awsdatacatalog", RawQuery: query.Encode(),
		Host: demo.Postgres.Host + ":" + strconv.Itoa(demo.Postgres.Port),
	}
	return address.String()
}

func forever(mark string) string {
	return "SELECT /* " + mark + " */ count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y)," +
		" generate_series(1, 100000) c(z) WHERE x + y > z"
}

// works runs a check of a client, and notes that the capability works if it passes.
func works(client, module, capability string, check func()) {
	defer func() {
		if problem := recover(); problem != nil {
			failed++
			fmt.Printf("%s: %s: %v\n", client, capability, problem)
			return
		}
		note(client, module, capability)
	}()
	check()
}

func note(client, module, capability string) {
	path := os.Getenv("LAKEGATE_SHOWN")
	if path == "" {
		return
	}
	version := ""
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			version = strings.TrimPrefix(dependency.Version, "v")
		}
	}
	line := value(json.Marshal(map[string]any{"client": client, "version": version, "capability": capability, "fails_because": nil}))
	file := value(os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644))
	value(file.Write(append(line, '\n')))
	must(file.Close())
}

// running waits until as many queries with the mark run.
func running(mark string, count int) {
	sql := "SELECT count(*) FROM system.queries WHERE state = 'RUNNING' AND query LIKE '%/* " + mark + " */%' AND query NOT LIKE '%system.queries%'"
	for range 600 {
		var n int
		must(admin.QueryRow(ctx, sql).Scan(&n))
		if n == count {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	panic("still not as many of " + mark)
}

// lakeTable makes a table `things` and a view over it in a database of their own for the time of a check.
func lakeTable(database string, check func()) {
	exec := func(sql string) { value(admin.Exec(ctx, sql)) }
	exec("DROP DATABASE IF EXISTS " + database + " CASCADE")
	exec("CREATE DATABASE " + database)
	defer exec("DROP DATABASE " + database + " CASCADE")
	exec("CREATE EXTERNAL TABLE " + database + ".things (id int COMMENT 'the key', name string, price decimal(10,2), at timestamp)" +
		" STORED AS PARQUET LOCATION 's3://datalake/" + database + "/" + uuid.NewString() + "/'")
	exec("CREATE VIEW " + database + ".named AS SELECT id, name FROM " + database + ".things WHERE name IS NOT NULL")
	check()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func value[T any](v T, err error) T {
	must(err)
	return v
}

func same(found, expected any) {
	if !reflect.DeepEqual(found, expected) {
		panic(fmt.Sprintf("expected %#v, found %#v", expected, found))
	}
}
