import uuid

from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """An open delivery has a `ring_at`, an ended one has none.

    Each step commits for itself: the check of the existing rows then blocks no write.
    """

    atomic = False

    dependencies = [
        ('notifications', '0002_initial'),
    ]

    operations = [
        AddConstraintNotValid(
            model_name='delivery',
            constraint=models.CheckConstraint(
                condition=Q(ring_at__isnull=False, ended_at__isnull=True)
                | Q(ring_at__isnull=True, ended_at__isnull=False),
                name='delivery_swept_until_it_ends',
            ),
        ),
        ValidateConstraint(model_name='delivery', name='delivery_swept_until_it_ends'),
        migrations.AlterField(
            model_name='inboxcursor',
            name='epoch',
            field=models.UUIDField(default=uuid.uuid4, help_text='Changes when the sequence starts again.'),
        ),
        migrations.AlterField(
            model_name='replay',
            name='count',
            field=models.IntegerField(default=0, help_text='Events that were accepted again.'),
        ),
    ]
