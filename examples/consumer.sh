#!/usr/bin/env bash
# Level 1 of docs/queue-protocol.md: COMMAND gets each task on its standard input; its exit status says what came of it.
# Usage: REDIS_CLI="redis-cli -u redis://localhost" consumer.sh COMMAND...
set -uo pipefail
lists=(recon:queue:critical recon:queue:high recon:queue:medium recon:queue:low)
redis() { ${REDIS_CLI:-redis-cli} "$@"; }

stopping=
trap 'stopping=1' TERM INT
while [ -z "$stopping" ]; do
    reply=$(redis BLPOP "${lists[@]}" 2) || { sleep 1; continue; }
    [ -n "$reply" ] || continue
    task=${reply#*$'\n'} # after the name of the list; a body is one line of ASCII, and opens with {"id":"
    if said=$("$@" <<<"$task" 2>&1 >/dev/null); then
        result='"status":"done"'
    else
        said=$(tail -n 1 <<<"$said" | tr -cd ' !#-[]-~') # what JSON needs not escape
        result='"status":"failed","error":"'${said:0:200}'"'
    fi
    redis RPUSH recon:results "{\"id\":\"${task:7:32}\",$result}" >/dev/null
done
