"""Django against a running demo: `inspectdb`, or models over a table and a view that it does not manage."""

import json
import os
import sys
from decimal import Decimal

import django
from django.conf import settings

from conftest import parameters
from postgres import LAKE_ROWS, MIDDAY

p = parameters(json.loads(os.environ["LAKEGATE_CONNECTION"]), "admin", "of_django")
settings.configure(
    USE_TZ=False,
    TIME_ZONE="Europe/Berlin",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": p["host"], "PORT": p["port"], "NAME": p["dbname"], "USER": p["user"], "PASSWORD": p["password"],
            "OPTIONS": {"sslmode": "verify-full", "sslrootcert": p["sslrootcert"]},
        }
    },
)
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import models, transaction  # noqa: E402


class Thing(models.Model):
    id = models.IntegerField(primary_key=True)
    big = models.BigIntegerField(null=True)
    ok = models.BooleanField(null=True)
    ratio = models.FloatField(null=True)
    price = models.DecimalField(max_digits=10, decimal_places=2, null=True)
    name = models.TextField(null=True)
    day = models.DateField(null=True)
    at = models.DateTimeField(null=True)
    bytes = models.BinaryField(null=True)

    class Meta:
        managed = False
        app_label = "lake"
        db_table = "things"


def work():
    names = [field.name for field in Thing._meta.fields]
    Thing.objects.bulk_create(Thing(**dict(zip(names, row))) for row in LAKE_ROWS)
    try:
        with transaction.atomic():
            Thing.objects.bulk_create([Thing(id=3, name="three")])
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    found = [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in Thing.objects.order_by("id").values_list()]
    assert found == LAKE_ROWS, found
    assert Thing.objects.filter(at__year=2024, name__icontains="D'", price__gt=Decimal("1")).count() == 1
    assert Thing.objects.filter(at__lte=MIDDAY, ok=True, id__in=[1, 2, 3]).get().big == LAKE_ROWS[0][1]
    assert Thing.objects.filter(name__isnull=True).exists()
    assert Thing.objects.aggregate(models.Sum("price"), models.Max("day"), models.Count("id")) == {
        "price__sum": Decimal("12.50"), "day__max": LAKE_ROWS[0][6], "id__count": 2,
    }
    by_day = Thing.objects.values("day").annotate(n=models.Count("id")).order_by("day")
    assert [row["n"] for row in by_day] == [1, 1]
    assert list(Thing.objects.dates("day", "month")) == [LAKE_ROWS[0][6].replace(day=1)]
    assert [thing.id for thing in Thing.objects.order_by("id").iterator(chunk_size=1)] == [1, 2]
    assert [thing.id for thing in Thing.objects.order_by("-id")[:1]] == [2]
    print("all passed")


if sys.argv[1] == "inspectdb":
    call_command("inspectdb", "--include-views")
else:
    work()
