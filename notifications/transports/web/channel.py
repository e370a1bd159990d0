"""WEB: a person's open pages. No transport: the frames go to the gateway's hub (`notifications.live`)."""

from notifications.states import Channel
from notifications.transports.spec import ChannelSpec
from users.locales import gettext_noop

WEB = ChannelSpec(channel=Channel.WEB, label=gettext_noop("Web page"), position=10, confirms=True)
