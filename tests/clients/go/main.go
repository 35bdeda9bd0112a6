// The Flight SQL driver of ADBC for Go against a running demo, whose connection file's JSON is in $LAKEGATE_CONNECTION.
//
// How the demo's analyst logs in without a password is in $LAKEGATE_IDENTITY: a provider's token, a certificate and its key.
// What was seen to work, and what fails as expected, is written to $LAKEGATE_SHOWN, a line of JSON each.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/apache/arrow-adbc/go/adbc"
	"github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

const forever = "SELECT /* go */ count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y)," +
	" generate_series(1, 100000) c(z) WHERE x + y > z"

type connectionFile struct {
	Flight struct {
		Host string
		Port int
	}
	TLS struct {
		CAFile string `json:"ca_file"`
	}
	Users []struct{ Name, Password string }
}

var (
	demo     connectionFile
	identity struct{ Token, Certificate, Key string }
	ctx      = context.Background()
)

func main() {
	must(json.Unmarshal([]byte(os.Getenv("LAKEGATE_CONNECTION")), &demo))
	must(json.Unmarshal([]byte(os.Getenv("LAKEGATE_IDENTITY")), &identity))
	works("TLS with certificate verification", func(c adbc.Connection) { same(query(c, "SELECT 1"), []string{"1"}) })
	works("user and password", func(c adbc.Connection) { same(query(c, "SELECT current_user"), []string{"admin"}) })
	works("error for a wrong password", wrongPassword)
	works("token of an identity provider", providerToken)
	works("client certificate", clientCertificate)
	works("query", rows)
	works("result as Arrow data", arrowTypes)
	works("nested types", nestedTypes)
	works("reading a result in pieces", pieces)
	works("statement that returns no rows", withoutRows)
	works("message and position of an error", badSQL)
	works("SQLSTATE of an error", sqlstate)
	works("cancel", cancel)
	works("prepared statement", prepared)
	works("parameters of all types", parameters)
	works("several rows of parameters", manyRows)
	works("reading partitions of a result elsewhere", partitions)
	works("schema of a result without execution", schemaOnly)
	works("catalogs, databases, tables", getObjects)
	works("columns", columns)
	works("table types", tableTypes)
	works("schema of a table", tableSchema)
	works("information about the server", info)
	works("current catalog and database", current)
	works("session settings", settings)
	works("error for a transaction", transactions)
	works("bulk ingestion", ingest)
	if failed > 0 {
		fmt.Println(failed, "failed")
		os.Exit(1)
	}
	fmt.Println("all passed")
}

// What is checked

func wrongPassword(adbc.Connection) {
	_, err := connect("nobody_go", "wrong")
	fails(err, "password authentication failed")
}

func providerToken(adbc.Connection) {
	c, err := connectBy(map[string]string{flightsql.OptionAuthorizationHeader: "Bearer " + identity.Token})
	must(err)
	defer c.Close()
	same(query(c, "SELECT current_user"), []string{"analyst"})
}

func clientCertificate(adbc.Connection) {
	certificate, err := os.ReadFile(identity.Certificate)
	must(err)
	key, err := os.ReadFile(identity.Key)
	must(err)
	c, err := connectBy(map[string]string{
		flightsql.OptionMTLSCertChain:  string(certificate),
		flightsql.OptionMTLSPrivateKey: string(key),
	})
	must(err)
	defer c.Close()
	same(query(c, "SELECT current_user"), []string{"analyst"})
}

func rows(c adbc.Connection) {
	found := query(c, "SELECT x, 'row ' || x FROM generate_series(1, 3) a(x) ORDER BY x")
	same(found, []string{"1|row 1", "2|row 2", "3|row 3"})
	same(query(c, "SELECT NULL::int, DATE '2024-02-29', CAST('12.50' AS DECIMAL(10,2))"), []string{"(null)|2024-02-29|12.5"})
}

func arrowTypes(c adbc.Connection) {
	statement := text(c, "SELECT order_id, total, order_date FROM curated.orders LIMIT 3")
	defer statement.Close()
	reader, _, err := statement.ExecuteQuery(ctx)
	must(err)
	defer reader.Release()
	fields := reader.Schema().Fields()
	same(fields[0].Type.String(), "utf8")
	same(fields[1].Type.String(), "decimal(10, 2)")
	same(fields[2].Type.String(), "date32")
	same(fields[1].Metadata.ToMap()["ARROW:FLIGHT:SQL:TYPE_NAME"], "decimal(10,2)")
}

func nestedTypes(c adbc.Connection) {
	found := query(c, "SELECT shipping, items, attributes FROM raw.orders LIMIT 1")
	same(strings.Contains(found[0], "city") && strings.Contains(found[0], "sku"), true)
}

