import CrowbarTesting
import Glibc
import JSONBytes
import Testing

/// The command line against a server that loses connections: a scripted one on the Unix socket, and the real one under
/// many callers at once.
@Suite(.serialized) struct LostConnectionTests {
    struct Case: Sendable, CustomTestStringConvertible {
        /// What the scripted server does to each connection, in order; the last one repeats.
        var steps: [String]
        var verb: [String]
        var status: Int32 = 0
        /// The requests that arrived completely.
        var requests: Int
        var testDescription: String { "\(verb.prefix(2)) \(steps)" }
    }

    private static let send = ["send", "general", "hello"]
    private static let table = [
        // The answer counts, however much of the request the server has read when it closes.
        Case(steps: ["answer-unread"], verb: send, requests: 0),
        Case(steps: ["answer-after-head"], verb: send, requests: 0),
        Case(steps: ["answer"], verb: send, requests: 1),
        Case(steps: ["answer-after-head"], verb: ["hooks", "list"], requests: 0),
        Case(steps: ["answer-unread"], verb: ["plugins", "stop", "p"], requests: 0),
        // A lost connection is retried, wherever it broke.
        Case(steps: ["close-unread", "answer"], verb: send, requests: 1),
        Case(steps: ["close-after-head", "answer"], verb: send, requests: 1),
        Case(steps: ["close", "answer"], verb: send, requests: 2),
        Case(steps: ["close-in-head", "answer"], verb: send, requests: 2),
        Case(steps: ["close-behind-head", "answer"], verb: send, requests: 2),
        Case(steps: ["close-in-body", "answer"], verb: send, requests: 2),
        Case(steps: ["close-in-body", "close-in-head", "close", "answer"], verb: send, requests: 4),
        Case(steps: ["close-in-body", "answer"], verb: ["hooks", "list"], requests: 2),
        Case(steps: ["close-in-body", "answer"], verb: ["plugins", "stop", "p"], requests: 2),
        Case(steps: ["close-in-body", "answer"], verb: ["channel", "add", "x"], requests: 2),
        // Not for ever.
        Case(steps: ["close"], verb: send, status: 1, requests: 6),
        Case(steps: ["close"], verb: ["hooks", "list"], status: 1, requests: 6),
        Case(steps: ["close-for-good"], verb: send, status: 1, requests: 1),
    ]

    /// Reads as much of a request as a step wants, tells of complete ones, answers as much as the step says, closes.
    private static let script = #"""
        import json, os, socket, sys
        steps = sys.argv[2:]
        def receive(peer, count):
            data = peer.recv(count)
            if not data: sys.exit("the request ended early")
            return data
        server = socket.socket(socket.AF_UNIX)
        server.bind(sys.argv[1])
        server.listen(16)
        print("listening", flush=True)
        while True:
            peer, _ = server.accept()
            step = steps[0] if len(steps) == 1 else steps.pop(0)
            data = b""
            if step.endswith("-unread"):
                # An answer before the first byte of the request would answer nothing.
                peer.recv(1, socket.MSG_PEEK)
            else:
                while b"\r\n\r\n" not in data:
                    data += receive(peer, 1 if step.endswith("-after-head") else 65536)
            head = data.partition(b"\r\n\r\n")[0].decode()
            lines = dict(l.lower().split(": ", 1) for l in head.split("\r\n")[1:])
            length = int(lines.get("content-length", "0"))
            if step.endswith("-unread") or step.endswith("-after-head"):
                body = b""
            else:
                while len(data) < len(head) + 4 + length:
                    data += receive(peer, 65536)
                body = data[len(head) + 4:]
                event = json.loads(body)["eventId"] if b"eventId" in body else ""
                print("request", lines.get("idempotency-key", ""), event, sep=",", flush=True)
            text = b"[]" if head.startswith("GET") else b'{"eventId":"the-answer","name":"p","state":"stopped"}'
            answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(text)
            if step.startswith("answer"): answer += text
            elif step == "close-in-head": answer = answer[:20]
            elif step == "close-behind-head": pass
            elif step == "close-in-body": answer += text[:1]
            else: answer = b""
            peer.sendall(answer)
            peer.close()
            if step == "close-for-good":
                os.unlink(sys.argv[1])
                sys.exit()
        """#

    @Test(arguments: table) func aLostConnectionIsRetriedAndAnAnswerCounts(_ row: Case) async throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\n")
        folder.makeFolder("d")
        folder.write("d/log.db", "")
        folder.write("d/admin.key", "key\n")
        folder.write("server.py", Self.script)
        let server = try LineProcess(
            "/usr/bin/python3", arguments: [folder.file("server.py"), folder.file("d/crowbar.sock")] + row.steps)
        _ = try await server.first("the server", within: testDeadline) {
            String(decoding: $0, as: UTF8.self) == "listening" ? true : nil
        }
        let outcome = folder.verb(row.verb)
        #expect(outcome.status == row.status, "\(outcome.error)")
        if row.status == 0, row.verb == Self.send { #expect(outcome.output == "the-answer\n") }
        if row.status != 0 {
            #expect(outcome.error.contains("in 6 tries") && outcome.error.contains("is not known"), "\(outcome.error)")
        }
        var requests: [String] = []
        while requests.count < row.requests {
            requests.append(
                try await server.first("a request", within: testDeadline) { String(decoding: $0, as: UTF8.self) })
        }
        // Each try carries the same key and the same event id, so that the server makes the change once.
        #expect(Set(requests).count <= 1, "\(requests)")
        let fields = (requests.first ?? "").split(separator: ",", omittingEmptySubsequences: false)
        if row.requests > 0, row.verb != ["hooks", "list"] { #expect(fields.count == 3 && !fields[1].isEmpty) }
        if row.requests > 0, ["send", "channel"].contains(row.verb[0]) {
            let event = try #require(fields.last)
            #expect(!event.isEmpty)
            if row.status != 0 { #expect(outcome.error.contains("the event's id is \(event)"), "\(outcome.error)") }
        }
    }

    @Test func manyCallersAtOnceAreAllAnsweredAndStoredOnce() async throws {
        let folder = CommandLineFolder()
        folder.write("crowbar.toml", "data = \"d\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
        let server = try #require(folder.serve())
        defer {
            kill(server.pid, SIGKILL)
            _ = CommandLineFolder.wait(server.pid)
        }
        #expect(folder.crowbar("channel", "add", "general").status == 0)
        #expect(folder.crowbar("send", "general", "first").status == 0)
        let (rounds, callers) = (20, 6)
        var ids: Set<String> = []
        for round in 0..<rounds {
            let started = (0..<callers).map { caller in
                ("r\(round)c\(caller)", folder.start(["send", "general", "\(round) \(caller)"], "r\(round)c\(caller)"))
            }
            for (tag, pid) in started {
                let status = CommandLineFolder.wait(try #require(pid))
                #expect(status == 0, "\(folder.read(tag + ".err"))")
                ids.insert(folder.read(tag + ".out"))
            }
        }
        #expect(ids.count == rounds * callers)
        let messages = folder.crowbar("events", "export").output.split(separator: "\n")
            .filter { $0.contains("MESSAGE_SENT") }
        #expect(messages.count == rounds * callers + 1)
    }
}
