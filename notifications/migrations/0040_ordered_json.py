from django.db import migrations

import notifications.models.ordered_json


class Migration(migrations.Migration):
    """Payloads keep the order of their keys. Postgres rewrites both tables, which are locked meanwhile."""

    dependencies = [
        ('notifications', '0070_delivery_swept_by_priority'),
    ]

    operations = [
        migrations.AlterField(
            model_name='event',
            name='payload',
            field=notifications.models.ordered_json.OrderedJSONField(default=dict),
        ),
        migrations.AlterField(
            model_name='broadcast',
            name='content',
            field=notifications.models.ordered_json.OrderedJSONField(
                help_text="What else every person's event says."
            ),
        ),
    ]
