from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Replace the sweep's index without locking the table: each step may take minutes on a large one."""

    atomic = False

    dependencies = [("notifications", "0003_delivery_swept_until_it_ends")]

    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(
                    ("ring_at__isnull", False), ("state__in", ["deferred", "pending", "unknown"])
                ),
                fields=["priority", "ring_at"],
                name="delivery_waiting",
            ),
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("ring_at__isnull", False), ("state__in", ["sending", "sent"])),
                fields=["priority", "ring_at"],
                name="delivery_in_flight",
            ),
        ),
        RemoveIndexConcurrently(model_name="delivery", name="delivery_to_ring"),
    ]
