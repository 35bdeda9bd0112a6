# Rails' ActiveRecord against a running demo, which libpq's variables name: the part that the argument names.
require "active_record"
require "bigdecimal"
require "date"

AT = Time.utc(2024, 2, 29, 12, 34, 56, 789_000)
FOREVER = "SELECT count(*) FROM generate_series(1, 100000) a(x), generate_series(1, 100000) b(y), generate_series(1, 100000) c(z) WHERE x + y > z"

ActiveRecord::Base.establish_connection(adapter: "postgresql", database: ENV.fetch("PGDATABASE"), pool: 3)

class Thing < ActiveRecord::Base
  self.table_name = "of_rails.things"
  self.primary_key = "id"
end

# With a primary key, Rails would ask for its index before it inserts several rows.
class Row < ActiveRecord::Base
  self.table_name = "of_rails.things"
end

class Order < ActiveRecord::Base
  self.table_name = "curated.orders"
  self.primary_key = "order_id"
end

def connection = ActiveRecord::Base.connection

def same(expected, found)
  raise "expected #{expected.inspect}, found #{found.inspect}" unless expected == found
end

def refused(error, sqlstate = nil)
  begin
    yield
  rescue error => e
    same sqlstate, e.cause.result.error_field(PG::PG_DIAG_SQLSTATE) if sqlstate
    return e
  end
  raise "should fail with #{error}"
end

def count(sql) = connection.select_value(sql)

def connects
  same true, connection.active?
  same true, connection.raw_connection.ssl_in_use?
  same [["admin", 2]], connection.select_rows("SELECT current_user::text, 1::int + 1::int")
  connection.reconnect!
  connection.reset!
  same "UTC", connection.select_value("SHOW timezone")
  same true, connection.supports_common_table_expressions?
  # A schema dumper, and migrations, ask for these.
  same [true, true], [connection.extensions.is_a?(Array), connection.schema_exists?("curated")]
  same [true, true], [connection.get_advisory_lock(42), connection.release_advisory_lock(42)]
end

