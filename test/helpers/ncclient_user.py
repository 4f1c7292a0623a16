"""What users with ncclient share: words HOST PORT USER PASSWORD, sessions, a configuration with one binding, results as JSON lines."""

import json
import sys

from ncclient import manager

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
GI = "urn:gi-4over6"
HOST, PORT, USER, PASSWORD = sys.argv[1:5]


def connect():
    return manager.connect(
        host=HOST,
        port=int(PORT),
        username=USER,
        password=PASSWORD,
        hostkey_verify=False,
        allow_agent=False,
        look_for_keys=False,
        timeout=120,
    )


def config(gateway="2001:db8::1"):
    return (
        f'<config xmlns="{BASE}"><softwire xmlns="{GI}"><aftr><name>nc</name><ipv6-address>2001:db8:c::1</ipv6-address>'
        "<ipv4-pool>198.51.100.0/24</ipv4-pool><binding-table><binding><ipv4-prefix>198.51.100.0/28</ipv4-prefix>"
        f"<gateway-ipv6-address>{gateway}</gateway-ipv6-address></binding></binding-table></aftr></softwire></config>"
    )


def take(session):
    """The event of the next notification; None when none comes."""
    notification = session.take_notification(timeout=60)
    if notification is None:
        return None
    time, event = notification.notification_ele
    assert time.tag.endswith("}eventTime"), time.tag
    return event


def name(event):
    return "nothing came" if event is None else event.tag.split("}")[1]


def tell(step, result):
    print(json.dumps([step, result]), flush=True)
