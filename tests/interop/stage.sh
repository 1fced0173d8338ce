# What the programs that are scripts have in common: they are told something by a line of words, and answer by a line of
# JSON. See tests/src/interop/mod.rs for the words. A script has a function for each verb, `does_VERB`, whose output is
# the answer's data; it ends with 0 if that went well, with 3 if there is no such thing (its output says why), and
# otherwise its last line of errors is the reason.

errors="$(mktemp)"
trap 'rm -f "$errors"' EXIT

not_offered() {
    echo "$1"
    return 3
}

quoted() {
    local text="${1//\\/\\\\}"
    text="${text//\"/\\\"}"
    printf '"%s"' "$(tr -d '\000-\037' <<<"$text")"
}

# Lines of the form [partition,offset,number] as one list.
listed() {
    local lines
    lines="$(grep -E '^\[[0-9]+,[0-9]+,[0-9]+\]$' || true)"
    printf '[%s]' "$(paste -sd, <<<"$lines")"
}

# What a producer is fed: key and value of each number, long and alike, so that compressing them is worth it.
numbers() {
    local first="$1" count="$2" pause="$3" rest
    rest="$(printf 'and so on %.0s' {1..20})"
    if [ "$pause" = 0 ]; then
        seq "$first" $((first + count - 1)) | sed "s/.*/&:& $rest/"
        return
    fi
    local number seconds
    seconds="$(printf '0.%03d' "$pause")"
    for ((number = first; number < first + count; number++)); do
        echo "$number:$number $rest"
        sleep "$seconds"
    done
}

serve() {
    local verb words data code
    while read -r verb words; do
        if [ "$verb" = leave ]; then
            kill -TERM "$member"
            wait "$member" || true
            echo '{"ok":true,"data":null}'
            return
        fi
        if [ "$verb" = member ]; then
            # It lives on beside this.
            does_member $words
            echo '{"ok":true,"data":null}'
            continue
        fi
        code=0
        data="$("does_$verb" $words 2>"$errors")" || code=$?
        case $code in
            0) echo "{\"ok\":true,\"data\":${data:-null}}" ;;
            3) echo "{\"ok\":null,\"why\":$(quoted "$data")}" ;;
            *) echo "{\"ok\":false,\"why\":$(quoted "$(grep -v SLF4J "$errors" | tail -n 2)")}" ;;
        esac
    done
}
