from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ('notifications', '0030_delivery_says_why_it_waits'),
    ]

    operations = [
        migrations.AddField(
            model_name=name,
            name='reply_read_at',
            field=models.DateTimeField(
                blank=True, help_text='The producer acknowledged that final ack.', null=True
            ),
        )
        for name in ('event', 'broadcast')
    ]
