from contextlib import ExitStack

import pytest

from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.shared.settings import Settings
from tests.support.bench import Bench
from tests.support.pages import browsing


@pytest.fixture
def bench(queue):
    return Bench(queue)


@pytest.fixture
def dashboard_of(redis_url):
    """Makes the page with settings, and a client at it."""
    with ExitStack() as opened:

        def make(*, identify=None, mounted=False, **settings):
            app = create_app(
                Settings(redis_url=redis_url),
                DashboardSettings(**settings),
                identify=identify,
                secret="a key of the host's" if identify else "",
                mounted=mounted,
            )
            return opened.enter_context(browsing(app))

        yield make


@pytest.fixture
def page(dashboard_of):
    return dashboard_of()
