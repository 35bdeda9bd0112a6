# Ruby's pg against a running demo, which libpq's variables name.
require "pg"

def same(expected, found)
  raise "expected #{expected.inspect}, found #{found.inspect}" unless expected == found
end

connection = PG.connect
same true, connection.ssl_in_use?
same [["admin", "2"]], connection.exec("SELECT current_user, 1 + 1").values

connection.type_map_for_results = PG::BasicTypeMapForResults.new(connection)
same [[nil, true, 7, 9007199254740993, 2.5, "dß", [1, 2, nil], ["a", nil], { "a" => 1 }]], connection.exec(
  "SELECT NULL::int, true, 7::int, 9007199254740993::bigint, 2.5::double precision, 'dß'::text, ARRAY[1::int, 2::int, NULL]," \
  " ARRAY['a', NULL], '{\"a\": 1}'::json"
).values
day, price, bytes = connection.exec("SELECT DATE '2024-02-29', CAST('12.50' AS numeric(10,2)), '\\x00ff'::bytea").values[0]
same ["2024-02-29", "12.5", [0, 255]], [day.to_s, price.to_s("F"), bytes.bytes]

sql = "SELECT $1::int + 1, $2::date, $3::text, $4::numeric"
same [[8, "2024-02-29", "d'ß", "1.50"]], connection.exec_params(sql, [7, "2024-02-29", "d'ß", "1.50"]).values.map { |row|
  [row[0], row[1].to_s, row[2], format("%.2f", row[3])]
}
connection.prepare("twice", "SELECT $1::int * 2")
same [[2], [4]], [1, 2].flat_map { |i| connection.exec_prepared("twice", [i]).values }

seen = []
connection.send_query("SELECT x FROM generate_series(1, 3000) t(x) ORDER BY x")
connection.set_single_row_mode
connection.get_result.stream_each_row { |row| seen << row[0] }
connection.get_result
same (1..3000).to_a, seen

begin
  connection.transaction do |c|
    c.exec("INSERT INTO of_ruby.things (id) VALUES (1)")
    raise ArgumentError
  end
rescue ArgumentError
end
same 0, connection.exec("SELECT count(*) FROM of_ruby.things").getvalue(0, 0)

begin
  connection.exec("SELECT order_id, no_such FROM curated.orders")
  raise "should fail"
rescue PG::UndefinedColumn => e
  same ["42703", "18"], [e.result.error_field(PG::PG_DIAG_SQLSTATE), e.result.error_field(PG::PG_DIAG_STATEMENT_POSITION)]
end

connection.send_query("SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), generate_series(1, 100000) c(z) WHERE x + y > z")
sleep 0.2
connection.cancel
begin
  connection.get_last_result
  raise "should fail"
rescue PG::QueryCanceled
end
same [[1]], connection.exec("SELECT 1::int").values

out = []
connection.copy_data("COPY (SELECT 1, 'a,b') TO STDOUT (FORMAT csv)") { while (row = connection.get_copy_data) do out << row end }
same ["1,\"a,b\"\n"], out
connection.copy_data("COPY of_ruby.things (id, name) FROM STDIN (FORMAT csv)") { connection.put_copy_data("1,one\n2,\n") }
same [[1, "one"], [2, nil]], connection.exec("SELECT id, name FROM of_ruby.things ORDER BY id").values
puts "all passed"
