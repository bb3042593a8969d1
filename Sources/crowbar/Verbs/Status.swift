import ArgumentParser
import JSONBytes
import NIOHTTP1

/// `crowbar status`.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how the server is: version, address, uptime, log, plugins by health, disk.",
        discussion: "Exits with status 1 where no server runs.")

    @OptionGroup var settings: ConfigurationOption
    @Flag(help: "Print JSON.") var json = false

    func run() async throws {
        let client = ControlClient(folder: try settings.load().data)
        let answer = try await client.request(.GET, "/api/admin/status")
        if let refusal = answer.refusal { throw Refusal(refusal.message) }
        if json { return StandardStream.output.write(answer.body) }
        guard let status = try? JSON(parsing: answer.body) else { throw Refusal("the server's answer is not JSON") }
        for (name, value) in Self.lines(status) {
            let padding = String(repeating: " ", count: 10 - name.count)
            StandardStream.output.write(line: "\(name)\(padding)\(value)")
        }
    }

    private static func lines(_ status: JSON) -> [(String, String)] {
        let log = status["log"]
        let head = log?["eventId"]?.string.map { ", event \($0)" } ?? ""
        let disk = status["disk"]
        let plugins = ServerStatus.levels.compactMap { level -> String? in
            guard let names = status["plugins"]?[level]?.array, !names.isEmpty else { return nil }
            let list = level == "ok" ? "" : " (\(names.compactMap(\.string).joined(separator: ", ")))"
            return "\(names.count) \(level)\(list)"
        }
        return [
            ("version", AccountTable.cell(status["version"])), ("address", AccountTable.cell(status["address"])),
            ("process", AccountTable.cell(status["pid"])),
            (
                "up",
                "\(ProgressMeter.duration(Double(status["uptimeSeconds"]?.int ?? 0))) since "
                    + AccountTable.time(status["started"])
            ),
            ("log", log?["problem"]?.string ?? "position \(AccountTable.cell(log?["position"]))\(head)"),
            ("plugins", plugins.isEmpty ? "none" : plugins.joined(separator: ", ")),
            ("data", AccountTable.cell(disk?["folder"])),
            (
                "disk",
                "\(size(disk?["usedBytes"])) used, \(size(disk?["freeBytes"])) free of \(size(disk?["totalBytes"]))"
            ),
        ]
    }

    /// Bytes for people.
    private static func size(_ value: JSON?) -> String { value?.int.map(size) ?? "?" }

    /// Bytes for people.
    static func size(_ bytes: Int64) -> String {
        var (number, unit) = (bytes, "B")
        for next in ["KiB", "MiB", "GiB", "TiB"] where number >= 10_240 {
            number /= 1024
            unit = next
        }
        return "\(number) \(unit)"
    }
}

/// `crowbar health`: `GET /readyz` by the control socket, for what restarts a server that is not ready.
struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check that the server is ready: its log answers and can be written.",
        discussion: "Prints 'ready', or exits with status 1 and the reason, also where no server runs.")

    @OptionGroup var settings: ConfigurationOption

    func run() async throws {
        let answer = try await ControlClient(folder: try settings.load().data).request(.GET, "/readyz")
        if let refusal = answer.refusal { throw Refusal(refusal.message) }
        StandardStream.output.write(line: "ready")
    }
}
