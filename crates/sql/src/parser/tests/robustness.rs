//! No text makes the parser panic, overflow its stack or take long.

use super::*;
use crate::redact;

const SEEDS: [&str; 29] = [
    "CREATE TABLE IF NOT EXISTS a.b (c) COMMENT 'd' WITH (e = 'f', g = -1, h = ARRAY['i'], j = true) AS (SELECT 1) WITH NO DATA; INSERT INTO a (b, c) VALUES (1, ?); INSERT OVERWRITE TABLE a SELECT 1; UNLOAD (SELECT 1) TO 's3://b/' WITH (format = 'ORC')",
    "CREATE EXTERNAL TABLE IF NOT EXISTS a.b (x struct<a:int,`b c`:array<map<string,decimal(10,2)>>> COMMENT 'é') PARTITIONED BY (d date) CLUSTERED BY (x) SORTED BY (x DESC) INTO 4 BUCKETS ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' NULL DEFINED AS '\\N' STORED AS TEXTFILE LOCATION 's3://b/' TBLPROPERTIES ('a'='b', \"c\"=\"d\")",
    "CREATE TABLE t (a int) ROW FORMAT SERDE 'x' WITH SERDEPROPERTIES ('a'='b') STORED AS INPUTFORMAT 'i' OUTPUTFORMAT 'o'",
    "ALTER TABLE t DROP IF EXISTS PARTITION (a <= 5, b <> 'x'), PARTITION (c = DATE '2024-01-01')",
    "ALTER TABLE t ADD PARTITION (a='1', b=2) LOCATION 'x' PARTITION (a=null)",
    "SHOW COLUMNS FROM a.b IN a; DESCRIBE FORMATTED a.b PARTITION (x='y') c.d.'$elem$'",
    "CREATE USER u WITH PASSWORD 'p''q'; ALTER USER CURRENT_USER PASSWORD E'\\'x'; ALTER USER u SET WORKGROUP = w",
    "GRANT SELECT (a, b), INSERT ON TABLE d.t TO ROLE r, USER u, CURRENT_USER WITH GRANT OPTION",
    "REVOKE GRANT OPTION FOR ALL PRIVILEGES ON ALL TABLES IN SCHEMA d FROM r CASCADE",
    "CREATE WORKGROUP w WITH (a = 1, b = -2.5e3, c = 'x', d = true, e = null)",
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
    "SET search_path TO \"$user\", public; SET TIME ZONE INTERVAL '+01:00' HOUR TO MINUTE; RESET ALL; SHOW ALL",
    "PREPARE p (int, text) AS SELECT $1 + 1, $2; EXECUTE p (1, 'a'); EXECUTE p USING 1, 2; DEALLOCATE ALL",
    "DECLARE c BINARY NO SCROLL CURSOR WITH HOLD FOR SELECT 1; FETCH FORWARD 10 FROM c; MOVE ALL IN c; CLOSE c; LOCK TABLE d.t, ONLY u IN ACCESS SHARE MODE NOWAIT",
    "COPY (SELECT 1) TO STDOUT WITH (FORMAT csv, HEADER true, NULL 'x')",
    "COPY t (a, b) FROM STDIN WITH (FORMAT csv, HEADER match, FORCE_NULL (a))",
    "EXPLAIN (FORMAT JSON, ANALYZE) WITH x AS (SELECT * FROM `a`.\"B\" WHERE c ~ '^d') SELECT x.*, (y).z[1] FROM x",
    "SELECT CASE WHEN a THEN b ELSE c END, x -> x + 1, CAST(a AS array<array<int>>), a::int[][] FROM t TABLESAMPLE SYSTEM (1)",
    "SELECT ? WHERE a IN (1, 2) GROUP BY GROUPING SETS ((a), ()) ORDER BY 1 NULLS FIRST OFFSET 1 LIMIT 2",
    "SELECT INTERVAL '1' DAY, DATE '2024-01-01', $tag$ a ' b $tag$, U&'\\0061', X'00', N'x' -- c\n /* d /* e */ */",
    "MSCK REPAIR TABLE a.b SYNC PARTITIONS; SHOW PARTITIONS t PARTITION (a > 1); KILL QUERY 'x'",
    "BEGIN ISOLATION LEVEL SERIALIZABLE; SAVEPOINT a; ROLLBACK TO SAVEPOINT a; RELEASE a; COMMIT AND CHAIN",
    "ALTER TABLE t PARTITION (a='b') RENAME TO PARTITION (a='c'); ALTER TABLE t UNSET TBLPROPERTIES IF EXISTS ('x')",
    "CREATE DATABASE a COMMENT 'b' LOCATION 'c' WITH DBPROPERTIES ('d'='e'); DROP SCHEMA IF EXISTS a CASCADE",
    "CREATE TABLE a.b (LIKE c.d INCLUDING ALL EXCLUDING PROPERTIES) WITH (external_location = 's3://b/'); ALTER TABLE t CHANGE COLUMN a `b c` array<int> COMMENT 'd' AFTER e; ALTER TABLE t ALTER a SET DATA TYPE decimal(10, 2)",
    "CREATE TABLE a (b int NOT NULL, c text COLLATE \"C\" DEFAULT NULL::text, d time(3) without time zone, CONSTRAINT e CHECK (b > 0)) WITH (f = 'g'); CREATE INDEX a ON b.c USING d (e, lower(f)) WHERE g; DROP INDEX IF EXISTS a, b; ALTER TABLE a ADD COLUMN IF NOT EXISTS b int, ADD IF NOT EXISTS c text; ALTER TABLE a ALTER COLUMN b DROP NOT NULL",
    "COMMENT ON COLUMN a.b.c IS 'd'; ANALYZE (VERBOSE) a.b (c, d); ANALYZE TABLE a.b PARTITION (c = 1, d) COMPUTE STATISTICS FOR COLUMNS c, d; ANALYZE a WITH (columns = ARRAY['b', 'c']); SHOW STATS FOR a.b; SHOW STATS FOR (SELECT c, b.d FROM a.b WHERE c > 1)",
    "TABLE a.b UNION ALL VALUES (1, 2) INTERSECT (SELECT 1) FETCH FIRST 3 ROWS ONLY",
    "SELECT * FROM a JOIN b USING (x) LEFT JOIN LATERAL (SELECT 1) c ON true CROSS JOIN UNNEST(d) WITH ORDINALITY AS e(f, g)",
];

