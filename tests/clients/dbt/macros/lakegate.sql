{#
  What dbt-postgres does in a way that tables of files do not have, written for Lakegate.
  docs/connect/dbt.md explains each macro. Copy this file into your own project.
#}

{#
  Tables are never unlogged and have no constraints; they have the properties of CREATE TABLE AS.
  The columns and types of a contract are checked.
  A relation of one run, which dbt-postgres makes a temporary table, is a view: the rows are not
  written twice.
#}
{% macro postgres__create_table_as(temporary, relation, sql) -%}
  {%- set sql_header = config.get('sql_header', none) -%}
  {{ sql_header if sql_header is not none }}

  {% if temporary -%}
  create view {{ relation }} as (
    {{ sql }}
  );
  {%- else -%}
    {%- set properties = lakegate_table_properties() -%}
    {%- if config.get('contract').enforced -%}
      {{ get_assert_columns_equivalent(sql) }}
      {%- set sql = get_select_subquery(sql) -%}
    {%- endif %}
  create table {{ relation }}
    {% if properties -%} with ({{ properties | join(', ') }}) {%- endif %}
  as (
    {{ sql }}
  );
  {%- endif %}
{%- endmacro %}

{# The configurations `format`, `write_compression`, `external_location` and `partitioned_by`. #}
{% macro lakegate_table_properties() %}
  {%- set properties = [] -%}
  {%- for name in ['format', 'write_compression', 'external_location'] -%}
    {%- set value = config.get(name) -%}
    {%- if value -%}
      {%- do properties.append(name ~ " = '" ~ value ~ "'") -%}
    {%- endif -%}
  {%- endfor -%}
  {%- set keys = config.get('partitioned_by', []) -%}
  {%- if keys -%}
    {%- do properties.append("partitioned_by = ARRAY['" ~ keys | join("', '") ~ "']") -%}
  {%- endif -%}
  {{ return(properties) }}
{% endmacro %}

{# The view of one run, in the schema of its table. #}
{% macro postgres__make_temp_relation(base_relation, suffix) %}
  {%- set relation = postgres__make_relation_with_suffix(base_relation, suffix, dstring=True) -%}
  {{ return(relation.incorporate(type='view')) }}
{% endmacro %}

{# incremental_strategy: append #}
{% macro postgres__get_incremental_append_sql(arg_dict) %}
  {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
  insert into {{ arg_dict['target_relation'] }} ({{ columns }})
  select {{ columns }} from {{ arg_dict['temp_relation'] }};
  drop view if exists {{ arg_dict['temp_relation'] }};
{% endmacro %}

{#
  incremental_strategy: overwrite_partitions

  Replaces exactly the partitions that receive rows. The name `insert_overwrite` is one that dbt
  refuses to accept from a project with this adapter.
#}
{% macro get_incremental_overwrite_partitions_sql(arg_dict) %}
  {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
  insert overwrite {{ arg_dict['target_relation'] }} ({{ columns }})
  select {{ columns }} from {{ arg_dict['temp_relation'] }};
  drop view if exists {{ arg_dict['temp_relation'] }};
{% endmacro %}

{#
  Seeds. Tables without rows are made by CREATE TABLE AS, as CREATE TABLE with columns is for
  external tables. Give every column a type with `column_types`; the default of numbers, `numeric`
  without a precision, is no type of tables.
#}
{% macro postgres__create_csv_table(model, agate_table) %}
  {%- set column_types = config.get('column_types', {}) -%}
  {%- set quote = config.get('quote_columns', none) -%}
  {%- set sql %}
  create table {{ this.render() }} as
  select
    {%- for name in agate_table.column_names %}
    cast(null as {{ column_types.get(name, adapter.convert_type(agate_table, loop.index0)) }})
      as {{ adapter.quote_seed_column(name, quote) }}
      {%- if not loop.last %},{% endif %}
    {%- endfor %}
  with no data
  {%- endset -%}
  {%- call statement('_') -%}
    {{ sql }}
  {%- endcall -%}
  {{ return(sql) }}
{% endmacro %}

{# A seed that exists is made anew, so that its columns may change. #}
{% macro postgres__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
  {%- do adapter.drop_relation(old_relation) -%}
  {{ return(create_csv_table(model, agate_table)) }}
{% endmacro %}

{#
  Snapshots. dbt-postgres closes rows by UPDATE, which tables of files do not have: all rows are
  written again, in one step for readers.
#}
{% macro postgres__snapshot_merge_sql(target, source, insert_cols) -%}
  {%- set names = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() -%}
  {%- set current = config.get('dbt_valid_to_current') -%}
  {%- set columns = adapter.get_columns_in_relation(target) | map(attribute='name') | list -%}
  insert overwrite {{ target }} ({{ get_quoted_csv(columns) }})
  select
    {%- for name in columns %}
    {% if name == names.dbt_valid_to -%}
    case when closed.{{ names.dbt_scd_id }} is not null
         and (kept.{{ name }} is null {% if current %} or kept.{{ name }} = {{ current }} {% endif %})
      then closed.{{ name }} else kept.{{ name }} end as {{ name }}
    {%- else -%}
    kept.{{ adapter.quote(name) }}
    {%- endif %}{% if not loop.last %},{% endif %}
    {%- endfor %}
  from {{ target }} as kept
  left join (
    select {{ names.dbt_scd_id }}, {{ names.dbt_valid_to }} from {{ source }}
    where dbt_change_type in ('update', 'delete')
  ) as closed on closed.{{ names.dbt_scd_id }} = kept.{{ names.dbt_scd_id }}
  union all
  select
    {%- for name in columns %}
    {% if adapter.quote(name) in insert_cols -%}
    opened.{{ adapter.quote(name) }}
    {%- else -%}
    null
    {%- endif %}{% if not loop.last %},{% endif %}
    {%- endfor %}
  from {{ source }} as opened
  where opened.dbt_change_type = 'insert';
  drop view if exists {{ source }};
{% endmacro %}

{# on_schema_change: append_new_columns, sync_all_columns. Columns of tables have Hive's types. #}
{% macro postgres__alter_relation_add_remove_columns(relation, add_columns, remove_columns) %}
  {%- set added = [] -%}
  {%- for column in add_columns or [] -%}
    {%- do added.append(adapter.quote(column.name) ~ ' ' ~ lakegate_type(column.expanded_data_type)) -%}
  {%- endfor -%}
  {%- if added -%}
    {%- do run_query('alter table ' ~ relation ~ ' add columns (' ~ added | join(', ') ~ ')') -%}
  {%- endif -%}
  {%- for column in remove_columns or [] -%}
    {%- do run_query('alter table ' ~ relation ~ ' drop column ' ~ adapter.quote(column.name)) -%}
  {%- endfor -%}
{% endmacro %}

{# Hive's name of a type of PostgreSQL. #}
{% macro lakegate_type(data_type) %}
  {%- set names = {
    'text': 'string', 'character varying': 'string', 'bytea': 'binary', 'real': 'float',
    'double precision': 'double', 'timestamp without time zone': 'timestamp'
  } -%}
  {{ return(names.get(data_type, data_type | replace('numeric', 'decimal'))) }}
{% endmacro %}