func pieces(c adbc.Connection) {
	statement := text(c, "SELECT a.x FROM generate_series(1, 1000000) a(x), generate_series(1, 1000000) b(y)")
	defer statement.Close()
	reader, _, err := statement.ExecuteQuery(ctx)
	must(err)
	for range 3 {
		same(reader.Next(), true)
	}
	reader.Release()
}

func withoutRows(c adbc.Connection) {
	update := func(sql string) error {
		statement := text(c, sql)
		defer statement.Close()
		_, err := statement.ExecuteUpdate(ctx)
		return err
	}
	must(update("CREATE DATABASE go_made"))
	fails(update("CREATE DATABASE go_made"), "already exists")
	must(update("DROP DATABASE go_made"))
}

func badSQL(c adbc.Connection) {
	fails(refused(c, "SELECT * FROM curated.absent"), `relation "curated.absent" does not exist`)
	fails(refused(c, "SELECT no_such FROM curated.orders"), `column "no_such" does not exist`)
	fails(refused(c, "SELECT 1; SELECT 2"), "one by one")
}

// The driver leaves SqlState of its errors alone, and puts the server's metadata into their details.
func sqlstate(c adbc.Connection) {
	var failure adbc.Error
	same(errors.As(refused(c, "SELECT * FROM curated.absent"), &failure), true)
	same(failure.Code, adbc.StatusNotFound)
	for _, detail := range failure.Details {
		value, err := detail.Serialize()
		must(err)
		if strings.Contains(string(value), "42P01") {
			return
		}
	}
	panic("no detail has the SQLSTATE")
}

func cancel(c adbc.Connection) {
	statement := text(c, forever)
	defer statement.Close()
	limited, stop := context.WithTimeout(ctx, 500*time.Millisecond)
	defer stop()
	started := time.Now()
	reader, _, err := statement.ExecuteQuery(limited)
	if err == nil {
		for reader.Next() {
		}
		err = reader.Err()
		reader.Release()
	}
	same(err != nil, true)
	same(time.Since(started) < 30*time.Second, true)
	running := "SELECT count(*) FROM system.queries WHERE state = 'RUNNING' AND query LIKE '%/* go */%'" +
		" AND query NOT LIKE '%system.queries%'"
	for i := 0; i < 200 && query(c, running)[0] != "0"; i++ {
		time.Sleep(100 * time.Millisecond)
	}
	same(query(c, running), []string{"0"})
}

func prepared(c adbc.Connection) {
	statement := text(c, "SELECT count(*) > 0 FROM curated.orders WHERE order_date = ? AND quantity >= ?")
	defer statement.Close()
	must(statement.Prepare(ctx))
	schema, err := statement.GetParameterSchema()
	must(err)
	same(schema.Field(0).Type.String()+" "+schema.Field(1).Type.String(), "date32 int32")
	for range 2 {
		must(statement.Bind(ctx, row(`[{"a": "2024-05-05", "b": 1}]`, arrow.FixedWidthTypes.Date32, arrow.PrimitiveTypes.Int32)))
		same(fetch(statement), []string{"true"})
	}
}

func parameters(c adbc.Connection) {
	cases := []struct {
		sql   string
		value string
		kind  arrow.DataType
	}{
		{"smallint", "7", arrow.PrimitiveTypes.Int16},
		{"int", "7", arrow.PrimitiveTypes.Int32},
		{"bigint", "1099511627776", arrow.PrimitiveTypes.Int64},
		{"double precision", "2.5", arrow.PrimitiveTypes.Float64},
		{"boolean", "true", arrow.FixedWidthTypes.Boolean},
		{"string", `"dß"`, arrow.BinaryTypes.String},
		{"date", `"2024-02-29"`, arrow.FixedWidthTypes.Date32},
		{"timestamp", `"2024-02-29 12:34:56.789012"`, &arrow.TimestampType{Unit: arrow.Microsecond}},
		{"decimal(10,2)", `"12.50"`, &arrow.Decimal128Type{Precision: 10, Scale: 2}},
		{"int", "null", arrow.PrimitiveTypes.Int32},
	}
	for _, one := range cases {
		statement := text(c, fmt.Sprintf("SELECT CAST(CAST(? AS %s) AS string)", one.sql))
		must(statement.Prepare(ctx))
		must(statement.Bind(ctx, row(fmt.Sprintf(`[{"a": %s}]`, one.value), one.kind)))
		expected := strings.ReplaceAll(strings.Trim(one.value, `"`), "null", "(null)")
		same(strings.ReplaceAll(fetch(statement)[0], "T", " "), expected)
		must(statement.Close())
	}
}

