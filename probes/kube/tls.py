"""The TLS context of a kubeconfig's context."""

import os
import ssl
import tempfile

from probes.kube.errors import KubeconfigInvalid, detail
from probes.kube.kubeconfig import Context


def tls(context: Context) -> ssl.SSLContext:
    """Build it from CA and client certificate; with no CA the system's are trusted. Raises KubeconfigInvalid."""
    ca = context.ca.read()
    try:
        made = ssl.create_default_context(cadata=ca.decode("ascii") if ca is not None else None)
    except (ssl.SSLError, ValueError) as error:
        raise KubeconfigInvalid(
            f"certificate-authority of context “{detail(context.name)}” holds no certificate; copy it again"
        ) from error
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT  # as Go: clusters' own CAs often lack a key identifier
    if context.insecure:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    cert, key = context.cert.read(), context.key.read()
    if cert is not None and key is not None:
        try:
            _load_chain(made, cert + b"\n" + key)
        except (ssl.SSLError, OSError) as error:
            why = detail(getattr(error, "reason", None) or "it cannot be used")
            raise KubeconfigInvalid(
                f"client-certificate and client-key of context “{detail(context.name)}” do not fit: {why}; log in again"
            ) from error
    return made


def _load_chain(context: ssl.SSLContext, pem: bytes) -> None:
    """Load certificate and key, which OpenSSL takes from a file only: from memory where the system has that."""

    def refuse() -> str:
        """Stand in for the prompt that OpenSSL would put on the terminal for an encrypted key."""
        raise OSError("the key is encrypted")

    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pem")
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(pem)
            context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=refuse)
        finally:
            os.close(descriptor)
        return
    with tempfile.NamedTemporaryFile() as temporary:
        temporary.write(pem)
        temporary.flush()
        context.load_cert_chain(temporary.name, password=refuse)
