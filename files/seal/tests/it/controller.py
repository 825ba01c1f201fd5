"""Answers as the controller of sealed secrets does, and as an API server that leads to it.

The cryptography is kubesealpy's. Arguments: the private key, the current certificate, the port's
file. Behind the API server's paths the token must be `cluster-token`.
"""

import base64
import http.server
import json
import sys

from kubesealpy import Sealer, Unsealer
from kubesealpy.scopes import build_label, scope_from_annotations

unsealer = Unsealer.from_private_key_file(sys.argv[1])
certificate = open(sys.argv[2], "rb").read()
sealer = Sealer.from_certificate_pem(certificate)

SERVICES = "/api/v1/namespaces/kube-system/services/"
PROXY = SERVICES + "http:sealed-secrets-controller:api/proxy"


def opened(sealed):
    metadata = sealed["metadata"]
    scope = scope_from_annotations(metadata.get("annotations"))
    place = metadata.get("namespace"), metadata["name"]
    values = sealed["spec"]["encryptedData"].items()
    plain = {
        key: unsealer.unseal_value(base64.b64decode(value), *place, scope) for key, value in values
    }
    return plain, build_label(scope, *place), scope, place


def resealed(sealed):
    plain, _, scope, (namespace, name) = opened(sealed)
    again = {
        key: base64.b64encode(sealer.seal_value(value, namespace, name, scope)).decode()
        for key, value in plain.items()
    }
    sealed["spec"]["encryptedData"] = again
    return sealed


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body=b"", kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def path_of_controller(self):
        if not self.path.startswith("/api/"):
            return self.path
        if self.headers.get("Authorization") != "Bearer cluster-token":
            self.answer(401, b'{"kind": "Status", "message": "Unauthorized"}')
        elif self.path == SERVICES + "sealed-secrets-controller":
            service = {"spec": {"ports": [{"name": "api", "port": 8080}]}}
            self.answer(200, json.dumps(service).encode())
        elif self.path.startswith(PROXY):
            return self.path[len(PROXY) :]
        else:
            self.answer(404, b'{"kind": "Status", "message": "services not found"}')
        return None

    def do_GET(self):
        path = self.path_of_controller()
        if path == "/v1/cert.pem":
            self.answer(200, certificate, "application/x-pem-file")
        elif path:
            self.answer(404)

    def do_POST(self):
        path = self.path_of_controller()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not path:
            return
        try:
            sealed = json.loads(body)
            if path == "/v1/verify":
                opened(sealed)
                self.answer(200)
            elif path == "/v1/rotate":
                self.answer(200, json.dumps(resealed(sealed)).encode())
            else:
                self.answer(404)
        except Exception:
            self.answer(409 if path == "/v1/verify" else 500)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
