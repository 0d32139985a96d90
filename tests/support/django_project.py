"""Django's settings, which a process can be given only once: importing this gives them."""

import django
from django.conf import settings

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="secret", USE_I18N=False)
    django.setup()
