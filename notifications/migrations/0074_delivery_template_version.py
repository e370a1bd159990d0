import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0073_message_templates'),
    ]

    operations = [
        migrations.AddField(
            model_name='delivery',
            name='template_version',
            field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, help_text="The stored wording that was sent. Empty: the shipped one, or the producer's own words.", null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='notifications.templateversion'),
        ),
    ]
