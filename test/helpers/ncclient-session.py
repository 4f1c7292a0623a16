"""What an ncclient user does, each step with its result as one JSON line: [step, result]."""

import paramiko
from ncclient.operations import RPCError
from ncclient.transport import Session
from ncclient.transport.session import NetconfBase
from ncclient.xml_ import to_ele

from ncclient_user import BASE, GI, config, connect, tell

CONFIG = config()
FILTER = f'<softwire xmlns="{GI}"><aftr><name>nc</name><binding-table/></aftr></softwire>'
OUTSIDE = CONFIG.replace("198.51.100.0/28", "203.0.113.0/28")


NACM = "urn:ietf:params:xml:ns:yang:ietf-netconf-acm"
SYS = "urn:ietf:params:xml:ns:yang:ietf-system"


def rule(prefix):
    path = f'<path xmlns:{prefix}="{NACM}">/{prefix}:nacm/{prefix}:groups</path>'
    inside = f"<rule-list><name>r</name><rule><name>r</name>{path}<action>deny</action></rule></rule-list>"
    return f'<config xmlns="{BASE}"><nacm xmlns="{NACM}">{inside}</nacm></config>'


def step(name, action):
    try:
        result = action()
        data = getattr(result, "data", None)
        reply = data if isinstance(data, str) else getattr(result, "data_xml", None) or str(result)
        outcome = "ok" if getattr(result, "ok", False) and "<ok/>" in str(result) else reply
    except RPCError as error:
        outcome = [error.type, error.tag, error.app_tag, error.path is not None]
    tell(name, outcome)


def connect_with_late_hello():
    """Both hellos may meet on the way: ncclient that reads the server's before it has sent its own sends that in chunks."""
    sessions = []
    begin = Session.__init__
    Session.__init__ = lambda self, *parts: (sessions.append(self), begin(self, *parts))[1]
    ready = paramiko.Channel.send_ready
    paramiko.Channel.send_ready = lambda self: ready(self) and sessions[-1]._base == NetconfBase.BASE_11
    try:
        late = connect()
        result = late.get_config("running", filter=to_ele(f'<filter xmlns="{BASE}" type="subtree"/>'))
    finally:
        Session.__init__, paramiko.Channel.send_ready = begin, ready
    late.close_session()
    return result


step("late hello", connect_with_late_hello)
m = connect()
other = connect()
step("lock", lambda: m.lock("candidate"))
step("lock by another", lambda: other.lock("candidate"))
step("edit", lambda: m.edit_config(target="candidate", config=CONFIG, error_option="stop-on-error"))
step("running before", lambda: m.get_config("running", filter=("subtree", FILTER)))
step("validate", lambda: m.validate("candidate"))
step("commit", lambda: m.commit())
step("unlock", lambda: m.unlock("candidate"))
step("running after", lambda: other.get_config("running", filter=("subtree", FILTER)))
step("with defaults", lambda: m.get_config("running", filter=("subtree", FILTER), with_defaults="report-all"))
# As the examples of ncclient write them: its own elements have the prefix nc, these have none.
step("config without namespace", lambda: m.edit_config(target="candidate", config=CONFIG.replace(f' xmlns="{BASE}"', "", 1)))
step("filter without namespace", lambda: m.get_config("running", filter=f"<filter>{FILTER}</filter>"))
# lxml leaves out the declaration of a prefix that only a text needs, where its namespace is the default one.
step("rule about rules", lambda: m.edit_config(target="candidate", config=rule("ietf-netconf-acm")))
read = m.get_config("candidate", filter=("subtree", f'<nacm xmlns="{NACM}"><rule-list><name>r</name></rule-list></nacm>'))
step("rule read", lambda: read)
step("rule sent back", lambda: m.edit_config(target="candidate", config=read.data_xml.replace("data>", "config>").replace("<data", "<config")))
ORDER = f'<system xmlns="{SYS}"><authentication><user-authentication-order/></authentication></system>'
step("identity", lambda: m.edit_config(target="candidate", config=f'<config xmlns="{BASE}">{ORDER.replace("order/>", "order>local-users</user-authentication-order>")}</config>'))
read = m.get_config("candidate", filter=("subtree", ORDER))
step("identity read", lambda: read)
step("identity sent back", lambda: m.edit_config(target="candidate", config=read.data_xml.replace("data>", "config>").replace("<data", "<config")))
step("rule with a prefix that is lost", lambda: m.edit_config(target="candidate", config=rule("n")))
step("bad edit", lambda: m.edit_config(target="running", config=OUTSIDE))
step("bad edit of candidate", lambda: m.edit_config(target="candidate", config=OUTSIDE))
step("bad commit", lambda: m.commit())
step("discard", lambda: m.discard_changes())
step("keepalive", lambda: m.get_config("running", filter=to_ele(f'<filter xmlns="{BASE}" type="subtree"/>')))
step("get", lambda: m.get(filter=("subtree", f'<softwire xmlns="{GI}"><state/></softwire>')))
step("schema", lambda: m.get_schema("gi-4over6"))
step("confirmed edit", lambda: m.edit_config(target="candidate", config=CONFIG.replace("0/28", "16/28")))
step("confirmed commit", lambda: m.commit(confirmed=True, timeout="60", persist="word"))
step("commit of another", lambda: other.commit())
step("follow-up", lambda: other.commit(confirmed=True, timeout="60", persist_id="word"))
step("cancel", lambda: m.cancel_commit(persist_id="word"))
step("cancelled", lambda: m.get_config("running", filter=("subtree", FILTER)))
step("kill itself", lambda: m.kill_session(m.session_id))
step("kill another", lambda: m.kill_session(other.session_id))
step("close", lambda: m.close_session())
