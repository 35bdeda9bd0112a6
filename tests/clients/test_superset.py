"""Apache Superset against a running demo: its REST API in this process, as its pages call it."""

import contextlib
import hashlib
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from conftest import password_of, postgres_uri
from postgres import FOREVER, create_lake_table, drop_lake_table

pytestmark = pytest.mark.client("Superset", "apache-superset")

TOTALS = "SELECT region, total FROM curated.orders o JOIN curated.customers c ON c.customer_id = o.customer_id"


CONFIG = Path(__file__).parent / "superset/superset_config.py"


def new_home(home):
    """Makes an empty metadata database in a folder, and a user who may do everything."""
    superset = Path(sys.executable).parent / "superset"
    admin = ["fab", "create-admin", "--username", "a", "--firstname", "a", "--lastname", "a", "--email", "a@example.com", "--password", "a"]
    for command in (["db", "upgrade"], admin, ["init"]):
        done = subprocess.run(
            [superset, *command], env=os.environ | {"SUPERSET_HOME": str(home)}, capture_output=True, text=True, timeout=280,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def kept_home():
    """A folder as `new_home` makes it, kept in the venv: hundreds of migrations take half a minute. Other versions have another venv."""
    commands = inspect.getsource(new_home).encode()
    kept = Path(sys.prefix) / f"home-{hashlib.sha256(CONFIG.read_bytes() + commands).hexdigest()[:16]}"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=sys.prefix) as folder:
            made = Path(folder) / "home"
            made.mkdir()
            new_home(made)
            with contextlib.suppress(OSError):  # Another run has just made it.
                made.rename(kept)
    return kept


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    """Superset with an empty metadata database, and a user who may do everything."""
    home = tmp_path_factory.mktemp("superset") / "home"
    os.environ.update(SUPERSET_HOME=str(home), SUPERSET_CONFIG_PATH=str(CONFIG), FLASK_APP="superset")
    shutil.copytree(kept_home(), home)
    from superset.app import create_app

    return create_app()


class Api:
    """The REST API, logged in."""

    def __init__(self, application):
        self.client = application.test_client()
        login = {"username": "a", "password": "a", "provider": "db"}
        token = self.client.post("/api/v1/security/login", json=login).json["access_token"]
        self.headers = {"Authorization": f"Bearer {token}"}
        # The pages that are not of the REST API want a session.
        self.client.post("/login/", data={"username": "a", "password": "a"})

    def ask(self, method, path, status=(200, 201), **arguments):
        response = self.client.open(path, method=method, headers=self.headers, **arguments)
        assert response.status_code in status, f"{path}: {response.status_code} {response.text}"
        return response.json

    def get(self, path, **arguments):
        return self.ask("GET", path, **arguments)

    def post(self, path, body, **arguments):
        return self.ask("POST", path, json=body, **arguments)


@pytest.fixture(scope="module")
def api(application):
    return Api(application)


def uri_of(demo, user="admin"):
    return postgres_uri(demo, user).replace("postgresql://", "postgresql+psycopg2://", 1)


def added(api, name, uri):
    body = {"database_name": name, "sqlalchemy_uri": uri, "expose_in_sqllab": True, "extra": json.dumps({"cost_estimate_enabled": True})}
    return api.post("/api/v1/database/", body)["id"]


@pytest.fixture(scope="module")
def database(api, demo):
    return added(api, "lake", uri_of(demo))


def dataset(api, database, **body):
    return api.post("/api/v1/dataset/", {"database": database, "schema": "curated", **body})["id"]


@pytest.fixture(scope="module")
def orders(api, database):
    return dataset(api, database, table_name="orders")


def charted(api, dataset, **query):
    body = {
        "datasource": {"id": dataset, "type": "table"},
        "queries": [{"row_limit": 10000, "orderby": [], **query}],
        "result_format": "json",
        "result_type": "full",
        "force": True,
    }
    return api.post("/api/v1/chart/data", body)["result"][0]


def ran(api, database, sql, status=(200, 201), **more):
    body = {"database_id": database, "sql": sql, "client_id": uuid.uuid4().hex[:11], "runAsync": False, "schema": "curated", **more}
    return api.post("/api/v1/sqllab/execute/", body, status=status)


def day(column="created_at", grain="P1D"):
    return {"columnType": "BASE_AXIS", "sqlExpression": column, "label": column, "expressionType": "SQL", "timeGrain": grain}


