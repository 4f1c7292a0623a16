"""An ncclient user of RFC 8639 and RFC 8641: what came of each step, as one JSON line."""

from ncclient.operations import RPCError
from ncclient.xml_ import to_ele

from ncclient_user import GI, config, connect, name, take, tell

SN = "urn:ietf:params:xml:ns:yang:ietf-subscribed-notifications"
YP = "urn:ietf:params:xml:ns:yang:ietf-yang-push"
DS = "urn:ietf:params:xml:ns:yang:ietf-datastores"


def ask(session, name, inside, namespace=SN):
    return session.dispatch(to_ele(f'<{name} xmlns="{namespace}">{inside}</{name}>'))


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