/// A small deterministic generator, so failures can be reproduced.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// Parsing returns, and a reported position is within the text.
fn survives(sql: &str) {
    if let Err(error) = parse(sql) {
        let end = sql.chars().count() + 1;
        assert!(
            error
                .position
                .is_none_or(|place| (1..=end).contains(&place)),
            "{sql}: {error:?}"
        );
        assert!(!error.message.is_empty());
    }
    redact(sql);
}

#[test]
fn seeds_parse() {
    for sql in SEEDS {
        assert!(parse(sql).is_ok(), "{sql}: {:?}", parse(sql));
    }
}

#[test]
fn every_truncation_comes_back() {
    for sql in SEEDS {
        for (index, _) in sql.char_indices() {
            survives(&sql[..index]);
            survives(&sql[index..]);
        }
    }
}

#[test]
fn mutations_come_back() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let alphabet: Vec<char> = "abSELECT \t\n'\"`;,.()[]{}<>=!~*+-/\\$?:@#%^&|01é\u{0}\u{feff}"
        .chars()
        .collect();
    let words: Vec<&str> = SEEDS.iter().flat_map(|seed| seed.split(' ')).collect();
    for _ in 0..6_000 {
        let mut text: Vec<char> = SEEDS[random.below(SEEDS.len())].chars().collect();
        for _ in 0..=random.below(4) {
            let place = random.below(text.len());
            match random.below(5) {
                0 => text[place] = alphabet[random.below(alphabet.len())],
                1 => {
                    text.remove(place);
                }
                2 => text.insert(place, alphabet[random.below(alphabet.len())]),
                3 => {
                    let word: Vec<char> = format!(" {} ", words[random.below(words.len())])
                        .chars()
                        .collect();
                    text.splice(place..place, word);
                }
                _ => {
                    let other: Vec<char> = SEEDS[random.below(SEEDS.len())].chars().collect();
                    let from = random.below(other.len());
                    text.splice(place.., other[from..].iter().copied());
                }
            }
            if text.is_empty() {
                text.push('x');
            }
        }
        survives(&text.into_iter().collect::<String>());
    }
}