@pytest.mark.shows("TLS with certificate verification")
def test_connection(api, demo):
    body = {"database_name": "new", "sqlalchemy_uri": uri_of(demo), "impersonate_user": False}
    assert api.post("/api/v1/database/test_connection/", body)["message"] == "OK"
    body["sqlalchemy_uri"] = uri_of(demo).replace(quote(demo["tls"]["ca_file"], safe=""), quote(os.environ["LAKEGATE_OTHER_CA"], safe=""))
    refused = api.post("/api/v1/database/test_connection/", body, status=(400, 422))
    assert "certificate verify failed" in json.dumps(refused)


@pytest.mark.shows("error for a wrong password")
def test_wrong_password(api, demo):
    wrong = uri_of(demo).replace(quote(password_of(demo, "admin"), safe=""), "wrong")
    body = {"database_name": "new", "sqlalchemy_uri": wrong, "impersonate_user": False}
    errors = api.post("/api/v1/database/test_connection/", body, status=(400, 422))["errors"]
    # Superset finds the user's name in PostgreSQL's own words.
    assert errors[0]["error_type"] == "CONNECTION_INVALID_PASSWORD_ERROR", errors
    assert "admin" in errors[0]["message"]


@pytest.mark.shows("tables and columns")
def test_lists(api, database):
    assert api.get(f"/api/v1/database/{database}/catalogs/?q=(force:!t)")["result"] == ["awsdatacatalog"]
    assert {"analytics", "curated", "raw"} <= set(api.get(f"/api/v1/database/{database}/schemas/?q=(force:!t)")["result"])
    tables = api.get(f"/api/v1/database/{database}/tables/?q=(schema_name:curated,force:!t)")["result"]
    assert {"customers", "orders", "products"} <= {table["value"] for table in tables}
    columns = api.get(f"/api/v1/database/{database}/table_metadata/?name=orders&schema=curated")["columns"]
    types = {column["name"]: column["type"] for column in columns}
    assert (types["order_id"], types["quantity"], types["total"]) == ("TEXT", "INTEGER", "NUMERIC")
    assert "FROM curated.orders" in api.get(f"/api/v1/database/{database}/select_star/orders/curated/")["result"]
    api.get(f"/api/v1/database/{database}/table_metadata/extra/?name=orders&schema=curated")


@pytest.mark.shows("views and comments")
def test_view(api, database, demo, connect):
    execute = connect(autocommit=True).execute
    create_lake_table(execute, "of_superset")
    try:
        tables = api.get(f"/api/v1/database/{database}/tables/?q=(schema_name:of_superset,force:!t)")["result"]
        assert {(table["value"], table["type"]) for table in tables} == {("things", "table"), ("named", "view")}
        things = api.get(f"/api/v1/database/{database}/table_metadata/?name=things&schema=of_superset")
        assert things["comment"] == "all the things"
        assert next(column for column in things["columns"] if column["name"] == "id")["comment"] == "the key"
    finally:
        drop_lake_table(execute, "of_superset")


@pytest.mark.shows("columns without a grant are hidden")
def test_hidden_columns(api, demo):
    scientist = added(api, "lake of the scientist", uri_of(demo, "scientist"))
    columns = api.get(f"/api/v1/database/{scientist}/table_metadata/?name=customers&schema=curated")["columns"]
    assert [column["name"] for column in columns] == ["customer_id", "segment", "region"]


def test_dataset_knows_its_columns(api, orders):
    columns = {c["column_name"]: c for c in api.get(f"/api/v1/dataset/{orders}")["result"]["columns"]}
    assert columns["created_at"]["is_dttm"] and columns["order_date"]["is_dttm"]
    assert not columns["total"]["is_dttm"] and columns["total"]["type"] == "NUMERIC(10, 2)"


GRAINS = ["PT1S", "PT5S", "PT30S", "PT1M", "PT5M", "PT10M", "PT15M", "PT30M", "PT1H", "P1D", "P1W", "P1M", "P3M", "P1Y"]


@pytest.mark.parametrize("grain", GRAINS)
def test_chart_over_time(api, orders, grain, connect):
    total = {"expressionType": "SIMPLE", "column": {"column_name": "total"}, "aggregate": "SUM", "label": "total"}
    result = charted(
        api,
        orders,
        columns=[day(grain=grain)],
        metrics=[total, "count"],
        granularity="created_at",
        time_range="2024-01-01 : 2024-03-01",
        filters=[{"col": "created_at", "op": "TEMPORAL_RANGE", "val": "2024-01-01 : 2024-03-01"}],
    )
    assert result["error"] is None and result["data"], result
    expected = connect().execute(
        "SELECT count(*), sum(total) FROM curated.orders WHERE created_at >= '2024-01-01' AND created_at < '2024-03-01'"
    ).fetchone()
    assert sum(row["count"] for row in result["data"]) == expected[0]
    assert round(sum(float(row["total"]) for row in result["data"]), 2) == float(expected[1])


