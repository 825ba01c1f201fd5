"""Goes through the areas of the API with hvac and prints each answer as a line of JSON.

It reads VAULT_ADDR, VAULT_TOKEN and UNSEAL_KEY. The same script runs against both servers.
"""

import json
import os
import time

import hvac
import requests

ADDRESS = os.environ["VAULT_ADDR"]
ROOT = os.environ["VAULT_TOKEN"]
client = hvac.Client(url=ADDRESS, token=ROOT)


def step(name, call):
    """Prints what `call` returns or raises, and returns it."""
    try:
        result = call()
    except hvac.exceptions.VaultError as error:
        answer = {"error": type(error).__name__, "text": str(error).split(", on ")[0]}
        result = None
    else:
        answer = result
        if isinstance(result, requests.Response):
            answer = {"status": result.status_code}
            if result.content:
                answer["body"] = result.json()
    print(json.dumps({"step": name, "answer": answer}))
    return result


def system():
    sys = client.sys
    step("health", lambda: sys.read_health_status(method="GET"))
    step("health by HEAD", lambda: sys.read_health_status())
    step("is initialised", sys.is_initialized)
    step("is sealed", sys.is_sealed)
    step("seal status", sys.read_seal_status)
    step("leader", sys.read_leader_status)
    step("is authenticated", client.is_authenticated)
    step("key status", lambda: sorted(sys.get_encryption_key_status()["data"]))
    step("rotate", sys.rotate_encryption_key)
    step("capabilities", lambda: sys.get_capabilities(["sys/mounts"]))
    step("seal", sys.seal)
    step("sealed", sys.is_sealed)
    step("read while sealed", lambda: client.secrets.kv.v1.read_secret("a"))
    step("unseal", lambda: sys.submit_unseal_key(os.environ["UNSEAL_KEY"]))


def kinds(answer):
    return {path: mount["type"] for path, mount in answer["data"].items()}


def mounts():
    sys = client.sys
    step("enable kv1", lambda: sys.enable_secrets_engine("kv", path="one", options={"version": "1"}))
    step("enable kv2", lambda: sys.enable_secrets_engine("kv-v2", path="two", description="Second."))
    step("enable twice", lambda: sys.enable_secrets_engine("kv", path="one"))
    step("list", lambda: kinds(sys.list_mounted_secrets_engines()))
    step("configuration", lambda: sys.read_mount_configuration("two"))
    step("tune", lambda: sys.tune_mount_configuration("two", default_lease_ttl="1h", description="x"))
    step("configuration again", lambda: sys.read_mount_configuration("two"))
    step("enable more", lambda: sys.enable_secrets_engine("kv", path="three"))
    step("move", lambda: sorted(sys.move_backend("three", "four")))
    while "four/" not in sys.list_mounted_secrets_engines()["data"]:
        time.sleep(0.01)
    step("disable", lambda: sys.disable_secrets_engine("four"))
    step("enable auth", lambda: sys.enable_auth_method("userpass"))
    step("enable approle", lambda: sys.enable_auth_method("approle"))
    step("list auth", lambda: kinds(sys.list_auth_methods()))
    step("tune auth", lambda: sys.tune_auth_method("userpass", default_lease_ttl=600))
    step("read auth", lambda: sys.read_auth_method_tuning("userpass"))


def kv1():
    kv = client.secrets.kv.v1
    step("create", lambda: kv.create_or_update_secret("a/b", {"x": "1"}, mount_point="one"))
    step("read", lambda: kv.read_secret("a/b", mount_point="one"))
    step("read none", lambda: kv.read_secret("none", mount_point="one"))
    step("list", lambda: kv.list_secrets("", mount_point="one"))
    step("list none", lambda: kv.list_secrets("none", mount_point="one"))
    step("delete", lambda: kv.delete_secret("a/b", mount_point="one"))
    step("generic write", lambda: client.write_data("one/g", data={"y": 2}))
    step("generic read", lambda: client.read("one/g"))
    step("generic read none", lambda: client.read("one/none"))
    step("generic list", lambda: client.list("one"))
    step("generic delete", lambda: client.delete("one/g"))


