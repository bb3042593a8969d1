import CrowbarTesting
import Foundation
import Glibc
import JSONBytes
import Testing

/// The metrics of the real server with real plugins, on both listeners, judged by promtool and by docs/metrics.md.
@Suite(.serialized) struct MetricsTests {
    private static let root = String(#filePath.dropLast("Tests/EndToEndTests/MetricsTests.swift".count))

    /// Ends each time that it is given an event.
    private static let crashing = """
        command = ["sh", "-c", '''
        while read -r line; do case $line in
            *hello*) echo '{"type":"ready","protocol":1,"name":"crash","version":"1"}';;
            *event*) exit 3;;
            *drain*) echo '{"type":"drained"}'; exit 0;;
        esac; done
        ''']
        """

    /// Says numbers of itself, and a line that is no message.
    private static let talking = """
        command = ["sh", "-c", '''
        while read -r line; do case $line in
            *hello*) echo '{"type":"ready","protocol":1,"name":"talk","version":"1"}'
                echo '{"type":"status","level":"ok","message":"","details":{"open":3,"a room":5,"text":"x"}}'
                echo '{"type":"nonsense';;
            *drain*) echo '{"type":"drained"}'; exit 0;;
        esac; done
        ''']
        """

    private static func webhook(_ port: Int) -> String {
        """
        command = ["crowbar-webhook"]
        types = ["MESSAGE_SENT"]
        [sandbox]
        network = true
        [[config.endpoints]]
        name = "closed"
        url = "http://127.0.0.1:\(port)/"
        secret = "\(WebhookServer.secret)"
        allow_private = true
        """
    }

    /// A server with these plugins, and where its metrics are.
    private struct World {
        var folder = CommandLineFolder()
        var pid: pid_t
        var api: String
        var metrics: String

        init() throws {
            folder.makeFolder("plugins.d")
            folder.write(
                "crowbar.toml",
                """
                data = "d"
                [http]
                listen = "127.0.0.1:0"
                [metrics]
                listen = "127.0.0.1:0"
                [auth]
                anonymous_read = true
                [[views.publish]]
                to = "www"
                every = "100ms"
                """)
            // Nobody listens there.
            folder.write("plugins.d/hook.toml", MetricsTests.webhook(try LoopbackPort.free()))
            folder.write("plugins.d/crash.toml", MetricsTests.crashing)
            folder.write("plugins.d/talk.toml", MetricsTests.talking)
            folder.write(
                "plugins.d/filter.toml",
                "command = [\"\(MetricsTests.root)examples/word_filter.py\"]\nphase = \"command\"\n"
                    + "on_failure = \"allow\"\n[config]\nwords = [\"darn\"]\naction = \"refuse\"\n")
            let server = try #require(folder.serve())
            (pid, api) = (server.pid, server.port)
            // The two listeners begin side by side.
            let folder = folder
            func address() -> String? {
                folder.read("serve.err").firstMatch(of: /http:\/\/127\.0\.0\.1:\d+\/metrics/).map { String($0.0) }
            }
            _ = folder.poll { address() != nil }
            metrics = try #require(address(), "\(folder.read("serve.err"))")
        }

        func scrape(_ arguments: String...) -> String {
            folder.program(["/usr/bin/curl", "-sS", "--max-time", "20"] + arguments).output
        }

        /// The value of a series of the listener of the metrics; nil if it is not there.
        func value(_ series: String) -> Double? {
            scrape(metrics).split(separator: "\n").first { $0.hasPrefix(series + " ") }
                .flatMap { Double($0.dropFirst(series.count + 1)) }
        }

        func isAtLeast(_ least: Double, _ series: String) -> Bool { folder.poll { (value(series) ?? -1) >= least } }

        func stop() {
            kill(pid, SIGTERM)
            #expect(CommandLineFolder.wait(pid) == 0)
        }
    }

    /// The names in a text of the format, without the endings of histograms.
    private static func names(_ text: String) -> Set<String> {
        Set(
            text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.compactMap {
                $0.split(separator: " ").dropFirst(2).first.map(String.init)
            })
    }

    /// The names of docs/metrics.md, each with its type and labels.
    private static func documented() throws -> [String: (type: String, labels: [String])] {
        let text = try String(contentsOfFile: root + "docs/metrics.md", encoding: .utf8)
        let row = /\| `((?:crowbar|process)_\w+)` \| (\w+) \|([^|]*)\|.*/
        return text.split(separator: "\n").reduce(into: [:]) { names, line in
            guard let match = line.wholeMatch(of: row) else { return }
            let labels = match.3.matches(of: /`(\w+)`/).map { String($0.1) }
            names[String(match.1)] = (String(match.2), labels)
        }
    }

    @Test func everyNameIsDocumentedAndOccurs() throws {
        let world = try World()
        defer { world.stop() }
        let folder = world.folder
        #expect(folder.crowbar("user", "add", "root-user", "--admin").status == 0)
        #expect(folder.crowbar("user", "add", "quiet-person").status == 0)
        #expect(folder.crowbar("channel", "add", "hidden-room").status == 0)
        let sent = folder.crowbar("send", "hidden-room", "hello", "--as", "quiet-person", "--event-id", "event-4711")
        #expect(sent.status == 0, "\(sent.error)")
        #expect(folder.crowbar("send", "hidden-room", "darn", "--as", "quiet-person").status != 0)
        // Each plugin has done what it is for.
        for (least, series) in [
            (1.0, #"crowbar_deliveries_total{plugin="hook",outcome="retried"}"#),
            (1, #"crowbar_plugin_restarts_total{plugin="crash",cause="crash"}"#),
            (1, #"crowbar_strikes_total{plugin="talk"}"#),
            (3, #"crowbar_plugin_detail{plugin="talk",queue="",name="open"}"#),
            (1, #"crowbar_metrics_dropped_total"#), (1, #"crowbar_check_seconds_count{plugin="filter"}"#),
            (1, #"crowbar_commands_total{outcome="stored"}"#), (1, #"crowbar_commands_total{outcome="refused"}"#),
            (1, #"crowbar_append_seconds_count"#), (1, #"crowbar_view_state{view="messages",state="current"}"#),
            (1, #"crowbar_plugin_state{plugin="talk",state="live"}"#),
            (1, #"crowbar_plugin_memory_bytes{plugin="hook"}"#),
            (0, #"crowbar_plugin_cpu_seconds_total{plugin="hook"}"#),
            (1, #"crowbar_queue_lag_events{plugin="hook",queue="closed"}"#),
            (0, #"crowbar_queue_lag_seconds{plugin="hook",queue="closed"}"#),
            (0, #"crowbar_queue_in_flight{plugin="hook",queue="closed"}"#),
            (0, #"crowbar_queue_parked{plugin="hook",queue="closed"}"#),
            (0, #"crowbar_dead_letters{plugin="hook",queue="closed"}"#), (4, "crowbar_log_position"),
            (1, #"crowbar_publish_total{target="www",outcome="written"}"#),
            (1, "crowbar_config_last_reload_success"), (1, "crowbar_disk_free_bytes"), (1, "process_open_fds"),
            (1, "process_max_fds"), (1, "process_resident_memory_bytes"), (1, "process_virtual_memory_bytes"),
            (1e9, "process_start_time_seconds"), (0.001, "process_cpu_seconds_total"), (0, "crowbar_stream_clients"),
            (0, #"crowbar_view_lag_events{view="users"}"#), (0, #"crowbar_view_lag_seconds{view="users"}"#),
            (0, #"crowbar_logins_total{outcome="failure"}"#), (0, #"crowbar_http_rejected_total{reason="too_large"}"#),
            (0, #"crowbar_streams_dropped_total{reason="slow_reader"}"#),
        ] { #expect(world.isAtLeast(least, series), "\(series): \(world.scrape(world.metrics))") }

        // The API's listener, for tokens of the scope.
        let api = "http://127.0.0.1:\(world.api)/metrics"
        for (scope, status) in [("metrics", "200"), ("admin", "200"), ("read", "403")] {
            let token = folder.crowbar("token", "root-user", "--scope", scope).output.dropLast()
            folder.write("headers", "Authorization: Bearer \(token)\n")
            let answer = world.scrape(
                "-w", "%{http_code}", "-o", folder.file("api.prom"), "-H", "@" + folder.file("headers"), api)
            #expect(answer == status, "\(scope)")
            if scope == "metrics" { #expect(Self.names(folder.read("api.prom")).contains("crowbar_build_info")) }
        }
        #expect(world.scrape("-o", "/dev/null", "-w", "%{http_code}", api) == "401")
        #expect(world.isAtLeast(2, #"crowbar_http_request_seconds_count{route="/metrics",status="2xx"}"#))

        let text = world.scrape(world.metrics)
        let documented = try Self.documented()
        #expect(Self.names(text) == Set(documented.keys))
        try Self.checkSeries(text, documented)
        for secret in ["root-user", "quiet-person", "hidden-room", "event-4711"] {
            #expect(!text.contains(secret), "\(secret)")
        }
        folder.write("own.prom", text)
        let judged = folder.program("/bin/sh", "-c", "promtool check metrics < own.prom")
        #expect(judged.status == 0 && judged.error.isEmpty && judged.output.isEmpty, "\(judged.output)\(judged.error)")
    }

    /// Every name has a series, with the type and the labels of the documentation.
    private static func checkSeries(_ text: String, _ documented: [String: (type: String, labels: [String])]) throws {
        for line in text.split(separator: "\n") where line.hasPrefix("# TYPE ") {
            let words = line.split(separator: " ").map(String.init)
            #expect(documented[words[2]]?.type == words[3], "\(line)")
        }
        var seen: Set<String> = []
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let match = try #require(line.wholeMatch(of: /(\w+)(?:\{(.*)\})? \S+/), "\(line)")
            var name = String(match.1)
            let ends = ["_bucket", "_sum", "_count"]
            if documented[name] == nil, let end = ends.first(where: { name.hasSuffix($0) }) {
                name = String(name.dropLast(end.count))
            }
            seen.insert(name)
            let labels = (match.2 ?? "").matches(of: /(\w+)="(?:[^"\\]|\\.)*"/).map { String($0.1) }
            #expect(labels.filter { $0 != "le" } == documented[name]?.labels, "\(line)")
        }
        #expect(seen == Set(documented.keys))
    }

    @Test func aReloadThatFailsIsSeen() throws {
        let world = try World()
        defer { world.stop() }
        #expect(world.isAtLeast(1, "crowbar_config_last_reload_success"))
        let good = world.folder.read("crowbar.toml")
        world.folder.write("crowbar.toml", good + "nonsense = [\n")
        kill(world.pid, SIGHUP)
        #expect(world.folder.poll { world.value("crowbar_config_last_reload_success") == 0 })
        world.folder.write("crowbar.toml", good)
        kill(world.pid, SIGHUP)
        #expect(world.isAtLeast(1, "crowbar_config_last_reload_success"))
    }

    @Test func aConnectionToTheListenerDelaysNoShutdown() throws {
        let world = try World()
        let port = try #require(world.metrics.split(separator: ":").last.flatMap { Int($0.prefix(while: \.isNumber)) })
        // One that asks nothing, and one that is in the middle of its request.
        let sockets = (0..<2).map { _ in LoopbackPort.connect(port) ?? -1 }
        defer { for socket in sockets { close(socket) } }
        #expect(sockets.allSatisfy { $0 >= 0 })
        let half = Array("GET /metrics HTTP/1.1\r\nHost: local".utf8)
        send(sockets[1], half, half.count, Int32(MSG_NOSIGNAL))
        #expect(world.scrape(world.metrics).contains("crowbar_build_info"))
        kill(world.pid, SIGTERM)
        #expect(CommandLineFolder.wait(world.pid) == 0, "\(world.folder.read("serve.err"))")
        #expect(!world.folder.read("serve.err").contains("cut off"))
    }

    @Test(
        arguments: [
            ("listen = \"127.0.0.1:0\"", nil), ("", nil),
            ("listen = \"9464\"", "crowbar.toml:4: metrics.listen: must be HOST:PORT"),
            ("listen = 9464", "crowbar.toml:4: metrics.listen: must be a string"),
            ("listen = \"127.0.0.1:1\"", "crowbar.toml:4: metrics.listen: is the address of [http] listen"),
            ("lisen = \"127.0.0.1:0\"", "crowbar.toml:4: metrics.lisen: unknown key"),
            (
                "listen = \"192.0.2.1:9464\"",
                "crowbar.toml:4: metrics.listen: 192.0.2.1:9464 is no address of this machine"
            ),
        ] as [(String, String?)])
    func whatIsWrongIsNamed(_ line: String, _ expected: String?) {
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        // Port 1 is for the superuser, so nothing is probed there where it is refused before.
        let api = line.contains(":1\"") ? "127.0.0.1:1" : "127.0.0.1:0"
        folder.write("crowbar.toml", "[http]\nlisten = \"\(api)\"\n[metrics]\n\(line)\n")
        let check = folder.crowbar("check")
        #expect(check.status == (expected == nil ? 0 : 1), "\(check.error)")
        if let expected { #expect(check.error.contains(expected), "\(check.error)") }
    }

    @Test func anAddressThatIsTakenIsNamed() throws {
        let world = try World()
        defer { world.stop() }
        let folder = CommandLineFolder()
        folder.makeFolder("plugins.d")
        folder.write(
            "crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"127.0.0.1:\(world.api)\"\n")
        let server = folder.crowbar("serve")
        #expect(server.status != 0)
        #expect(server.error.contains("127.0.0.1:\(world.api) is in use"), "\(server.error)")
        #expect(server.error.contains("[metrics] listen (or CROWBAR_METRICS_LISTEN)"), "\(server.error)")
        #expect(server.output.isEmpty && !server.error.contains(" started "), "\(server)")
    }
}
