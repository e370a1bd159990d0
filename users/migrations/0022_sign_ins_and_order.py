
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('users', '0024_history_of_changes'),
    ]

    operations = [
        migrations.AddField(
            model_name='destination',
            name='position',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, editable=False, help_text="Its place among the person's addresses on the channel; of equal ones the older is first."),
        ),
        migrations.CreateModel(
            name='SignIn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('session_key', models.CharField(editable=False, max_length=40, unique=True)),
                ('device', models.CharField(blank=True, help_text='What the browser says it is.', max_length=200)),
                ('at', models.DateTimeField()),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sign_ins', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'sign-in',
                'ordering': ['-at'],
            },
        ),
        migrations.AddIndex(
            model_name='destination',
            index=models.Index(condition=models.Q(('disabled_at__isnull', False)), fields=['disabled_at'], name='destination_by_disabling'),
        ),
    ]