#[test]
fn random_words_come_back() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let words: Vec<&str> = SEEDS.iter().flat_map(|seed| seed.split(' ')).collect();
    for _ in 0..4_000 {
        let count = 1 + random.below(12);
        let text: Vec<&str> = (0..count)
            .map(|_| words[random.below(words.len())])
            .collect();
        survives(&text.join(" "));
    }
}

/// Nesting or chaining pieces, repeated up to the longest allowed text.
#[test]
fn endless_nesting_and_chains_come_back() {
    for (start, piece, end) in [
        ("select ", "(", "1"),
        ("select ", "1+", "1"),
        ("select ", "1 or ", "1"),
        ("select ", "- ", "1"),
        ("select ", "not ", "1"),
        ("select ", "~", "1"),
        ("select ", "interval ", "'1' day"),
        ("select ", "case when ", "1"),
        ("select ", "case ", "1"),
        ("select ", "array[", "1"),
        ("select ", "f(", "1"),
        ("select ", "x -> ", "1"),
        ("select ", "exists (select ", "1"),
        ("select ", "cast(", "1"),
        ("select ", "{'a':", "1"),
        ("select ", "map {'a':", "1"),
        ("select ", "prior ", "1"),
        ("select ", "date ", "'x'"),
        ("select ", "a.", "b"),
        ("select ", "array ", "1"),
        ("select ", "row ", "1"),
        ("select ", "struct<", "1"),
        ("select ", "distinct ", "1"),
        ("select 1", "::int", ""),
        ("select 1::int", "[]", ""),
        ("select a", "[1]", ""),
        ("select a", ".b[1]", ""),
        ("select a", " is null", ""),
        ("select a", " collate x", ""),
        ("select a", " at time zone 'x'", ""),
        ("select a", " between 1 and 2", ""),
        ("select a", " like 'x'", ""),
        ("select a", " notnull", ""),
        ("select a", "!", ""),
        ("select cast(a as ", "array<", "int"),
        ("select cast(a as ", "struct<a ", "int"),
        ("select cast(a as ", "map<int,", "int"),
        ("select cast(a as ", "nullable(", "int"),
        ("select a", " in (select a", ""),
        ("select 1", " union select 1", ""),
        ("select 1", " intersect select 1", ""),
        ("", "with a as (", "select 1"),
        ("", "explain ", "select 1"),
        ("", "explain analyze ", "select 1"),
        ("", "prepare p as ", "select 1"),
        ("", "declare c cursor for ", "select 1"),
        ("", "(", "select 1"),
        ("select * from ", "(", "t"),
        ("select * from ", "lateral ", "t"),
        ("select * from t", " join t", ""),
        ("select * from t", " join t on true", ""),
        ("select * from t", " cross join t", ""),
        ("select * from t", " natural join t", ""),
        ("select * from t", ", t", ""),
        ("select * from t", " pivot (sum(a) for b in (1))", ""),
        ("select * from t", " tablesample system (1)", ""),
        ("select * from t", " lateral view explode(a) b", ""),
        ("select * from t limit ", "1+", "1"),
        ("select * from t order by ", "a, ", "a"),
        ("values ", "(1), ", "(1)"),
        ("create table t (a ", "array<", "int"),
        ("create table t (a ", "struct<a:", "int"),
        ("create table t (", "a int, ", "a int)"),
        ("/*", "/*", ""),
        ("select '", "''", ""),
        ("", ";", ""),
        ("", "select 1;", ""),
        ("grant ", "select, ", "select on t to r"),
        ("create user u password ", "'x' ", ""),
        ("create user u ", "password ", "'x'"),
    ] {
        let count = (crate::MAX_TEXT_CHARS - start.len() - end.len()) / piece.len();
        for count in [count, 150, 40] {
            survives(&format!("{start}{}{end}", piece.repeat(count)));
        }
    }
}

