#!/usr/bin/env python3
"""Plays the steps of recordings against a real OpenBao server and writes its answers into them.

    bao server -dev -dev-root-token-id=root &
    record.py http://127.0.0.1:8200 root RECORDING...

A recording says what to mount and which requests to send; see `core_engine_api::testing`. Every run
mounts at a new path, so that the same server can be used again and again.
"""
import json
import sys
import time
import urllib.error
import urllib.request

address, token = sys.argv[1:3]


def send(verb, path, body, with_token=True):
    headers = {"X-Vault-Request": "true"}
    if with_token:
        headers["X-Vault-Token"] = token
    if verb == "PATCH":
        headers["Content-Type"] = "application/merge-patch+json"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/v1/{path}", data=data, method=verb, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    return status, json.loads(text) if text else None


def tidy(answer):
    """Leaves out what differs from run to run and what says nothing."""
    if not answer:
        return None
    for name in ("request_id", "lease_id", "renewable", "wrap_info"):
        answer.pop(name, None)
    if answer.get("auth"):
        for name in ("client_token", "accessor", "entity_id"):
            answer["auth"].pop(name, None)
    return {name: value for name, value in answer.items() if value not in ("", None, 0, False)} or None


def fill(value, saved):
    text = json.dumps(value)
    for name, replacement in saved.items():
        text = text.replace("${%s}" % name, replacement)
    return json.loads(text)


for name in sys.argv[3:]:
    with open(name) as file:
        fixture = json.load(file)
    mount = fixture["mount"]
    path = f"{mount['type']}-{time.time_ns()}"
    prefix = ("auth/" if mount["role"] == "auth" else "") + path
    kind = "auth" if mount["role"] == "auth" else "mounts"
    if mount["role"] == "cubbyhole":
        prefix = "cubbyhole"
    else:
        options = {key: value for key, value in mount.items() if key != "role"}
        status, answer = send("POST", f"sys/{kind}/{path}", options)
        assert status == 204, answer
        # A versioned mount needs a moment before it takes requests.
        time.sleep(1)
    saved = {}
    for step in fixture["steps"]:
        body = fill(step["body"], saved) if "body" in step else None
        login = step["path"].split("/")[0] == "login"
        status, answer = send(step["verb"], f"{prefix}/{fill(step['path'], saved)}", body, not login)
        step["status"] = status
        step.pop("answer", None)
        answer = tidy(answer)
        if answer is not None:
            text = json.dumps(answer)
            for key, value in saved.items():
                text = text.replace(value, "${%s}" % key)
            step["answer"] = json.loads(text)
        for key, pointer in step.get("save", {}).items():
            part = answer["data"]
            for segment in pointer.strip("/").split("/"):
                part = part[segment]
            saved[key] = part
    if mount["role"] != "cubbyhole":
        send("DELETE", f"sys/{kind}/{path}", None)
    with open(name, "w") as file:
        head = {key: value for key, value in fixture.items() if key != "steps"}
        lines = ",\n".join("    " + json.dumps(step, ensure_ascii=False) for step in fixture["steps"])
        file.write(json.dumps(head, indent=2)[:-2] + ',\n  "steps": [\n' + lines + "\n  ]\n}\n")
    print(name, len(fixture["steps"]), "steps")
