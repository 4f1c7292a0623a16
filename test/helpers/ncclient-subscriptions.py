"""An ncclient user of RFC 8639 and RFC 8641: what came of each step, as one JSON line."""

import json
import sys

from ncclient import manager
from ncclient.operations import RPCError
from ncclient.xml_ import to_ele

host, port, user, password = sys.argv[1:5]
BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
GI = "urn:gi-4over6"
SN = "urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications"
YP = "urn:ietf:params:xml:ns:yang:ietf-yang-push"
DS = "urn:ietf:params:xml:ns:yang:ietf-datastores"


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


def config(gateway):
    return (
        f'<config xmlns="{BASE}"><softwire xmlns="{GI}"><aftr><name>nc</name><ipv6-address>2001:db8:c::1</ipv6-address>'
        "<ipv4-pool>198.51.100.0/24</ipv4-pool><binding-table><binding><ipv4-prefix>198.51.100.0/28</ipv4-prefix>"
        f"<gateway-ipv6-address>{gateway}</gateway-ipv6-address></binding></binding-table></aftr></softwire></config>"
    )


def ask(session, name, inside, namespace=SN):
    return session.dispatch(to_ele(f'<{name} xmlns="{namespace}">{inside}</{name}>'))


def take(session):
    notification = session.take_notification(timeout=10)
    if notification is None:
        return "nothing came"
    time, event = notification.notification_ele
    assert time.tag.endswith("}eventTime"), time.tag
    return event


def name(event):
    return event.tag.split("}")[1]


def tell(step, result):
    print(json.dumps([step, result]), flush=True)


m, editor = connect(), connect()
filter = f'<stream-subtree-filter><binding-table-changed xmlns="{GI}"/></stream-subtree-filter>'
reply = ask(m, "establish-subscription", "<stream>NETCONF</stream>" + filter)
stream = to_ele(reply.xml).findtext(f"{{{SN}}}id")
tell("establish", stream.isdigit())
editor.edit_config(target="running", config=config("2001:db8::1"))
tell("event", name(take(m)))
tell("beside it", "softwire" in m.get_config("running").data_xml)
tell("delete", ask(m, "delete-subscription", f"<id>{stream}</id>").ok)

push = f'<datastore xmlns="{YP}" xmlns:ds="{DS}">ds:running</datastore>'
push += f'<datastore-subtree-filter xmlns="{YP}"><softwire xmlns="{GI}"/></datastore-subtree-filter><on-change xmlns="{YP}"/>'
reply = ask(m, "establish-subscription", push)
changes = to_ele(reply.xml).findtext(f"{{{SN}}}id")
whole = take(m)
tell("whole", [name(whole), whole.findtext(f".//{{{GI}}}gateway-ipv6-address")])
editor.edit_config(target="running", config=config("2001:db8::2"))
change = take(m)
tell("change", [name(change), change.findtext(f".//{{{YP}}}operation"), change.findtext(f".//{{{GI}}}gateway-ipv6-address")])
tell("resync", ask(m, "resync-subscription", f"<id>{changes}</id>", YP).ok)
tell("whole again", name(take(m)))
try:
    ask(m, "delete-subscription", "<id>4294967295</id>")
except RPCError as error:
    tell("refused", [error.tag, error.app_tag])
tell("kill", ask(editor, "kill-subscription", f"<id>{changes}</id>").ok)
tell("killed", name(take(m)))
m.close_session()
editor.close_session()
