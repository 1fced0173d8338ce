#!/usr/bin/env bash
# Apache Kafka's own command line tools, as they come with its release: the first word is the folder of their jars.
set -uo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../stage.sh"

jars="$1"
bootstrap="$2"
member=

# The first word is the tool; by the name of its script it would be kafka-topics.sh and so on. It replaces the shell.
tool() {
    local class="$1"
    shift
    exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx192m -cp "$jars/*" "org.apache.kafka.tools.$class" \
        --bootstrap-server "$bootstrap" "$@"
}

# Some say on stdout what is wrong, and end with 0.
strict() {
    local said
    said="$(tool "$@" 2>&1)" && ! grep -qiE '^error|exception' <<<"$said" && return
    grep -iE 'error|exception' <<<"$said" >&2
    return 1
}

does_version() { quoted "$(basename "$jars"/kafka-tools-[0-9]*.jar .jar | sed 's/kafka-tools-//')"; }

does_create() { strict TopicCommand --create --topic "$1" --partitions "$2" --replication-factor "$3"; }

does_describe() {
    (tool TopicCommand --describe --topic "$1") |
        sed -nE 's/.*PartitionCount: ([0-9]+)\s+ReplicationFactor: ([0-9]+).*/[\1,\2]/p'
}

does_delete() { strict TopicCommand --delete --topic "$1"; }

does_produce() {
    local topic="$1" codec="$2" idempotent=false first="$4" count="$5" pause="$6"
    [ "$3" = idempotent ] && idempotent=true
    numbers "$first" "$count" "$pause" | (
        tool ConsoleProducer --topic "$topic" --compression-codec "$codec" \
            --reader-property parse.key=true --reader-property key.separator=: --command-property acks=all \
            --command-property enable.idempotence=$idempotent --command-property retries=1000 \
            --command-property max.in.flight.requests.per.connection=$([ $idempotent = true ] && echo 5 || echo 1)
    ) >&2 || return 1
    # It ends with 0 whatever became of them; what was lost is seen when it is read.
    echo "$count"
}

# Partition, offset and key, as the console consumer prints them.
seen() { sed -nE 's/^Partition:([0-9]+)\tOffset:([0-9]+)\t([0-9]+)$/[\1,\2,\3]/p' | listed; }

printed=(--formatter-property print.partition=true --formatter-property print.offset=true
    --formatter-property print.key=true --formatter-property print.value=false)

does_consume() {
    # One more than there should be, so that one would be seen; it waits for that as long as it is told.
    (tool consumer.ConsoleConsumer --topic "$1" --from-beginning --timeout-ms 9000 "${printed[@]}" || true) | seen
}

# A group is put where that time is, and then read.
does_since() {
    local topic="$1" millis="$2" group="$1-since" moment
    moment="$(date -u -d "@$((millis / 1000)).$(printf '%03d' $((millis % 1000)))" +%Y-%m-%dT%H:%M:%S.%3NZ)"
    strict consumer.group.ConsumerGroupCommand --group "$group" --topic "$topic" --reset-offsets \
        --to-datetime "$moment" --execute || return 1
    (tool consumer.ConsoleConsumer --topic "$topic" --group "$group" --timeout-ms 9000 "${printed[@]}" || true) | seen
}

# Each record that the verifiable consumer read; it commits what it has said, after each poll.
records='s/.*"name":"record_data","key":"([0-9]+)".*"partition":([0-9]+),"offset":([0-9]+).*'

does_read() {
    (tool VerifiableConsumer --group-id "$1" --topic "$2" --max-messages "$3" --verbose --session-timeout 6000) |
        sed -nE "$records/[\\2,\\3,\\1]/p" | listed
}

does_member() {
    (tool VerifiableConsumer --group-id "$1" --topic "$2" --verbose --session-timeout 6000) </dev/null \
        > >(sed -unE "$records/{\"record\":[\\2,\\3,\\1]}/p") &
    member=$!
}

does_configs() {
    local lines
    lines="$( (tool ConfigCommand --describe --all --topic "$1") |
        sed -nE 's/^  ([a-z0-9.]+)=([^ ]*) sensitive.*/"\1":"\2"/p')"
    printf '{%s}' "$(paste -sd, <<<"$lines")"
}

does_alter() { strict ConfigCommand --alter --topic "$1" --add-config "$2=$3"; }

# What only they have: where partitions end, [[partition, end], ...].
does_ends() {
    local lines
    lines="$( (tool GetOffsetShell --topic "$1") | sed -nE 's/^.*:([0-9]+):([0-9]+)$/[\1,\2]/p')"
    printf '[%s]' "$(paste -sd, <<<"$lines")"
}

# Deletes what is before an offset.
does_trim() {
    local plan
    plan="$(mktemp)"
    echo "{\"version\":1,\"partitions\":[{\"topic\":\"$1\",\"partition\":$2,\"offset\":$3}]}" >"$plan"
    strict DeleteRecordsCommand --offset-json-file "$plan"
    local code=$?
    rm -f "$plan"
    return $code
}

# Bytes of a topic on all disks together.
does_sizes() {
    (tool LogDirsCommand --describe --topic-list "$1") | grep -oE '"size":[0-9]+' |
        awk -F: '{ sum += $2 } END { print sum + 0 }'
}

# Puts a group back to where the partitions begin.
does_reset() {
    strict consumer.group.ConsumerGroupCommand --group "$1" --topic "$2" --reset-offsets --to-earliest --execute
}

# So many records by the verifiable producer: how many it says were acknowledged.
does_verify() {
    (tool VerifiableProducer --topic "$1" --max-messages "$2" --acks -1) |
        sed -nE 's/.*"name":"tool_data".*"acked":([0-9]+).*/\1/p'
}

serve
