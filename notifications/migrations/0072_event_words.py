"""The producer's own words. Null: an event written by an earlier version, or without them."""

from django.db import migrations

import notifications.models.ordered_json


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0076_bot_updates_and_edits"),
    ]

    operations = [
        migrations.AddField(
            model_name="event",
            name="words",
            field=notifications.models.ordered_json.OrderedJSONField(
                blank=True,
                null=True,
                help_text="The producer's own words, if the event has some beside its payload.",
            ),
        ),
    ]
