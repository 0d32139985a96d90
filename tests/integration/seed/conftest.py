import pytest
import requests


@pytest.fixture
def fetch():
    """Fetch an address as a mail reader fetches an image."""

    def fetched(url):
        with requests.get(url, timeout=10) as answer:
            assert answer.status_code == 200

    return fetched
