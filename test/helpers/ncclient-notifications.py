"""An ncclient user who listens: each notification's event, or the error, as one JSON line."""

from datetime import datetime, timedelta, timezone

from ncclient.operations import RPCError

from ncclient_user import GI, config, connect, name, take, tell

EVENT = f'<binding-table-changed xmlns="{GI}"/>'

m, editor = connect(), connect()
tell("subscribe", str(m.create_subscription(filter=("subtree", EVENT))).count("<ok/>"))
editor.edit_config(target="running", config=config())
tell("event", name(take(m)))
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
tell("replay", [name(take(m)), name(take(m)), name(take(m))])
m.close_session()
editor.close_session()