/// A chain and those within its parentheses are one tree, as deep as all of them together.
#[test]
fn chains_within_chains_are_refused() {
    for (levels, operators) in [(3, 1_900), (60, 1_900), (99, 1_200)] {
        let left = format!("{})", "+0".repeat(operators)).repeat(levels);
        let right = format!("({}", "0+".repeat(operators)).repeat(levels);
        let case = format!("case when {}", "0+".repeat(operators)).repeat(levels);
        for sql in [
            format!("select {}1{left}", "(".repeat(levels)),
            format!("select {right}1{}", ")".repeat(levels)),
            format!("select {case}1{}", " then 1 end".repeat(levels)),
        ] {
            let error = parse(&sql).unwrap_err();
            assert!(
                error.message.contains("in one another"),
                "{}",
                error.message
            );
        }
    }
    let chain = format!("({})", vec!["a = 1"; 900].join(" or "));
    let beside = vec![chain; 3].join(" and ");
    assert!(parse(&format!("select f({beside}, {beside}) where {beside}")).is_ok());
}

/// What is planned as a chain, each part within the previous one, is bounded for any kind of part.
#[test]
fn chains_of_relations_are_refused() {
    let lists = format!("select 1 from t{}", ", t".repeat(5_000));
    let subqueries = format!("select 1 from t{}", ", (select 1) x".repeat(5_000));
    let with: Vec<String> = (0..3_000)
        .map(|n| format!("c{} as (select * from c{n})", n + 1))
        .collect();
    let with = format!(
        "with c0 as (select 1 x), {} select * from c3000",
        with.join(", ")
    );
    let unions = format!(
        "select * from (select 1{}) t",
        " union select 1".repeat(400)
    );
    for sql in [lists, subqueries, with] {
        let error = parse(&sql).unwrap_err();
        assert!(error.message.contains("in all"), "{}", error.message);
    }
    assert!(parse(&unions).is_ok());
}

#[test]
fn every_keyword_repeated_comes_back() {
    for keyword in sqlparser::keywords::ALL_KEYWORDS {
        for sql in [
            format!("select {}", format!("{keyword} ").repeat(200)),
            format!("select {}", format!("{keyword}(").repeat(40)),
            format!("select * from t {}", format!("{keyword} x ").repeat(200)),
            format!("select a {}", format!("{keyword} 1 ").repeat(200)),
            format!("{keyword} ").repeat(100),
        ] {
            survives(&sql);
        }
    }
}

#[test]
fn long_but_honest_queries_parse() {
    let list = (0..20_000)
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    assert!(parse(&format!("select * from t where a in ({list})")).is_ok());
    let chain = (0..400)
        .map(|n| format!("a = {n}"))
        .collect::<Vec<_>>()
        .join(" or ");
    assert!(parse(&format!("select * from t where {chain}")).is_ok());
    let cases = (0..500)
        .map(|n| format!("when a = {n} then {n}"))
        .collect::<Vec<_>>()
        .join(" ");
    assert!(parse(&format!("select case {cases} end from t")).is_ok());
    let unions = vec!["select 1"; 300].join(" union all ");
    assert!(parse(&unions).is_ok());
    let nested = format!("{}1{}", "(".repeat(30), ")".repeat(30));
    assert!(parse(&format!("select {nested}")).is_ok());
    let subqueries = format!("{}t{}", "(select * from ".repeat(20), ") x".repeat(20));
    assert!(parse(&format!("select * from {subqueries}")).is_ok());
}
