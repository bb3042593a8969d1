import ArgumentParser
import Dispatch
import Glibc
import Logging
import PluginConformance
import PluginHost
import PluginWire

extension Recording {
    /// Bytes of a recording at most.
    static let maxBytes = 256 << 20

    /// Reads the file that `crowbar plugins try --record` wrote.
    static func read(_ path: String) throws -> Recording {
        do {
            guard let bytes = try SmallFile.read(path, upTo: maxBytes) else {
                throw Refusal("there is no file '\(path)'")
            }
            return try Recording(reading: bytes)
        } catch let failure as Failure {
            throw Refusal("'\(path)' is no recording: \(failure)")
        }
    }
}

extension Plugins {
    /// `crowbar plugins replay NAME|MANIFEST FILE`.
    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Play the host's side of a recording against a plugin, and compare what it says.",
            discussion: """
                Recordings come from 'crowbar plugins try --record'. The first process of the recording is played. \
                The order of members in a line does not count. Exits with status 1 at the first difference.
                """)

        @OptionGroup var settings: ConfigurationOption
        @Argument(help: "A plugin of the folder of manifests, or the path of a manifest.") var name: String
        @Argument(help: "The recording.") var file: String
        @Option(help: "A type of message that is not compared; may be given several times. 'log' and 'status' are not.")
        var ignore: [String] = []

        /// How long a line is waited for, in milliseconds.
        private static let patience: Int64 = 10_000

        func run() async throws {
            let configuration = try settings.load()
            let manifest = try TrialPlace.manifest(name, configuration)
            let recording = try Recording.read(file)
            let place = try TrialPlace(configuration, level: .critical)
            let interrupts = TrialPlace.removeOnInterrupt(place)
            defer {
                interrupts.forEach { $0.cancel() }
                place.remove()
            }
            let program: PluginProgram
            do { program = try await PluginProgram(manifest, place.environment) } catch { throw Refusal(error.reason) }
            var player = ReplayPlayer(recording, ignoring: Set(ignore).union(["log", "status"]))
            let difference = await Self.play(&player, program)
            await program.end(within: Self.patience)
            guard let difference else {
                guard player.compared > 0 else {
                    throw Refusal(
                        "nothing was compared: '\(file)' has no line of the plugin's that is not ignored; record the "
                            + "plugin while it answers, or leave out --ignore")
                }
                return StandardStream.output.write(line: "\(manifest.name): \(player.compared) lines are the same")
            }
            let point = difference.expected.map { "line \($0.number) of the recording" } ?? "the end of the recording"
            StandardStream.output.write(line: "\(manifest.name): differs at \(point)")
            let recorded = difference.expected.map { String(decoding: $0.line, as: UTF8.self) } ?? "nothing more"
            let written = difference.line.map { String(decoding: $0, as: UTF8.self) } ?? "nothing within 10 s"
            StandardStream.output.write(line: "  recorded: \(TerminalText.line(recorded))")
            StandardStream.output.write(line: "  written:  \(TerminalText.line(written))")
            throw ExitCode(1)
        }

        private static func play(
            _ player: inout ReplayPlayer, _ program: PluginProgram
        ) async -> ReplayPlayer.Difference? {
            for line in player.next() { program.write(Self.own(line, program)) }
            var lines = LineQueue(program.lines)
            while let expected = player.expected {
                guard let line = await lines.next(within: patience) else {
                    return ReplayPlayer.Difference(expected: expected, line: nil)
                }
                if let difference = player.take(line) { return difference }
                for line in player.next() { program.write(Self.own(line, program)) }
            }
            return nil
        }

        /// A `hello` with the folder and the configuration of this program; any other line as it is.
        private static func own(_ line: [UInt8], _ program: PluginProgram) -> [UInt8] {
            guard case .hello(var hello)? = try? HostMessage(line: line) else { return line }
            hello.config = program.hello.config
            hello.dataDir = program.hello.dataDir
            return HostMessage.hello(hello).line
        }
    }

    /// `crowbar plugins mock FILE`.
    struct Mock: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Play the plugin's side of a recording, as the program of a plugin.",
            discussion: """
                For a manifest: command = ["crowbar", "plugins", "mock", "/path/to/recording"]. Answers each event, \
                check and question as the recording does, in its order.
                """)

        @Argument(help: "The recording.") var file: String

        func run() throws {
            var mock = MockPlugin(try Recording.read(file))
            var splitter = LineSplitter()
            var bytes = [UInt8](repeating: 0, count: 64 << 10)
            var isOver = false
            while !isOver {
                let count = Glibc.read(STDIN_FILENO, &bytes, bytes.count)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { return }
                bytes[..<count].withUnsafeBytes { buffer in
                    splitter.feed(buffer) { piece in
                        guard !isOver, case .line(let line) = piece else { return }
                        let answer = mock.take(Array(line))
                        for line in answer.lines { StandardStream.output.write(raw: line + [0x0A]) }
                        if answer.isMissing {
                            StandardStream.error.write(
                                line: "the recording '\(file)' has no answer to "
                                    + TerminalText.line(String(decoding: line.prefix(200), as: UTF8.self))
                                    + "; record the plugin while it gets such a line")
                        }
                        isOver = answer.isOver
                    }
                }
            }
        }
    }
}

/// The lines of a program, each waited for with an end.
private struct LineQueue {
    private let lines: AsyncStream<[UInt8]>

    init(_ lines: AsyncStream<[UInt8]>) { self.lines = lines }

    /// The next line; nil: there is none in time.
    mutating func next(within milliseconds: Int64) async -> [UInt8]? {
        let lines = lines
        return await withTaskGroup(of: [UInt8]?.self) { group in
            group.addTask { await lines.first { _ in true } }
            group.addTask {
                try? await Task.sleep(for: .milliseconds(milliseconds))
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
