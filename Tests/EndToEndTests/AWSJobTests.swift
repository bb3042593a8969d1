import CrowbarTesting
import Glibc
import JSONBytes
import Testing

extension MainJobTests {
    /// The plugin's process, found by its name among those that work in the folder.
    func plugin(_ name: String, in folder: CommandLineFolder) -> pid_t? {
        guard let handle = opendir("/proc") else { return nil }
        defer { closedir(handle) }
        while let entry = readdir(handle) {
            let text = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let pid = pid_t(text), CommandLineFolder.text(of: "/proc/\(pid)/comm") == name + "\n" else {
                continue
            }
            var buffer = [CChar](repeating: 0, count: 4_096)
            let length = readlink("/proc/\(pid)/cwd", &buffer, buffer.count)
            let cwd = String(decoding: buffer[..<max(0, length)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if cwd.hasPrefix(folder.path + "/") { return pid }
        }
        return nil
    }

    @Test func aFIFOQueueGetsEveryMessageOnceAndInOrderOverKills() async throws {
        let folder = CommandLineFolder()
        let python = Self.tests + "/../.build/test-python/bin/python"
        // Where it does not start, script/bootstrap --tests was not run.
        let world = try LineProcess(python, arguments: ["-I", Self.tests + "/AWSTests/aws_world.py"])
        let port = try await world.first("moto's port", within: testDeadline) { try JSON(parsing: $0)["port"]?.int }
        folder.makeFolder("plugins.d")
        folder.write("crowbar.toml", "[http]\nlisten = \"127.0.0.1:0\"\n")
        folder.write("aws-credentials", "[chat]\naws_access_key_id = AKIATEST\naws_secret_access_key = own/secret+\n")
        folder.write(
            "plugins.d/aws.toml",
            """
            command = ["crowbar-aws"]
            types = ["MESSAGE_SENT"]
            start = "beginning"
            [sandbox]
            network = true
            read = ["\(folder.file("aws-credentials"))"]
            [config]
            credentials_file = "\(folder.file("aws-credentials"))"
            profile = "chat"
            [[config.targets]]
            name = "queue"
            arn = "arn:aws:sqs:eu-central-1:123456789012:ordered.fifo"
            endpoint = "http://127.0.0.1:\(port)"
            """)
        let server = try #require(folder.serve())
        defer { kill(server.pid, SIGKILL) }
        let token = try await prepare(folder, server)
        let ids = (0..<300).map { "message-\($0)" }
        for batch in 0..<3 {
            let commands = ids[batch * 100..<batch * 100 + 100].map {
                "{\"type\":\"SEND_MESSAGE\",\"channelId\":\"general\",\"eventId\":\"\($0)\",\"message\":\"\($0)\"}"
            }
            #expect(try await post(commands, token, server.port, folder) == 100)
            // In the middle of deliveries: some were sent since the last time, and not all.
            for _ in 0..<5 { _ = try await world.first("a request", within: testDeadline) { isSent($0) ? true : nil } }
            #expect(folder.poll { plugin("crowbar-aws", in: folder).map { kill($0, SIGKILL) == 0 } ?? false })
        }
        // Only then are they taken, as moto drops what came twice by what the queue still holds.
        _ = try await world.first("the last message", within: testDeadline) { line in
            try JSON(parsing: line)["body"]?.string?.contains("message-299") == true && isSent(line) ? true : nil
        }
        try await world.send(line: JSON.object([.init("receive", .string("ordered.fifo"))]).bytes)
        let bodies = try await world.first("messages", within: testDeadline) {
            try JSON(parsing: $0)["messages"]?.array?.compactMap { $0["body"]?.string }
        }
        let received = bodies.compactMap { (try? JSON(parsing: $0.utf8))?["eventId"]?.string }
        #expect(received == ids)
        kill(server.pid, SIGTERM)
        #expect(CommandLineFolder.wait(server.pid) == 0)
    }

    /// Whether a line of the world tells of a signed request to the queue.
    private func isSent(_ line: [UInt8]) -> Bool {
        guard let json = try? JSON(parsing: line) else { return false }
        return json["service"]?.string == "sqs" && json["signed"]?.bool == true
    }
}
