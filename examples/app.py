"""An application whose database user lives as long as its lease.

pip install hvac pg8000; VAULT_ADDR, ROLE_ID, SECRET_ID_FILE and DATABASE (host:port/name) say where.
"""
import os
import time

import hvac
from pg8000.native import Connection


def fetch():
    """Logs in and connects as a new user. The user dies with the token, so both are kept together."""
    vault = hvac.Client(url=os.environ["VAULT_ADDR"])
    with open(os.environ["SECRET_ID_FILE"]) as secret_id:
        vault.auth.approle.login(os.environ["ROLE_ID"], secret_id.read().strip())
    lease = vault.secrets.database.generate_credentials("app")
    address, name = os.environ["DATABASE"].split("/")
    host, port = address.split(":")
    user, password = lease["data"]["username"], lease["data"]["password"]
    return vault, lease, Connection(user, host=host, port=int(port), database=name, password=password)


def renew(vault, lease):
    """Whether the user lives on for as long as at first; near its maximum it does not."""
    vault.auth.token.renew_self()
    renewed = vault.sys.renew_lease(lease["lease_id"], lease["lease_duration"])
    return renewed["lease_duration"] >= lease["lease_duration"]


while True:
    vault, lease, database = fetch()
    again = True
    while again:
        print("connected as", database.run("select current_user")[0][0], flush=True)
        time.sleep(lease["lease_duration"] / 3)
        again = renew(vault, lease)
    database.close()
