import django.core.validators
import django.db.models.deletion
import users.channel_choices
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0060_reply_read_at'),
    ]

    operations = [
        migrations.CreateModel(
            name='MessageTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_type', models.CharField(help_text='As producers send it, such as ORDER_FILLED. Of a family: its first words, such as ORDER.', max_length=100, validators=[django.core.validators.RegexValidator('\\A[A-Za-z][A-Za-z0-9._]*\\Z', 'Letters, digits, dots and underscores only.', 'invalid_type')])),
                ('stem', models.CharField(editable=False, max_length=120)),
                ('is_family', models.BooleanField(default=False, help_text='For all types that begin with these words and have no wording of their own.', verbose_name='for the whole family')),
                ('channel', models.SmallIntegerField(blank=True, choices=users.channel_choices.preference_channels, help_text='Empty: every channel.', null=True)),
                ('locale', models.CharField(blank=True, help_text='A language tag such as de or de-CH. Empty: every language.', max_length=16, validators=[django.core.validators.RegexValidator('\\A([a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2}|-[0-9]{3})?)?\\Z', 'Use a language tag such as de or de-CH.', 'invalid_locale')], verbose_name='language')),
                ('draft_title', models.TextField(blank=True, verbose_name='title')),
                ('draft_body', models.TextField(blank=True, verbose_name='body')),
                ('has_draft', models.BooleanField(default=True, editable=False)),
                ('draft_saved_at', models.DateTimeField(editable=False, null=True)),
                ('draft_saved_by', models.CharField(blank=True, editable=False, max_length=200)),
            ],
            options={
                'ordering': ['stem', 'channel', 'locale'],
                'permissions': [('publish_messagetemplate', 'Can publish and withdraw message templates')],
            },
        ),
        migrations.CreateModel(
            name='TemplateChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('who', models.CharField(help_text='A user of the admin, or an API key.', max_length=200)),
                ('surface', models.CharField(choices=[('admin', 'admin'), ('api', 'api'), ('command', 'command')], max_length=8)),
                ('action', models.CharField(choices=[('created', 'created'), ('draft saved', 'draft saved'), ('draft discarded', 'draft discarded'), ('published', 'published'), ('published again', 'published again'), ('withdrawn', 'withdrawn'), ('test sent', 'test sent')], max_length=16)),
                ('version', models.PositiveIntegerField(help_text='The number of the version concerned.', null=True)),
                ('note', models.CharField(blank=True, max_length=200)),
                ('template', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='changes', to='notifications.messagetemplate')),
            ],
            options={
                'ordering': ['-at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='TemplateVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('title', models.TextField()),
                ('body', models.TextField(blank=True)),
                ('published_at', models.DateTimeField()),
                ('published_by', models.CharField(max_length=200)),
                ('template', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='notifications.messagetemplate')),
            ],
            options={
                'ordering': ['template', '-number'],
            },
        ),
        migrations.AddField(
            model_name='messagetemplate',
            name='published',
            field=models.ForeignKey(blank=True, editable=False, help_text='The version in use. Empty: the shipped wording is used.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='notifications.templateversion'),
        ),
        migrations.AddConstraint(
            model_name='templateversion',
            constraint=models.UniqueConstraint(fields=('template', 'number'), name='template_version_once'),
        ),
        migrations.AddConstraint(
            model_name='messagetemplate',
            constraint=models.UniqueConstraint(fields=('stem', 'is_family', 'channel', 'locale'), name='message_template_once', nulls_distinct=False, violation_error_message='There is a template for this type, channel and language already.'),
        ),
    ]
