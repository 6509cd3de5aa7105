"""Which certificates this node trusts: those that the machine trusts, and those of an authority of one's own.

Makes contexts for clients only; never switches a check off.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from node.errors import ConfigError


def trusting(ca_file: Path | None) -> ssl.SSLContext | None:
    """Return a client's context that trusts the certificates in ``ca_file`` (PEM) too; None where there is no file.

    Raises:
        ConfigError: the file cannot be read, or holds no certificate.
    """
    if ca_file is None:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(ca_file)
    except ssl.SSLError:
        raise ConfigError(
            f"The file of tls.ca_file, {ca_file}, holds no certificate in PEM form.",
            advice="Give the certificate of the authority itself, text that begins with -----BEGIN CERTIFICATE-----.",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"The file of tls.ca_file, {ca_file}, cannot be read: {error.strerror}.",
            advice="Correct tls.ca_file in accord.toml; a path that is not absolute begins in the node's folder.",
        ) from None
    return context
