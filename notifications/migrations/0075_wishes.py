from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0074_delivery_template_version'),
    ]

    operations = [
        migrations.AddField(
            model_name='delivery',
            name='held_until',
            field=models.DateTimeField(blank=True, editable=False, help_text="Until when the person's wishes held it back.", null=True),
        ),
        migrations.AddField(
            model_name='event',
            name='expiry_given',
            field=models.BooleanField(db_default=True, default=True, help_text='The producer set `expires_at`; otherwise it does not expire while it is held.'),
        ),
        migrations.AddField(
            model_name='event',
            name='silent',
            field=models.BooleanField(db_default=False, default=False, help_text="By the person's wishes, pages show it in the inbox alone."),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='wait_reason',
            field=models.CharField(blank=True, choices=[('retry', 'retry'), ('retry_after', 'retry_after'), ('breaker_open', 'breaker_open'), ('rate_limit', 'rate_limit'), ('no_room', 'no_room'), ('quiet_hours', 'quiet_hours'), ('send_window', 'send_window'), ('muted', 'muted')], db_default='', help_text='Why it waits, or last waited, until `not_before`.', max_length=16),
        ),
        migrations.AlterField(
            model_name='attempt',
            name='outcome',
            field=models.CharField(choices=[('sent', 'sent'), ('temporary', 'temporary'), ('limited', 'limited'), ('unknown', 'unknown'), ('recipient', 'recipient'), ('message', 'message'), ('configuration', 'configuration'), ('no_session', 'no_session'), ('lease_expired', 'lease_expired'), ('circuit_open', 'circuit_open'), ('unwanted', 'unwanted'), ('wait_too_long', 'wait_too_long')], max_length=16),
        ),
    ]
