"""What leads to Mixpanel, looked at before a worker starts.

A wrong setting there would fail every request, and look like an outage that never ends.
"""

import ssl

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.variables import PROXY
from mixrelay.worker.base.settings import WorkerSettings


def check(worker: WorkerSettings) -> None:
    """Opens no connection.

    Raises:
        ConfigurationError: the certificates cannot be read, or the proxy's address is none.
    """
    _check_certificates(worker.ca_file)
    PROXY.read(worker.proxy)


def _check_certificates(ca_file: str) -> None:
    if not ca_file:
        return
    try:
        ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        why = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(
            f"MIXRELAY_CA_FILE {ca_file!r} cannot be used: {why}. Set it to a file of "
            "certificates in PEM, or leave it out."
        ) from error