def test_chart_over_dates(api, orders):
    result = charted(
        api,
        orders,
        columns=[day("order_date", "P1W")],
        metrics=["count"],
        filters=[
            {"col": "order_date", "op": "TEMPORAL_RANGE", "val": "2024-01-01 : 2024-02-01"},
            {"col": "quantity", "op": ">=", "val": 1},
            {"col": "quantity", "op": "IN", "val": [1, 2, 3]},
            {"col": "order_id", "op": "ILIKE", "val": "%1%"},
            {"col": "order_id", "op": "IS NOT NULL"},
        ],
    )
    assert result["error"] is None and 4 <= len(result["data"]) <= 6, result


def test_chart_of_the_largest_groups(api, orders):
    """A series limit joins the table with the groups that are largest."""
    result = charted(
        api,
        orders,
        columns=[day(grain="P1M"), "product_id"],
        series_columns=["product_id"],
        series_limit=2,
        metrics=["count"],
        is_timeseries=False,
    )
    assert result["error"] is None and len({row["product_id"] for row in result["data"]}) == 2, result


def test_values_of_a_filter(api, orders):
    values = api.get(f"/api/v1/datasource/table/{orders}/column/quantity/values/")["result"]
    assert len(values) > 1 and len(values) == len(set(values))


def test_samples(api, orders):
    answer = api.post(f"/datasource/samples?datasource_type=table&datasource_id={orders}&per_page=7&page=2", {})
    assert len(answer["result"]["data"]) == 7


def test_virtual_dataset(api, database):
    virtual = dataset(api, database, table_name="totals", sql=TOTALS)
    columns = {c["column_name"]: c["type"] for c in api.get(f"/api/v1/dataset/{virtual}")["result"]["columns"]}
    assert columns == {"region": "STRING", "total": "DECIMAL"}
    total = {"expressionType": "SQL", "sqlExpression": "AVG(total)", "label": "mean"}
    result = charted(api, virtual, columns=["region"], metrics=[total], orderby=[[total, False]])
    means = [float(row["mean"]) for row in result["data"]]
    assert len(means) > 1 and means == sorted(means, reverse=True)


@pytest.mark.shows("simple query")
def test_sql_lab(api, database):
    answer = ran(api, database, "SELECT order_id, total FROM orders ORDER BY order_id", queryLimit=5)
    assert len(answer["data"]) == 5
    assert [column["column_name"] for column in answer["columns"]] == ["order_id", "total"]
    # Several statements, of which the last one's rows are shown.
    assert ran(api, database, "SELECT 1 AS a; SELECT 2 AS b")["data"] == [{"b": 2}]
    cost = api.post("/api/v1/sqllab/estimate/", {"database_id": database, "sql": "SELECT * FROM orders", "schema": "curated"})["result"]
    assert cost and {"Start-up cost", "Total cost"} <= set(cost[0]), cost


@pytest.mark.shows("SQLSTATE and position of an error")
def test_errors(api, database):
    answer = ran(api, database, "SELECT no_such FROM orders", status=(400, 422, 500))
    assert answer["errors"][0]["error_type"] == "COLUMN_DOES_NOT_EXIST_ERROR", answer
    assert "no_such" in answer["errors"][0]["message"] and "LINE" not in answer["errors"][0]["message"]


@pytest.mark.shows("cancel")
def test_stop(application, api, database, connect):
    """SQL Lab's button ends the connection of the query, from another one."""
    client_id = uuid.uuid4().hex[:11]
    # Superset writes statements anew, and moves comments.
    endless = FOREVER.format("").replace("count(*)", "count(*) AS superset_stop")
    answers = []

    def run():
        try:
            # Whether its own mark or the database's error comes first is not certain.
            answers.append(ran(Api(application), database, endless, status=(200, 400, 422, 500), client_id=client_id))
        except BaseException as error:
            answers.append(error)

    running = "SELECT count(*) FROM system.queries WHERE state = 'RUNNING' AND query LIKE '%superset_stop%' AND query NOT LIKE '%system.queries%'"
    watcher = connect(autocommit=True)

    def wait(count):
        for _ in range(600):
            if watcher.execute(running).fetchone()[0] == count:
                return
            assert not answers, answers
            time.sleep(0.1)
        raise AssertionError(f"still not {count}")

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait(1)
        api.post("/api/v1/query/stop", {"client_id": client_id})
        thread.join()
    finally:
        for (query,) in watcher.execute(running.replace("count(*)", "query_id")).fetchall():
            watcher.execute(f"KILL '{query}'")
        thread.join()
    assert watcher.execute(running).fetchone()[0] == 0
    assert isinstance(answers[0], dict), answers
    assert answers[0].get("status") == "stopped" or answers[0]["errors"], answers
