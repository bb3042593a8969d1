import Glibc

/// What a process finds around it, passed in so that it can be told otherwise.
package struct Surroundings: Sendable {
    /// The largest file that is read, in bytes.
    package static let maxFile = 1 << 20

    /// A variable of the environment; nil where it is not set or empty.
    package var variable: @Sendable (String) -> String?
    /// The content of a file; nil where it cannot be read or is too large.
    package var file: @Sendable (String) -> [UInt8]?
    /// Why that is so, and what to do.
    package var fileProblem: @Sendable (String) -> String
    /// Whether variables come through a plugin's manifest, whose `[env]` must pass them.
    package var hasManifest: Bool

    package init(
        variable: @escaping @Sendable (String) -> String?, file: @escaping @Sendable (String) -> [UInt8]?,
        fileProblem: @escaping @Sendable (String) -> String = { unreadable($0) }, hasManifest: Bool = false
    ) {
        self.variable = variable
        self.file = file
        self.fileProblem = fileProblem
        self.hasManifest = hasManifest
    }

    /// Those of this process.
    package static let process = Surroundings(variable: { variable($0) }, file: { read($0) })

    /// A variable of this process's environment; nil where it is not set or empty.
    package static func variable(_ name: String) -> String? {
        guard let value = getenv(name) else { return nil }
        let text = String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// Why a file cannot be read.
    /// - Parameter reason: Why it cannot be opened; nil where it can.
    package static func unreadable(_ path: String, because reason: String? = nil) -> String {
        if let reason { return reason }
        let isReadable = access(path, R_OK) == 0
        return "'\(path)' cannot be read: "
            + (isReadable
                ? "it is a folder, or has over \(maxFile >> 20) MiB" : String(cString: strerror(errno)))
    }

    /// The content of a file; nil where it cannot be read or is too large.
    package static func read(_ path: String) -> [UInt8]? {
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
