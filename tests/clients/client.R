# R's RPostgreSQL against a running demo, which libpq's variables name: the part that the argument names.
suppressPackageStartupMessages(library(RPostgreSQL))

FOREVER <- paste(
  "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y),",
  "generate_series(1, 100000) c(z) WHERE x + y > z"
)

same <- function(expected, found) {
  if (!identical(expected, found)) stop("expected ", deparse(expected), ", found ", deparse(found))
}

refused <- function(expression, text) {
  error <- tryCatch({ expression; NULL }, error = identity)
  if (is.null(error) || !grepl(text, conditionMessage(error), fixed = TRUE)) stop("should fail with ", text, ", not ", format(error))
}

connect <- function(...) dbConnect(PostgreSQL(), ...)
connection <- connect()
ask <- function(...) dbGetQuery(connection, ...)
value <- function(...) ask(...)[[1]]

parts <- list(
  connects = function() {
    same("admin", value("SELECT current_user::text"))
    same(TRUE, value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
    information <- dbGetInfo(connection)
    same(Sys.getenv("PGDATABASE"), information$dbname)
  },
  refuses = function() refused(connect(password = "wrong"), "password authentication failed"),
  reads_types = function() {
    row <- ask(paste(
      "SELECT NULL::int AS a, true AS b, (-32768)::smallint AS c, 9007199254740991::bigint AS d, 2.5::double precision AS e,",
      "CAST('12.50' AS numeric(10,2)) AS f, 'd\u00df'::text AS g, DATE '2024-02-29' AS h, TIMESTAMP '2024-02-29 12:34:56.5' AS i,",
      "'2024-02-29 12:34:56.5+00'::timestamptz AS j, ARRAY['a', 'b,c'] AS k, 1.5::real AS l"
    ))
    same(list(NA_integer_, TRUE, -32768L, 9007199254740991, 2.5, 12.5), unname(as.list(row[1:6])))
    same("d\u00df", enc2utf8(row$g))
    same(as.Date("2024-02-29"), row$h)
    same("2024-02-29 12:34:56.5", format(row$i, "%Y-%m-%d %H:%M:%OS1"))
    same(c("POSIXct", "POSIXt"), class(row$j))
    same(as.numeric(as.POSIXct("2024-02-29 12:34:56", tz = "UTC")) + 0.5, as.numeric(row$j))
    same(list("{a,\"b,c\"}", 1.5), unname(as.list(row[11:12])))
  },
  parameters = function() {
    row <- ask(
      "SELECT $1::int AS a, $2::text AS b, $3::numeric(10,2) AS c, $4::date AS d, $5::boolean AS e",
      c("7", "d'\u00df", "12.50", "2024-02-29", "true")
    )
    same(list(7L, 12.5, as.Date("2024-02-29"), TRUE), unname(as.list(row[c(1, 3:5)])))
    same("d'\u00df", enc2utf8(row$b))
    counted <- "SELECT count(*)::int FROM curated.orders WHERE order_date = $1 AND quantity >= $2"
    expected <- "SELECT count(*)::int FROM curated.orders WHERE order_date = DATE '2024-05-05' AND quantity >= 1"
    same(value(expected), value(counted, c("2024-05-05", "1")))
  },
  pieces = function() {
    dbBegin(connection)
    ask("DECLARE numbers CURSOR FOR SELECT x::int AS x FROM generate_series(1, 950) t(x) ORDER BY x")
    seen <- integer(0)
    while (nrow(rows <- ask("FETCH 100 FROM numbers")) > 0) seen <- c(seen, rows$x)
    same(1:950, seen)
    dbRollback(connection)
    result <- dbSendQuery(connection, "SELECT x::int AS x, 'a'::text AS y, 1.5::double precision AS z FROM generate_series(1, 9) t(x) ORDER BY x")
    same(c("INTEGER", "TEXT", "FLOAT8"), dbColumnInfo(result)$type)
    same(c(1:4, 5:8, 9L), c(fetch(result, n = 4)$x, fetch(result, n = 4)$x, fetch(result, n = -1)$x))
    same(list(TRUE, 9L), list(dbHasCompleted(result), dbGetRowCount(result)))
    dbClearResult(result)
  },
  lists = function() {
    same(TRUE, "things" %in% dbListTables(connection))
    same(c(TRUE, TRUE, FALSE), c(
      dbExistsTable(connection, "things"), dbExistsTable(connection, c("curated", "orders")), dbExistsTable(connection, "no_such")
    ))
    same(c("id", "big", "ok", "ratio", "price", "name", "day", "at", "bytes"), dbListFields(connection, "things"))
    same(c("order_id", "total"), intersect(c("order_id", "no_such", "total"), dbListFields(connection, c("curated", "orders"))))
    same(0L, nrow(dbReadTable(connection, "things")))
  },
  writes = function() {
    rows <- data.frame(id = 1:3, name = c("one", "t\u00df", NA), price = c(12.5, NA, 1.25), ok = c(TRUE, FALSE, NA), stringsAsFactors = FALSE)
    same(TRUE, dbWriteTable(connection, "made", rows, row.names = FALSE))
    found <- ask("SELECT id, name, price, ok FROM made ORDER BY id")
    same(list(rows$id, rows$price, rows$ok), list(found$id, found$price, found$ok))
    same(rows$name, enc2utf8(found$name))
    same(TRUE, dbWriteTable(connection, "made", data.frame(id = 4L, name = "four", price = 0, ok = TRUE), row.names = FALSE, append = TRUE))
    same(4L, nrow(dbReadTable(connection, "made")))
    same(TRUE, dbWriteTable(connection, "made", rows[1, ], row.names = FALSE, overwrite = TRUE))
    same(1L, nrow(dbReadTable(connection, "made")))
    same(TRUE, dbRemoveTable(connection, "made"))
    same(FALSE, dbExistsTable(connection, "made"))
  },
  transactions = function() {
    dbBegin(connection)
    dbGetQuery(connection, "INSERT INTO things (id) VALUES (1)")
    same(1L, value("SELECT count(*)::int FROM things"))
    dbRollback(connection)
    same(0L, value("SELECT count(*)::int FROM things"))
    dbBegin(connection)
    dbGetQuery(connection, "INSERT INTO things (id) VALUES (2)")
    dbCommit(connection)
    same(2L, value("SELECT id FROM things"))
  },
  errors = function() {
    refused(dbSendQuery(connection, "SELECT order_id, no_such FROM curated.orders"), "no_such")
    refused(dbSendQuery(connection, "SELECT 1 FROM curated.no_such"), "no_such")
    same(1L, value("SELECT 1::int"))
  },
  timeout = function() {
    ask("SET statement_timeout = 300")
    refused(dbSendQuery(connection, FOREVER), "statement timeout")
    ask("SET statement_timeout = 0")
    same(1L, value("SELECT 1::int"))
  },
  hidden = function() same(c("customer_id", "segment", "region"), dbListFields(connection, c("curated", "customers")))
)

invisible(parts[[commandArgs(trailingOnly = TRUE)[1]]]())
invisible(dbDisconnect(connection))
cat("all passed\n")
