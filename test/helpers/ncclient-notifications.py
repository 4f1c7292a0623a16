"""An ncclient user who listens: each notification's event, or the error, as one JSON line."""

import json
import sys
from datetime import datetime, timedelta, timezone

from ncclient import manager
from ncclient.operations import RPCError

host, port, user, password = sys.argv[1:5]
BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
GI = "urn:gi-4over6"
CONFIG = (
    f'<config xmlns="{BASE}"><softwire xmlns="{GI}"><aftr><name>nc</name><ipv6-address>2001:db8:c::1</ipv6-address>'
    "<ipv4-pool>198.51.100.0/24</ipv4-pool><binding-table><binding><ipv4-prefix>198.51.100.0/28</ipv4-prefix>"
    "<gateway-ipv6-address>2001:db8::1</gateway-ipv6-address></binding></binding-table></aftr></softwire></config>"
)
EVENT = f'<binding-table-changed xmlns="{GI}"/>'


def connect():
    return manager.connect(
        host=host,
        port=int(port),
        username=user,
        password=password,
        hostkey_verify=False,
        allow_agent=False,
        look_for_keys=False,
        timeout=30,
    )


def take(session):
    notification = session.take_notification(timeout=10)
    if notification is None:
        return "nothing came"
    time, event = notification.notification_ele
    assert time.tag.endswith("}eventTime"), time.tag
    return event.tag.split("}")[1]


def tell(step, result):
    print(json.dumps([step, result]), flush=True)


m, editor = connect(), connect()
tell("subscribe", str(m.create_subscription(filter=("subtree", EVENT))).count("<ok/>"))
editor.edit_config(target="running", config=CONFIG)
tell("event", take(m))
tell("beside it", "softwire" in m.get_config("running").data_xml)
try:
    m.create_subscription()
except RPCError as error:
    tell("second", error.tag)
m.close_session()

m = connect()
start = (datetime.now(timezone.utc) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
stop = datetime.now(timezone.utc).isoformat()
m.create_subscription(filter=("xpath", "/gi-4over6:binding-table-changed"), start_time=start, stop_time=stop)
tell("replay", [take(m), take(m), take(m)])
m.close_session()
editor.close_session()