func manyRows(c adbc.Connection) {
	statement := text(c, "SELECT ? * 10")
	defer statement.Close()
	must(statement.Prepare(ctx))
	must(statement.Bind(ctx, row(`[{"a": 1}, {"a": 2}, {"a": 3}]`, arrow.PrimitiveTypes.Int64)))
	same(fetch(statement), []string{"10", "20", "30"})
}

func partitions(c adbc.Connection) {
	statement := text(c, "SELECT count(*) > 0 FROM curated.products")
	defer statement.Close()
	_, parts, _, err := statement.ExecutePartitions(ctx)
	must(err)
	same(int(parts.NumPartitions), 1)
	other, err := connect("admin", password("admin"))
	must(err)
	defer other.Close()
	reader, err := other.ReadPartition(ctx, parts.PartitionIDs[0])
	must(err)
	same(read(reader), []string{"true"})
}

func schemaOnly(c adbc.Connection) {
	statement := text(c, forever)
	defer statement.Close()
	schema, err := statement.(adbc.StatementExecuteSchema).ExecuteSchema(ctx)
	must(err)
	same(schema.Field(0).Type.String(), "int64")
}

func getObjects(c adbc.Connection) {
	depths := map[adbc.ObjectDepth][]string{
		adbc.ObjectDepthCatalogs:  {"awsdatacatalog"},
		adbc.ObjectDepthDBSchemas: {"awsdatacatalog", "curated", "raw", "system"},
		adbc.ObjectDepthTables:    {"awsdatacatalog", "curated", "orders", "TABLE"},
		adbc.ObjectDepthAll:       {"awsdatacatalog", "curated", "orders", "order_date"},
	}
	for depth, words := range depths {
		reader, err := c.GetObjects(ctx, depth, nil, nil, nil, nil, nil)
		must(err)
		found := strings.Join(read(reader), "\n")
		for _, word := range words {
			if !strings.Contains(found, `"`+word+`"`) && !strings.HasPrefix(found, word) {
				panic(fmt.Sprintf("%s is not in %s", word, found))
			}
		}
	}
}

func columns(c adbc.Connection) {
	schema, table, pattern := "curated", "orders", "tot%"
	reader, err := c.GetObjects(ctx, adbc.ObjectDepthColumns, nil, &schema, &table, &pattern, nil)
	must(err)
	found := read(reader)[0]
	same(strings.Contains(found, `"total"`) && strings.Contains(found, "decimal(10,2)"), true)
	same(strings.Contains(found, `"quantity"`), false)
}

func tableTypes(c adbc.Connection) {
	reader, err := c.GetTableTypes(ctx)
	must(err)
	same(len(read(reader)), 3)
}

func tableSchema(c adbc.Connection) {
	schema := "curated"
	found, err := c.GetTableSchema(ctx, nil, &schema, "orders")
	must(err)
	total, _ := found.FieldsByName("total")
	same(total[0].Type.String(), "decimal(10, 2)")
	_, err = c.GetTableSchema(ctx, nil, &schema, "absent")
	same(err != nil, true)
}

func info(c adbc.Connection) {
	reader, err := c.GetInfo(ctx, []adbc.InfoCode{adbc.InfoVendorName, adbc.InfoVendorVersion, adbc.InfoVendorSql})
	must(err)
	same(strings.Contains(strings.Join(read(reader), "\n"), "Lakegate"), true)
}

func current(c adbc.Connection) {
	options := c.(adbc.GetSetOptions)
	catalog, err := options.GetOption(adbc.OptionKeyCurrentCatalog)
	must(err)
	same(catalog, "awsdatacatalog")
	must(options.SetOption(adbc.OptionKeyCurrentDbSchema, "curated"))
	same(query(c, "SELECT count(*) > 0 FROM products"), []string{"true"})
	same(options.SetOption(adbc.OptionKeyCurrentDbSchema, "no_such_database") != nil, true)
}

func settings(c adbc.Connection) {
	options := c.(adbc.GetSetOptions)
	must(options.SetOption(flightsql.OptionSessionOptionPrefix+"statement_timeout", "30s"))
	same(query(c, "SHOW statement_timeout"), []string{"30s"})
	value, err := options.GetOption(flightsql.OptionSessionOptionPrefix + "statement_timeout")
	must(err)
	same(value, "30s")
}

func transactions(c adbc.Connection) {
	err := c.(adbc.PostInitOptions).SetOption(adbc.OptionKeyAutoCommit, adbc.OptionValueDisabled)
	fails(err, "transaction")
}

