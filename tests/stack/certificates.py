"""Makes a throw-away authority, a certificate for localhost, and one that expired yesterday: certificates.py FOLDER."""

import datetime
import ipaddress
import pathlib
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
now = datetime.datetime.now(datetime.timezone.utc)
day = datetime.timedelta(days=1)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, public_key, issuer, issuer_key, until, ca):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject)).issuer_name(name(issuer)).public_key(public_key)
        .serial_number(x509.random_serial_number()).not_valid_before(now - 30 * day).not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def write(path, *parts):
    path.write_bytes(b"".join(parts))


pem = serialization.Encoding.PEM
ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
ca = certificate("reference stack authority", ca_key.public_key(), "reference stack authority", ca_key, now + 30 * day, True)
write(folder / "ca.pem", ca.public_bytes(pem))
for file, until in (("server.pem", now + 30 * day), ("expired.pem", now - day)):
    leaf = certificate("localhost", key.public_key(), "reference stack authority", ca_key, until, False)
    write(folder / file, leaf.public_bytes(pem))
secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
write(folder / "server.key", secret)
