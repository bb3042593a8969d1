import Glibc
import PluginKit

/// What a process finds around it, passed in so that it can be told otherwise.
struct Surroundings: Sendable {
    /// The largest file that is read, in bytes.
    static let maxFile = 1 << 20

    /// A variable of the environment; nil where it is not set or empty.
    var variable: @Sendable (String) -> String?
    /// The content of a file; nil where it cannot be read or is too large.
    var file: @Sendable (String) -> [UInt8]?
    /// Why that is so, and what to do.
    var fileProblem: @Sendable (String) -> String = { path in
        ConfiguredFile.problem(path) ?? "'\(path)' cannot be read: it is a folder, or has over \(maxFile >> 20) MiB"
    }

    /// Those of this process.
    static let process = Surroundings(
        variable: { name in
            guard let value = getenv(name) else { return nil }
            let text = String(cString: value)
            return text.isEmpty ? nil : text
        }, file: { read($0) })

    private static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while content.count <= maxFile {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { return content }
            content += buffer[..<count]
        }
        return nil
    }
}