def reads_types
  row = connection.select_all(
    "SELECT NULL::int AS a, true AS b, (-32768)::smallint AS c, 9007199254740993::bigint AS d, 2.5::double precision AS e," \
    " CAST('12.50' AS numeric(10,2)) AS f, 'dß'::text AS g, DATE '2024-02-29' AS h, TIMESTAMP '2024-02-29 12:34:56.789' AS i," \
    " '2024-02-29 13:34:56.789+01'::timestamptz AS j, '\\x00ff'::bytea AS k, '{\"a\": [1, null]}'::json AS l," \
    " ARRAY[1::int, 2::int, NULL] AS m, ARRAY['a', 'b,c'] AS n, INTERVAL '1 day 2 hours' AS o," \
    " '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid AS p"
  )
  values = row.columns.zip(row.cast_values[0]).to_h
  same(
    {
      "a" => nil, "b" => true, "c" => -32768, "d" => 9007199254740993, "e" => 2.5, "f" => BigDecimal("12.50"), "g" => "dß",
      "h" => Date.new(2024, 2, 29), "i" => AT, "j" => AT, "k" => "\x00\xff".b, "l" => { "a" => [1, nil] }, "m" => [1, 2, nil],
      "n" => ["a", "b,c"], "o" => ActiveSupport::Duration.parse("P1DT2H"), "p" => "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    },
    values,
  )
end

def queries
  day = Date.new(2024, 5, 5)
  same count("SELECT count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05'"), Order.where(order_date: day).count
  # Statements with values in them are prepared, and those with the same text run again.
  orders = Order.where(order_date: day, quantity: 1..3).where("total < ?", BigDecimal("1000000.00")).where.not(customer_id: nil)
  expected = count(
    "SELECT count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05' AND quantity BETWEEN 1 AND 3"
  )
  2.times { same expected, orders.count }
  ids = connection.select_values("SELECT order_id FROM curated.orders WHERE order_date = DATE '2024-05-05' ORDER BY total DESC, order_id")
  same ids[1, 3], Order.where(order_date: day).order(total: :desc, order_id: :asc).limit(3).offset(1).pluck(:order_id)
  same ids.sort, Order.where(order_date: day).find_each(batch_size: 2).map(&:order_id).sort
  same ids[0], Order.find(ids[0]).order_id
  same [ids[0]], Order.where(order_id: [ids[0], "no_such"]).ids
  same [true, false], [Order.exists?(order_id: ids[0]), Order.where(order_id: "no_such").exists?]
  refused(ActiveRecord::RecordNotFound) { Order.find("no_such") }
  same(
    connection.select_rows("SELECT quantity, count(*) FROM curated.orders WHERE order_date = DATE '2024-05-05' GROUP BY 1 ORDER BY 1"),
    Order.where(order_date: day).group(:quantity).order(:quantity).count.to_a,
  )
  same(
    connection.select_rows("SELECT sum(total), max(order_date), min(created_at) FROM curated.orders")[0],
    [Order.sum(:total), Order.maximum(:order_date).to_s, Order.minimum(:created_at)],
  )
  same Order.distinct.count(:customer_id), Order.select(:customer_id).distinct.to_a.size
  same 1, Order.from(Order.where(order_id: ids[0]), :orders).count
  same true, Order.where(order_id: ids[0]).explain.include?("orders")
  other = Order.where(order_id: ids[1]).joins("JOIN curated.orders o ON o.order_id = curated.orders.order_id")
  same [ids[1]], Order.where(order_id: ids[0]).and(Order.where(quantity: nil)).or(Order.where(order_id: other.select(:order_id))).ids
end

def writes
  same 0, Thing.count
  Row.insert_all!([{ id: 1, name: "d'ß", price: BigDecimal("12.50"), at: AT, ok: true, big: 9007199254740993, ratio: 2.5,
                     day: Date.new(2024, 2, 29), bytes: "\x00\xff".b },
                   { id: 2, name: nil, price: nil, at: nil, ok: nil, big: nil, ratio: nil, day: nil, bytes: nil }])
  one, two = Thing.order(:id).to_a
  same(
    [1, 9007199254740993, true, 2.5, BigDecimal("12.50"), "d'ß", Date.new(2024, 2, 29), AT, "\x00\xff".b],
    [one.id, one.big, one.ok, one.ratio, one.price, one.name, one.day, one.at, one.bytes],
  )
  same [2, nil, nil], [two.id, two.name, two.at]
  three = Thing.create!(id: 3, name: "three", at: AT)
  same [3, "three", AT], Thing.where(at: ..AT).find_by(name: three.name).then { |t| [t.id, t.name, t.at] }
  same 3, Thing.find_each(batch_size: 1).to_a.size
  same [1], Thing.where("name LIKE ?", "d'%").or(Thing.where(name: "no such")).ids

  Thing.transaction do
    Thing.create!(id: 4)
    same 4, Thing.count
    raise ActiveRecord::Rollback
  end
  Thing.transaction do
    Thing.create!(id: 5)
    Thing.transaction(requires_new: true) do
      Thing.create!(id: 6)
      raise ActiveRecord::Rollback
    end
  end
  same [1, 2, 3, 5], Thing.order(:id).ids
  Thing.transaction(isolation: :serializable) { same 4, Thing.count }

  # Nothing changes rows in place: the class of the error is that of any other statement.
  refused(ActiveRecord::StatementInvalid, "0A000") { three.update!(name: "four") }
  refused(ActiveRecord::StatementInvalid, "0A000") { Row.insert_all([{ id: 1 }]) }
end

def schema
  same true, (connection.tables + connection.views).is_a?(Array)
  same [%w[things], %w[named]], [connection.tables, connection.views]
  same [true, true, false], ["of_rails.things", "of_rails.named", "of_rails.no_such"].map { |name| connection.data_source_exists?(name) }
  same [true, false], [connection.table_exists?("of_rails.things"), connection.table_exists?("of_rails.named")]
  columns = connection.columns("of_rails.things")
  same(
    [["id", :integer, "integer"], ["big", :integer, "bigint"], ["ok", :boolean, "boolean"], ["ratio", :float, "double precision"],
     ["price", :decimal, "numeric(10,2)"], ["name", :text, "text"], ["day", :date, "date"],
     ["at", :datetime, "timestamp without time zone"], ["bytes", :binary, "bytea"]],
    columns.map { |column| [column.name, column.type, column.sql_type] },
  )
  same [10, 2, nil, true], columns[4].then { |price| [price.precision, price.scale, price.default, price.null] }
  same ["the key", "all the things"], [columns[0].comment, connection.table_comment("of_rails.things")]
  same [[], [], []], [connection.primary_keys("of_rails.things"), connection.indexes("of_rails.things"), connection.foreign_keys("of_rails.things")]
  same nil, connection.primary_key("of_rails.things")
  same %w[id big ok ratio price name day at bytes], Thing.column_names
  same true, connection.schema_names.include?("curated")
  same "of_rails", connection.current_schema
end

def makes_a_table
  connection.create_table("of_rails.made", id: false) do |t|
    t.integer :id
    t.string :name
    t.decimal :price, precision: 10, scale: 2
    t.datetime :at
    t.boolean :ok
  end
  made = Class.new(ActiveRecord::Base) { self.table_name = "of_rails.made" }
  made.insert_all!([{ id: 1, name: "one", price: "2.25", at: AT, ok: true }])
  same [[1, "one", BigDecimal("2.25"), AT, true]], made.pluck(:id, :name, :price, :at, :ok)
  connection.add_column("of_rails.made", :note, :text)
  made.reset_column_information
  same %w[id name price at ok note], made.column_names
  connection.drop_table("of_rails.made")
  same false, connection.table_exists?("of_rails.made")
  refused(ActiveRecord::StatementInvalid, "0A000") { connection.create_table("of_rails.keyed") { |t| t.string :name } }
end

def errors
  error = refused(ActiveRecord::StatementInvalid, "42703") { connection.select_all("SELECT order_id, no_such FROM curated.orders") }
  same ["PG::UndefinedColumn", "18"], [error.cause.class.name, error.cause.result.error_field(PG::PG_DIAG_STATEMENT_POSITION)]
  refused(ActiveRecord::StatementInvalid, "42P01") { connection.select_all("SELECT 1 FROM curated.no_such") }
  refused(ActiveRecord::StatementInvalid, "42601") { connection.execute("SELEC 1") }
  refused(ActiveRecord::RangeError, "22003") { connection.select_all("SELECT 9223372036854775807::bigint::int") }
  connection.execute("SET statement_timeout = 300")
  refused(ActiveRecord::QueryCanceled, "57014") { connection.select_value(FOREVER) }
  connection.execute("SET statement_timeout = 0")
  same 1, connection.select_value("SELECT 1::int")
end

def pool
  seen = 6.times.map { |i| Thread.new { ActiveRecord::Base.connection_pool.with_connection { |c| c.select_value("SELECT #{i}::int") } } }
  same (0..5).to_a, seen.map(&:value)
end

def hidden
  same %w[customer_id segment region], connection.columns("curated.customers").map(&:name)
end

send(ARGV[0])
puts "all passed"
