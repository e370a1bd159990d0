import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import users.channel_choices
import users.models.preferences
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('users', '0010_destinations_are_enabled_again'),
    ]

    operations = [
        migrations.CreateModel(
            name='DefaultPreference',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('channel', models.SmallIntegerField(choices=users.channel_choices.preference_channels)),
                ('position', models.PositiveSmallIntegerField(default=0, help_text='Lowest first.')),
                ('enabled', models.BooleanField(default=True)),
                ('min_priority', models.SmallIntegerField(choices=[(0, 'Informational'), (1, 'Normal'), (2, 'Critical')], db_default=0, default=0, verbose_name='from priority')),
            ],
            options={
                'ordering': ['group', 'position'],
            },
        ),
        migrations.CreateModel(
            name='EventGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(help_text='As the API names it.', max_length=64, unique=True)),
                ('label', models.CharField(help_text='As people read it.', max_length=100)),
                ('event_types', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=100, validators=[django.core.validators.RegexValidator('\\A(?:[^*\\0]*[^*\\0]|[^*\\0]+\\*)\\Z', 'A * is the last letter.')]), help_text='Names, or beginnings of names with a * at the end, separated by commas.', size=None)),
                ('mandatory', models.BooleanField(default=False, help_text='Cannot be muted, and keeps a channel when a person switches all of them off.')),
                ('may_opt_out_of_piercing', models.BooleanField(default=False, help_text='People may let its CRITICAL events wait for the end of their quiet hours and mutes.')),
                ('throttle_at_most', models.PositiveSmallIntegerField(blank=True, help_text="Events of one type for one person; what is more is in the inbox alone.", null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='at most')),
                ('throttle_per_s', models.PositiveIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1)], verbose_name='per seconds')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='Hours',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('quiet', 'quiet hours'), ('window', 'send window')], max_length=8)),
                ('weekdays', django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(choices=[(0, 'Monday'), (1, 'Tuesday'), (2, 'Wednesday'), (3, 'Thursday'), (4, 'Friday'), (5, 'Saturday'), (6, 'Sunday')]), help_text='The days on which it starts.', size=None, validators=[users.models.preferences.check_weekdays])),
                ('starts', models.TimeField()),
                ('ends', models.TimeField(help_text='On the next day if it is not later; 00:00 is the end of the day.')),
            ],
            options={
                'verbose_name_plural': 'hours',
                'ordering': ['kind', 'weekdays', 'starts'],
            },
        ),
        migrations.CreateModel(
            name='Mute',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_type', models.CharField(blank=True, help_text='Empty: every type, or the group.', max_length=100)),
                ('until', models.DateTimeField(blank=True, help_text='Empty: until it is lifted.', null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='PiercingOptOut',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
            ],
        ),
        migrations.CreateModel(
            name='Throttle',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_type', models.CharField(blank=True, help_text='Empty: every type, or the group.', max_length=100)),
                ('at_most', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                ('per_s', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1)], verbose_name='per seconds')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='channelpreference',
            name='preference_once_per_channel',
        ),
        migrations.AddField(
            model_name='channelpreference',
            name='min_priority',
            field=models.SmallIntegerField(choices=[(0, 'Informational'), (1, 'Normal'), (2, 'Critical')], db_default=0, default=0, verbose_name='from priority'),
        ),
        migrations.AlterField(
            model_name='channelpreference',
            name='event_type',
            field=models.CharField(blank=True, help_text='Empty: every type, or the group.', max_length=100),
        ),
        migrations.AddConstraint(
            model_name='eventgroup',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('throttle_at_most__isnull', True), ('throttle_per_s__isnull', True)), models.Q(('throttle_at_most__isnull', False), ('throttle_per_s__isnull', False)), _connector='OR'), name='event_group_throttle', violation_error_message='A throttle has a number and a period.'),
        ),
        migrations.AddField(
            model_name='defaultpreference',
            name='group',
            field=models.ForeignKey(blank=True, help_text='Empty: every type.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='defaults', to='users.eventgroup'),
        ),
        migrations.AddField(
            model_name='channelpreference',
            name='group',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='users.eventgroup'),
        ),
        migrations.AddConstraint(
            model_name='channelpreference',
            constraint=models.UniqueConstraint(condition=models.Q(('group__isnull', True)), fields=('user', 'event_type', 'channel'), name='preference_once_per_channel', violation_error_message='There is a preference for this channel and type already.'),
        ),
        migrations.AddConstraint(
            model_name='channelpreference',
            constraint=models.UniqueConstraint(fields=('user', 'group', 'channel'), name='preference_once_per_channel_of_group', violation_error_message='There is a preference for this channel and type already.'),
        ),
        migrations.AddConstraint(
            model_name='channelpreference',
            constraint=models.CheckConstraint(condition=models.Q(('event_type', ''), ('group__isnull', True), _connector='OR'), name='preference_of_type_or_group', violation_error_message='Name a type or a group, not both.'),
        ),
        migrations.AddField(
            model_name='hours',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='hours', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='mute',
            name='group',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='users.eventgroup'),
        ),
        migrations.AddField(
            model_name='mute',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mutes', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='piercingoptout',
            name='group',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='users.eventgroup'),
        ),
        migrations.AddField(
            model_name='piercingoptout',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='piercing_opt_outs', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='throttle',
            name='group',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, to='users.eventgroup'),
        ),
        migrations.AddField(
            model_name='throttle',
            name='user',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='throttles', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='defaultpreference',
            constraint=models.UniqueConstraint(fields=('group', 'channel'), name='default_once_per_channel', nulls_distinct=False, violation_error_message='There is a default for this channel already.'),
        ),
        migrations.AddConstraint(
            model_name='mute',
            constraint=models.UniqueConstraint(condition=models.Q(('group__isnull', True)), fields=('user', 'event_type'), name='mute_once', violation_error_message='This is muted already.'),
        ),
        migrations.AddConstraint(
            model_name='mute',
            constraint=models.UniqueConstraint(fields=('user', 'group'), name='mute_once_of_group', violation_error_message='This is muted already.'),
        ),
        migrations.AddConstraint(
            model_name='mute',
            constraint=models.CheckConstraint(condition=models.Q(('event_type', ''), ('group__isnull', True), _connector='OR'), name='mute_of_type_or_group', violation_error_message='Name a type or a group, not both.'),
        ),
        migrations.AddConstraint(
            model_name='piercingoptout',
            constraint=models.UniqueConstraint(fields=('user', 'group'), name='piercing_opt_out_once', violation_error_message='The person has opted out already.'),
        ),
        migrations.AddConstraint(
            model_name='throttle',
            constraint=models.UniqueConstraint(condition=models.Q(('group__isnull', True)), fields=('user', 'event_type'), name='throttle_once', violation_error_message='There is a throttle for this already.'),
        ),
        migrations.AddConstraint(
            model_name='throttle',
            constraint=models.UniqueConstraint(fields=('user', 'group'), name='throttle_once_of_group', violation_error_message='There is a throttle for this already.'),
        ),
        migrations.AddConstraint(
            model_name='throttle',
            constraint=models.CheckConstraint(condition=models.Q(('event_type', ''), ('group__isnull', True), _connector='OR'), name='throttle_of_type_or_group', violation_error_message='Name a type or a group, not both.'),
        ),
    ]