func ingest(c adbc.Connection) {
	statement, err := c.NewStatement()
	must(err)
	defer statement.Close()
	for option, value := range map[string]string{
		adbc.OptionKeyIngestTargetTable:      "go_rows",
		adbc.OptionValueIngestTargetDBSchema: "analytics",
		adbc.OptionKeyIngestMode:             adbc.OptionValueIngestModeReplace,
	} {
		must(statement.SetOption(option, value))
	}
	must(statement.Bind(ctx, row(`[{"a": 1, "b": "x"}, {"a": 2, "b": null}]`, arrow.PrimitiveTypes.Int64, arrow.BinaryTypes.String)))
	count, err := statement.ExecuteUpdate(ctx)
	must(err)
	same(count, int64(2))
	same(query(c, "SELECT * FROM analytics.go_rows ORDER BY a"), []string{"1|x", "2|(null)"})
	drop := text(c, "DROP TABLE analytics.go_rows")
	defer drop.Close()
	_, err = drop.ExecuteUpdate(ctx)
	must(err)
}

// How it is checked

func connect(user, password string) (adbc.Connection, error) {
	return connectBy(map[string]string{adbc.OptionKeyUsername: user, adbc.OptionKeyPassword: password})
}

func connectBy(options map[string]string) (adbc.Connection, error) {
	ca, err := os.ReadFile(demo.TLS.CAFile)
	must(err)
	options[adbc.OptionKeyURI] = fmt.Sprintf("grpc+tls://%s:%d", demo.Flight.Host, demo.Flight.Port)
	options[flightsql.OptionSSLRootCerts] = string(ca)
	database, err := flightsql.NewDriver(memory.DefaultAllocator).NewDatabase(options)
	must(err)
	return database.Open(ctx)
}

func password(user string) string {
	for _, known := range demo.Users {
		if known.Name == user {
			return known.Password
		}
	}
	panic("no user " + user)
}

var failed int

// works notes that the capability works if the check does not panic.
func works(capability string, check func(adbc.Connection)) {
	defer func() {
		if problem := recover(); problem != nil {
			failed++
			fmt.Printf("%s: %v\n%s\n", capability, problem, debug.Stack())
		}
	}()
	connection, err := connect("admin", password("admin"))
	must(err)
	defer connection.Close()
	check(connection)
	file := os.Getenv("LAKEGATE_SHOWN")
	if file == "" {
		return
	}
	line, err := json.Marshal(map[string]any{
		"client": "ADBC (Go)", "version": version(), "capability": capability, "fails_because": nil,
	})
	must(err)
	out, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(err)
	_, err = out.Write(append(line, '\n'))
	must(errors.Join(err, out.Close()))
}

func version() string {
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		if module.Path == "github.com/apache/arrow-adbc/go/adbc" {
			return strings.TrimPrefix(module.Version, "v")
		}
	}
	panic("the driver is not among the modules of this program")
}

func text(c adbc.Connection, sql string) adbc.Statement {
	statement, err := c.NewStatement()
	must(err)
	must(statement.SetSqlQuery(sql))
	return statement
}

func query(c adbc.Connection, sql string) []string {
	statement := text(c, sql)
	defer statement.Close()
	return fetch(statement)
}

func fetch(statement adbc.Statement) []string {
	reader, _, err := statement.ExecuteQuery(ctx)
	must(err)
	return read(reader)
}

// read gives the rows as text, their values separated by |.
func read(reader array.RecordReader) []string {
	defer reader.Release()
	found := []string{}
	for reader.Next() {
		batch := reader.RecordBatch()
		for i := range int(batch.NumRows()) {
			values := make([]string, batch.NumCols())
			for j, column := range batch.Columns() {
				values[j] = column.ValueStr(i)
			}
			found = append(found, strings.Join(values, "|"))
		}
	}
	must(reader.Err())
	return found
}

func refused(c adbc.Connection, sql string) error {
	statement := text(c, sql)
	defer statement.Close()
	reader, _, err := statement.ExecuteQuery(ctx)
	if err != nil {
		return err
	}
	defer reader.Release()
	for reader.Next() {
	}
	return reader.Err()
}

// row reads rows of the columns a, b and so on from JSON.
func row(text string, types ...arrow.DataType) arrow.RecordBatch {
	fields := make([]arrow.Field, len(types))
	for i, kind := range types {
		fields[i] = arrow.Field{Name: string(rune('a' + i)), Type: kind, Nullable: true}
	}
	batch, _, err := array.RecordFromJSON(memory.DefaultAllocator, arrow.NewSchema(fields, nil), strings.NewReader(text))
	must(err)
	return batch
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func same[T any](found, expected T) {
	if fmt.Sprint(found) != fmt.Sprint(expected) {
		panic(fmt.Sprintf("expected %v, found %v", expected, found))
	}
}

func fails(err error, message string) {
	if err == nil || !strings.Contains(err.Error(), message) {
		panic(fmt.Sprintf("should fail with '%s', and gave %v", message, err))
	}
}