def kv2():
    kv = client.secrets.kv.v2
    at = {"mount_point": "two"}
    step("configure", lambda: kv.configure(max_versions=5, cas_required=False, **at))
    step("configuration", lambda: kv.read_configuration(**at))
    step("create", lambda: kv.create_or_update_secret("a", {"x": 1}, **at))
    step("create with cas", lambda: kv.create_or_update_secret("a", {"x": 2}, cas=1, **at))
    step("create with wrong cas", lambda: kv.create_or_update_secret("a", {"x": 3}, cas=1, **at))
    step("patch", lambda: kv.patch("a", {"y": [1]}, **at))
    step("patch none", lambda: kv.patch("none", {"y": 1}, **at))
    read = {"raise_on_deleted_version": True, **at}
    step("read", lambda: kv.read_secret_version("a", **read))
    step("read first", lambda: kv.read_secret_version("a", version=1, **read))
    step("read none", lambda: kv.read_secret_version("none", **read))
    step("list", lambda: kv.list_secrets("", **at))
    step("delete latest", lambda: kv.delete_latest_version_of_secret("a", **at))
    step("read deleted", lambda: kv.read_secret_version("a", **read))
    step("read deleted quietly", lambda: kv.read_secret_version("a", raise_on_deleted_version=False, **at))
    step("undelete", lambda: kv.undelete_secret_versions("a", [3], **at))
    step("delete versions", lambda: kv.delete_secret_versions("a", [1, 2], **at))
    step("destroy", lambda: kv.destroy_secret_versions("a", [1], **at))
    step("update metadata", lambda: kv.update_metadata("a", max_versions=3, custom_metadata={"o": "me"}, **at))
    step("metadata", lambda: kv.read_secret_metadata("a", **at))
    step("delete all", lambda: kv.delete_metadata_and_all_versions("a", **at))
    step("metadata gone", lambda: kv.read_secret_metadata("a", **at))


def tokens():
    token = client.auth.token
    step("lookup self", token.lookup_self)
    made = step("create", lambda: token.create(policies=["default"], ttl="1h", meta={"a": "b"}))
    secret, accessor = made["auth"]["client_token"], made["auth"]["accessor"]
    step("lookup", lambda: token.lookup(secret))
    step("lookup accessor", lambda: token.lookup_accessor(accessor))
    step("renew", lambda: token.renew(secret, increment="30m"))
    step("renew accessor", lambda: token.renew_accessor(accessor, increment="20m"))
    step("accessors", lambda: len(token.list_accessors()["data"]["keys"]) > 1)
    step("role", lambda: token.create_or_update_role("ci", allowed_policies=["default"], orphan=True))
    step("read role", lambda: token.read_role("ci"))
    step("list roles", token.list_roles)
    step("create by role", lambda: token.create(role_name="ci", policies=["default"]))
    step("create against role", lambda: token.create(role_name="ci", policies=["other"]))
    step("create orphan", lambda: token.create_orphan(policies=["default"]))
    step("delete role", lambda: token.delete_role("ci"))
    step("revoke accessor", lambda: token.revoke_accessor(accessor))
    step("lookup revoked", lambda: token.lookup(secret))
    other = step("create again", lambda: token.create(policies=["default"]))["auth"]["client_token"]
    child = hvac.Client(url=ADDRESS, token=other)
    step("child looks", child.auth.token.lookup_self)
    step("child is refused", child.sys.list_policies)
    step("child revokes itself", child.auth.token.revoke_self)
    step("child is gone", child.auth.token.lookup_self)
    step("child is known", child.is_authenticated)


def policies():
    sys = client.sys
    rules = 'path "two/data/*" { capabilities = ["read"] }'
    step("write", lambda: sys.create_or_update_policy("app", rules))
    step("read", lambda: sys.read_policy("app"))
    step("read none", lambda: sys.read_policy("none"))
    step("list", sys.list_policies)
    step("write acl", lambda: sys.create_or_update_acl_policy("acl", {"path": {"a": {"capabilities": ["read"]}}}))
    step("read acl", lambda: sys.read_acl_policy("acl"))
    step("list acl", sys.list_acl_policies)
    step("delete acl", lambda: sys.delete_acl_policy("acl"))
    step("write wrong", lambda: sys.create_or_update_policy("bad", "path {"))
    step("delete", lambda: sys.delete_policy("app"))


