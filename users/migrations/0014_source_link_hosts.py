"""The hosts that messages of a source may link to: none until an operator names some."""

import django.contrib.postgres.fields
from django.db import migrations, models

import users.link_hosts


class Migration(migrations.Migration):
    dependencies = [
        ("users", "0017_link_tokens"),
    ]

    operations = [
        migrations.AddField(
            model_name="source",
            name="link_hosts",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(
                    max_length=users.link_hosts.LONGEST, validators=[users.link_hosts.validate_link_host]
                ),
                blank=True,
                db_default=[],
                default=list,
                help_text=(
                    "Hosts that its messages may link to and show images from, separated by commas:"
                    " docs.example.com, or *.example.com for all hosts below example.com. Empty: none, its"
                    " links are shown as text."
                ),
                size=None,
            ),
        ),
    ]
