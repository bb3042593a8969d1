/// The templates in Python: the standard library only.
enum PythonTemplates {
    static func program(_ kind: PluginTemplate.Kind) -> String {
        switch kind {
        case .sink: sink
        case .bridge: bridge
        case .check: check
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
        """{{summary}}"""
        import json
        import pathlib
        import sys


        def say(**message):
            print(json.dumps(message), flush=True)


        """#

    private static let sink =
        head + #"""
            for line in sys.stdin:
                message = json.loads(line)
                match message["type"]:
                    case "hello":  # the first line; 'ready' is the answer
                        file = pathlib.Path(message["dataDir"], "messages.txt")
                        say(type="ready", protocol=1, name="{{name}}", version="0.1")
                    case "event":
                        event = message["event"]
                        # An event comes again after a crash, so write down what is new only if twice would do harm.
                        with file.open("a") as messages:
                            messages.write(f"{event['channelId']} <{event['userId']}> {event['message']}\n")
                        say(type="ack", delivery=message["delivery"])
                    case "ping":  # whether the program still works
                        say(type="pong", n=message["n"])
                    case "drain":  # the server stops, or the plugin is replaced
                        say(type="drained")
                        break

            """#

    private static let bridge =
        head.replacing("import pathlib\n", with: "") + #"""
            def command(cause, step, **fields):
                # The key names the command for ever: after a crash the same one is not stored twice.
                say(type="command", id=step, cause=cause["delivery"], key=cause["event"]["eventId"] + "/" + step,
                    command={"userId": "{{name}}/bot", **fields})


            for line in sys.stdin:
                message = json.loads(line)
                match message["type"]:
                    case "hello":  # the first line; 'ready' is the answer
                        say(type="ready", protocol=1, name="{{name}}", version="0.1")
                    case "event":
                        event = message["event"]
                        if event["message"].startswith("!echo "):
                            channel = event["channelId"]
                            # Refused the second time, because it is done.
                            command(message, "register", type="REGISTER_USER", name="{{name}}")
                            command(message, "join", type="JOIN_CHANNEL", channelId=channel)
                            text = event["message"].removeprefix("!echo ")
                            command(message, "answer", type="SEND_MESSAGE", channelId=channel, message=text)
                        say(type="ack", delivery=message["delivery"])
                    case "ping":  # whether the program still works
                        say(type="pong", n=message["n"])
                    case "drain":  # the server stops, or the plugin is replaced
                        say(type="drained")
                        break

            """#

    private static let check =
        head.replacing("import pathlib\n", with: "") + #"""
            word = None
            for line in sys.stdin:
                message = json.loads(line)
                match message["type"]:
                    case "hello":  # the first line; 'ready' is the answer
                        word = message["config"].get("word")
                        if not isinstance(word, str) or not word:
                            say(type="fatal", code="config", path="word", message="must be a word")
                            sys.exit(78)
                        say(type="ready", protocol=1, name="{{name}}", version="0.1")
                    case "check":
                        if word in message["command"].get("message", ""):
                            say(type="verdict", id=message["id"], allow=False, code="word",
                                message=f"'{word}' is not welcome")
                        else:
                            say(type="verdict", id=message["id"], allow=True)
                    case "ping":  # whether the program still works
                        say(type="pong", n=message["n"])
                    case "drain":  # the server stops, or the plugin is replaced
                        say(type="drained")
                        break

            """#

    private static let testHead = #"""
        #!{{interpreter}}
        """Runs {{program}} as the server does, and checks what it answers."""
        import json
        import pathlib
        import subprocess
        import sys
        import tempfile
        import unittest

        PROGRAM = pathlib.Path(__file__).with_name("{{program}}")


        class PluginTest(unittest.TestCase):
            def setUp(self):
                folder = tempfile.TemporaryDirectory()
                self.addCleanup(folder.cleanup)
                self.folder = pathlib.Path(folder.name)
                self.plugin = subprocess.Popen(
                    [sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                self.addCleanup(self.plugin.stdout.close)
                self.addCleanup(self.plugin.stdin.close)
                self.addCleanup(self.plugin.wait)
                self.addCleanup(self.plugin.kill)
                self.tell(type="hello", protocol=1, plugin="{{name}}", purpose="live", dataDir=folder.name,
                          config={"word": "heck"})
                self.assertEqual(self.hear()["type"], "ready")

            def tell(self, **message):
                self.plugin.stdin.write(json.dumps(message) + "\n")
                self.plugin.stdin.flush()

            def hear(self):
                return json.loads(self.plugin.stdout.readline())

            def event(self, delivery, text):
                event = {"eventId": f"e{delivery}", "type": "MESSAGE_SENT", "userId": "ann", "channelId": "general",
                         "message": text}
                self.tell(type="event", queue="main", delivery=delivery, position=delivery, attempt=1, mode="live",
                          event=event)

            def test_answers_a_ping_and_ends_when_asked(self):
                self.tell(type="ping", n=7)
                self.assertEqual(self.hear(), {"type": "pong", "n": 7})
                self.tell(type="drain", deadlineMs=1000, why="stop")
                self.assertEqual(self.hear(), {"type": "drained"})
                self.assertEqual(self.plugin.wait(10), 0)


        """#

    private static let testSink = #"""
            def test_writes_a_message_to_its_file(self):
                self.event(1, "hello")
                self.assertEqual(self.hear(), {"type": "ack", "delivery": 1})
                self.assertEqual((self.folder / "messages.txt").read_text(), "general <ann> hello\n")

        """#

    private static let testBridge = #"""
            def test_answers_what_is_meant_for_it(self):
                self.event(1, "!echo hello")
                commands = [self.hear() for _ in range(3)]
                self.assertEqual([line["type"] for line in commands], ["command"] * 3)
                self.assertEqual(commands[2]["command"], {
                    "userId": "{{name}}/bot", "type": "SEND_MESSAGE", "channelId": "general", "message": "hello"})
                self.assertEqual(self.hear(), {"type": "ack", "delivery": 1})

            def test_leaves_the_rest_alone(self):
                self.event(1, "hello")
                self.assertEqual(self.hear(), {"type": "ack", "delivery": 1})

        """#

    private static let testCheck = #"""
            def test_refuses_the_word_and_allows_the_rest(self):
                for text, isAllowed in [("what the heck", False), ("hello", True)]:
                    self.tell(type="check", id=3, deadlineMs=1000, command={
                        "type": "SEND_MESSAGE", "userId": "ann", "channelId": "general", "message": text})
                    verdict = self.hear()
                    self.assertEqual((verdict["type"], verdict["id"], verdict["allow"]), ("verdict", 3, isAllowed))

        """#

    private static let testEnd = #"""

        if __name__ == "__main__":
            unittest.main()

        """#
}
