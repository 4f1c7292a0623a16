"""What an ncclient user does with file: URLs, each step with its result as one JSON line: [step, result]."""

import json
import sys

from ncclient import manager
from ncclient.operations import RPCError

host, port, user, password = sys.argv[1:5]
# Its edit_config takes no URL without a host.
URL = "file://localhost/backup.xml"


def step(name, action):
    try:
        result = action()
        outcome = "ok" if "<ok/>" in str(result) else str(result)
    except RPCError as error:
        outcome = [error.type, error.tag]
    print(json.dumps([name, outcome]), flush=True)


m = manager.connect(
    host=host,
    port=int(port),
    username=user,
    password=password,
    hostkey_verify=False,
    allow_agent=False,
    look_for_keys=False,
    timeout=120,
)
print(json.dumps(["capability", [c for c in m.server_capabilities if ":url:" in c]]), flush=True)
step("save", lambda: m.copy_config(source="running", target=URL))
step("validate", lambda: m.validate(source=URL))
step("edit", lambda: m.edit_config(target="candidate", config=URL, format="url"))
step("discard", lambda: m.discard_changes())
step("restore", lambda: m.copy_config(source=URL, target="running"))
step("delete", lambda: m.delete_config(target=URL))
step("delete again", lambda: m.delete_config(target=URL))
step("elsewhere", lambda: m.copy_config(source="file:///../etc/passwd", target="candidate"))
m.close_session()
