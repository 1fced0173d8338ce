// Package stage is what the programs for Go have in common: they are told something by a line of words, and answer by
// a line of JSON. See tests/src/interop/mod.rs for the words.
package stage

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrNotOffered is wrapped by what a client does not have.
var ErrNotOffered = errors.New("not offered")

// Patience is how long reading waits for what is to come.
const Patience = 40 * time.Second

// Seen is a record: partition, offset, number.
type Seen [3]int64

// Verb does what is said, with the words behind it.
type Verb func(words []string) (any, error)

var output sync.Mutex

// Say writes one line.
func Say(object any) {
	line, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

// SayRecord is what a member says of each record.
func SayRecord(partition int32, offset int64, key []byte) {
	Say(map[string]any{"record": See(partition, offset, key)})
}

// See makes a record of what a client read.
func See(partition int32, offset int64, key []byte) Seen {
	number, err := strconv.ParseInt(string(key), 10, 64)
	if err != nil {
		panic(err)
	}
	return Seen{int64(partition), offset, number}
}

// Record is key and value of a number; long and alike, so that compressing them is worth it.
func Record(number int) (key, value []byte) {
	return []byte(strconv.Itoa(number)), []byte(fmt.Sprintf("%d %s", number, strings.Repeat("and so on ", 20)))
}

// Int is a word that is a number.
func Int(word string) int {
	number, err := strconv.Atoi(word)
	if err != nil {
		panic(err)
	}
	return number
}

// Version is that of a module that this program was built with.
func Version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, known := range info.Deps {
		if known.Path == module {
			return strings.TrimPrefix(known.Version, "v")
		}
	}
	return "?"
}

// Serve answers each line, until there is none or a member has left.
func Serve(verbs map[string]Verb) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Split(lines.Text(), " ")
		verb, known := verbs[words[0]]
		if !known {
			Say(map[string]any{"ok": nil, "why": "there is no " + words[0]})
			continue
		}
		data, err := verb(words[1:])
		switch {
		case errors.Is(err, ErrNotOffered):
			Say(map[string]any{"ok": nil, "why": strings.TrimSuffix(err.Error(), ": "+ErrNotOffered.Error())})
		case err != nil:
			Say(map[string]any{"ok": false, "why": err.Error()})
		default:
			Say(map[string]any{"ok": true, "data": data})
		}
		if words[0] == "leave" {
			return
		}
	}
}
