"""Answers as GCP KMS, Azure Key Vault and the services that give tokens for both.

<https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys>
<https://learn.microsoft.com/rest/api/keyvault/keys>

Into the folder where it runs it puts `account.json`, the credentials of a service account. It is also a
proxy that stands in for the services at their own addresses, with certificates of `authority.pem`.
"""

import base64
import datetime
import http.server
import json
import os
import ssl
import sys
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "cloud-token"
VERSION = "0123456789abcdef"
EMAIL = "files@p-1.iam.gserviceaccount.com"
LOGIN = "login.microsoftonline.com"
HOSTS = ["cloudkms.googleapis.com", LOGIN, "files.vault.azure.net"]

vault_key = rsa.generate_private_key(65537, 2048)
oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
gcp_key = AESGCM(AESGCM.generate_key(256))
account_key = rsa.generate_private_key(65537, 2048)

pem = account_key.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
with open("account.json", "w") as file:
    account = {"type": "service_account", "client_email": EMAIL, "private_key_id": "k1"}
    json.dump(account | {"private_key": pem.decode()}, file)




def certificate_of_hosts():
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS])
    builder = builder.add_extension(names, False)
    builder = builder.add_extension(x509.BasicConstraints(True, None), True)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with open("authority.pem", "wb") as file:
        file.write(certificate)
    with open("proxy.pem", "wb") as file:
        file.write(certificate + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("proxy.pem")
    return context


tls = certificate_of_hosts()


def from_url64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def to_url64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def is_own_token(token):
    """Whether the service account has signed it, for this service, just now."""
    try:
        signed, signature = token.rsplit(".", 1)
        public = account_key.public_key()
        public.verify(from_url64(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        header, claims = (json.loads(from_url64(part)) for part in signed.split("."))
    except Exception:
        return False
    return (
        header == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
        and claims["iss"] == claims["sub"] == EMAIL
        and claims["aud"] == "https://cloudkms.googleapis.com/"
        and abs(claims["iat"] - time.time()) < 60
        and 0 < claims["exp"] - claims["iat"] <= 3600
    )


def gcp(path, body):
    name, verb = path.removeprefix("/v1/").split(":")
    if verb == "encrypt":
        nonce = os.urandom(12)
        sealed = nonce + gcp_key.encrypt(nonce, base64.b64decode(body["plaintext"]), name.encode())
        return {"name": name + "/cryptoKeyVersions/1", "ciphertext": base64.b64encode(sealed).decode()}
    sealed = base64.b64decode(body["ciphertext"])
    plain = gcp_key.decrypt(sealed[:12], sealed[12:], name.encode())
    return {"plaintext": base64.b64encode(plain).decode()}


def azure(path, body):
    place, verb = path.rsplit("/", 1)
    assert place == "/keys/files/" + VERSION and body["alg"] == "RSA-OAEP-256"
    value = from_url64(body["value"])
    assert "=" not in body["value"]
    if verb == "encrypt":
        value = vault_key.public_key().encrypt(value, oaep)
    else:
        value = vault_key.decrypt(value, oaep)
    return {"kid": "https://vault" + place, "value": to_url64(value)}


FORMS = [
    ("/token", {"grant_type": "refresh_token", "client_id": "id", "client_secret": "s&=", "refresh_token": "refresh"}),
    (
        "/tenant/oauth2/v2.0/token",
        {"grant_type": "client_credentials", "client_id": "client", "client_secret": "s&=", "scope": "https://vault.azure.net/.default"},
    ),
    (
        "/tenant/oauth2/v2.0/token",
        {
            "grant_type": "client_credentials",
            "client_id": "client",
            "scope": "https://vault.azure.net/.default",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": "vouched-for",
        },
    ),
]
KEYS = {key for _, form in FORMS for key in form}

# What Microsoft's libraries ask before they ask for a token.
AUTHORITY = f"https://{LOGIN}/tenant"
DISCOVERY = {
    "/common/discovery/instance": {
        "tenant_discovery_endpoint": AUTHORITY + "/v2.0/.well-known/openid-configuration",
        "metadata": [
            {"preferred_network": LOGIN, "preferred_cache": LOGIN, "aliases": [LOGIN]},
        ],
    },
    "/tenant/v2.0/.well-known/openid-configuration": {
        "issuer": AUTHORITY + "/v2.0",
        "authorization_endpoint": AUTHORITY + "/oauth2/v2.0/authorize",
        "token_endpoint": AUTHORITY + "/oauth2/v2.0/token",
    },
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        # The proxy goes on as the service that is meant.
        self.request = self.connection = tls.wrap_socket(self.connection, server_side=True)
        self.setup()
        self.close_connection = False

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        if status == 401:
            challenge = f'Bearer authorization="{AUTHORITY}", resource="https://vault.azure.net"'
            self.send_header("WWW-Authenticate", challenge)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def is_known(self):
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        known = kind == "Bearer" and (token == TOKEN or is_own_token(token))
        if not known:
            self.answer(401, {"error": {"code": 401, "message": "invalid token"}})
        return known

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path in DISCOVERY:
            return self.answer(200, DISCOVERY[url.path])
        if not self.is_known():
            return
        if url.path.rstrip("/") == "/keys/files" and "api-version=" in url.query:
            self.answer(200, {"key": {"kid": "https://vault/keys/files/" + VERSION}})
        else:
            self.answer(404, {"error": {"message": "no such key"}})

    def do_POST(self):
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
                form = dict(urllib.parse.parse_qsl(body.decode()))
                # Libraries send more fields and scopes than are needed.
                form = {key: form[key].split(" ")[0] for key in form if key in KEYS}
                known = (url.path, form) in FORMS
                token = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600}
                answer = token if known else {"error_description": "unknown client"}
                self.answer(200 if known else 400, answer)
            elif self.is_known():
                do = gcp if url.path.startswith("/v1/") else azure
                self.answer(200, do(url.path, json.loads(body)))
        except Exception as error:
            self.answer(400, {"error": {"message": repr(error)}})

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening on {server.server_port}", file=sys.stderr, flush=True)
server.serve_forever()
