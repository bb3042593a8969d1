/// The templates in Bash. They need no other program: the fields that they use hold no escapes, or are passed on
/// unchanged.
enum BashTemplates {
    static func program(_ kind: PluginTemplate.Kind) -> String {
        switch kind {
        case .sink: head + sink + tail
        case .bridge: head + bridge + tail
        case .check: head + check + tail
        }
    }

    static func test(_ kind: PluginTemplate.Kind) -> String {
        switch kind {
        case .sink: testHead + testSink + testEnd
        case .bridge: testHead + testBridge + testEnd
        case .check: testHead + testCheck + testEnd
        }
    }

    private static let head = #"""
        #!{{interpreter}}
        # {{summary}}

        # The value of a key of the line, as JSON has it; a string without its quotes.
        value() {
            local pattern='"'$1'":("(([^"\\]|\\.)*)"|[0-9]+)'
            [[ $line =~ $pattern ]] || return
            case ${BASH_REMATCH[1]} in '"'*) echo "${BASH_REMATCH[2]}" ;; *) echo "${BASH_REMATCH[1]}" ;; esac
        }


        """#

    private static let sink = #"""
        while IFS= read -r line; do
            case $line in
            '{"type":"hello"'*)  # the first line; 'ready' is the answer
                file=$(value dataDir)/messages.txt
                echo '{"type":"ready","protocol":1,"name":"{{name}}","version":"0.1"}' ;;
            '{"type":"event"'*)
                # An event comes again after a crash, so write down what is new only if twice would do harm.
                echo "$(value channelId) <$(value userId)> $(value message)" >>"$file"
                echo '{"type":"ack","delivery":'"$(value delivery)"'}' ;;

        """#

    private static let bridge = #"""
        # The key names the command for ever: after a crash the same one is not stored twice.
        command() {  # STEP FIELDS
            echo '{"type":"command","id":"'"$1"'","cause":'"$(value delivery)"',"key":"'"$(value eventId)/$1"'",'\
                '"command":{"userId":"{{name}}/bot",'"$2"'}}'
        }

        while IFS= read -r line; do
            case $line in
            '{"type":"hello"'*)  # the first line; 'ready' is the answer
                echo '{"type":"ready","protocol":1,"name":"{{name}}","version":"0.1"}' ;;
            '{"type":"event"'*)
                text=$(value message)
                if [[ $text == '!echo '* ]]; then
                    channel='"channelId":"'$(value channelId)'"'
                    # Refused the second time, because it is done.
                    command register '"type":"REGISTER_USER","name":"{{name}}"'
                    command join '"type":"JOIN_CHANNEL",'"$channel"
                    command answer '"type":"SEND_MESSAGE",'"$channel"',"message":"'"${text#'!echo '}"'"'
                fi
                echo '{"type":"ack","delivery":'"$(value delivery)"'}' ;;

        """#

    private static let check = #"""
        while IFS= read -r line; do
            case $line in
            '{"type":"hello"'*)  # the first line; 'ready' is the answer
                word=$(value word)
                if [ -z "$word" ]; then
                    echo '{"type":"fatal","code":"config","path":"word","message":"must be a word"}'
                    exit 78
                fi
                echo '{"type":"ready","protocol":1,"name":"{{name}}","version":"0.1"}' ;;
            '{"type":"check"'*)
                if [[ $(value message) == *"$word"* ]]; then
                    echo '{"type":"verdict","id":'"$(value id)"',"allow":false,"code":"word","message":"not welcome"}'
                else
                    echo '{"type":"verdict","id":'"$(value id)"',"allow":true}'
                fi ;;

        """#

    private static let tail = #"""
            '{"type":"ping"'*)  # whether the program still works
                echo '{"type":"pong","n":'"$(value n)"'}' ;;
            '{"type":"drain"'*)  # the server stops, or the plugin is replaced
                echo '{"type":"drained"}'
                exit 0 ;;
            esac
        done

        """#

    private static let testHead = #"""
        #!{{interpreter}}
        # Runs {{program}} as the server does, and checks what it answers.
        set -eu
        folder=$(mktemp -d)
        coproc plugin { exec "{{interpreter}}" "$(dirname "$0")/{{program}}"; }
        pid=$plugin_PID
        trap 'kill -KILL "$pid" 2>/dev/null || true; rm -rf "$folder"' EXIT
        exec 3<&"${plugin[0]}" 4>&"${plugin[1]}"

        tell() { echo "$1" >&4; }
        hear() { IFS= read -r -t 10 line <&3 || fail "no answer"; }
        fail() { echo "FAILED: $1" >&2; exit 1; }
        expect() {  # PATTERN
            hear
            [[ $line == $1 ]] || fail "expected $1, got $line"
        }
        event() {  # DELIVERY TEXT
            local event='{"eventId":"e1","type":"MESSAGE_SENT","userId":"ann","channelId":"general","message":"'$2'"}'
            tell '{"type":"event","queue":"main","delivery":'"$1"',"attempt":1,"mode":"live","event":'"$event"'}'
        }

        tell '{"type":"hello","protocol":1,"plugin":"{{name}}","config":{"word":"heck"},"dataDir":"'"$folder"'"}'
        expect '{"type":"ready"*'
        tell '{"type":"ping","n":7}'
        expect '{"type":"pong","n":7}'

        """#

    private static let testSink = #"""
        event 1 hello
        expect '{"type":"ack","delivery":1}'
        written=$(cat "$folder/messages.txt")
        [ "$written" = 'general <ann> hello' ] || fail "messages.txt has $written"

        """#

    private static let testBridge = #"""
        event 1 '!echo hello'
        expect '*"type":"REGISTER_USER"*'
        expect '*"type":"JOIN_CHANNEL","channelId":"general"*'
        expect '*"type":"SEND_MESSAGE","channelId":"general","message":"hello"}}'
        expect '{"type":"ack","delivery":1}'
        event 2 hello
        expect '{"type":"ack","delivery":2}'

        """#

    private static let testCheck = #"""
        for text in 'what the heck:false' 'hello:true'; do
            command='{"type":"SEND_MESSAGE","userId":"ann","channelId":"general","message":"'${text%:*}'"}'
            tell '{"type":"check","id":3,"deadlineMs":1000,"command":'"$command"'}'
            expect '{"type":"verdict","id":3,"allow":'"${text#*:}"'*'
        done

        """#

    private static let testEnd = #"""
        tell '{"type":"drain","deadlineMs":1000,"why":"stop"}'
        expect '{"type":"drained"}'
        wait "$pid" || fail "exit status $?"
        echo passed

        """#
}
