"""Waits for a device that calls home over SSH, and prints its software version's session as one JSON line: [user, address]."""

import json
import sys

from ncclient import manager

port, user, password = sys.argv[1:4]
MONITORING = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"

m = manager.call_home(
    host="127.0.0.1",
    port=int(port),
    username=user,
    password=password,
    hostkey_verify=False,
    allow_agent=False,
    look_for_keys=False,
)
FILTER = (
    f'<netconf-state xmlns="{MONITORING}"><sessions><session><session-id>{m.session_id}</session-id></session></sessions>'
    "</netconf-state>"
)
session = m.get(filter=("subtree", FILTER)).data.find(f".//{{{MONITORING}}}session")
print(json.dumps([session.findtext(f"{{{MONITORING}}}{leaf}") for leaf in ("transport", "username", "source-host")]))
m.close_session()
