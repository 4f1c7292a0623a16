"""Sends one <config> from standard input to the candidate with ncclient and commits it.

usage: netconf-edit.py HOST PORT USER < config.xml      (password in NETCONF_PASSWORD)
Prints the replies; exit code 1 with tag, path and message when the edit is refused.
"""

import os
import sys

from ncclient import manager
from ncclient.operations import RPCError


def main():
    host, port, user = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with manager.connect(
        host=host, port=port, username=user, password=os.environ["NETCONF_PASSWORD"],
        hostkey_verify=False, allow_agent=False, look_for_keys=False, timeout=20,
    ) as session:
        try:
            with session.locked("candidate"):
                session.discard_changes()
                print(session.edit_config(target="candidate", config=sys.stdin.read()))
                print(session.commit())
        except RPCError as error:
            print(f"error-tag:     {error.tag}")
            print(f"error-app-tag: {error.app_tag}")
            print(f"error-path:    {error.path}")
            print(f"error-message: {error.message}")
            return 1
    return 0


sys.exit(main())
