"""Functions that both libraries have by one name, and that no case calls."""

NOT_COMPARED = {
    "bar": "colors for terminals, against a text of blocks",
    "entropy": "of counts, against of values",
    "format": "Java's format, against fmt's",
    "json_array": "syntax of its own",
    "json_exists": "paths of SQL/JSON",
    "json_object": "syntax of its own",
    "json_query": "paths of SQL/JSON",
    "json_value": "paths of SQL/JSON",
    "now": "the time",
    "random": "chance",
    "st_asbinary": "DuckDB has it in an extension that is not installed",
    "st_astext": "DuckDB has it in an extension that is not installed",
    "timezone_hour": "of a timestamp with time zone, which a Parquet file does not hold",
    "timezone_minute": "of a timestamp with time zone, which a Parquet file does not hold",
    "to_milliseconds": "of an interval, against to one",
    "to_timestamp": "Teradata's formats, against seconds",
    "typeof": "the names of the types differ",
    "uuid": "chance",
    "variance": "another name of var_samp",
    "version": "of the engine",
}
