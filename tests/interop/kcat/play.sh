#!/usr/bin/env bash
# kcat of Debian, which is an old librdkafka. It reads and writes; it is no administrator.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../stage.sh"

bootstrap="$1"
member=

does_version() {
    quoted "$(kcat -V 2>&1 | sed -nE 's/^Version ([^ ]+).*(librdkafka [^ ]+).*/\1 (\2)/p')"
}

does_create() { not_offered "it administers nothing"; }
does_configs() { not_offered "it administers nothing"; }
does_alter() { not_offered "it administers nothing"; }
does_delete() { not_offered "it administers nothing"; }

does_produce() {
    local topic="$1" codec="$2" idempotent=false first="$4" count="$5" pause="$6"
    [ "$3" = idempotent ] && idempotent=true
    numbers "$first" "$count" "$pause" |
        kcat -b "$bootstrap" -P -t "$topic" -K: -z "$codec" -X enable.idempotence=$idempotent \
            -X max.in.flight=$([ $idempotent = true ] && echo 5 || echo 1) -X message.timeout.ms=40000 || return 1
    echo "$count"
}

does_consume() {
    kcat -b "$bootstrap" -C -q -e -o beginning -t "$1" -f '[%p,%o,%k]\n' | listed
}

does_since() {
    kcat -b "$bootstrap" -C -q -e -o "s@$2" -t "$1" -f '[%p,%o,%k]\n' | listed
}

does_read() {
    kcat -b "$bootstrap" -q -c "$3" -f '[%p,%o,%k]\n' -X auto.offset.reset=earliest -X session.timeout.ms=6000 \
        -X heartbeat.interval.ms=1000 -G "$1" "$2" | listed
}

does_member() {
    kcat -b "$bootstrap" -q -u -f '{"record":[%p,%o,%k]}\n' -X auto.offset.reset=earliest \
        -X session.timeout.ms=6000 -X heartbeat.interval.ms=1000 -X auto.commit.interval.ms=100 \
        -G "$1" "$2" </dev/null &
    member=$!
}

serve