def logins():
    people = client.auth.userpass
    step("create user", lambda: people.create_or_update_user("alice", password="a", policies=["app"]))
    step("read user", lambda: people.read_user("alice"))
    step("list users", people.list_user)
    other = hvac.Client(url=ADDRESS)
    step("login", lambda: other.auth.userpass.login("alice", "a"))
    step("who", lambda: other.auth.token.lookup_self())
    step("wrong password", lambda: hvac.Client(url=ADDRESS).auth.userpass.login("alice", "b"))
    step("change password", lambda: people.update_password_on_user("alice", "c"))
    step("delete user", lambda: people.delete_user("alice"))
    approle = client.auth.approle
    step("create role", lambda: approle.create_or_update_approle("app", token_policies=["app"], token_ttl="10m"))
    step("read role", lambda: approle.read_role("app"))
    step("list roles", approle.list_roles)
    role = step("role id", lambda: approle.read_role_id("app"))["data"]["role_id"]
    made = approle.generate_secret_id("app", metadata={"host": "one"})["data"]
    step("secret id", lambda: sorted(made))
    step("read secret id", lambda: approle.read_secret_id("app", made["secret_id"]))
    step("read by accessor", lambda: approle.read_secret_id_accessor("app", made["secret_id_accessor"]))
    step("accessors", lambda: len(approle.list_secret_id_accessors("app")["data"]["keys"]))
    step("approle login", lambda: other.auth.approle.login(role, made["secret_id"]))
    step("wrong secret", lambda: other.auth.approle.login(role, "wrong"))
    step("custom", lambda: approle.create_custom_secret_id("app", "chosen")["data"]["secret_id"])
    step("destroy", lambda: approle.destroy_secret_id("app", "chosen"))
    step("destroy by accessor", lambda: approle.destroy_secret_id_accessor("app", made["secret_id_accessor"]))
    step("update role id", lambda: approle.update_role_id("app", "chosen-role"))
    step("delete role", lambda: approle.delete_role("app"))


def rest():
    sys = client.sys
    client.secrets.kv.v2.create_or_update_secret("w", {"x": 1}, mount_point="two")
    wrapped = client.adapter.get("/v1/two/data/w", wrap_ttl="60s")
    token = wrapped["wrap_info"]["token"]
    step("wrap lookup", lambda: client.write_data("sys/wrapping/lookup", data={"token": token}))
    step("unwrap", lambda: sys.unwrap(token))
    step("unwrap again", lambda: sys.unwrap(token))
    step("wrap", lambda: sorted(sys.wrap({"a": 1}, ttl=60)["wrap_info"]))
    step("leases", lambda: sys.list_leases("auth/"))
    step("lease", lambda: sys.read_lease("wrong"))
    step("revoke lease", lambda: sys.revoke_lease("wrong"))
    step("revoke prefix", lambda: sys.revoke_prefix("auth/userpass"))
    step("quota", lambda: sys.create_or_update_quota("all", rate=1000.5))
    step("read quota", lambda: sys.read_quota("all"))
    step("list quotas", sys.list_quotas)
    step("delete quota", lambda: sys.delete_quota("all"))
    step("audit", sys.list_enabled_audit_devices)
    step("enable audit", lambda: sys.enable_audit_device("file", options={"file_path": "audit.log"}))
    step("hash", lambda: len(sys.calculate_hash("file", "x")["data"]["hash"]))
    step("disable audit", lambda: sys.disable_audit_device("file"))
    step("cubbyhole", lambda: client.write_data("cubbyhole/a", data={"x": 1}))
    step("read cubbyhole", lambda: client.read("cubbyhole/a"))
    step("namespace", lambda: client.write_data("sys/namespaces/team")["data"]["path"])
    inside = hvac.Client(url=ADDRESS, token=ROOT, namespace="team")
    step("inside", lambda: kinds(inside.sys.list_mounted_secrets_engines()))


for area in (system, mounts, kv1, kv2, tokens, policies, logins, rest):
    area()
